// Hashing the source. A chunk's digest travels before its bytes, so each chunk is read twice: by `digestPass`, which runs
// ahead of the senders in order and feeds the whole content's hash from the same reading, and by its sender, which then
// finds it in the page cache because the pass is only a few chunks ahead.

import { chunkSpan, type ChunkPlan, type ChunkSpan } from './chunks.js';
import type { Hashing, UploadSource } from './platform.js';

export interface HashedChunk {
  readonly index: number;
  /** SHA-256, lower-case hex. */
  readonly digest: string;
}

const SAMPLE_BYTES = 1024 * 1024;

/** Every chunk in order, read when asked for; returns the whole content's SHA-256. */
export async function* digestPass(
  source: UploadSource,
  plan: ChunkPlan,
  hashing: Hashing,
  signal: AbortSignal,
): AsyncGenerator<HashedChunk, string> {
  const pass = hashing.pass(source, signal);
  try {
    for (let index = 1; index <= plan.chunkCount; index += 1) {
      signal.throwIfAborted();
      yield { index, digest: await pass.chunk(chunkSpan(plan, index)) };
    }
    return await pass.whole();
  } finally {
    pass.end();
  }
}

/**
 * A hash code that is known at once and stays the same over runs for an unchanged file: size, modification time and the
 * SHA-256 of the first, middle and last mebibyte, as `fp1:<size>-<mtimeMs>-<hex>`, at most 100 bytes. It identifies and doesn't
 * prove; the real hash follows with the merge. A source without a meaningful modification time is hashed whole instead.
 */
export async function quickHashCode(source: UploadSource, hashing: Hashing, signal: AbortSignal): Promise<string> {
  const { size } = source;
  if (!source.fingerprintable) return `sha256:${await hashing.digest(source, [{ offset: 0, length: size }], signal)}`;
  return `fp1:${size}-${Math.trunc(source.lastModified)}-${await hashing.digest(source, samples(size), signal)}`;
}

/**
 * Whether the source may be the content that `hashCode` stands for, as far as can be told at once: by size and samples, but not by the
 * modification time, which another device may have changed by copying the file.
 */
export async function mayBe(
  source: UploadSource,
  { hashCode, size }: { readonly hashCode: string; readonly size: number },
  hashing: Hashing,
  signal: AbortSignal,
): Promise<boolean> {
  if (source.size !== size) return false;
  const sampled = /^fp1:\d+-\d+-([0-9a-f]{64})$/.exec(hashCode)?.[1];
  return sampled === undefined || sampled === (await hashing.digest(source, samples(size), signal));
}

function samples(size: number): ChunkSpan[] {
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
