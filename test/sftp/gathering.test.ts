// What becomes of pieces on their way to WRITEs, on a channel to a server that answers when the test lets it.
import { once } from 'node:events';
import ssh2, { type ClientChannel, type ServerChannel } from 'ssh2';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Channel } from '../../src/sftp/channel.js';
import { DEFAULT_LIMITS } from '../../src/sftp/limits.js';
import { CommonBound } from '../../src/sftp/send-window.js';
import { lstat } from '../../src/sftp/requests.js';
import { writePipelined } from '../../src/sftp/pipelined-writer.js';
import { packet, PacketType, uint32, uint64 } from '../../src/sftp/wire.js';
import { KIB, piecesOf } from '../support/bytes.js';
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
const outbox = { queuedBytes: () => 0, sentBytes: () => 0, isFull: () => false, together: <T>(write: () => T) => write() };
const handle = Buffer.from('h');
const PIECE_BYTES = 64 * KIB;
const OPENSSH_WRITE_BYTES = 255 * KIB;
const PLAIN_WRITE_BYTES = 31 * KIB;

/** A WRITE that has come, from the first byte of its data on. */
interface Written {
  readonly id: number;
  readonly position: number;
  readonly data: Buffer;
}

describe('pieces on their way', () => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  /** `maxWriteBytes` undefined: it doesn't tell, as ProFTPD. */
  async function begin(maxWriteBytes?: number) {
    const written: Written[] = [];
    let session: ServerChannel | undefined;
    let isWithheld = true;
    const server = await startRawServer((channel) => {
      session = channel;
      const offered = maxWriteBytes === undefined ? [] : ['limits@openssh.com'];
      onRequests(
        channel,
        ({ type, id, fields }) => {
          if (type === PacketType.extended) channel.write(limitsReply(id, maxWriteBytes ?? 0));
          else if (type === PacketType.write) {
            fields.bytes();
            const position = Number(fields.uint64());
            written.push({ id, position, data: Buffer.from(fields.bytes()) });
            if (!isWithheld) channel.write(statusReply(id, 0));
          } else channel.write(attributesReply(id));
        },
        offered,
      );
    });
    closing.push(() => server.stop());
    const channel = new Channel({ stream: await streamTo(server.options.port), outbox, context, onDeath: () => undefined });
    await channel.greet(new AbortController().signal);
    const answer = (): void => {
      isWithheld = false;
      for (const { id } of written) session?.write(statusReply(id, 0));
    };
    return { channel, written, answer, texts: () => written.map(({ data }) => data.toString()) };
  }

  async function streamTo(port: number): Promise<ClientChannel> {
    const client = new ssh2.Client();
    closing.push(async () => {
      client.end();
      await once(client, 'close');
    });
    client.connect({ host: '127.0.0.1', port, username: 'somebody', password: 'any' });
    await once(client, 'ready');
    return new Promise((resolve, reject) => {
      client.subsys('sftp', (error, stream) => (error ? reject(error) : resolve(stream)));
    });
  }

  const signal = (): AbortSignal => new AbortController().signal;

  it('leave at once while nothing is under way, and together when that is answered', async () => {
    const { channel, written, answer, texts } = await begin();
    let goOn = (): void => undefined;
    const moreIsWanted = new Promise<void>((resolve) => (goOn = resolve));
    async function* pieces(): AsyncGenerator<Uint8Array> {
      yield* piecesOf('a', 'b', 'cc');
      await moreIsWanted;
      yield Buffer.from('d');
    }
    const writing = writePipelined({ channel, handle, offset: 7, pieces: pieces(), signal: signal() });
    await vi.waitFor(() => expect(written).toHaveLength(1));
    await channel.call('look', lstat('/'));
    expect(texts()).toEqual(['a']);
    answer();
    // The source says nothing meanwhile.
    await vi.waitFor(() => expect(texts()).toEqual(['a', 'bcc']));
    goOn();
    await writing;
    expect(texts()).toEqual(['a', 'bcc', 'd']);
    expect(written.map(({ position }) => position)).toEqual([7, 8, 11]);
  });

  it('leave when the source has ended, whatever is under way', async () => {
    const { channel, answer, texts } = await begin();
    const writing = writePipelined({ channel, handle, offset: 0, pieces: piecesOf('a', 'b', 'c'), signal: signal() });
    await vi.waitFor(() => expect(texts()).toEqual(['a', 'bc']));
    answer();
    await writing;
  });

  it.each([
    ['whole, as many as fit into one WRITE', OPENSSH_WRITE_BYTES, [64, 192, 192, 128.5]],
    ['cut, where the server takes less than one', undefined, [...Array<number>(18).fill(31), 18.5]],
  ])('leave %s', async (_what, maxWriteBytes, expectedKib) => {
    const { channel, written, answer } = await begin(maxWriteBytes);
    expect(channel.capabilities.maxWriteBytes).toBe(maxWriteBytes ?? PLAIN_WRITE_BYTES);
    const sent = Buffer.from(Array.from({ length: 9 * PIECE_BYTES + 512 }, (_, at) => (at * 31 + (at >> 10)) % 251));
    const pieces = Array.from({ length: 10 }, (_, at) => sent.subarray(at * PIECE_BYTES, (at + 1) * PIECE_BYTES));
    const writing = writePipelined({ channel, handle, offset: 0, pieces: piecesOf(...pieces), signal: signal() });
    await vi.waitFor(() => expect(written).toHaveLength(expectedKib.length));
    answer();
    await writing;
    expect(written.map(({ data }) => data.length / KIB)).toEqual(expectedKib);
    const arrived = Buffer.alloc(sent.length);
    for (const { position, data } of written) data.copy(arrived, position);
    expect(arrived.equals(sent)).toBe(true);
  });

  it('stay here when the source fails behind them', async () => {
    const { channel, written, answer, texts } = await begin();
    let fail = (): void => undefined;
    const failure = new Promise<never>((_resolve, reject) => (fail = () => reject(new Error('the client has gone'))));
    async function* pieces(): AsyncGenerator<Uint8Array> {
      yield* piecesOf('a', 'b');
      await failure;
    }
    const writing = writePipelined({ channel, handle, offset: 0, pieces: pieces(), signal: signal() });
    const failed = expect(writing).rejects.toThrow('the client has gone');
    await vi.waitFor(() => expect(written).toHaveLength(1));
    fail();
    await channel.call('look', lstat('/'));
    answer();
    await failed;
    await channel.call('look', lstat('/'));
    expect(texts()).toEqual(['a']);
  });

  it('stay here when the check before their WRITE throws, and those before them were checked once', async () => {
    const { channel, written, answer, texts } = await begin();
    let checks = 0;
    const check = (): void => {
      checks += 1;
      if (checks === 2) throw new Error('the lease is over');
    };
    async function* pieces(): AsyncGenerator<Uint8Array> {
      yield* piecesOf('a', 'b', 'c');
      await new Promise(() => undefined);
    }
    const writing = writePipelined({ channel, handle, offset: 0, pieces: pieces(), signal: signal(), check });
    const failed = expect(writing).rejects.toThrow('the lease is over');
    await vi.waitFor(() => expect(written).toHaveLength(1));
    expect(checks).toBe(1);
    answer();
    await failed;
    await channel.call('look', lstat('/'));
    expect(texts()).toEqual(['a']);
  });
});

/** OpenSSH PROTOCOL §4.8: longest packet, READ and WRITE, most open handles. */
function limitsReply(id: number, maxWriteBytes: number): Buffer {
  const numbers = [256 * KIB, maxWriteBytes, maxWriteBytes, 0].map(uint64);
  return packet(PacketType.extendedReply, [uint32(id), ...numbers]);
}
