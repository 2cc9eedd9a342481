// Hashing the source. A chunk's digest travels before its bytes, so each chunk is read twice: by `digestPass`, which runs
// ahead of the senders in order and feeds the whole content's hash from the same reading, and by its sender, which then
// finds it in the page cache because the pass is only a few chunks ahead.

import { chunkSpan, type ChunkPlan } from './chunks.js';
import type { Platform, UploadSource } from './platform.js';

export interface HashedChunk {
  readonly index: number;
  /** SHA-256, lower-case hex. */
  readonly digest: string;
}

type Sha256 = Platform['sha256'];

const SAMPLE_BYTES = 1024 * 1024;

/** Every chunk in order, read when asked for; returns the whole content's SHA-256. */
export async function* digestPass(
  source: UploadSource,
  plan: ChunkPlan,
  sha256: Sha256,
  signal: AbortSignal,
): AsyncGenerator<HashedChunk, string> {
  const whole = sha256();
  for (let index = 1; index <= plan.chunkCount; index += 1) {
    const { offset, length } = chunkSpan(plan, index);
    const chunk = sha256();
    for await (const piece of source.read(offset, length)) {
      signal.throwIfAborted();
      await chunk.update(piece);
      await whole.update(piece);
    }
    yield { index, digest: await chunk.digest() };
  }
  return await whole.digest();
}

/** SHA-256 of `length` bytes from `offset`, hex. */
export async function digestOf(
  source: UploadSource,
  span: { offset: number; length: number },
  sha256: Sha256,
): Promise<string> {
  const hash = sha256();
  for await (const piece of source.read(span.offset, span.length)) await hash.update(piece);
  return await hash.digest();
}

/**
 * A hash code that is known at once and stays the same over runs for an unchanged file: size, modification time and the
 * SHA-256 of the first, middle and last mebibyte, as `fp1:<size>-<mtimeMs>-<hex>`, at most 100 bytes. It identifies and doesn't
 * prove; the real hash follows with the merge. A source without a meaningful modification time is hashed whole instead.
 */
export async function quickHashCode(source: UploadSource, sha256: Sha256): Promise<string> {
  const { size } = source;
  if (!source.fingerprintable) return `sha256:${await digestOf(source, { offset: 0, length: size }, sha256)}`;
  const hash = sha256();
  for (const { offset, length } of samples(size)) {
    for await (const piece of source.read(offset, length)) await hash.update(piece);
  }
  return `fp1:${size}-${Math.trunc(source.lastModified)}-${await hash.digest()}`;
}

function samples(size: number): { offset: number; length: number }[] {
  if (size <= 3 * SAMPLE_BYTES) return [{ offset: 0, length: size }];
  return [0, Math.floor((size - SAMPLE_BYTES) / 2), size - SAMPLE_BYTES].map((offset) => ({ offset, length: SAMPLE_BYTES }));
}

/**
 * The same values, with at most `count` of them asked for before they are wanted. Several consumers may share the result: each
 * value goes to one of them, in order.
 */
export async function* ahead<T>(values: AsyncGenerator<T, unknown>, count: number): AsyncGenerator<T, void> {
  const asked: Promise<IteratorResult<T, unknown>>[] = [];
  try {
    for (;;) {
      while (asked.length < count) {
        const next = values.next();
        next.catch(() => undefined); // Reported when its turn comes; it must not count as unhandled until then.
        asked.push(next);
      }
      const result = await asked.shift();
      if (result === undefined || result.done === true) return;
      yield result.value;
    }
  } finally {
    await values.return(undefined);
  }
}
