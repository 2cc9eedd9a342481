import { createHash, randomBytes } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, readdir, stat, statfs, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { utils, type SFTPWrapper, type Stats } from 'ssh2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PacketType, string, uint32, uint64 } from '../../src/embedded/wire.js';
import { call, connect, openSftp, RawSftp, sha256, startTestHost, statusOf, withSftp, type TestHost } from './support.js';

let test: TestHost;
beforeEach(async () => {
  test = await startTestHost();
});
afterEach(async () => {
  await test.stop();
  expect(test.faults).toEqual([]);
});

const { OPEN_MODE, STATUS_CODE } = utils.sftp;
const here = (...names: readonly string[]): string => join(test.root, ...names);
const opened = (session: SFTPWrapper, path: string, flags: number): Promise<Buffer> =>
  call<Buffer>((done) => session.open(path, flags, done));
const closed = (session: SFTPWrapper, handle: Buffer): Promise<unknown> => call((done) => session.close(handle, done));
const written = (session: SFTPWrapper, handle: Buffer, data: Buffer, position: number): Promise<unknown> =>
  call((done) => session.write(handle, data, 0, data.length, position, done));

describe('VERSION', () => {
  // Fails when an ssh2 upgrade no longer gives a plain channel for the subsystem: see sftp-session.ts.
  it('announces the extensions that publication needs, and is heard by ssh2', async () => {
    await withSftp(test, async (session) => {
      const { _extensions } = session as unknown as { _extensions: Record<string, string> };
      expect(_extensions).toEqual({
        'posix-rename@openssh.com': '1',
        'statvfs@openssh.com': '2',
        'fstatvfs@openssh.com': '2',
        'hardlink@openssh.com': '1',
        'fsync@openssh.com': '1',
        'limits@openssh.com': '1',
        'copy-data': '1',
        'check-file': '1',
      });
    });
  });

  it('is followed by limits that ssh2 takes over', async () => {
    await withSftp(test, async (session) => {
      expect(session).toMatchObject({ _maxReadLen: 261_120, _maxWriteLen: 261_120, maxOpenHandles: 1024 });
    });
  });

  it('leaves unknown extensions and unknown packets unsupported', async () => {
    const client = await connect(test);
    const raw = await RawSftp.open(client);
    expect(await raw.status(PacketType.extended, string('no-such@example.com'))).toBe(STATUS_CODE.OP_UNSUPPORTED);
    expect(await raw.status(99)).toBe(STATUS_CODE.OP_UNSUPPORTED);
    expect(await raw.status(PacketType.stat, string('/missing'))).toBe(STATUS_CODE.NO_SUCH_FILE);
    client.end();
  });
});

