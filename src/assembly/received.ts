// The received map on the host: a record of 64 bytes for chunk n at (n - 1) × 64. A record that isn't whole and right is no record,
// so a file with holes, torn writes or zeros reads as chunks that are missing. Behind the last place a footer names the directory
// the map belongs to: whoever remembers another one finds out before it writes.
import type { ChunkPlan } from '../core/chunks.js';
import { ReceivedMap, chunkLength } from '../core/chunks.js';
import { fromHex, toHex } from '../core/hex.js';
import type { OpenFile } from '../core/ports.js';

export const RECORD_BYTES = 64;

const MAGIC = 0x4c53_5231; // "LSR1"
const FOOTER_MAGIC = 0x4c53_4631; // "LSF1"
const DIGEST_AT = 16;
const UPLOAD_AT = 48;
const CHECKSUM_AT = 60;
/** Hex characters. */
const NONCE_LENGTH = 16;

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
  return sealed({ ...place, magic: MAGIC, content: digest });
}

/** As a record: another magic · chunk count + 1 · 0 · 0 · nonce 8 bytes, 24 zeros · upload · CRC-32. */
export function encodeFooter(uploadId: string, plan: ChunkPlan, nonce: string): Uint8Array {
  return sealed({ uploadId, index: plan.chunkCount + 1, length: 0, magic: FOOTER_MAGIC, content: nonce });
}

/** The nonce of a footer that is whole and this upload's, else undefined. */
export function decodeFooter(uploadId: string, plan: ChunkPlan, footer: Uint8Array): string | undefined {
  const place = { uploadId, index: plan.chunkCount + 1, length: 0 };
  return decode({ ...place, magic: FOOTER_MAGIC }, footer)?.slice(0, NONCE_LENGTH);
}

export function footerOffset(plan: ChunkPlan): number {
  return recordOffset(plan.chunkCount + 1);
}

function sealed(fields: RecordPlace & { readonly magic: number; readonly content: string }): Uint8Array {
  const record = new Uint8Array(RECORD_BYTES);
  const view = new DataView(record.buffer);
  view.setUint32(0, fields.magic);
  view.setUint32(4, fields.index);
  view.setUint32(8, fields.length);
  record.set(fromHex(fields.content), DIGEST_AT);
  record.set(uploadTag(fields.uploadId), UPLOAD_AT);
  view.setUint32(CHECKSUM_AT, crc32(record, 0, CHECKSUM_AT));
  return record;
}

/** The digest of a record that is whole and fits its place, else undefined. */
export function decodeRecord(place: RecordPlace, record: Uint8Array): string | undefined {
  return decode({ ...place, magic: MAGIC }, record);
}

function decode(place: RecordPlace & { readonly magic: number }, record: Uint8Array): string | undefined {
  if (record.length < RECORD_BYTES) return undefined;
  const view = new DataView(record.buffer, record.byteOffset, RECORD_BYTES);
  if (!isRecord({ bytes: record, view, at: 0 }, place, uploadTag(place.uploadId))) return undefined;
  return toHex(record, DIGEST_AT, UPLOAD_AT);
}

interface Spot {
  readonly bytes: Uint8Array;
  /** Of the same bytes. */
  readonly view: DataView;
  readonly at: number;
}

interface SpotPlace {
  readonly magic: number;
  readonly index: number;
  readonly length: number;
}

/** Whether a record is whole and fits its place. 100 000 of these are asked about for one answer: nothing is allocated. */
function isRecord({ bytes, view, at }: Spot, place: SpotPlace, tag: Uint8Array): boolean {
  if (view.getUint32(at) !== place.magic || view.getUint32(at + 4) !== place.index || view.getUint32(at + 8) !== place.length) {
    return false;
  }
  if (view.getUint32(at + CHECKSUM_AT) !== crc32(bytes, at, at + CHECKSUM_AT)) return false;
  for (let n = 0; n < tag.length; n++) if (bytes[at + UPLOAD_AT + n] !== tag[n]) return false;
  return true;
}

function uploadTag(uploadId: string): Uint8Array {
  return fromHex(uploadId).subarray(0, CHECKSUM_AT - UPLOAD_AT);
}

/** The whole map, and the nonce of its footer if it has one. One pass over the pieces as they come: they are never all in memory. */
export async function readReceived(
  file: OpenFile,
  uploadId: string,
  plan: ChunkPlan,
): Promise<{ readonly map: ReceivedMap; readonly nonce: string | undefined }> {
  const tag = uploadTag(uploadId);
  const map = new ReceivedMap(plan);
  let footer: Uint8Array = new Uint8Array(0);
  let index = 1;
  for await (const { bytes, view } of wholeRecords(file.read(0, footerOffset(plan) + RECORD_BYTES))) {
    for (let at = 0; at < bytes.length; at += RECORD_BYTES, index++) {
      if (index > plan.chunkCount) footer = bytes.slice(at, at + RECORD_BYTES);
      else if (isRecord({ bytes, view, at }, { magic: MAGIC, index, length: chunkLength(plan, index) }, tag))
        map.addBytes(index, bytes, at + DIGEST_AT);
    }
  }
  return { map, nonce: decodeFooter(uploadId, plan, footer) };
}

/** The pieces cut anew where records end. What is left of one at the end of the file is none. */
async function* wholeRecords(pieces: AsyncIterable<Uint8Array>): AsyncIterable<Omit<Spot, 'at'>> {
  let rest: Uint8Array = new Uint8Array(0);
  for await (const piece of pieces) {
    const bytes = rest.length === 0 ? piece : joined(rest, piece);
    const wholeBytes = bytes.length - (bytes.length % RECORD_BYTES);
    rest = bytes.slice(wholeBytes);
    yield { bytes: bytes.subarray(0, wholeBytes), view: new DataView(bytes.buffer, bytes.byteOffset, wholeBytes) };
  }
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(one.length + other.length);
  bytes.set(one);
  bytes.set(other, one.length);
  return bytes;
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
