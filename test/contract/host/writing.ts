import { randomBytes } from 'node:crypto';
// The way of the bytes to the host.
import { readFileSync, statSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createHostRepository } from '../../../src/sftp/host-repository.js';
import { DEFAULT_LIMITS } from '../../../src/sftp/limits.js';
import { collect, digestOf, digestOfFile, KIB, MIB, piecesOf, randomContent } from '../../support/bytes.js';
import { startProxy } from '../../support/proxy.js';
import { keptLog, realClock } from '../../support/roles.js';
import { type HostContext, signal } from './context.js';

/** Above it 32-bit offsets wrap. */
const FOUR_GIB = 4 * 1024 * MIB;

export function writingContract(context: HostContext): void {
  const { freshName, local, makeFile, remote, withFile } = context;

  describe('writing', () => {
    it('lands 64 MiB byte for byte', async () => {
      const file = freshName();
      const content = randomContent(64 * MIB);
      await withFile(remote(file), 'create', (open) => open.write(0, content.pieces, { signal: signal() }));
      expect(statSync(local(file)).size).toBe(64 * MIB);
      expect(await digestOfFile(local(file))).toBe(content.digest());
    }, 60_000);

    it.each([1, 1_000, 100 * KIB + 1, 3 * MIB + 7])('lands pieces of %i bytes byte for byte', async (pieceBytes) => {
      const file = freshName();
      const content = randomContent(Math.min(8 * MIB + 3, pieceBytes * 500), pieceBytes);
      await withFile(remote(file), 'create', (open) => open.write(0, content.pieces, { signal: signal() }));
      expect(await digestOfFile(local(file))).toBe(content.digest());
    });

    it('writes several files and several ranges of one file at once', async () => {
      const file = freshName();
      const parts = [0, 1, 2, 3, 4, 5, 6, 7].map((index) => ({ offset: index * 4 * MIB, content: randomContent(4 * MIB) }));
      await withFile(remote(file), 'create', (_, host) =>
        Promise.all(
          parts.map(async ({ offset, content }) => {
            const own = await host.open(remote(file), 'write');
            await own.write(offset, content.pieces, { signal: signal() });
            await own.close();
          }),
        ),
      );
      await withFile(remote(file), 'read', async (open) => {
        for (const { offset, content } of parts) expect(await digestOf(open.read(offset, 4 * MIB))).toBe(content.digest());
      });
    });

    it('writes at offsets beyond 4 GiB and leaves the space before them sparse', async () => {
      const file = freshName();
      const offset = 5 * FOUR_GIB + 12_345;
      await withFile(remote(file), 'create', async (open) => {
        await open.write(offset, piecesOf('far out'), { signal: signal() });
        expect((await open.facts()).size).toBe(offset + 7);
        expect(String(await collect(open.read(offset - 2, 100)))).toBe('\0\0far out');
        await open.truncate(0);
        expect((await open.facts()).size).toBe(0);
      });
    });

    it('takes no piece and empty pieces', async () => {
      const file = freshName();
      await withFile(remote(file), 'create', async (open) => {
        await open.write(0, piecesOf(), { signal: signal() });
        await open.write(0, piecesOf('', 'a', '', 'b', ''), { signal: signal() });
      });
      expect(readFileSync(local(file), 'utf8')).toBe('ab');
    });

    it('takes plain Uint8Arrays that are views of larger memory', async () => {
      const file = freshName();
      const memory = new Uint8Array([120, 97, 98, 99, 120]);
      await withFile(remote(file), 'create', (open) => open.write(0, piecesOf(memory.subarray(1, 4)), { signal: signal() }));
      expect(readFileSync(local(file), 'utf8')).toBe('abc');
    });

    it('pulls the source no faster than the host takes it', async () => {
      const proxy = await startProxy(context.server.options);
      const throughProxy = { ...context.server.options, address: '127.0.0.1', port: proxy.port };
      const own = createHostRepository({ hosts: [throughProxy], clock: realClock, log: keptLog() });
      const file = freshName();
      const content = randomContent(32 * MIB);
      let pulledBytes = 0;
      async function* counted(): AsyncGenerator<Uint8Array> {
        for await (const piece of content.pieces) {
          pulledBytes += piece.length;
          yield piece;
        }
      }
      await own.use(context.server.options.profile.id, async (host) => {
        const open = await host.open(remote(file), 'create');
        proxy.hold();
        const writing = open.write(0, counted(), { signal: signal() });
        // Far more turns than the source would need to give everything.
        for (let turn = 0; turn < 5_000; turn += 1) await setImmediate();
        expect(pulledBytes).toBeGreaterThan(0);
        // Besides the window one WRITE and one piece.
        expect(pulledBytes).toBeLessThanOrEqual(DEFAULT_LIMITS.writeWindowBytes + 256 * KIB + 64 * KIB);
        proxy.release();
        await writing;
        await open.close();
      });
      expect(await digestOfFile(local(file))).toBe(content.digest());
      await own.close();
      await proxy.stop();
    });

    it('stops at an abort: the source is closed, nothing lands afterwards', async () => {
      const file = freshName();
      const aborter = new AbortController();
      const reason = new Error('enough');
      let isClosed = false;
      async function* endless(): AsyncGenerator<Uint8Array> {
        try {
          for (let pulled = 0; ; pulled += 1) {
            if (pulled === 100) aborter.abort(reason);
            yield Buffer.alloc(64 * KIB, 1);
          }
        } finally {
          isClosed = true;
        }
      }
      await withFile(remote(file), 'create', async (open) => {
        await expect(open.write(0, endless(), { signal: aborter.signal })).rejects.toBe(reason);
        expect(isClosed).toBe(true);
        // Nothing is under way any more: the file has stopped growing before the channel answers once more.
        const { size } = statSync(local(file));
        expect(size).toBeGreaterThan(0);
        expect((await open.facts()).size).toBe(size);
      });
    });

    it('stops at an abort although the source gives nothing', async () => {
      const aborter = new AbortController();
      const reason = new Error('enough');
      const silent: AsyncIterable<Uint8Array> = {
        [Symbol.asyncIterator]: () => ({
          next: () => {
            queueMicrotask(() => aborter.abort(reason));
            return new Promise(() => undefined);
          },
        }),
      };
      await withFile(remote(freshName()), 'create', async (open) => {
        await expect(open.write(0, silent, { signal: aborter.signal })).rejects.toBe(reason);
      });
    });

    it('does nothing when it was aborted before', async () => {
      const file = freshName();
      const reason = new Error('too late');
      await withFile(remote(file), 'create', async (open) => {
        await expect(open.write(0, piecesOf('x'), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      });
      expect(statSync(local(file)).size).toBe(0);
    });

    it('passes on what the source throws, with what came before it written', async () => {
      const file = freshName();
      const cause = new Error('the tab was closed');
      async function* breaking(): AsyncGenerator<Uint8Array> {
        yield Buffer.from('before');
        throw cause;
      }
      await withFile(remote(file), 'create', async (open) => {
        await expect(open.write(0, breaking(), { signal: signal() })).rejects.toBe(cause);
      });
      expect(readFileSync(local(file), 'utf8')).toBe('before');
    });

    it('asks before each write, and writes nothing more once the right has ended', async () => {
      const file = freshName();
      const ended = new Error('the lease has ended');
      let asked = 0;
      const check = (): void => {
        asked += 1;
        if (asked > 3) throw ended;
      };
      // No two of them fit into one write.
      const content = randomBytes(5 * 200 * KIB);
      const pieces = piecesOf(...[0, 1, 2, 3, 4].map((at) => content.subarray(at * 200 * KIB, (at + 1) * 200 * KIB)));
      await withFile(remote(file), 'create', async (open) => {
        await expect(open.write(0, pieces, { signal: signal(), check })).rejects.toBe(ended);
      });
      expect(asked).toBe(4);
      const written = readFileSync(local(file));
      expect(written.length).toBeGreaterThan(0);
      expect(written.length).toBeLessThanOrEqual(3 * 200 * KIB);
      expect(written.equals(content.subarray(0, written.length))).toBe(true);
    });

    it('fails on a file opened for reading, and pulls no further', async () => {
      const file = await makeFile('kept');
      let pulled = 0;
      async function* counted(): AsyncGenerator<Uint8Array> {
        for (;;) {
          pulled += 1;
          yield Buffer.alloc(64 * KIB);
        }
      }
      await withFile(remote(file), 'read', async (open) => {
        await expect(open.write(0, counted(), { signal: signal() })).rejects.toMatchObject({ name: 'Fault' });
      });
      expect(pulled).toBeLessThan(1_000);
      expect(readFileSync(local(file), 'utf8')).toBe('kept');
    });

    it('closes more than once, and rejects what comes afterwards', async () => {
      await withFile(remote(freshName()), 'create', async (open) => {
        await open.close();
        await open.close();
        await expect(open.write(0, piecesOf('x'), { signal: signal() })).rejects.toMatchObject({ name: 'Fault' });
        await expect(open.facts()).rejects.toMatchObject({ name: 'Fault' });
      });
    });
  });
}
