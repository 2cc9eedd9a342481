// The way of the bytes back.
import { describe, expect, it } from 'vitest';
import { collect, digestOf, MIB, randomContent } from '../../support/bytes.js';
import { type HostContext, signal } from './context.js';

export function readingContract(context: HostContext): void {
  const { freshName, makeFile, remote, withFile } = context;

  describe('reading', () => {
    it('reads back 16 MiB in order', async () => {
      const file = freshName();
      const content = randomContent(16 * MIB + 5);
      await withFile(remote(file), 'create', async (open) => {
        await open.write(0, content.pieces, { signal: signal() });
        expect(await digestOf(open.read(0, 16 * MIB + 5))).toBe(content.digest());
      });
    });

    it('reads ranges, and less where the file ends', async () => {
      const file = await makeFile('0123456789');
      await withFile(remote(file), 'read', async (open) => {
        expect(String(await collect(open.read(2, 3)))).toBe('234');
        expect(String(await collect(open.read(8, 100)))).toBe('89');
        expect(String(await collect(open.read(10, 1)))).toBe('');
        expect(String(await collect(open.read(1_000, 1)))).toBe('');
        expect(String(await collect(open.read(0, 0)))).toBe('');
      });
    });

    it('stops at an abort, and when the reader has had enough', async () => {
      const file = freshName();
      const reason = new Error('enough');
      await withFile(remote(file), 'create', async (open) => {
        await open.write(0, randomContent(8 * MIB).pieces, { signal: signal() });
        for await (const piece of open.read(0, 8 * MIB)) {
          expect(piece.length).toBeGreaterThan(0);
          break;
        }
        const aborter = new AbortController();
        const reading = (async () => {
          for await (const piece of open.read(0, 8 * MIB, aborter.signal)) if (piece.length > 0) aborter.abort(reason);
        })();
        await expect(reading).rejects.toBe(reason);
        expect((await open.facts()).size).toBe(8 * MIB);
      });
    });
  });
}
