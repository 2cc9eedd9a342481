// Hashing on the thread that asks, with nothing but a running hash. In a worker: `off-thread.ts`.

import type { Hash, Hashing } from './platform.js';

/** Digest of bytes that are all there, lower-case hex. */
type DigestAtOnce = (bytes: Uint8Array<ArrayBuffer>) => Promise<string>;

/**
 * Hashing where it is called. With `digestAtOnce`, where the platform has something faster for that than a running hash, a chunk is held
 * in memory while it is hashed.
 */
export function hashingOf(sha256: () => Hash | Promise<Hash>, digestAtOnce?: DigestAtOnce): Hashing {
  return {
    async digest(source, spans, signal) {
      const hash = await sha256();
      for (const { offset, length } of spans) {
        for await (const piece of source.read(offset, length)) {
          signal.throwIfAborted();
          await hash.update(piece);
        }
      }
      return await hash.digest();
    },
    pass(source, signal) {
      let whole: Hash | undefined;
      return {
        async chunk({ offset, length }) {
          whole ??= await sha256();
          const chunk = digestAtOnce === undefined ? await sha256() : gathered(length, digestAtOnce);
          for await (const piece of source.read(offset, length)) {
            signal.throwIfAborted();
            await chunk.update(piece);
            await whole.update(piece);
          }
          return await chunk.digest();
        },
        whole: async () => await (whole ?? (await sha256())).digest(),
        end: () => undefined,
      };
    },
  };
}

function gathered(length: number, digestAtOnce: DigestAtOnce): Hash {
  const bytes = new Uint8Array(length);
  let at = 0;
  return {
    update(piece) {
      bytes.set(piece, at);
      at += piece.byteLength;
    },
    digest: () => digestAtOnce(bytes),
  };
}
