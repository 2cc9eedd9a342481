import { randomBytes } from 'node:crypto';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { run, sha256, startTestHost, type Outcome, type TestHost } from './support.js';

let test: TestHost;
beforeEach(async () => {
  test = await startTestHost();
});
afterEach(async () => {
  await test.stop();
  expect(test.faults).toEqual([]);
});

/** rclone against an on-the-fly remote; it looks at nobody's configuration. */
function rclone(...args: readonly string[]): Promise<Outcome> {
  const { host, outside } = test;
  const env = {
    RCLONE_CONFIG: '/dev/null',
    RCLONE_SFTP_HOST: '127.0.0.1',
    RCLONE_SFTP_PORT: String(host.port),
    RCLONE_SFTP_USER: host.username,
    RCLONE_SFTP_KEY_FILE: host.privateKeyFile,
    RCLONE_SFTP_KNOWN_HOSTS_FILE: join(outside, 'known_hosts'),
  };
  return run('rclone', [...args, '--retries', '1', '--low-level-retries', '1'], { env });
}

describe('rclone', () => {
  it('copies a tree, lists it, finds it equal, and copies it back', async () => {
    const tree = join(test.outside, 'tree');
    await mkdir(join(tree, 'deep', 'deeper'), { recursive: true });
    await writeFile(join(tree, 'large'), randomBytes(20 * 1024 * 1024 + 3));
    await writeFile(join(tree, 'deep', 'small'), 'small');
    await writeFile(join(tree, 'deep', 'deeper', 'äöü €'), '');

    expect(await rclone('copy', tree, ':sftp:/copied')).toMatchObject({ code: 0 });
    expect(await sha256(join(test.root, 'copied', 'large'))).toBe(await sha256(join(tree, 'large')));
    expect((await rclone('lsf', '-R', ':sftp:/copied')).stdout.split('\n').sort()).toEqual(
      ['', 'deep/', 'deep/deeper/', 'deep/deeper/äöü €', 'deep/small', 'large'].sort(),
    );
    expect(await rclone('check', '--download', tree, ':sftp:/copied')).toMatchObject({ code: 0 });

    const back = join(test.outside, 'back');
    expect(await rclone('copy', ':sftp:/copied', back)).toMatchObject({ code: 0 });
    expect(await sha256(join(back, 'large'))).toBe(await sha256(join(tree, 'large')));
  });

  it('sees a difference', async () => {
    await mkdir(join(test.root, 'there'));
    await mkdir(join(test.outside, 'here'));
    await writeFile(join(test.root, 'there', 'file'), 'one');
    await writeFile(join(test.outside, 'here', 'file'), 'two');
    expect((await rclone('check', '--download', join(test.outside, 'here'), ':sftp:/there')).code).not.toBe(0);
  });

  it('moves and deletes', async () => {
    await writeFile(join(test.root, 'file'), 'x');
    expect(await rclone('moveto', ':sftp:/file', ':sftp:/moved')).toMatchObject({ code: 0 });
    expect((await stat(join(test.root, 'moved'))).size).toBe(1);
    expect(await rclone('deletefile', ':sftp:/moved')).toMatchObject({ code: 0 });
    await expect(stat(join(test.root, 'moved'))).rejects.toThrow('ENOENT');
  });

  it('tells the free space', async () => {
    const { code, stdout } = await rclone('about', '--json', ':sftp:/');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ free: expect.any(Number), total: expect.any(Number) });
  });
});
