// Copier `relay`: chunk files are read through SFTP and written, one after the other, to the end of one file. Needs nothing of the host but
// that, and takes every byte over the wire twice.
import { chunkLength, chunkOffset } from '../core/chunks.js';
import type { Hash, OpenFile } from '../core/ports.js';
import { Fault, isFault } from '../core/problems.js';
import type { Copying } from './copier.js';
import { WrongChunk } from './copier.js';
import { openOurs, withFile } from './files.js';

/** What it reads and writes, once the output is open. */
interface Relay extends Copying {
  readonly out: OpenFile;
  readonly begunBytes: number;
}

/** See `Copier`. Each chunk is hashed in passing. */
export async function relay(copying: Copying): Promise<void> {
  const { host, output, begunBytes } = copying;
  const opening = begunBytes === undefined ? host.open(output, 'create') : openOurs(host, output, 'write');
  await withFile(opening, (out) => relayInto({ ...copying, out, begunBytes: begunBytes ?? 0 }));
}

async function relayInto(options: Relay): Promise<void> {
  const { out, begunBytes, received, signal } = options;
  const { plan } = received;
  const first = Math.floor(begunBytes / plan.chunkSize) + 1;
  const skipBytes = begunBytes - chunkOffset(plan, first);
  const ahead = new ChunksAhead(options, first, skipBytes);
  try {
    await out.write(begunBytes, joined(options, ahead, { first, skipBytes }), { signal });
  } finally {
    await ahead.close();
  }
  const { size } = await out.facts();
  if (size !== plan.size) throw new Fault('FAILURE', `the host made ${size} bytes of ${plan.size}`);
}

async function* joined(
  options: Relay,
  ahead: ChunksAhead,
  { first, skipBytes }: { readonly first: number; readonly skipBytes: number },
): AsyncGenerator<Uint8Array> {
  const { received, hashing, onProgress } = options;
  const { plan } = received;
  let doneBytes = options.begunBytes;
  for (let index = first; index <= plan.chunkCount; index++) {
    const isStitched = index === first && skipBytes > 0;
    const hash = hashing.start('sha256');
    if (isStitched) await hashRange(options.out, hash, chunkOffset(plan, index), skipBytes);
    for await (const piece of ahead.next(index)) {
      hash.update(piece);
      doneBytes += piece.length;
      onProgress('ASSEMBLING', doneBytes, plan.size);
      yield piece;
    }
    if (hash.digest() !== received.digest(index)) throw new WrongChunk(index, { isStitched });
  }
}

async function hashRange(file: OpenFile, hash: Hash, offset: number, lengthBytes: number): Promise<void> {
  for await (const piece of file.read(offset, lengthBytes)) hash.update(piece);
}

/** Of chunks, begun to be read before the ones before them have been: opening each costs two round trips. */
const AHEAD_BYTES = 4 * 1024 * 1024;
const MAX_FILES_AHEAD = 32;

interface Reading {
  readonly file: OpenFile;
  readonly pieces: AsyncIterator<Uint8Array>;
  /** Asked for at once, so that it is there when its turn comes. */
  readonly first: Promise<IteratorResult<Uint8Array>>;
}

/** Reads chunk files in order, the next ones already open. */
class ChunksAhead {
  readonly #options: Relay;
  readonly #skipBytes: number;
  readonly #first: number;
  readonly #filesAhead: number;
  readonly #readings = new Map<number, Promise<Reading>>();
  readonly #closing = new Set<Promise<void>>();
  #nextToOpen: number;
  #isClosed = false;

  constructor(options: Relay, first: number, skipBytes: number) {
    this.#options = options;
    this.#first = first;
    this.#skipBytes = skipBytes;
    this.#nextToOpen = first;
    this.#filesAhead = Math.min(MAX_FILES_AHEAD, Math.ceil(AHEAD_BYTES / options.received.plan.chunkSize));
  }

  async *next(index: number): AsyncGenerator<Uint8Array> {
    const { chunkCount } = this.#options.received.plan;
    while (this.#nextToOpen <= Math.min(index + this.#filesAhead, chunkCount)) this.#open(this.#nextToOpen++);
    const reading = await this.#readings.get(index);
    if (reading === undefined) return;
    const { pieces, first } = reading;
    try {
      for (let next = await first; next.done !== true; next = await pieces.next()) yield next.value;
    } catch (error) {
      // EIO, or the like: the disk no longer has it. Sent again it gets another place there.
      if (isFault(error, 'FAILURE')) throw this.#wrong(index, error);
      throw error;
    }
    this.#readings.delete(index);
    this.#close(reading);
  }

  /** Resolves when no file is open any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const opened of await Promise.allSettled(this.#readings.values())) {
      if (opened.status === 'fulfilled') this.#close(opened.value);
    }
    await Promise.all(this.#closing);
  }

  #open(index: number): void {
    if (this.#isClosed) return;
    const reading = this.#read(index);
    reading.catch(() => undefined); // Told to whoever comes to this chunk.
    this.#readings.set(index, reading);
  }

  async #read(index: number): Promise<Reading> {
    const { host, chunkPath, received, signal } = this.#options;
    const skipBytes = index === this.#first ? this.#skipBytes : 0;
    try {
      const file = await openOurs(host, chunkPath(index), 'read');
      const pieces = file.read(skipBytes, chunkLength(received.plan, index) - skipBytes, signal)[Symbol.asyncIterator]();
      const first = pieces.next();
      first.catch(() => undefined); // The same.
      return { file, pieces, first };
    } catch (error) {
      if (isFault(error, 'NOT_FOUND')) throw this.#wrong(index, error);
      throw error;
    }
  }

  #close(reading: Reading): void {
    const closing: Promise<void> = reading.file.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  #wrong(index: number, cause: unknown): WrongChunk {
    return new WrongChunk(index, { isStitched: false, cause });
  }
}
