import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { open, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { utils, type Client, type ClientChannel } from 'ssh2';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { packet, PacketType, string, uint32, uint64 } from '../../src/embedded/wire.js';
import {
  call,
  connect,
  openBelow,
  openSftp,
  RawSftp,
  sftp,
  sshOptions,
  startTestHost,
  statusOf,
  withSftp,
  type TestHost,
} from './support.js';

let test: TestHost;
beforeEach(async () => {
  test = await startTestHost();
});
afterEach(async () => {
  await test.host.close();
  expect(openBelow(test.root)).toEqual([]);
  await test.stop();
  expect(test.faults).toEqual([]);
});

const { OPEN_MODE, STATUS_CODE } = utils.sftp;

/** The host closes on its own what a client left open; only the turn in which it does isn't the test's. */
const everythingIsClosed = (): Promise<void> => vi.waitFor(() => expect(openBelow(test.root)).toEqual([]), { timeout: 10_000 });

/** Enough of them for the host to do all it will do in another session. */
async function manyTurns(): Promise<void> {
  await withSftp(test, async (session) => {
    for (let calls = 0; calls < 200; calls += 1) await call((done) => session.stat('/', done));
  });
}

async function sparseFile(name: string, lengthBytes: number): Promise<void> {
  const file = await open(join(test.root, name), 'w');
  await file.truncate(lengthBytes);
  await file.close();
}

describe('a client that goes away', () => {
  it('killed in the middle of an upload leaves nothing open', async () => {
    const there = join(test.outside, 'there');
    const file = await open(there, 'w');
    await file.truncate(4 * 1024 ** 3);
    await file.close();
    const args = ['-b', '-', ...sshOptions(test), `${test.host.username}@127.0.0.1`];
    const child = spawn('sftp', args, { stdio: ['pipe', 'ignore', 'ignore'] });
    child.stdin.end(`put ${there} file\n`);
    await vi.waitFor(async () => expect((await stat(join(test.root, 'file'))).size).toBeGreaterThan(1024 * 1024), {
      timeout: 10_000,
    });
    child.kill('SIGKILL');
    await once(child, 'exit');
    await everythingIsClosed();
    (await connect(test)).end();
  });

  it('cut off with requests under way leaves nothing open', async () => {
    await sparseFile('large', 64 * 1024 * 1024);
    const client = await connect(test);
    const session = await openSftp(client);
    const handle = await call<Buffer>((done) => session.open('/large', OPEN_MODE.READ | OPEN_MODE.WRITE, done));
    await call<Buffer>((done) => session.opendir('/', done));
    const data = randomBytes(200_000);
    for (let at = 0; at < 100; at += 1) session.write(handle, data, 0, data.length, at * data.length, () => undefined);
    cutOff(client);
    await everythingIsClosed();
  });

  it('that only ends its channel leaves nothing open', async () => {
    await writeFile(join(test.root, 'file'), '');
    const client = await connect(test);
    const raw = await RawSftp.open(client);
    await raw.open('/file', OPEN_MODE.READ);
    raw.channel.end();
    await once(raw.channel, 'close');
    expect(openBelow(test.root)).toEqual([]);
    client.end();
  });

  it('that closes its channel with replies unread leaves nothing open', async () => {
    const pieceBytes = 250_000;
    await sparseFile('large', pieceBytes * 100);
    const client = await connect(test);
    const raw = await RawSftp.open(client);
    const handle = await raw.open('/large', OPEN_MODE.READ);
    raw.channel.pause();
    for (let at = 0; at < 100; at += 1) {
      void raw.request(PacketType.read, string(handle), uint64(at * pieceBytes), uint32(pieceBytes));
    }
    await manyTurns();
    raw.channel.close();
    await everythingIsClosed();
    client.end();
  });

  it('stops the long work it asked for', async () => {
    await sparseFile('huge', 1024 ** 4);
    const client = await connect(test);
    const raw = await RawSftp.open(client);
    const fields = [string('check-file-name'), string('/huge'), string('sha256'), uint64(0), uint64(0), uint32(0)];
    void raw.request(PacketType.extended, ...fields);
    await vi.waitFor(() => expect(openBelow(test.root)).not.toEqual([]), { timeout: 10_000 });
    cutOff(client);
    await everythingIsClosed();
  });
});

function cutOff(client: Client): void {
  (client as unknown as { _sock: { destroy(): void } })._sock.destroy();
}

describe('the host, closed', () => {
  it('hangs up on everybody, with what they had under way', async () => {
    const client = await connect(test);
    const session = await openSftp(client);
    const handle = await call<Buffer>((done) => session.open('/file', OPEN_MODE.WRITE | OPEN_MODE.CREAT, done));
    const data = randomBytes(250_000);
    for (let at = 0; at < 50; at += 1) session.write(handle, data, 0, data.length, at * data.length, () => undefined);
    const gone = new Promise((resolve) => client.once('close', () => resolve(undefined)));
    await test.host.close();
    expect(openBelow(test.root)).toEqual([]);
    await gone;
    await expect(connect(test)).rejects.toThrow('ECONNREFUSED');
  });
});

describe('what would block', () => {
  it.each(['/fifo', '/link'])('is not opened: %s', async (path) => {
    execFileSync('mkfifo', [join(test.root, 'fifo')]);
    execFileSync('ln', ['-s', 'fifo', join(test.root, 'link')]);
    await withSftp(test, async (session) => {
      const { READ, WRITE, CREAT, TRUNC } = OPEN_MODE;
      // More than the thread pool has threads: if each blocked one, nothing would go on.
      const openings = [READ, WRITE, READ | WRITE, WRITE | CREAT, WRITE | TRUNC, WRITE | CREAT | TRUNC].map((flags) =>
        statusOf(call((done) => session.open(path, flags, done))),
      );
      expect(await Promise.all(openings)).toEqual(openings.map(() => STATUS_CODE.FAILURE));
      expect(await statusOf(call((done) => session.setstat(path, { size: 0 }, done)))).toBe(STATUS_CODE.FAILURE);
      expect(await statusOf(call((done) => session.setstat(path, { mode: 0o600 }, done)))).toBe(0);
    });
    expect((await sftp(test, `ls -l ${path}`)).stdout).toMatch(new RegExp(`^p.*${path}$`, 'm'));
  });

  it('is not opened: a socket', async () => {
    const server = createServer().listen(join(test.root, 'socket'));
    await once(server, 'listening');
    await withSftp(test, async (session) => {
      expect(await statusOf(call((done) => session.open('/socket', OPEN_MODE.READ, done)))).toBe(STATUS_CODE.FAILURE);
    });
    server.close();
  });
});

describe('what is no SFTP', () => {
  it.each([
    ['a packet of no bytes', uint32(0)],
    ['a packet of 4 GiB', uint32(0xffffffff)],
    ['a packet just over the limit', uint32(256 * 1024 + 1)],
    ['a packet without an id', packet(PacketType.stat, Buffer.of(1, 2))],
  ])('%s ends its session, not the connection', async (_name, bytes) => {
    const client = await connect(test);
    const raw = await RawSftp.open(client);
    const closed = once(raw.channel, 'close');
    raw.write(bytes);
    await closed;
    const session = await openSftp(client);
    expect(await statusOf(call((done) => session.stat('/', done)))).toBe(0);
    client.end();
  });

  it('a request before INIT ends the session', async () => {
    const client = await connect(test);
    const channel = await call<ClientChannel>((done) => client.subsys('sftp', done));
    channel.resume();
    channel.write(packet(PacketType.stat, uint32(1), string('/')));
    await once(channel, 'close');
    client.end();
  });

  it('fields that end too early are answered, and the session goes on', async () => {
    const client = await connect(test);
    const raw = await RawSftp.open(client);
    const badMessage = STATUS_CODE.BAD_MESSAGE;
    for (const type of [
      PacketType.open,
      PacketType.read,
      PacketType.write,
      PacketType.rename,
      PacketType.setstat,
      PacketType.extended,
    ]) {
      expect(await raw.status(type, uint32(1000), Buffer.from('short'))).toBe(badMessage);
    }
    const handle = await raw.open('/file', OPEN_MODE.WRITE | OPEN_MODE.CREAT);
    expect(await raw.status(PacketType.write, string(handle), uint64(0), uint32(10), Buffer.from('short'))).toBe(badMessage);
    expect(await raw.status(PacketType.write, string(handle), uint64(2n ** 63n), string('x'))).toBe(badMessage);
    client.end();
  });

  it('random bytes never bring the host down', async () => {
    const client = await connect(test);
    for (let round = 0; round < 100; round += 1) {
      const raw = await RawSftp.open(client);
      const closed = once(raw.channel, 'close');
      for (let count = 0; count < 20; count += 1) {
        const type = randomBytes(1).readUInt8() % 22;
        raw.write(packet(type, uint32(count), randomBytes(round * 3)));
      }
      raw.channel.end();
      await closed;
    }
    client.end();
  });
});

describe('back-pressure', () => {
  it('holds the replies of a client that does not read, and gives them all when it does', async () => {
    const pieceBytes = 250_000;
    const count = 400;
    await sparseFile('large', pieceBytes * count);
    const client = await connect(test);
    const raw = await RawSftp.open(client);
    const handle = await raw.open('/large', OPEN_MODE.READ);
    raw.channel.pause();
    const before = process.memoryUsage().arrayBuffers;
    const replies = Array.from({ length: count }, (_, index) =>
      raw.request(PacketType.read, string(handle), uint64(index * pieceBytes), uint32(pieceBytes)),
    );
    await manyTurns();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50 * 1024 * 1024);
    raw.channel.resume();
    for (const reply of replies) expect((await reply).fields.bytes().length).toBe(pieceBytes);
    client.end();
  });

  it('holds a client that sends faster than the disk writes, and loses nothing', async () => {
    const client = await connect(test);
    const raw = await RawSftp.open(client);
    const handle = await raw.open('/file', OPEN_MODE.WRITE | OPEN_MODE.CREAT);
    const blocks = Array.from({ length: 500 }, (_, index) => Buffer.alloc(1_000, index % 256));
    // Overlapping writes run one after the other, so that they pile up.
    const statuses = blocks.map((block) => raw.status(PacketType.write, string(handle), uint64(0), string(block)));
    expect(new Set(await Promise.all(statuses))).toEqual(new Set([0]));
    expect((await readFile(join(test.root, 'file'))).equals(Buffer.alloc(1_000, 499 % 256))).toBe(true);
    client.end();
  });
});