describe('OPEN', () => {
  const { READ, WRITE, APPEND, CREAT, TRUNC, EXCL } = OPEN_MODE;

  it.each([
    ['READ of what is missing', READ, 'missing', STATUS_CODE.NO_SUCH_FILE],
    ['READ of what is there', READ, 'file', 0],
    ['WRITE without CREAT of what is missing', WRITE, 'missing', STATUS_CODE.NO_SUCH_FILE],
    ['WRITE and CREAT of what is missing', WRITE | CREAT, 'missing', 0],
    ['WRITE and CREAT of what is there', WRITE | CREAT, 'file', 0],
    ['EXCL of what is missing', WRITE | CREAT | EXCL, 'missing', 0],
    ['EXCL of what is there', WRITE | CREAT | EXCL, 'file', STATUS_CODE.FAILURE],
    ['EXCL of a dangling link', WRITE | CREAT | EXCL, 'dangling', STATUS_CODE.FAILURE],
    ['CREAT in a missing directory', WRITE | CREAT, 'missing/file', STATUS_CODE.NO_SUCH_FILE],
    ['a path through a file', READ, 'file/below', STATUS_CODE.NO_SUCH_FILE],
    ['WRITE of a directory', WRITE, 'directory', STATUS_CODE.FAILURE],
    ['a name over 255 bytes', WRITE | CREAT, 'x'.repeat(256), STATUS_CODE.BAD_MESSAGE],
  ])('%s', async (_name, flags, path, status) => {
    await writeFile(here('file'), 'content');
    await mkdir(here('directory'));
    await symlink('nothing', here('dangling'));
    await withSftp(test, async (session) => {
      expect(await statusOf(opened(session, `/${path}`, flags))).toBe(status);
    });
    expect(await readFile(here('file'), 'utf8')).toBe('content');
  });

  it('TRUNC empties, its absence keeps', async () => {
    await writeFile(here('file'), 'content');
    await withSftp(test, async (session) => {
      await closed(session, await opened(session, '/file', WRITE | CREAT));
      expect((await stat(here('file'))).size).toBe(7);
      await closed(session, await opened(session, '/file', WRITE | TRUNC));
      expect((await stat(here('file'))).size).toBe(0);
    });
  });

  it('APPEND writes at the end, wherever the offset says, in the order sent', async () => {
    await writeFile(here('file'), 'begin');
    await withSftp(test, async (session) => {
      const handle = await opened(session, '/file', WRITE | APPEND);
      // Long ones before short ones: side by side, the short one would be there first.
      const parts = Array.from({ length: 20 }, (_, index) => Buffer.alloc(index % 2 === 0 ? 250_000 : 1, 97 + index));
      await Promise.all(parts.map((part) => written(session, handle, part, 0)));
      const expected = Buffer.concat([Buffer.from('begin'), ...parts]);
      expect((await readFile(here('file'))).equals(expected)).toBe(true);
    });
  });

  it('makes a file with the mode that is asked for', async () => {
    await withSftp(test, async (session) => {
      await call<Buffer>((done) => session.open('/private', WRITE | CREAT | EXCL, { mode: 0o600 }, done));
    });
    expect((await stat(here('private'))).mode & 0o7777).toBe(0o600);
  });

  it('gives 1024 handles and no more, and one again after CLOSE', async () => {
    await writeFile(here('file'), '');
    await withSftp(test, async (session) => {
      const handles = await Promise.all(Array.from({ length: 1024 }, () => opened(session, '/file', READ)));
      expect(await statusOf(opened(session, '/file', READ))).toBe(STATUS_CODE.FAILURE);
      await closed(session, handles[500] ?? Buffer.alloc(0));
      await opened(session, '/file', READ);
    });
  });
});

