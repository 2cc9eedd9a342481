// A local file as a source.

import { open, stat, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { SourceChangedError } from '../errors.js';
import type { UploadSource } from '../platform.js';

/** Big enough that reads and socket writes don't count beside hashing, small enough for calm progress on slow lines. */
const PIECE_BYTES = 256 * 1024;

interface Facts {
  readonly size: number;
  readonly mtimeMs: number;
}

/** What tells another thread which file it is. */
export interface FileFacts extends Facts {
  readonly path: string;
}

export interface FileSourceOptions {
  /** See `UploadSource`. */
  readonly relativePath?: string | undefined;
}

/**
 * While it is being read it holds the file open: renaming or replacing that doesn't disturb the upload. An upload closes it when it is
 * over; who reads it otherwise closes it. A file that was closed is opened again when it is read again, as long as it is the same one.
 */
export class FileSource implements UploadSource {
  readonly name: string;
  readonly relativePath: string | undefined;
  readonly size: number;
  readonly lastModified: number;
  readonly fingerprintable = true;
  readonly #path: string;
  /** One for all pieces, where none outlives the next. */
  #piece: Buffer | undefined;
  #handle: Promise<FileHandle> | undefined;

  private constructor(path: string, { size, mtimeMs }: Facts, options: FileSourceOptions) {
    this.#path = path;
    this.name = basename(path);
    this.relativePath = options.relativePath;
    this.size = size;
    this.lastModified = mtimeMs;
  }

  /** Only looks at it: thousands may wait without being open. Rejects with Node's error, or an `Error` when it isn't a regular file. */
  static async at(path: string, options: FileSourceOptions = {}): Promise<FileSource> {
    const stats = await stat(path);
    if (!stats.isFile()) throw new Error(`${path} is not a regular file`);
    return new FileSource(path, stats, options);
  }

  /** The same, and opens it: rejects with Node's error when it can't be read. */
  static async open(path: string, options: FileSourceOptions = {}): Promise<FileSource> {
    const source = await FileSource.at(path, options);
    await source.#opened();
    return source;
  }

  /**
   * The same file in another thread, for one reader who is done with a piece when asking for the next: all are one buffer. Opens it for
   * itself when it is read; reading throws `SourceChangedError` when it is another by then.
   */
  static asWas({ path, ...facts }: FileFacts): FileSource {
    const source = new FileSource(path, facts, {});
    source.#piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, facts.size));
    return source;
  }

  async *read(offset: number, length: number): AsyncGenerator<Uint8Array, void> {
    let position = offset;
    const end = offset + length;
    while (position < end) {
      const handle = await this.#opened();
      const wanted = Math.min(PIECE_BYTES, end - position);
      // A buffer of its own for each piece: it belongs to the socket until it is flushed.
      const piece = this.#piece ?? Buffer.allocUnsafeSlow(wanted);
      const { bytesRead } = await handle.read(piece, 0, wanted, position);
      if (bytesRead === 0) throw new SourceChangedError(`${this.name} became shorter while it was read`);
      position += bytesRead;
      yield piece.subarray(0, bytesRead);
    }
  }

  /** For `asWas`. Opens it here, too: so it stays readable here whatever becomes of its name. */
  async facts(): Promise<FileFacts> {
    await this.#opened();
    return { path: this.#path, size: this.size, mtimeMs: this.lastModified };
  }

  async hasChanged(): Promise<boolean> {
    return !this.#isSame(await (await this.#opened()).stat());
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    // That it couldn't be opened is for those to hear who wanted to read.
    await (await handle?.catch(() => undefined))?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #opened(): Promise<FileHandle> {
    const handle = (this.#handle ??= this.#open());
    try {
      return await handle;
    } catch (error) {
      if (this.#handle === handle) this.#handle = undefined;
      throw error;
    }
  }

  async #open(): Promise<FileHandle> {
    const handle = await open(this.#path, 'r');
    if (this.#isSame(await handle.stat())) return handle;
    await handle.close();
    throw new SourceChangedError(`${this.name} was changed since it was chosen`);
  }

  #isSame({ size, mtimeMs }: Facts): boolean {
    return size === this.size && mtimeMs === this.lastModified;
  }
}
