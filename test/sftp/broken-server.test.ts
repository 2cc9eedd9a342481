// Against servers that break the protocol or go in the middle: every call ends with a fault, and the gateway lives on.
import { setFlagsFromString } from 'node:v8';
import { setImmediate } from 'node:timers/promises';
import { runInNewContext } from 'node:vm';
import type { ServerChannel } from 'ssh2';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Host, HostRepository } from '../../src/core/ports.js';
import type { RemotePath } from '../../src/core/remote-path.js';
import { createHostRepository } from '../../src/sftp/host-repository.js';
import type { SftpLimits } from '../../src/sftp/limits.js';
import { MAX_PACKET_BYTES, packet, PacketType, string, uint32 } from '../../src/sftp/wire.js';
import { collect, KIB, MIB, piecesOf } from '../support/bytes.js';
import { keptLog, realClock } from '../support/roles.js';
import { attributesReply, handleReply, onRequests, type RawRequest, startRawServer, statusReply } from './raw-server.js';

const FILE = '/file' as RemotePath;
const SSH_WINDOW_BYTES = 2 * MIB;

describe('an SFTP server that is not as it should be', () => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  async function repositoryOf(
    serve: (channel: ServerChannel) => void,
    limits: Partial<SftpLimits> = {},
  ): Promise<HostRepository> {
    const server = await startRawServer(serve);
    closing.push(() => server.stop());
    const repository = createHostRepository({
      hosts: [server.options],
      clock: realClock,
      log: keptLog(),
      limits: { backOffMs: 1, ...limits },
    });
    closing.push(() => repository.close());
    return repository;
  }

  /** Answers each request by what `answer` makes of it. */
  function answering(answer: (request: RawRequest) => Buffer | readonly Buffer[]): (channel: ServerChannel) => void {
    return (channel) => {
      onRequests(channel, (request) => {
        const reply = answer(request);
        for (const one of Buffer.isBuffer(reply) ? [reply] : reply) channel.write(one);
      });
    };
  }

  const look = (host: Host): Promise<unknown> => host.lstat(FILE);
  const signal = (): AbortSignal => new AbortController().signal;

  describe('answers', () => {
    it.each<[string, (id: number) => Buffer]>([
      ['no length a packet has', () => uint32(MAX_PACKET_BYTES + 1)],
      ['an empty packet', () => uint32(0)],
      ['a packet too short for an id', () => packet(PacketType.attrs, [Buffer.alloc(2)])],
      ['an id nobody used', (id) => attributesReply(id + 1_000)],
      ['a type nobody knows', (id) => packet(77, [uint32(id)])],
      ['another answer than was asked for', (id) => packet(PacketType.handle, [uint32(id), string('h')])],
      ['a bare OK where an answer belongs', (id) => statusReply(id, 0)],
      ['attributes that end early', (id) => packet(PacketType.attrs, [uint32(id), uint32(0x1), uint32(0)])],
      ['a string longer than its packet', (id) => packet(PacketType.status, [uint32(id), uint32(4), uint32(2 ** 32 - 1)])],
      ['a status without a code', (id) => packet(PacketType.status, [uint32(id)])],
      ['a second greeting', () => packet(PacketType.version, [uint32(3)])],
      ['a request', () => packet(PacketType.init, [uint32(3)])],
    ])('with %s: the session is dead, and the next one is tried', async (_, reply) => {
      let sessions = 0;
      const repository = await repositoryOf((channel) => {
        sessions += 1;
        const isBroken = sessions === 1;
        answering(({ id }) => (isBroken ? reply(id) : attributesReply(id)))(channel);
      });
      await repository.use('raw', async (host) => {
        const calls = [look(host), look(host)];
        for (const call of calls) {
          await expect(call).rejects.toMatchObject({
            code: 'HOST_UNREACHABLE',
            message: expect.stringContaining('broke the protocol') as string,
          });
        }
        expect(await look(host)).toMatchObject({ kind: 'file', size: 7 });
      });
      expect(sessions).toBe(2);
    });

    it('with more bytes than were asked for', async () => {
      const repository = await repositoryOf(
        answering(({ type, id }) =>
          type === PacketType.read ? packet(PacketType.data, [uint32(id), string(Buffer.alloc(11))]) : handleReply(id),
        ),
      );
      await repository.use('raw', async (host) => {
        const file = await host.open(FILE, 'read');
        await expect(collect(file.read(0, 10))).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
      });
    });

    it('with garbage, whatever its bytes', async () => {
      let seed = 1;
      const random = (): number => (seed = (seed * 48_271) % 2_147_483_647);
      const repository = await repositoryOf(
        answering(() => packet(random() % 256, [Buffer.from(Array.from({ length: random() % 64 }, () => random() % 256))])),
      );
      for (let count = 0; count < 50; count += 1)
        await expect(repository.use('raw', look)).rejects.toMatchObject({ name: 'Fault' });
    });
  });

  describe('answers in its own way, which is understood', () => {
    it('byte by byte', async () => {
      const repository = await repositoryOf(answering(({ id }) => Array.from(attributesReply(id), (byte) => Buffer.of(byte))));
      expect(await repository.use('raw', look)).toMatchObject({ kind: 'file', size: 7 });
    });

    it('many at once and in another order', async () => {
      const waiting: RawRequest[] = [];
      const repository = await repositoryOf((channel) => {
        onRequests(channel, (request) => {
          waiting.push(request);
          if (waiting.length < 3) return;
          // Each is answered with its own path, so that answers can't be mistaken for one another.
          const replies = waiting.map(({ id, fields }) => statusReply(id, 4, `this is ${fields.text()}`));
          channel.write(Buffer.concat(replies.reverse()));
        });
      });
      await repository.use('raw', async (host) => {
        const paths = ['/a', '/b', '/c'] as RemotePath[];
        const removed = await Promise.allSettled(paths.map((path) => host.removeDirectory(path)));
        const said = removed.map((one) => (one.status === 'rejected' ? (one.reason as Error).message : 'done'));
        expect(said).toEqual(paths.map((path) => `remove directory ${path}: this is ${path}`));
      });
    });

    it('with a status that has no text', async () => {
      const repository = await repositoryOf(answering(({ id }) => packet(PacketType.status, [uint32(id), uint32(4)])));
      await expect(repository.use('raw', (host) => host.removeDirectory(FILE))).rejects.toMatchObject({
        code: 'FAILURE',
        message: expect.stringContaining('SFTP status 4') as string,
      });
    });

    it('with no names for the end of a directory', async () => {
      const repository = await repositoryOf(
        answering(({ type, id }) =>
          type === PacketType.readdir ? packet(PacketType.name, [uint32(id), uint32(0)]) : handleReply(id),
        ),
      );
      expect(await repository.use('raw', (host) => host.list(FILE))).toEqual([]);
    });
  });

  describe('does not greet', () => {
    it.each<[string, string, (channel: ServerChannel) => void]>([
      ['but says what a login shell says', 'HOST_UNREACHABLE', (channel) => void channel.write('Welcome to the host!\n')],
      ['but answers something', 'HOST_UNREACHABLE', (channel) => void channel.write(statusReply(0, 0))],
      ['in our version', 'HOST_UNSUPPORTED', (channel) => void channel.write(packet(PacketType.version, [uint32(2)]))],
      [
        'but exits with an error',
        'HOST_UNSUPPORTED',
        (channel) => {
          channel.exit(127);
          channel.close();
        },
      ],
      ['but goes', 'HOST_UNREACHABLE', (channel) => channel.close()],
    ])('%s', async (_, code, greet) => {
      const repository = await repositoryOf(greet);
      await expect(repository.use('raw', look)).rejects.toMatchObject({ code });
    });

    it('at all: that is noticed at the deadline', async () => {
      const repository = await repositoryOf(() => undefined, { callTimeoutMs: 200 });
      const began = performance.now();
      await expect(repository.use('raw', look)).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
      expect(performance.now() - began).toBeLessThan(1_500);
    });
  });

  describe('takes its time with writes', () => {
    /** Answers what is told of; the writes wait. */
    function withholding(channel: ServerChannel): void {
      onRequests(channel, ({ type, id }) => {
        if (type !== PacketType.write) channel.write(handleReply(id));
      });
    }

    it('and is sent no more than its SSH window has room for, with one piece in hand', async () => {
      const repository = await repositoryOf(
        (channel) => {
          onRequests(channel, ({ id }) => {
            channel.write(handleReply(id));
            channel.pause();
          });
        },
        { writeWindowBytes: 64 * MIB },
      );
      const stop = new AbortController();
      let pulledBytes = 0;
      async function* pieces(): AsyncGenerator<Uint8Array> {
        for (;;) {
          pulledBytes += 64 * KIB;
          yield Buffer.alloc(64 * KIB);
          await setImmediate();
        }
      }
      await repository.use('raw', async (host) => {
        const file = await host.open(FILE, 'create');
        const writing = file.write(0, pieces(), { signal: stop.signal }).catch(() => undefined);
        await vi.waitFor(() => expect(pulledBytes).toBeGreaterThan(SSH_WINDOW_BYTES));
        for (let turn = 0; turn < 2_000; turn += 1) await setImmediate();
        // The server's stream reads a window ahead before it stops, and one piece waits at the window's edge, one behind it.
        expect(pulledBytes).toBeLessThanOrEqual(2 * SSH_WINDOW_BYTES + 2 * 64 * KIB);
        void repository.close();
        await writing;
      });
    });

    it('and its pieces are let go of before it answers', async () => {
      const repository = await repositoryOf(withholding);
      setFlagsFromString('--expose-gc');
      const collectGarbage = runInNewContext('gc') as () => void;
      const refs: WeakRef<ArrayBufferLike>[] = [];
      async function* pieces(): AsyncGenerator<Uint8Array> {
        for (let count = 0; count < 8; count += 1) yield freshPiece();
      }
      function freshPiece(): Uint8Array {
        const piece = Buffer.allocUnsafeSlow(64 * KIB);
        refs.push(new WeakRef(piece.buffer));
        return piece;
      }
      await repository.use('raw', async (host) => {
        const file = await host.open(FILE, 'create');
        const writing = file.write(0, pieces(), { signal: signal() }).catch(() => undefined);
        await vi.waitFor(async () => {
          expect(refs).toHaveLength(8);
          await setImmediate();
          collectGarbage();
          expect(refs.filter((ref) => ref.deref() !== undefined)).toHaveLength(0);
        });
        void repository.close();
        await writing;
      });
    });

    it('and refuses one: the fault has its words', async () => {
      const repository = await repositoryOf(
        answering(({ type, id }) => (type === PacketType.write ? statusReply(id, 3, 'Nobody writes here') : handleReply(id))),
      );
      await repository.use('raw', async (host) => {
        const file = await host.open(FILE, 'write');
        await expect(file.write(0, piecesOf('x'), { signal: signal() })).rejects.toMatchObject({
          code: 'PERMISSION_DENIED',
          message: 'write: Nobody writes here',
        });
      });
    });
  });
});
