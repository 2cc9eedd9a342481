// Layout in-place: chunks are written at their offset into one sparse file, `data`, and noted in `received` once they are whole and
// right. Merging such an upload is verifying it and giving it its name.
import type { ChunkPlan } from '../core/chunks.js';
import { chunkLength, chunkOffset } from '../core/chunks.js';
import type { Hashing, Host, OpenFile } from '../core/ports.js';
import type { RemotePath } from '../core/remote-path.js';
import { joinPath } from '../core/remote-path.js';
import type { ReceiveOutcome, ReceiveRequest } from '../core/staging.js';
import { single, withFile } from './files.js';
import { DATA, RECEIVED } from './manifest.js';
import { RECORD_BYTES, decodeRecord, encodeRecord, readAll, recordOffset } from './received.js';

export interface InPlaceUpload {
  readonly host: Host;
  readonly hashing: Hashing;
  readonly directory: RemotePath;
  readonly uploadId: string;
  readonly plan: ChunkPlan;
}

/** Thrown out of the source when more bytes come than the chunk has. */
class TooLong extends Error {}

/**
 * Takes one chunk: pieces are hashed in passing and written at their offset; the record is written last, when length and digest
 * match and the right to write still holds. A chunk that is there already is never written again. The caller holds its slot.
 */
export async function receiveInPlace(upload: InPlaceUpload, request: ReceiveRequest): Promise<ReceiveOutcome> {
  const { host, directory } = upload;
  return withFile(host.open(joinPath(directory, RECEIVED), 'write'), async (received) => {
    const stored = await readRecord(upload, received, request.index);
    if (stored !== undefined) return compareWithStored(upload, request, stored);
    return withFile(host.open(joinPath(directory, DATA), 'write'), (data) => writeChunk(upload, request, { data, received }));
  });
}

async function writeChunk(
  upload: InPlaceUpload,
  request: ReceiveRequest,
  files: { readonly data: OpenFile; readonly received: OpenFile },
): Promise<ReceiveOutcome> {
  const { index, signal, check } = request;
  const intake = measured(upload, request);
  try {
    await files.data.write(chunkOffset(upload.plan, index), intake.pieces, { signal, check });
  } catch (error) {
    if (error instanceof TooLong) return intake.lengthMismatch;
    throw error;
  }
  const flaw = intake.flaw();
  if (flaw !== undefined) return flaw;
  const isStrict = upload.host.profile.durability === 'strict';
  if (isStrict) await files.data.sync();
  check();
  const record = encodeRecord({ uploadId: upload.uploadId, index, length: chunkLength(upload.plan, index) }, intake.digest());
  await files.received.write(recordOffset(index), single(record), { signal, check });
  if (isStrict) await files.received.sync();
  return { kind: 'stored', digest: intake.digest(), alreadyStored: false };
}

/** With a digest the answer needs no byte; without one the bytes are hashed and go nowhere. */
async function compareWithStored(upload: InPlaceUpload, request: ReceiveRequest, stored: string): Promise<ReceiveOutcome> {
  const known = { kind: 'stored', digest: stored, alreadyStored: true } as const;
  if (request.digest !== undefined) return request.digest === stored ? known : { kind: 'conflict' };
  const intake = measured(upload, request);
  try {
    for await (const piece of intake.pieces) void piece;
  } catch (error) {
    if (error instanceof TooLong) return intake.lengthMismatch;
    throw error;
  }
  const flaw = intake.flaw();
  if (flaw !== undefined) return flaw;
  return intake.digest() === stored ? known : { kind: 'conflict' };
}

/** The pieces of a request, hashed and counted as they pass, and what is wrong with them once they have. */
function measured(upload: InPlaceUpload, request: ReceiveRequest) {
  const expectedBytes = chunkLength(upload.plan, request.index);
  const lengthMismatch = { kind: 'length-mismatch', expectedBytes } as const;
  const hash = upload.hashing.start('sha256');
  let passedBytes = 0;
  let result: string | undefined;
  async function* pass(): AsyncIterable<Uint8Array> {
    for await (const piece of request.pieces) {
      passedBytes += piece.length;
      if (passedBytes > expectedBytes) throw new TooLong();
      hash.update(piece);
      yield piece;
    }
  }
  const digest = () => (result ??= hash.digest());
  const flaw = (): ReceiveOutcome | undefined => {
    if (passedBytes < expectedBytes) return lengthMismatch;
    const expected = request.digest;
    if (expected === undefined || expected === digest()) return undefined;
    return { kind: 'digest-mismatch', expected, actual: digest() };
  };
  return { pieces: pass(), lengthMismatch, digest, flaw };
}

async function readRecord(upload: InPlaceUpload, received: OpenFile, index: number): Promise<string | undefined> {
  const record = await readAll(received, recordOffset(index), RECORD_BYTES);
  return decodeRecord({ uploadId: upload.uploadId, index, length: chunkLength(upload.plan, index) }, record);
}

/** Takes chunks their place away: their bytes are not what their records say. */
export async function eraseRecords(upload: InPlaceUpload, indexes: readonly number[]): Promise<void> {
  await withFile(upload.host.open(joinPath(upload.directory, RECEIVED), 'write'), async (received) => {
    const signal = new AbortController().signal;
    for (const index of indexes) await received.write(recordOffset(index), single(new Uint8Array(RECORD_BYTES)), { signal });
    await received.sync();
  });
}