describe('READ and WRITE', () => {
  it('two handles over two connections write interleaved ranges, beyond 4 GiB too', async () => {
    const [first, second] = [await connect(test), await connect(test)];
    const [one, two] = [await openSftp(first), await openSftp(second)];
    const [handleOne, handleTwo] = [
      await opened(one, '/sparse', OPEN_MODE.WRITE | OPEN_MODE.CREAT),
      await opened(two, '/sparse', OPEN_MODE.WRITE),
    ];
    const base = 4 * 1024 ** 3 - 100_000;
    const pieces = Array.from({ length: 40 }, () => randomBytes(50_000));
    await Promise.all(
      pieces.map((piece, index) => {
        const [session, handle] = index % 2 === 0 ? [one, handleOne] : [two, handleTwo];
        return written(session, handle, piece, base + index * piece.length);
      }),
    );
    const third = await connect(test);
    const reader = await openSftp(third);
    const handle = await opened(reader, '/sparse', OPEN_MODE.READ);
    for (const [index, piece] of pieces.entries()) {
      const read = Buffer.alloc(piece.length);
      await call<number>((done) => reader.read(handle, read, 0, read.length, base + index * piece.length, done));
      expect(read.equals(piece)).toBe(true);
    }
    const hole = Buffer.alloc(10, 1);
    await call<number>((done) => reader.read(handle, hole, 0, 10, 5, done));
    expect(hole).toEqual(Buffer.alloc(10));
    for (const client of [first, second, third]) client.end();
  });

  it('keep the order of what overlaps, and CLOSE waits for them', async () => {
    const client = await connect(test);
    const raw = await RawSftp.open(client);
    const handle = await raw.open('/file', OPEN_MODE.READ | OPEN_MODE.WRITE | OPEN_MODE.CREAT);
    // Long ones before short ones, as above.
    const blocks = Array.from({ length: 30 }, (_, index) => Buffer.alloc(index % 2 === 0 ? 250_000 : 10, index));
    const write = (block: Buffer): Promise<number> => raw.status(PacketType.write, string(handle), uint64(0), string(block));
    const writes = blocks.map(write);
    const read = raw.request(PacketType.read, string(handle), uint64(0), uint32(11));
    const last = write(Buffer.alloc(250_000, 77));
    const close = raw.status(PacketType.close, string(handle));
    const late = write(Buffer.alloc(10, 99));
    expect(new Set(await Promise.all(writes))).toEqual(new Set([0]));
    expect((await read).fields.bytes()).toEqual(Buffer.from([...Array<number>(10).fill(29), 28]));
    expect([await last, await close, await late]).toEqual([0, 0, STATUS_CODE.FAILURE]);
    expect((await readFile(here('file'))).equals(Buffer.alloc(250_000, 77))).toBe(true);
    client.end();
  });

  it('end at the end of the file', async () => {
    await writeFile(here('file'), 'content');
    const client = await connect(test);
    const raw = await RawSftp.open(client);
    const handle = await raw.open('/file', OPEN_MODE.READ);
    const reply = await raw.request(PacketType.read, string(handle), uint64(4), uint32(1000));
    expect(reply.fields.text()).toBe('ent');
    expect(await raw.status(PacketType.read, string(handle), uint64(7), uint32(1000))).toBe(STATUS_CODE.EOF);
    expect(await raw.status(PacketType.write, string(handle), uint64(0), string('x'))).toBe(STATUS_CODE.NO_SUCH_FILE);
    client.end();
  });

  it('carry a large file through one pipeline', async () => {
    const content = randomBytes(40 * 1024 * 1024 + 1);
    await withSftp(test, async (session) => {
      const handle = await opened(session, '/large', OPEN_MODE.WRITE | OPEN_MODE.CREAT);
      const parts = Array.from({ length: Math.ceil(content.length / 100_000) }, (_, index) => index * 100_000);
      await Promise.all(parts.map((from) => written(session, handle, content.subarray(from, from + 100_000), from)));
    });
    expect(await sha256(here('large'))).toBe(createHash('sha256').update(content).digest('hex'));
  });
});

describe('attributes', () => {
  it('are those of the file, by path, link and handle', async () => {
    await writeFile(here('file'), 'content', { mode: 0o640 });
    await symlink('file', here('link'));
    const { uid, gid, mtimeMs } = await stat(here('file'));
    const facts = { size: 7, uid, gid, mode: 0o100640, mtime: Math.floor(mtimeMs / 1000) };
    await withSftp(test, async (session) => {
      expect(await call<Stats>((done) => session.stat('/link', done))).toMatchObject(facts);
      expect(await call<Stats>((done) => session.lstat('/file', done))).toMatchObject(facts);
      const handle = await opened(session, '/file', OPEN_MODE.READ);
      expect(await call<Stats>((done) => session.fstat(handle, done))).toMatchObject(facts);
      expect((await call<Stats>((done) => session.lstat('/link', done))).isSymbolicLink()).toBe(true);
      expect((await call<Stats>((done) => session.lstat('/', done))).isDirectory()).toBe(true);
    });
  });

  it('are set by path and by handle', async () => {
    await writeFile(here('file'), 'content');
    await withSftp(test, async (session) => {
      await call((done) => session.setstat('/file', { size: 3, mode: 0o600, atime: 1_000, mtime: 2_000 }, done));
      expect(await stat(here('file'))).toMatchObject({ size: 3, mode: 0o100600, atimeMs: 1_000_000, mtimeMs: 2_000_000 });
      const handle = await opened(session, '/file', OPEN_MODE.WRITE);
      await call((done) => session.fsetstat(handle, { size: 5, mode: 0o644, atime: 3_000, mtime: 4_000 }, done));
      expect(await stat(here('file'))).toMatchObject({ size: 5, mode: 0o100644, atimeMs: 3_000_000, mtimeMs: 4_000_000 });
    });
  });

  it('never change the owner, but may name the present one', async () => {
    await writeFile(here('file'), '');
    const { uid, gid } = await stat(here('file'));
    await withSftp(test, async (session) => {
      const chown = (newUid: number) => call((done) => session.setstat('/file', { uid: newUid, gid }, done));
      expect(await statusOf(chown(uid))).toBe(0);
      expect(await statusOf(chown(uid + 1))).toBe(STATUS_CODE.PERMISSION_DENIED);
    });
  });
});

