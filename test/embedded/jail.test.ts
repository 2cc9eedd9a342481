import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, readdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { Worker } from 'node:worker_threads';
import { utils, type SFTPWrapper } from 'ssh2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { call, openBelow, sftp, startTestHost, statusOf, withSftp, type TestHost } from './support.js';

let test: TestHost;
const { OPEN_MODE, STATUS_CODE } = utils.sftp;
const { NO_SUCH_FILE, PERMISSION_DENIED } = STATUS_CODE;

beforeEach(async () => {
  test = await startTestHost();
  await writeFile(join(test.outside, 'secret'), 'secret', { mode: 0o600 });
});
afterEach(async () => {
  await test.host.close();
  expect(openBelow(test.root)).toEqual([]);
  expect(await readFile(join(test.outside, 'secret'), 'utf8')).toBe('secret');
  await test.stop();
  expect(test.faults).toEqual([]);
});

/** Every request there is, aimed at `path`; the names of those that were carried out. */
async function carriedOut(session: SFTPWrapper, path: string): Promise<string[]> {
  const { READ, WRITE, CREAT, TRUNC } = OPEN_MODE;
  await writeFile(join(test.root, 'mine'), 'mine');
  const requests: Record<string, () => Promise<unknown>> = {
    open: () => call((done) => session.open(path, READ, done)),
    write: () => call((done) => session.open(path, WRITE, done)),
    truncate: () => call((done) => session.open(path, WRITE | TRUNC, done)),
    create: () => call((done) => session.open(path, WRITE | CREAT, done)),
    stat: () => call((done) => session.stat(path, done)),
    setstat: () => call((done) => session.setstat(path, { mode: 0o777, size: 0 }, done)),
    opendir: () => call((done) => session.opendir(path, done)),
    realpath: () => call((done) => session.realpath(path, done)),
    statvfs: () => call((done) => session.ext_openssh_statvfs(path, done)),
    'create below': () => call((done) => session.open(`${path}/new`, WRITE | CREAT, done)),
    'lstat below': () => call((done) => session.lstat(`${path}/secret`, done)),
    'remove below': () => call((done) => session.unlink(`${path}/secret`, done)),
    'mkdir below': () => call((done) => session.mkdir(`${path}/new`, done)),
    'rmdir below': () => call((done) => session.rmdir(`${path}/empty`, done)),
    'readlink below': () => call((done) => session.readlink(`${path}/link`, done)),
    'symlink below': () => call((done) => session.symlink('secret', `${path}/new`, done)),
    'rename from below': () => call((done) => session.rename(`${path}/secret`, '/stolen', done)),
    'rename to below': () => call((done) => session.rename('/mine', `${path}/new`, done)),
    'replace below': () => call((done) => session.ext_openssh_rename('/mine', `${path}/secret`, done)),
    'link from below': () => call((done) => session.ext_openssh_hardlink(`${path}/secret`, '/stolen', done)),
    'link to below': () => call((done) => session.ext_openssh_hardlink('/mine', `${path}/new`, done)),
  };
  const done: string[] = [];
  for (const [name, request] of Object.entries(requests)) {
    const status = await statusOf(request());
    if (status === 0) done.push(name);
    else expect([NO_SUCH_FILE, PERMISSION_DENIED]).toContain(status);
  }
  return done;
}

describe('the root', () => {
  it('has nothing above it', async () => {
    await withSftp(test, async (session) => {
      const up = `/../${'../'.repeat(20)}etc/passwd`;
      expect(await statusOf(call((done) => session.stat(up, done)))).toBe(NO_SUCH_FILE);
      expect(await call((done) => session.realpath('/..', done))).toBe('/');
      expect(await statusOf(call((done) => session.stat(`..${test.outside}/secret`, done)))).toBe(NO_SUCH_FILE);
    });
  });

  it('can be neither removed nor renamed nor replaced', async () => {
    await writeFile(join(test.root, 'file'), '');
    await withSftp(test, async (session) => {
      expect(await statusOf(call((done) => session.rmdir('/', done)))).toBe(PERMISSION_DENIED);
      expect(await statusOf(call((done) => session.rename('/', '/other', done)))).toBe(PERMISSION_DENIED);
      expect(await statusOf(call((done) => session.ext_openssh_rename('/file', '/.', done)))).toBe(PERMISSION_DENIED);
    });
  });
});

