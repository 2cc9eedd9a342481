import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { run, sftp, sha256, sshOptions, startTestHost, type TestHost } from './support.js';

let test: TestHost;
beforeEach(async () => {
  test = await startTestHost();
});
afterEach(async () => {
  await test.stop();
  expect(test.faults).toEqual([]);
});

describe("OpenSSH's sftp", () => {
  it('puts and gets a file, byte for byte', async () => {
    const content = randomBytes(5 * 1024 * 1024 + 17);
    const [there, back] = [join(test.outside, 'there'), join(test.outside, 'back')];
    await writeFile(there, content);
    const outcome = await sftp(test, `put ${there} file`, `get file ${back}`);
    expect(outcome).toMatchObject({ code: 0, stderr: '' });
    const digest = createHash('sha256').update(content).digest('hex');
    expect(await sha256(join(test.root, 'file'))).toBe(digest);
    expect(await sha256(back)).toBe(digest);
  });

  it('resumes with reput, keeping what is there', async () => {
    const there = join(test.outside, 'there');
    await writeFile(there, 'abcdefgh');
    await writeFile(join(test.root, 'file'), 'abcd');
    expect(await sftp(test, `reput ${there} file`)).toMatchObject({ code: 0 });
    expect(await readFile(join(test.root, 'file'), 'utf8')).toBe('abcdefgh');
  });

  it('quits without waiting for the server', async () => {
    // A hang fails by the test's timeout.
    expect(await sftp(test, 'pwd', 'quit')).toMatchObject({ code: 0, stdout: expect.stringContaining('directory: /\n') });
  });

  it('lists in the long format', async () => {
    await writeFile(join(test.root, 'file'), 'x'.repeat(1234), { mode: 0o640 });
    await mkdir(join(test.root, 'directory'), { mode: 0o755 });
    await symlink('file', join(test.root, 'link'));
    const { stdout } = await sftp(test, 'ls -l');
    expect(stdout).toMatch(/^-rw-r----- +1 \d+ +\d+ +1234 \w{3} [ \d]\d \d\d:\d\d file$/m);
    expect(stdout).toMatch(/^drwxr-xr-x +2 .* directory$/m);
    expect(stdout).toMatch(/^lrwxrwxrwx +1 .* link$/m);
  });

  it('lists a directory of more entries than one reply holds', async () => {
    const names = Array.from({ length: 345 }, (_, index) => `file-${String(index).padStart(3, '0')}`);
    await Promise.all(names.map((name) => writeFile(join(test.root, name), '')));
    const { stdout } = await sftp(test, 'ls -1');
    expect(stdout.split('\n').filter((line) => line.startsWith('file-'))).toEqual(names);
  });

  it('lists names that are not UTF-8', async () => {
    await writeFile(Buffer.concat([Buffer.from(`${test.root}/`), Buffer.from([0x61, 0xff, 0x62])]), 'x');
    const { code, stdout } = await sftp(test, 'ls -1', 'get a* /dev/null');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^a(\\377|�)b$/m);
  });

  it('renames, and replaces by posix-rename', async () => {
    await writeFile(join(test.root, 'one'), '1');
    await writeFile(join(test.root, 'two'), '2');
    expect(await sftp(test, 'rename one three', 'rename three two')).toMatchObject({ code: 0 });
    expect(await readFile(join(test.root, 'two'), 'utf8')).toBe('1');
  });

  it('refuses to rename onto what exists when asked for a plain rename', async () => {
    await writeFile(join(test.root, 'one'), '1');
    await writeFile(join(test.root, 'two'), '2');
    expect(await sftp(test, 'rename -l one two')).toMatchObject({ code: 1, stderr: expect.stringContaining('Failure') });
    expect(await readFile(join(test.root, 'two'), 'utf8')).toBe('2');
    expect(await readFile(join(test.root, 'one'), 'utf8')).toBe('1');
  });

  it('makes hard links and symbolic links', async () => {
    await writeFile(join(test.root, 'file'), 'content');
    expect(await sftp(test, 'ln file hard', 'ln -s file soft')).toMatchObject({ code: 0, stderr: '' });
    expect((await stat(join(test.root, 'hard'))).nlink).toBe(2);
    expect(await readlink(join(test.root, 'soft'))).toBe('file');
  });

  it('makes and removes directories and files', async () => {
    await writeFile(join(test.root, 'file'), '');
    expect(await sftp(test, 'mkdir a', 'mkdir a/b', 'rmdir a/b', 'rm file')).toMatchObject({ code: 0, stderr: '' });
    expect((await stat(join(test.root, 'a'))).isDirectory()).toBe(true);
    await expect(stat(join(test.root, 'file'))).rejects.toThrow('ENOENT');
    expect(await sftp(test, 'mkdir a')).toMatchObject({ code: 1 });
  });

  it('changes the mode, but not the owner', async () => {
    await writeFile(join(test.root, 'file'), '');
    expect(await sftp(test, 'chmod 604 file')).toMatchObject({ code: 0 });
    expect((await stat(join(test.root, 'file'))).mode & 0o7777).toBe(0o604);
    expect(await sftp(test, 'chown 12345 file')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Permission denied'),
    });
  });

  it('keeps times and mode with put -p', async () => {
    const there = join(test.outside, 'there');
    await writeFile(there, 'x', { mode: 0o640 });
    await run('touch', ['-d', '2001-02-03T04:05:06Z', there]);
    expect(await sftp(test, `put -p ${there} file`)).toMatchObject({ code: 0 });
    const { mtimeMs, mode } = await stat(join(test.root, 'file'));
    expect({ mtimeMs, mode: mode & 0o7777 }).toEqual({ mtimeMs: Date.UTC(2001, 1, 3, 4, 5, 6), mode: 0o640 });
  });

  it('shows the free space', async () => {
    const { code, stdout } = await sftp(test, 'df');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ *[1-9]\d* +\d+ +[1-9]\d* +\d+ +\d+%$/m);
  });

  it('copies on the server', async () => {
    await writeFile(join(test.root, 'file'), randomBytes(3 * 1024 * 1024 + 5));
    expect(await sftp(test, 'copy file copied')).toMatchObject({ code: 0, stderr: '' });
    expect(await sha256(join(test.root, 'copied'))).toBe(await sha256(join(test.root, 'file')));
  });
});

describe("OpenSSH's ssh", () => {
  const destination = (): string => `${test.host.username}@127.0.0.1`;

  it('gets no command and no shell', async () => {
    expect((await run('ssh', [...sshOptions(test), destination(), 'true'])).code).toBe(255);
    expect((await run('ssh', [...sshOptions(test), '-T', destination()])).code).toBe(255);
  });

  it('gets no forwarding', async () => {
    const outcome = await run('ssh', [...sshOptions(test), '-W', `127.0.0.1:${test.host.port}`, destination()]);
    expect(outcome).toMatchObject({ code: 255, stderr: expect.stringContaining('forwarding failed') });
  });
});
