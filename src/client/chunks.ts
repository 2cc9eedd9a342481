// Which bytes a chunk is. Chunks are numbered from 1; all have `chunkSize` bytes but the last one.

import type { ChunkRange } from './operations.js';

export interface ChunkPlan {
  readonly size: number;
  readonly chunkSize: number;
  readonly chunkCount: number;
}

export interface ChunkSpan {
  readonly offset: number;
  readonly length: number;
}

export function chunkSpan({ size, chunkSize, chunkCount }: ChunkPlan, index: number): ChunkSpan {
  if (!Number.isInteger(index) || index < 1 || index > chunkCount) {
    throw new RangeError(`chunk ${index} is not within 1 … ${chunkCount}`);
  }
  const offset = (index - 1) * chunkSize;
  return { offset, length: Math.min(chunkSize, size - offset) };
}

/** Whether the numbers fit each other; with a gateway's that don't, nothing could be sent right. */
export function isConsistent({ size, chunkSize, chunkCount }: ChunkPlan): boolean {
  return chunkSize > 0 && chunkCount === Math.ceil(size / chunkSize);
}

export function indexesOf(ranges: readonly ChunkRange[]): number[] {
  return ranges.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
}