describe('a link that leads outside', () => {
  it.each([
    ['absolute', (): string => test.outside],
    ['relative', (): string => relative(test.root, test.outside)],
    ['of links', (): string => 'link-to-link'],
  ])('carries no request when it is %s', async (_name, target) => {
    await mkdir(join(test.outside, 'empty'));
    await symlink('secret', join(test.outside, 'link'));
    await symlink(test.outside, join(test.root, 'link-to-link'));
    await symlink(target(), join(test.root, 'link'));
    const before = (await readdir(test.outside)).sort();
    await withSftp(test, async (session) => {
      expect(await carriedOut(session, '/link')).toEqual([]);
    });
    expect((await readdir(test.outside)).sort()).toEqual(before);
  });

  it('carries no request when it leads to a file', async () => {
    await symlink(join(test.outside, 'secret'), join(test.root, 'link'));
    await withSftp(test, async (session) => {
      expect(await carriedOut(session, '/link')).toEqual([]);
    });
  });

  it('creates nothing when it dangles outside', async () => {
    await symlink(join(test.outside, 'new'), join(test.root, 'link'));
    await withSftp(test, async (session) => {
      const { WRITE, CREAT } = OPEN_MODE;
      expect(await statusOf(call((done) => session.open('/link', WRITE | CREAT, done)))).toBe(NO_SUCH_FILE);
    });
    expect(existsSync(join(test.outside, 'new'))).toBe(false);
  });

  it('can itself be looked at, renamed and removed', async () => {
    await symlink('/etc', join(test.root, 'link'));
    expect(await sftp(test, 'ls -l', 'rename link moved', 'rm moved')).toMatchObject({ code: 0 });
    expect(existsSync('/etc')).toBe(true);
    expect(await readdir(test.root)).toEqual([]);
  });

  it('is not made', async () => {
    await mkdir(join(test.root, 'a', 'b'), { recursive: true });
    const outcome = await sftp(
      test,
      '-ln -s /etc one',
      '-ln -s ../outside two',
      '-ln -s ../../../x a/b/three',
      'ln -s ../../x a/b/four',
    );
    expect(outcome.code).toBe(0);
    expect(await readdir(test.root)).toEqual(['a']);
    expect(await readdir(join(test.root, 'a', 'b'))).toEqual(['four']);
    expect(await readlink(join(test.root, 'a', 'b', 'four'))).toBe('../../x');
  });

  it('is refused when it came to lead outside by being moved', async () => {
    await mkdir(join(test.root, 'a'));
    const outcome = await sftp(test, 'ln -s ../outside a/link', 'rename a/link link', 'get link/secret /dev/null');
    expect(outcome).toMatchObject({ code: 1 });
  });
});

describe('a link that stays inside', () => {
  it('is followed, also when the system wrote it absolute', async () => {
    await mkdir(join(test.root, 'a', 'b'), { recursive: true });
    await symlink(join(test.root, 'a'), join(test.root, 'absolute'));
    await symlink('absolute/b', join(test.root, 'chain'));
    const there = join(test.outside, 'secret');
    expect(await sftp(test, `put ${there} chain/file`)).toMatchObject({ code: 0, stderr: '' });
    expect(await readFile(join(test.root, 'a', 'b', 'file'), 'utf8')).toBe('secret');
  });
});

describe('a swap', () => {
  it('of a directory for a link between two requests is noticed', async () => {
    await mkdir(join(test.root, 'place'));
    await writeFile(join(test.root, 'place', 'secret'), 'mine');
    await withSftp(test, async (session) => {
      expect(String(await call((done) => session.readFile('/place/secret', done)))).toBe('mine');
      const listing = await call<Buffer>((done) => session.opendir('/place', done));
      await rm(join(test.root, 'place'), { recursive: true });
      await symlink(test.outside, join(test.root, 'place'));
      expect(await statusOf(call((done) => session.readFile('/place/secret', done)))).toBe(PERMISSION_DENIED);
      // The open listing is of the directory that was there, which has no entries any more.
      expect(await statusOf(call((done) => session.readdir(listing, done)))).toBe(STATUS_CODE.EOF);
      await call((done) => session.close(listing, done));
    });
  });

  it.runIf(process.platform === 'linux')('in the middle of a request never shows what is outside', async () => {
    await mkdir(join(test.root, 'inside'));
    await writeFile(join(test.root, 'inside', 'secret'), 'mine');
    await symlink(test.outside, join(test.root, 'escape'));
    await rename(join(test.root, 'inside'), join(test.root, 'place'));
    const swapper = startSwapper(test.root);
    const seen = new Map<string, number>();
    const count = (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1);
    await withSftp(test, async (session) => {
      for (let round = 0; round < 400; round += 1) {
        try {
          count(String(await call((done) => session.readFile('/place/secret', done))));
        } catch (error) {
          count(String((error as { code?: number }).code));
        }
        await statusOf(call((done) => session.setstat('/place/secret', { mode: 0o604 }, done)));
        await statusOf(call((done) => session.open('/place/new', OPEN_MODE.WRITE | OPEN_MODE.CREAT, done)));
      }
    });
    await swapper.stop();
    expect(seen.get('secret')).toBeUndefined();
    expect(seen.get('mine')).toBeGreaterThan(0);
    expect(seen.get(String(PERMISSION_DENIED))).toBeGreaterThan(0);
    expect((await readdir(test.outside)).sort()).toEqual(['known_hosts', 'secret']);
  });
});

/** Swaps `place` between a directory and a link that leads outside, as fast as it can, on a thread of its own. */
function startSwapper(root: string): { stop(): Promise<void> } {
  const stopped = new Int32Array(new SharedArrayBuffer(4));
  const code = `
    const { renameSync } = require('node:fs');
    const { workerData: { root, stopped } } = require('node:worker_threads');
    while (Atomics.load(stopped, 0) === 0) {
      renameSync(root + '/place', root + '/inside');
      renameSync(root + '/escape', root + '/place');
      renameSync(root + '/place', root + '/escape');
      renameSync(root + '/inside', root + '/place');
    }`;
  const worker = new Worker(code, { eval: true, workerData: { root, stopped } });
  const ended = new Promise<void>((resolve, reject) => worker.once('exit', () => resolve()).once('error', reject));
  return {
    stop: async () => {
      Atomics.store(stopped, 0, 1);
      await ended;
    },
  };
}

describe('permissions', () => {
  it('of the file system hold: what may not be searched is not followed', async () => {
    await mkdir(join(test.root, 'closed'));
    await chmod(join(test.root, 'closed'), 0o000);
    const isRoot = process.getuid?.() === 0;
    await withSftp(test, async (session) => {
      expect(await statusOf(call((done) => session.stat('/closed/file', done)))).toBe(
        isRoot ? NO_SUCH_FILE : PERMISSION_DENIED,
      );
    });
  });
});
