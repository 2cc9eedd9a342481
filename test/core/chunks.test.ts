import { describe, expect, it } from 'vitest';
import {
  MAX_RANGES,
  MIN_CHUNK_BYTES,
  ReceivedMap,
  checkIndex,
  chooseChunkSize,
  chunkLength,
  chunkOffset,
  chunkPlan,
  chunksMissing,
} from '../../src/core/chunks.js';
import { InputError } from '../../src/core/problems.js';
import { KIB, MIB } from '../support/bytes.js';

const TIB = 1024 * 1024 * MIB;
const LIMITS = { chunkBytes: 10 * MIB, maxChunkBytes: 64 * MIB, maxFileBytes: 5 * TIB };
const DIGEST = 'd'.repeat(64);

describe('the chunk size of a fresh upload', () => {
  it.each([
    ['is the default without a wish', 100 * MIB, undefined, 10 * MIB],
    ['is the wish', 100 * MIB, 3 * MIB, 3 * MIB],
    ['is at least 64 KiB', 100 * MIB, 1, MIN_CHUNK_BYTES],
    ['is at most the greatest allowed', 100 * MIB, 2 ** 31 - 1, 64 * MIB],
    ['is not raised for exactly 100 000 chunks', 100_000 * 64 * KIB, 64 * KIB, 64 * KIB],
    ['is raised by one step for one byte more', 100_000 * 64 * KIB + 1, 64 * KIB, 128 * KIB],
    ['is the default for nothing', 0, undefined, 10 * MIB],
  ])('%s', (_, size, wish, expected) => {
    expect(chooseChunkSize(size, wish, LIMITS)).toBe(expected);
  });

  it.each([1, MIN_CHUNK_BYTES, MIB, undefined])('leaves at most 100 000 chunks of 5 TiB, with the wish %s', (wish) => {
    expect(chunkPlan(5 * TIB, chooseChunkSize(5 * TIB, wish, LIMITS)).chunkCount).toBeLessThanOrEqual(100_000);
  });

  it('is not raised beyond what the edge takes', () => {
    const limits = { ...LIMITS, maxChunkBytes: 100_000 };
    expect(chooseChunkSize(99_000 * 100_000, MIN_CHUNK_BYTES, limits)).toBeLessThanOrEqual(100_000);
  });

  it.each([0, -1])('refuses the wish %i', (wish) => {
    expect(() => chooseChunkSize(MIB, wish, LIMITS)).toThrow(InputError);
  });
});

describe('a plan', () => {
  const k = 64 * KIB;
  it.each([
    [0, 0, undefined],
    [1, 1, 1],
    [k - 1, 1, k - 1],
    [k, 1, k],
    [k + 1, 2, 1],
    [10 * k - 1, 10, k - 1],
    [5 * TIB, 5 * TIB * (1 / k), k],
  ])('of %i bytes has %i chunks, the last of %s bytes', (size, count, last) => {
    const plan = chunkPlan(size, k);
    expect(plan.chunkCount).toBe(count);
    if (last !== undefined) expect(chunkLength(plan, count)).toBe(last);
  });

  it.each([1, k - 1, k, k + 1, 7 * k - 1, 7 * k + 1])('covers %i bytes without gap or overlap', (size) => {
    const plan = chunkPlan(size, k);
    let end = 0;
    for (let index = 1; index <= plan.chunkCount; index++) {
      expect(chunkOffset(plan, index)).toBe(end);
      end += chunkLength(plan, index);
    }
    expect(end).toBe(size);
  });

  it.each([0, -1, 4, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('has no index %d of 1 … 3', (index) => {
    expect(() => checkIndex(chunkPlan(3 * k, k), index)).toThrow(InputError);
  });

  it.each([1, 3])('has the index %i of 1 … 3', (index) => {
    expect(() => checkIndex(chunkPlan(3 * k, k), index)).not.toThrow();
  });
});

describe('the received map', () => {
  const plan = chunkPlan(1_005, 100); // 11 chunks, the last of 5 bytes
  const mapOf = (...indexes: number[]) => {
    const map = new ReceivedMap(plan);
    for (const index of indexes) map.add(index, DIGEST);
    return map;
  };

  it('counts the bytes of chunks, the last one shorter', () => {
    expect(mapOf(1, 11).uploadedBytes).toBe(105);
  });

  it('counts a chunk that is added twice once', () => {
    expect(mapOf(2, 2)).toMatchObject({ count: 1, uploadedBytes: 100 });
  });

  it('keeps the newer digest of a chunk that is added twice', () => {
    const map = mapOf(2);
    map.add(2, 'e'.repeat(64));
    expect(map.digest(2)).toBe('e'.repeat(64));
  });

  it('no longer counts a chunk that was removed', () => {
    const map = mapOf(2, 11);
    map.remove(11);
    expect(map).toMatchObject({ count: 1, uploadedBytes: 100, missingCount: 10 });
  });

  it('takes no notice of a chunk that is removed twice', () => {
    const map = mapOf(2, 3);
    map.remove(3);
    map.remove(3);
    expect(map).toMatchObject({ count: 1, uploadedBytes: 100 });
  });

  it('is complete with the last chunk and not before', () => {
    const map = mapOf(...Array.from({ length: 10 }, (_, at) => at + 1));
    expect(map.isComplete).toBe(false);
    map.add(11, DIGEST);
    expect(map.isComplete).toBe(true);
  });

  it('of nothing is complete at once', () => {
    const map = new ReceivedMap(chunkPlan(0, 100));
    expect(map).toMatchObject({ isComplete: true, missingCount: 0, uploadedBytes: 0 });
    expect(map.missing()).toEqual([]);
  });

  it('lists indexes in ascending order, whatever order they came in', () => {
    expect(mapOf(10, 9, 1, 11, 2).indexes()).toEqual([1, 2, 9, 10, 11]);
  });

  it.each([
    ['all', [], [{ first: 1, last: 11 }]],
    [
      'the ends',
      [2, 3, 4, 5, 6, 7, 8, 9, 10],
      [
        { first: 1, last: 1 },
        { first: 11, last: 11 },
      ],
    ],
    ['a run inside', [1, 2, 6, 7, 8, 9, 10, 11], [{ first: 3, last: 5 }]],
    ['nothing', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], []],
  ])('names what is missing: %s', (_, indexes, ranges) => {
    expect(mapOf(...indexes).missing()).toEqual(ranges);
  });

  it('names at most 1 000 ranges, the first ones, and counts all', () => {
    const map = new ReceivedMap(chunkPlan(10_000, 1));
    for (let index = 2; index <= 10_000; index += 2) map.add(index, DIGEST);
    const problem = chunksMissing(map);
    expect(problem.ranges).toHaveLength(MAX_RANGES);
    expect(problem.ranges.at(-1)).toEqual({ first: 1_999, last: 1_999 });
    expect(problem.missingCount).toBe(5_000);
  });

  it.each([
    [{ first: 2, after: 0 }, [1, 3]],
    [{ first: 2, after: 3 }, [8, 9]],
    [{ first: 2, after: 4 }, [8, 9]],
    [{ first: 100, after: 0 }, [1, 3, 8, 9, 11]],
    [{ first: 0, after: 0 }, []],
    [{ first: 5, after: 11 }, []],
    [{ first: 2, after: -7 }, [1, 3]],
  ])('gives the page %j', (page, indexes) => {
    expect(mapOf(9, 8, 1, 3, 11).page(page)).toEqual(indexes.map((index) => ({ index, digest: DIGEST })));
  });
});
