import { describe, expect, it } from 'vitest';
import {
  RECORD_BYTES,
  decodeFooter,
  decodeRecord,
  encodeFooter,
  encodeRecord,
  footerOffset,
  readReceived,
  recordOffset,
} from '../../src/assembly/received.js';
import { chunkLength, chunkPlan } from '../../src/core/chunks.js';
import type { OpenFile } from '../../src/core/ports.js';
import { KIB } from '../support/bytes.js';
import { realHashing } from '../support/real-hashing.js';

const UPLOAD = '0123456789abcdef0123456789abcdef';
const NONCE = 'fedcba9876543210';
const PLACE = { uploadId: UPLOAD, index: 7, length: 65_536 };
const DIGEST = realHashing.sha256('chunk');

describe('a record', () => {
  it('has 64 bytes and gives its digest back', () => {
    const record = encodeRecord(PLACE, DIGEST);
    expect(record).toHaveLength(RECORD_BYTES);
    expect(decodeRecord(PLACE, record)).toBe(DIGEST);
  });

  it.each([
    ['the greatest index', { ...PLACE, index: 100_000 }],
    ['the greatest chunk', { ...PLACE, length: 2 ** 30 }],
    ['a chunk of one byte', { ...PLACE, length: 1 }],
  ])('holds %s', (_, place) => {
    expect(decodeRecord(place, encodeRecord(place, DIGEST))).toBe(DIGEST);
  });

  it('is read where it lies in a greater buffer', () => {
    const buffer = new Uint8Array(3 * RECORD_BYTES);
    buffer.set(encodeRecord(PLACE, DIGEST), 37);
    expect(decodeRecord(PLACE, buffer.subarray(37, 37 + RECORD_BYTES))).toBe(DIGEST);
  });

  it('with one bit flipped, anywhere, is none', () => {
    const survivors = Array.from({ length: RECORD_BYTES * 8 }, (_, bit) => {
      const record = encodeRecord(PLACE, DIGEST);
      record[bit >> 3] = (record[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return { bit, digest: decodeRecord(PLACE, record) };
    }).filter((flip) => flip.digest !== undefined);
    expect(survivors).toEqual([]);
  });

  it.each([
    ['another upload', { ...PLACE, uploadId: `f${UPLOAD.slice(1)}` }],
    ['another index', { ...PLACE, index: 8 }],
    ['another length', { ...PLACE, length: 65_535 }],
  ])('of %s is none', (_, place) => {
    expect(decodeRecord(PLACE, encodeRecord(place, DIGEST))).toBeUndefined();
  });

  it.each([
    ['zeros', new Uint8Array(RECORD_BYTES)],
    ['ones', new Uint8Array(RECORD_BYTES).fill(255)],
    ['nothing', new Uint8Array(0)],
    ['all but its last byte', encodeRecord(PLACE, DIGEST).subarray(0, RECORD_BYTES - 1)],
  ])('that is %s is none', (_, record) => {
    expect(decodeRecord(PLACE, record)).toBeUndefined();
  });
});

describe('a footer', () => {
  const plan = chunkPlan(7, 3);
  const footer = encodeFooter(UPLOAD, plan, NONCE);

  it('has 64 bytes and gives its nonce back', () => {
    expect(footer).toHaveLength(RECORD_BYTES);
    expect(decodeFooter(UPLOAD, plan, footer)).toBe(NONCE);
  });

  it('is none of another upload, of another plan, or cut short', () => {
    expect(decodeFooter(`f${UPLOAD.slice(1)}`, plan, footer)).toBeUndefined();
    expect(decodeFooter(UPLOAD, chunkPlan(7, 2), footer)).toBeUndefined();
    expect(decodeFooter(UPLOAD, plan, footer.subarray(0, -1))).toBeUndefined();
  });

  it('is no record, and a record is no footer', () => {
    const place = { uploadId: UPLOAD, index: plan.chunkCount + 1, length: 0 };
    expect(decodeRecord(place, footer)).toBeUndefined();
    expect(decodeFooter(UPLOAD, plan, encodeRecord(place, DIGEST))).toBeUndefined();
  });
});

/** A file as far as the map reads one: its bytes, in pieces that fit no record. */
function fileOf(bytes: Uint8Array): OpenFile {
  async function* read(offset: number, lengthBytes: number): AsyncGenerator<Uint8Array> {
    const end = Math.min(bytes.length, offset + lengthBytes);
    for (let at = offset; at < end; at += 32_749) yield bytes.subarray(at, Math.min(end, at + 32_749));
  }
  return { read } as unknown as OpenFile;
}

describe('the map of an upload', () => {
  const plan = chunkPlan(10 * 64 * KIB + 1, 64 * KIB); // 11 chunks, the last of one byte
  const digestOf = (index: number) => realHashing.sha256(`chunk ${index}`);

  function mapFile(indexes: readonly number[], uploadId = UPLOAD): Uint8Array {
    const bytes = new Uint8Array(Math.max(0, ...indexes) * RECORD_BYTES);
    for (const index of indexes) {
      bytes.set(encodeRecord({ uploadId, index, length: chunkLength(plan, index) }, digestOf(index)), recordOffset(index));
    }
    return bytes;
  }

  it('is what was written, holes and all', async () => {
    const { map } = await readReceived(fileOf(mapFile([2, 5, 11])), UPLOAD, plan);
    expect(map.page({ first: 100, after: 0 })).toEqual([2, 5, 11].map((index) => ({ index, digest: digestOf(index) })));
    expect(map.uploadedBytes).toBe(2 * 64 * KIB + 1);
  });

  it('is empty for an empty file', async () => {
    expect((await readReceived(fileOf(new Uint8Array(0)), UPLOAD, plan)).map.count).toBe(0);
  });

  it('ends where the file ends, a record that was cut off included', async () => {
    const bytes = mapFile([1, 2, 3]);
    expect((await readReceived(fileOf(bytes.subarray(0, bytes.length - 1)), UPLOAD, plan)).map.indexes()).toEqual([1, 2]);
  });

  it('takes no notice of what lies behind its end', async () => {
    const bytes = new Uint8Array(12 * RECORD_BYTES);
    bytes.set(mapFile([11]));
    bytes.set(encodeRecord({ uploadId: UPLOAD, index: 12, length: 64 * KIB }, DIGEST), recordOffset(12));
    expect((await readReceived(fileOf(bytes), UPLOAD, plan)).map.indexes()).toEqual([11]);
  });

  it('has nothing of another upload’s file', async () => {
    expect((await readReceived(fileOf(mapFile([1, 2], 'f'.repeat(32))), UPLOAD, plan)).map.count).toBe(0);
  });

  it('has no record that lies at another’s place', async () => {
    const bytes = mapFile([1, 2, 3]);
    bytes.copyWithin(recordOffset(3), recordOffset(2), recordOffset(3));
    expect((await readReceived(fileOf(bytes), UPLOAD, plan)).map.indexes()).toEqual([1, 2]);
  });

  it('knows the directory it belongs to by its footer', async () => {
    const bytes = new Uint8Array(12 * RECORD_BYTES);
    bytes.set(mapFile([1, 11]));
    bytes.set(encodeFooter(UPLOAD, plan, NONCE), footerOffset(plan));
    const { map, nonce } = await readReceived(fileOf(bytes), UPLOAD, plan);
    expect([map.indexes(), nonce]).toEqual([[1, 11], NONCE]);
    expect((await readReceived(fileOf(bytes.subarray(0, -1)), UPLOAD, plan)).nonce).toBeUndefined();
  });

  it('of 100 000 chunks is read whole', async () => {
    const large = chunkPlan(100_000 * 64 * KIB, 64 * KIB);
    const bytes = new Uint8Array(100_000 * RECORD_BYTES);
    for (let index = 1; index <= 100_000; index++) {
      bytes.set(encodeRecord({ uploadId: UPLOAD, index, length: 64 * KIB }, DIGEST), recordOffset(index));
    }
    const began = performance.now();
    const { map } = await readReceived(fileOf(bytes), UPLOAD, large);
    console.info(`100 000 records decoded in ${Math.round(performance.now() - began)} ms`);
    expect(map.isComplete).toBe(true);
  });
});