describe('names', () => {
  it('are resolved: relative to the root, without . and .., links followed', async () => {
    await mkdir(here('a', 'b'), { recursive: true });
    await symlink('a/b', here('link'));
    const answers = {
      '.': '/',
      '': '/',
      'a/./b/..': '/a',
      '/../..': '/',
      '/link': '/a/b',
      '/link/new': '/a/b/new',
      '//a//': '/a',
    };
    await withSftp(test, async (session) => {
      for (const [path, answer] of Object.entries(answers)) {
        expect(await call<string>((done) => session.realpath(path, done))).toBe(answer);
      }
      expect(await statusOf(call((done) => session.realpath('/missing/new', done)))).toBe(STATUS_CODE.NO_SUCH_FILE);
    });
  });

  it('with a NUL are refused, and the session goes on', async () => {
    await withSftp(test, async (session) => {
      expect(await statusOf(call((done) => session.stat('/a\0b', done)))).toBe(STATUS_CODE.BAD_MESSAGE);
      expect(await statusOf(call((done) => session.stat('/', done)))).toBe(0);
    });
  });

  it('of directories are renamed, but not onto anything', async () => {
    await mkdir(here('one'));
    await mkdir(here('two'));
    await withSftp(test, async (session) => {
      expect(await statusOf(call((done) => session.rename('/one', '/two', done)))).toBe(STATUS_CODE.FAILURE);
      expect(await statusOf(call((done) => session.rename('/one', '/three', done)))).toBe(0);
    });
    expect((await readdir(test.root)).sort()).toEqual(['three', 'two']);
  });

  it('RENAME lets one of many racers win, and loses no file', async () => {
    const rounds = Array.from({ length: 25 }, (_, index) => index);
    const clients = await Promise.all([1, 2, 3, 4].map(() => connect(test)));
    const sessions = await Promise.all(clients.map(openSftp));
    for (const round of rounds) {
      await Promise.all(sessions.map((_, racer) => writeFile(here(`from-${racer}`), String(racer))));
      const outcomes = await Promise.all(
        sessions.map((session, racer) => statusOf(call((done) => session.rename(`/from-${racer}`, `/to-${round}`, done)))),
      );
      expect([...outcomes].sort()).toEqual([0, 4, 4, 4]);
      expect(await readFile(here(`to-${round}`), 'utf8')).toBe(String(outcomes.indexOf(0)));
    }
    for (const client of clients) client.end();
  });

  it('SYMLINK and READLINK agree with ssh2, which keeps to the draft here', async () => {
    await withSftp(test, async (session) => {
      await call((done) => session.symlink('target', '/link', done));
      expect(await call<string>((done) => session.readlink('/link', done))).toBe('target');
    });
  });

  it('REMOVE takes no directory and RMDIR no full one', async () => {
    await mkdir(here('full', 'inner'), { recursive: true });
    await withSftp(test, async (session) => {
      expect(await statusOf(call((done) => session.unlink('/full', done)))).toBe(STATUS_CODE.FAILURE);
      expect(await statusOf(call((done) => session.rmdir('/full', done)))).toBe(STATUS_CODE.FAILURE);
      expect(await statusOf(call((done) => session.unlink('/missing', done)))).toBe(STATUS_CODE.NO_SUCH_FILE);
      expect(await statusOf(call((done) => session.rmdir('/', done)))).toBe(STATUS_CODE.PERMISSION_DENIED);
    });
  });
});

