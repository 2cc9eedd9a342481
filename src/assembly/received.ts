// The received map on the host: a record of 64 bytes for chunk n at (n - 1) × 64. A record that isn't whole and right is no record,
// so a file with holes, torn writes or zeros reads as chunks that are missing.
import type { ChunkPlan } from '../core/chunks.js';
import { ReceivedMap, chunkLength } from '../core/chunks.js';
import type { OpenFile } from '../core/ports.js';

export const RECORD_BYTES = 64;

const MAGIC = 0x4c53_5231; // "LSR1"
const DIGEST_AT = 16;
const UPLOAD_AT = 48;
const CHECKSUM_AT = 60;

export function recordOffset(index: number): number {
  return (index - 1) * RECORD_BYTES;
}

interface RecordPlace {
  /** 32 hex characters: a record copied from another upload doesn't count. */
  readonly uploadId: string;
  readonly index: number;
  readonly length: number;
}

/** magic u32 · index u32 · length u32 · 0 u32 · digest 32 bytes · upload 12 bytes · CRC-32 of all before; numbers big-endian. */
export function encodeRecord(place: RecordPlace, digest: string): Uint8Array {
  const record = new Uint8Array(RECORD_BYTES);
  const view = new DataView(record.buffer);
  view.setUint32(0, MAGIC);
  view.setUint32(4, place.index);
  view.setUint32(8, place.length);
  record.set(fromHex(digest), DIGEST_AT);
  record.set(uploadTag(place.uploadId), UPLOAD_AT);
  view.setUint32(CHECKSUM_AT, crc32(record, 0, CHECKSUM_AT));
  return record;
}

/** The digest of a record that is whole and fits its place, else undefined. */
export function decodeRecord(place: RecordPlace, record: Uint8Array): string | undefined {
  if (record.length < RECORD_BYTES) return undefined;
  const view = new DataView(record.buffer, record.byteOffset, RECORD_BYTES);
  return decodeAt({ bytes: record, view, at: 0 }, place, uploadTag(place.uploadId));
}

interface Spot {
  readonly bytes: Uint8Array;
  /** Of the same bytes. */
  readonly view: DataView;
  readonly at: number;
}

/** 100 000 of these are decoded for one answer: nothing is allocated but the digest. */
function decodeAt({ bytes, view, at }: Spot, place: Omit<RecordPlace, 'uploadId'>, tag: Uint8Array): string | undefined {
  if (view.getUint32(at) !== MAGIC || view.getUint32(at + 4) !== place.index || view.getUint32(at + 8) !== place.length) {
    return undefined;
  }
  if (view.getUint32(at + CHECKSUM_AT) !== crc32(bytes, at, at + CHECKSUM_AT)) return undefined;
  for (let n = 0; n < tag.length; n++) if (bytes[at + UPLOAD_AT + n] !== tag[n]) return undefined;
  return toHex(bytes, at + DIGEST_AT, at + UPLOAD_AT);
}

function uploadTag(uploadId: string): Uint8Array {
  return fromHex(uploadId).subarray(0, CHECKSUM_AT - UPLOAD_AT);
}

/** Reads the whole map; one pass, whatever its size. */
export async function readReceived(file: OpenFile, uploadId: string, plan: ChunkPlan): Promise<ReceivedMap> {
  const bytes = await readAll(file, 0, plan.chunkCount * RECORD_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tag = uploadTag(uploadId);
  const map = new ReceivedMap(plan);
  for (let index = 1; recordOffset(index + 1) <= bytes.length; index++) {
    const spot = { bytes, view, at: recordOffset(index) };
    const digest = decodeAt(spot, { index, length: chunkLength(plan, index) }, tag);
    if (digest !== undefined) map.add(index, digest);
  }
  return map;
}

/** At most `lengthBytes` from `offset`, fewer when the file ends. For small things: it gathers them. */
export async function readAll(file: OpenFile, offset: number, lengthBytes: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(lengthBytes);
  let filled = 0;
  for await (const piece of file.read(offset, lengthBytes)) {
    bytes.set(piece, filled);
    filled += piece.length;
  }
  return bytes.subarray(0, filled);
}

/** CRC-32 as in ISO 3309 and zlib. */
function crc32(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0xffff_ffff;
  for (let at = start; at < end; at++) crc = (CRC_TABLE[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffff_ffff) >>> 0;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
  return crc;
});

const HEX_DIGITS = Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));

/** At once from character codes: built up piece by piece a string is a tree that every comparison would have to flatten. */
function toHex(bytes: Uint8Array, start: number, end: number): string {
  const codes: number[] = [];
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    codes.push(HEX_DIGITS[byte >>> 4] ?? 0, HEX_DIGITS[byte & 15] ?? 0);
  }
  return String.fromCharCode(...codes);
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, at) => Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16));
}
