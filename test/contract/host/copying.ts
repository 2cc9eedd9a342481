// Copying by the host's server itself.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { FileRange } from '../../../src/core/ports.js';
import { collect, KIB, MIB, randomContent } from '../../support/bytes.js';
import { type HostContext, signal } from './context.js';

export function copyingContract(context: HostContext): void {
  const { freshName, local, makeFile, remote, use, withFile } = context;

  interface Appended {
    readonly from?: number;
    readonly signal?: AbortSignal;
    readonly onGrown?: (lengthBytes: number) => void;
  }

  const append = (output: string, ranges: AsyncIterable<FileRange>, options: Appended = {}): Promise<void> =>
    use((host) => host.append(remote(output), ranges, { from: 0, signal: signal(), onGrown: () => undefined, ...options }));

  async function makeRandom(lengthBytes: number): Promise<string> {
    const name = freshName();
    await withFile(remote(name), 'create', (open) => open.write(0, randomContent(lengthBytes).pieces, { signal: signal() }));
    return name;
  }

  const whole = (name: string): FileRange => ({ path: remote(name), offset: 0, lengthBytes: statSync(local(name)).size });
  const bytesOf = (...names: readonly string[]): Buffer => Buffer.concat(names.map((name) => readFileSync(local(name))));

  describe('copying', () => {
    it('offers it', async () => {
      expect(await use(async (host) => host.offers.copyData)).toBe(true);
    });

    it('appends ranges of files in their order', async () => {
      const [one, other, output] = [await makeFile('0123456789'), await makeFile('abcdef'), await makeFile('')];
      const grown: number[] = [];
      const ranges = rangesOf(
        { path: remote(one), offset: 2, lengthBytes: 3 },
        { path: remote(other), offset: 0, lengthBytes: 6 },
        { path: remote(one), offset: 9, lengthBytes: 1 },
      );
      await append(output, ranges, { onGrown: (lengthBytes) => grown.push(lengthBytes) });
      expect(readFileSync(local(output), 'utf8')).toBe('234abcdef9');
      expect(grown).toEqual([3, 9, 10]);
    });

    it('copies a large range in steps that are seen', async () => {
      const [source, output] = [await makeRandom(35 * MIB + 7), await makeFile('')];
      const grown: number[] = [];
      await append(output, rangesOf(whole(source)), { onGrown: (lengthBytes) => grown.push(lengthBytes) });
      expect(bytesOf(output).equals(bytesOf(source))).toBe(true);
      expect(grown.length).toBeGreaterThanOrEqual(4);
      expect(grown).toEqual([...grown].sort((a, b) => a - b));
      expect(grown.at(-1)).toBe(35 * MIB + 7);
    });

    it('goes on behind what is there', async () => {
      const [source, output] = [await makeRandom(MIB), await makeFile('begun')];
      await append(output, rangesOf(whole(source)), { from: 5 });
      expect(bytesOf(output).equals(Buffer.concat([Buffer.from('begun'), bytesOf(source)]))).toBe(true);
    });

    it('appends beyond 4 GiB', async () => {
      const from = 5 * 1024 * MIB + 3;
      const [source, output] = [await makeFile('far out'), await makeFile('')];
      await withFile(remote(output), 'write', (open) => open.truncate(from));
      await append(output, rangesOf(whole(source)), { from });
      const last = await withFile(remote(output), 'read', (open) => collect(open.read(from, 100)));
      expect(String(last)).toBe('far out');
      await use((host) => host.unlink(remote(output)));
    });

    it('does nothing when the output has another length, or there is none', async () => {
      const [source, output] = [await makeFile('x'), await makeFile('longer')];
      await expect(append(output, rangesOf(whole(source)), { from: 5 })).rejects.toMatchObject({ code: 'HOST_BUSY' });
      await expect(append(output, rangesOf(whole(source)), { from: 7 })).rejects.toMatchObject({ code: 'FAILURE' });
      await expect(append('missing', rangesOf(whole(source)))).rejects.toMatchObject({ code: 'NOT_FOUND' });
      expect(readFileSync(local(output), 'utf8')).toBe('longer');
      expect(existsSync(local('missing'))).toBe(false);
    });

    it.each([10, 64 * KIB, MIB])('leaves no hole when a source ends before its range of %i bytes', async (lengthBytes) => {
      const [before, source, output] = [await makeRandom(MIB), await makeRandom(lengthBytes), await makeFile('')];
      const ranges = rangesOf(whole(before), { ...whole(source), lengthBytes: lengthBytes + 1 }, whole(before), whole(before));
      await expect(append(output, ranges)).rejects.toMatchObject({ code: 'FAILURE' });
      const made = bytesOf(output);
      expect(made.length).toBeGreaterThanOrEqual(MIB);
      expect(bytesOf(before, source).subarray(0, made.length).equals(made)).toBe(true);
    });

    it('keeps what came before a source that is gone, or a caller who fails', async () => {
      const [source, output] = [await makeRandom(MIB), await makeFile('')];
      const missing = { path: remote('missing'), offset: 0, lengthBytes: 5 };
      const gone = append(output, rangesOf(whole(source), missing, whole(source)));
      await expect(gone).rejects.toMatchObject({ code: 'NOT_FOUND' });
      expect(bytesOf(output).equals(bytesOf(source))).toBe(true);
      const reason = new Error('no more');
      async function* failing(): AsyncGenerator<FileRange> {
        yield* rangesOf(whole(source));
        throw reason;
      }
      await expect(append(output, failing(), { from: MIB })).rejects.toBe(reason);
      const made = bytesOf(output);
      expect(bytesOf(source, source).subarray(0, made.length).equals(made)).toBe(true);
    });

    it('stops at an abort, with nothing under way, and can go on', async () => {
      const [source, output] = [await makeRandom(3 * MIB), await makeFile('')];
      const reason = new Error('enough');
      const aborter = new AbortController();
      async function* endless(): AsyncGenerator<FileRange> {
        for (;;) yield whole(source);
      }
      const onGrown = (lengthBytes: number): void => {
        if (lengthBytes === 9 * MIB) aborter.abort(reason);
      };
      await expect(append(output, endless(), { signal: aborter.signal, onGrown })).rejects.toBe(reason);
      const size = statSync(local(output)).size;
      expect(size % (3 * MIB)).toBe(0);
      expect(size).toBeLessThan(9 * MIB + 100 * MIB);
      await append(output, rangesOf(whole(source)), { from: size });
      expect(statSync(local(output)).size).toBe(size + 3 * MIB);
    });
  });
}

async function* rangesOf(...ranges: readonly FileRange[]): AsyncGenerator<FileRange> {
  yield* ranges;
}