describe('extensions', () => {
  it('posix-rename replaces, hardlink refuses to', async () => {
    await writeFile(here('one'), '1');
    await writeFile(here('two'), '2');
    await withSftp(test, async (session) => {
      expect(await statusOf(call((done) => session.ext_openssh_hardlink('/one', '/two', done)))).toBe(STATUS_CODE.FAILURE);
      await call((done) => session.ext_openssh_hardlink('/one', '/linked', done));
      expect((await stat(here('one'))).nlink).toBe(2);
      await call((done) => session.ext_openssh_rename('/one', '/two', done));
    });
    expect(await readFile(here('two'), 'utf8')).toBe('1');
  });

  it('fsync takes files, and directories opened either way', async () => {
    await withSftp(test, async (session) => {
      const file = await opened(session, '/file', OPEN_MODE.WRITE | OPEN_MODE.CREAT);
      const directory = await opened(session, '/', OPEN_MODE.READ);
      const listing = await call<Buffer>((done) => session.opendir('/', done));
      for (const handle of [file, directory, listing]) await call((done) => session.ext_openssh_fsync(handle, done));
      expect(await statusOf(call((done) => session.ext_openssh_fsync(Buffer.from('none'), done)))).toBe(STATUS_CODE.FAILURE);
    });
  });

  it('statvfs tells the space and which file system it is', async () => {
    const { blocks, bsize } = await statfs(test.root);
    const { dev } = await stat(test.root);
    const facts = { f_bsize: bsize, f_frsize: bsize, f_blocks: blocks, f_sid: dev, f_namemax: 255 };
    await withSftp(test, async (session) => {
      expect(await call((done) => session.ext_openssh_statvfs('/', done as never))).toMatchObject(facts);
    });
    const client = await connect(test);
    const raw = await RawSftp.open(client);
    const handle = await raw.open('/', OPEN_MODE.READ);
    const { type, fields } = await raw.request(PacketType.extended, string('fstatvfs@openssh.com'), string(handle));
    expect([type, fields.uint64(), fields.uint64(), fields.uint64()]).toEqual([PacketType.extendedReply, bsize, bsize, blocks]);
    client.end();
  });

  it('copy-data copies a range, to the end when no length is given, and not within one file', async () => {
    const content = randomBytes(2_500_000);
    await writeFile(here('source'), content);
    await link(here('source'), here('same'));
    const client = await connect(test);
    const raw = await RawSftp.open(client);
    const source = await raw.open('/source', OPEN_MODE.READ);
    const target = await raw.open('/target', OPEN_MODE.WRITE | OPEN_MODE.CREAT);
    const same = await raw.open('/same', OPEN_MODE.WRITE);
    const copy = (from: number, length: number, to: Buffer, at: number): Promise<number> =>
      raw.status(
        PacketType.extended,
        string('copy-data'),
        string(source),
        uint64(from),
        uint64(length),
        string(to),
        uint64(at),
      );
    expect(await copy(10, 1_000_000, target, 5)).toBe(0);
    expect(await copy(2_400_000, 0, target, 1_000_005)).toBe(0);
    expect(await copy(2_500_000, 1, target, 0)).toBe(STATUS_CODE.EOF);
    expect(await copy(0, 1, same, 0)).toBe(STATUS_CODE.FAILURE);
    const expected = Buffer.concat([Buffer.alloc(5), content.subarray(10, 1_000_010), content.subarray(2_400_000)]);
    expect((await readFile(here('target'))).equals(expected)).toBe(true);
    client.end();
  });
});

