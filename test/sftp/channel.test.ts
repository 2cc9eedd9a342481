// One session, on a channel of its own to a server that a test makes.
import { once } from 'node:events';
import ssh2, { type ClientChannel, type ServerChannel } from 'ssh2';
import { afterEach, describe, expect, it } from 'vitest';
import { Channel } from '../../src/sftp/channel.js';
import { DEFAULT_LIMITS } from '../../src/sftp/limits.js';
import { CommonBound } from '../../src/sftp/send-window.js';
import { lstat } from '../../src/sftp/requests.js';
import { SftpClient } from '../../src/sftp/sftp-client.js';
import { PacketType } from '../../src/sftp/wire.js';
import { writePipelined } from '../../src/sftp/pipelined-writer.js';
import { piecesOf } from '../support/bytes.js';
import { keptLog, realClock } from '../support/roles.js';
import { attributesReply, onRequests, startRawServer, statusReply } from './raw-server.js';

const context = {
  clock: realClock,
  log: keptLog(),
  random: Math.random,
  writeBound: new CommonBound(Infinity),
  onBytesRead: () => undefined,
  limits: DEFAULT_LIMITS,
};

describe('an SFTP session', () => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  async function streamTo(serve: (channel: ServerChannel) => void): Promise<ClientChannel> {
    const server = await startRawServer(serve);
    closing.push(() => server.stop());
    const client = new ssh2.Client();
    closing.push(async () => {
      client.end();
      await once(client, 'close');
    });
    client.connect({ host: server.options.address, port: server.options.port, username: 'somebody', password: 'any' });
    await once(client, 'ready');
    return new Promise((resolve, reject) => {
      client.subsys('sftp', (error, stream) => {
        if (error) reject(error);
        else resolve(stream);
      });
    });
  }

  it('numbers its requests on when the numbers come round', async () => {
    const ids: number[] = [];
    const stream = await streamTo((channel) => {
      // The first is answered last.
      onRequests(channel, ({ id }) => {
        ids.push(id);
        if (ids.length === 1) return;
        channel.write(attributesReply(id));
        if (ids.length === 4) channel.write(attributesReply(2 ** 32 - 2));
      });
    });
    const client = new SftpClient({ stream, firstId: 2 ** 32 - 2, onEnd: () => undefined, onDrain: () => undefined });
    const facts = { what: 'look', timeoutMs: 1_000, askedAt: 0 };
    await client.greet(facts);
    const first = client.request(lstat('/first'), facts);
    for (let count = 0; count < 3; count += 1) await client.request(lstat('/other'), facts);
    expect(await first).toMatchObject({ size: 7 });
    expect(ids).toEqual([2 ** 32 - 2, 2 ** 32 - 1, 0, 1]);
  });

  it('lets data wait while the connection’s outbox is full, and other requests pass', async () => {
    let isFull = true;
    let writes = 0;
    const stream = await streamTo((channel) => {
      onRequests(channel, ({ type, id }) => {
        if (type === PacketType.write) writes += 1;
        channel.write(type === PacketType.write ? statusReply(id, 0) : attributesReply(id));
      });
    });
    const together = <T>(write: () => T): T => write();
    const outbox = { queuedBytes: () => 0, sentBytes: () => 0, isFull: () => isFull, together };
    const channel = new Channel({ stream, outbox, context, onDeath: () => undefined });
    await channel.greet(new AbortController().signal);
    const handle = Buffer.from('h');
    const signal = new AbortController().signal;
    const writing = writePipelined({ channel, handle, offset: 0, pieces: piecesOf('a', 'b', 'c'), signal });
    for (let round = 0; round < 3; round += 1) await channel.call('look', lstat('/'));
    expect(writes).toBe(0);
    channel.goOn();
    await channel.call('look', lstat('/'));
    expect(writes).toBe(0);
    isFull = false;
    channel.goOn();
    await writing;
    // The first alone, and what came meanwhile together.
    expect(writes).toBe(2);
  });
});
