// A local file as a source.

import { open, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { SourceChangedError } from '../errors.js';
import type { UploadSource } from '../platform.js';

/** Big enough that reads and socket writes don't count beside hashing, small enough for calm progress on slow lines. */
const PIECE_BYTES = 256 * 1024;

/** Holds the file open: renaming or replacing it meanwhile doesn't disturb the upload. */
export class FileSource implements UploadSource {
  readonly name: string;
  readonly size: number;
  readonly lastModified: number;
  readonly fingerprintable = true;
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle, facts: { name: string; size: number; lastModified: number }) {
    this.#handle = handle;
    this.name = facts.name;
    this.size = facts.size;
    this.lastModified = facts.lastModified;
  }

  /** Rejects with Node's error when it can't be read, and with an `Error` when it isn't a regular file. */
  static async open(path: string): Promise<FileSource> {
    const handle = await open(path, 'r');
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) throw new Error(`${path} is not a regular file`);
      return new FileSource(handle, { name: basename(path), size: stats.size, lastModified: stats.mtimeMs });
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async *read(offset: number, length: number): AsyncGenerator<Uint8Array, void> {
    let position = offset;
    const end = offset + length;
    while (position < end) {
      // A buffer of its own for each piece: it belongs to the socket until it is flushed.
      const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, end - position));
      const { bytesRead } = await this.#handle.read(piece, 0, piece.byteLength, position);
      if (bytesRead === 0) throw new SourceChangedError(`${this.name} became shorter while it was read`);
      position += bytesRead;
      yield piece.subarray(0, bytesRead);
    }
  }

  async hasChanged(): Promise<boolean> {
    const { size, mtimeMs } = await this.#handle.stat();
    return size !== this.size || mtimeMs !== this.lastModified;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