describe('check-file', () => {
  const content = randomBytes(3_000_001);
  const hashOf = (algorithm: string, from: number, to: number): string =>
    createHash(algorithm).update(content.subarray(from, to)).digest('hex');

  async function check(
    raw: RawSftp,
    name: string,
    subject: Buffer,
    range: readonly [number, number, number],
    offered = 'sha256',
  ) {
    const [from, length, block] = range;
    const fields = [string(name), string(subject), string(offered), uint64(from), uint64(length), uint32(block)];
    const reply = await raw.request(PacketType.extended, ...fields);
    if (reply.type === PacketType.status) return { status: reply.fields.uint32() };
    return { algorithm: reply.fields.text(), hashes: reply.fields.rest().toString('hex') };
  }

  it('hashes all of a file, a range of it, and blocks of that', async () => {
    await writeFile(here('file'), content);
    const client = await connect(test);
    const raw = await RawSftp.open(client);
    const handle = await raw.open('/file', OPEN_MODE.READ);
    const path = Buffer.from('/file');
    const whole = { algorithm: 'sha256', hashes: hashOf('sha256', 0, content.length) };
    expect(await check(raw, 'check-file-name', path, [0, 0, 0])).toEqual(whole);
    expect(await check(raw, 'check-file-handle', handle, [0, 99_999_999, 0])).toEqual(whole);
    const range = { algorithm: 'md5', hashes: hashOf('md5', 7, 1_000_007) };
    expect(await check(raw, 'check-file-handle', handle, [7, 1_000_000, 0], 'crc32,md5,sha256')).toEqual(range);
    const blocks = [
      hashOf('sha256', 1, 1_200_001),
      hashOf('sha256', 1_200_001, 2_400_001),
      hashOf('sha256', 2_400_001, 3_000_001),
    ];
    expect(await check(raw, 'check-file-handle', handle, [1, 0, 1_200_000])).toEqual({
      algorithm: 'sha256',
      hashes: blocks.join(''),
    });
    client.end();
  });

  it('hashes nothing of an empty file', async () => {
    await writeFile(here('empty'), '');
    const client = await connect(test);
    const raw = await RawSftp.open(client);
    const empty = { algorithm: 'sha256', hashes: hashOf('sha256', 0, 0) };
    expect(await check(raw, 'check-file-name', Buffer.from('/empty'), [0, 0, 0])).toEqual(empty);
    client.end();
  });

  it('refuses unknown hashes, small blocks, ranges behind the end, directories, and too many blocks', async () => {
    await writeFile(here('file'), content);
    await chmod(here('file'), 0o600);
    const client = await connect(test);
    const raw = await RawSftp.open(client);
    const path = Buffer.from('/file');
    expect(await check(raw, 'check-file-name', path, [0, 0, 0], 'crc32')).toEqual({ status: STATUS_CODE.FAILURE });
    expect(await check(raw, 'check-file-name', path, [0, 0, 255])).toEqual({ status: STATUS_CODE.BAD_MESSAGE });
    expect(await check(raw, 'check-file-name', path, [3_000_002, 0, 0])).toEqual({ status: STATUS_CODE.BAD_MESSAGE });
    expect(await check(raw, 'check-file-name', path, [0, 0, 256])).toEqual({ status: STATUS_CODE.FAILURE });
    expect(await check(raw, 'check-file-name', Buffer.from('/'), [0, 0, 0])).toEqual({ status: STATUS_CODE.FAILURE });
    client.end();
  });

  it('lets other sessions through while it hashes', async () => {
    const large = await open(here('large'), 'w');
    await large.truncate(192 * 1024 * 1024);
    await large.close();
    const [first, second] = [await connect(test), await connect(test)];
    const raw = await RawSftp.open(first);
    let isHashed = false;
    const hashing = check(raw, 'check-file-name', Buffer.from('/large'), [0, 0, 0]).then(() => (isHashed = true));
    const session = await openSftp(second);
    for (let calls = 0; calls < 20; calls += 1) await call((done) => session.stat('/large', done));
    expect(isHashed).toBe(false);
    await hashing;
    for (const client of [first, second]) client.end();
  });
});
