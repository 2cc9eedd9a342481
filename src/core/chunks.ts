// How a content is cut, and which of its chunks are on the host.
import { fromHex, toHex } from './hex.js';
import { InputError } from './problems.js';
import type { ChunkRange, ChunksMissing } from './problems.js';
import type { StoredChunk } from './answers.js';

/** Below this the overhead of a request outweighs its bytes. */
export const MIN_CHUNK_BYTES = 64 * 1024;
/** Bounds the received map (64 bytes a chunk) and every list of chunks. */
export const MAX_CHUNK_COUNT = 100_000;
/** Of `ChunksMissing.ranges`, so that a problem stays small; `dirInfo` has all. */
export const MAX_RANGES = 1_000;

export interface ChunkPlan {
  /** Of the whole content, bytes. */
  readonly size: number;
  /** Of every chunk but the last, bytes. */
  readonly chunkSize: number;
  readonly chunkCount: number;
}

export interface ChunkLimits {
  readonly chunkBytes: number;
  readonly maxChunkBytes: number;
  readonly maxFileBytes: number;
}

export function chunkPlan(size: number, chunkSize: number): ChunkPlan {
  return { size, chunkSize, chunkCount: Math.ceil(size / chunkSize) };
}

/** The chunk size a fresh upload gets: the wish, clamped, and raised until there are at most 100 000 chunks. */
export function chooseChunkSize(size: number, wish: number | undefined, limits: ChunkLimits): number {
  if (wish !== undefined && wish <= 0) throw new InputError('chunkSize', 'chunkSize must be positive');
  const clamped = Math.min(Math.max(wish ?? limits.chunkBytes, MIN_CHUNK_BYTES), limits.maxChunkBytes);
  const least = Math.ceil(size / MAX_CHUNK_COUNT);
  if (least <= clamped) return clamped;
  return Math.max(least, Math.min(Math.ceil(least / MIN_CHUNK_BYTES) * MIN_CHUNK_BYTES, limits.maxChunkBytes));
}

export function chunkOffset(plan: ChunkPlan, index: number): number {
  return (index - 1) * plan.chunkSize;
}

/** Bytes of chunk `index`: the last one is what is left. */
export function chunkLength(plan: ChunkPlan, index: number): number {
  return Math.min(plan.chunkSize, plan.size - chunkOffset(plan, index));
}

export function checkIndex(plan: ChunkPlan, index: number): void {
  if (!Number.isInteger(index) || index < 1 || index > plan.chunkCount) {
    throw new InputError('index', `index must be 1 … ${plan.chunkCount}`);
  }
}

const DIGEST_BYTES = 32;

/** The set of chunks that are on the host and verified, with their SHA-256. 33 bytes a chunk, there or not: 3 MiB for the most. */
export class ReceivedMap {
  readonly plan: ChunkPlan;
  /** Of chunk n at (n - 1) × 32. As text they would be 15 MiB. */
  readonly #digests: Uint8Array;
  /** 1 where chunk n is there, at n - 1. */
  readonly #isThere: Uint8Array;
  #count = 0;
  #bytes = 0;

  constructor(plan: ChunkPlan) {
    this.plan = plan;
    this.#digests = new Uint8Array(plan.chunkCount * DIGEST_BYTES);
    this.#isThere = new Uint8Array(plan.chunkCount);
  }

  get count(): number {
    return this.#count;
  }

  get uploadedBytes(): number {
    return this.#bytes;
  }

  get isComplete(): boolean {
    return this.count === this.plan.chunkCount;
  }

  get missingCount(): number {
    return this.plan.chunkCount - this.count;
  }

  has(index: number): boolean {
    return this.#isThere[index - 1] === 1;
  }

  /** Lower-case hex. */
  digest(index: number): string | undefined {
    if (!this.has(index)) return undefined;
    return toHex(this.#digests, (index - 1) * DIGEST_BYTES, index * DIGEST_BYTES);
  }

  add(index: number, digest: string): void {
    this.addBytes(index, fromHex(digest));
  }

  /** As `add`, with the digest's 32 bytes at `at`. */
  addBytes(index: number, bytes: Uint8Array, at = 0): void {
    if (!this.has(index)) {
      this.#count += 1;
      this.#bytes += chunkLength(this.plan, index);
    }
    this.#isThere[index - 1] = 1;
    this.#digests.set(bytes.subarray(at, at + DIGEST_BYTES), (index - 1) * DIGEST_BYTES);
  }

  remove(index: number): void {
    if (!this.has(index)) return;
    this.#count -= 1;
    this.#bytes -= chunkLength(this.plan, index);
    this.#isThere[index - 1] = 0;
  }

  /** Indexes, ascending. */
  indexes(): readonly number[] {
    const indexes: number[] = [];
    for (let index = 1; index <= this.plan.chunkCount; index++) if (this.has(index)) indexes.push(index);
    return indexes;
  }

  page(page: { readonly first: number; readonly after: number }): readonly StoredChunk[] {
    const chunks: StoredChunk[] = [];
    for (let index = Math.max(1, page.after + 1); index <= this.plan.chunkCount && chunks.length < page.first; index++) {
      const digest = this.digest(index);
      if (digest !== undefined) chunks.push({ index, digest });
    }
    return chunks;
  }

  /** Runs of chunks that aren't there, ascending. */
  missing(atMost = Number.POSITIVE_INFINITY): readonly ChunkRange[] {
    const ranges: ChunkRange[] = [];
    let first: number | undefined;
    for (let index = 1; index <= this.plan.chunkCount + 1; index++) {
      const isHole = index <= this.plan.chunkCount && !this.has(index);
      if (isHole && first === undefined) first = index;
      if (isHole || first === undefined) continue;
      ranges.push({ first, last: index - 1 });
      first = undefined;
      if (ranges.length === atMost) break;
    }
    return ranges;
  }
}

/** Ranges named in a message; the answer has them all. */
const SHOWN_RANGES = 3;

export function chunksMissing(received: ReceivedMap): ChunksMissing {
  const { missingCount, plan } = received;
  const ranges = received.missing(MAX_RANGES);
  const names = ranges.slice(0, SHOWN_RANGES).map(({ first, last }) => (first === last ? `${first}` : `${first}–${last}`));
  if (ranges.length > SHOWN_RANGES) names.push('…');
  const message = `${missingCount} of ${plan.chunkCount} chunks are missing: ${names.join(', ')}`;
  return { kind: 'ChunksMissing', code: 'CHUNKS_MISSING', message, retryable: true, ranges, missingCount };
}
