// One open file: bound to the channel that opened it, since a handle means nothing on another.
import type { FileFacts, HashAlgorithm, OpenFile, SettableFacts, WriteOptions } from '../core/ports.js';
import { Fault, isFault } from '../core/problems.js';
import type { RemotePath } from '../core/remote-path.js';
import { attributesOf } from './attributes.js';
import type { Channel } from './channel.js';
import type { Context } from './limits.js';
import { writePipelined } from './pipelined-writer.js';
import { readAhead } from './read-ahead.js';
import * as requests from './requests.js';

export interface SshFileOptions {
  readonly channel: Channel;
  /** For whom it is written. */
  readonly person: string | undefined;
  readonly handle: Buffer;
  /** For messages alone: the file may have been renamed since. */
  readonly path: RemotePath;
  readonly context: Context;
  /** Gives the channel back to its connection. */
  readonly release: () => void;
}

export class SshFile implements OpenFile {
  readonly #options: SshFileOptions;
  #isClosed = false;

  constructor(options: SshFileOptions) {
    this.#options = options;
  }

  async write(offset: number, pieces: AsyncIterable<Uint8Array>, options: WriteOptions): Promise<void> {
    const { channel, person, handle } = this.#options;
    try {
      await writePipelined({ ...options, channel, person, handle, offset, pieces });
    } catch (error) {
      if (isFault(error, 'FAILURE') && (await this.#isFull())) {
        throw new Fault('NOT_ENOUGH_SPACE', `no space is left for ${this.#options.path}`, { cause: error });
      }
      throw error;
    }
  }

  read(offset: number, lengthBytes: number, signal?: AbortSignal): AsyncIterable<Uint8Array> {
    const { channel, handle, context } = this.#options;
    const windowBytes = context.limits.readWindowBytes;
    const onBytes = context.onBytesRead;
    return readAhead({
      channel,
      handle,
      offset,
      lengthBytes,
      windowBytes,
      onBytes,
      ...(signal === undefined ? {} : { signal }),
    });
  }

  async hash(algorithm: HashAlgorithm, offset: number, lengthBytes: number): Promise<string> {
    const { channel, handle, path, context } = this.#options;
    if (!channel.capabilities.offers.checkFile) throw new Fault('HOST_UNSUPPORTED', 'the SFTP server hashes no files');
    const request = requests.checkFile(handle, algorithm, { offset, lengthBytes });
    return channel.call(`hash ${path}`, request, context.limits.slowCallTimeoutMs);
  }

  facts(): Promise<FileFacts> {
    const { channel, handle, path } = this.#options;
    return channel.call(`stat open ${path}`, requests.fstat(handle));
  }

  setFacts(facts: SettableFacts): Promise<void> {
    const { channel, handle, path } = this.#options;
    return channel.call(`set attributes of open ${path}`, requests.fsetstat(handle, attributesOf(facts)));
  }

  truncate(size: number): Promise<void> {
    const { channel, handle, path } = this.#options;
    return channel.call(`truncate ${path}`, requests.fsetstat(handle, { size }));
  }

  async sync(): Promise<void> {
    const { channel, handle, path, context } = this.#options;
    if (!channel.capabilities.offers.fsync) return;
    await channel.call(`fsync ${path}`, requests.fsync(handle), context.limits.slowCallTimeoutMs);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { channel, handle, path, context, release } = this.#options;
    try {
      await channel.call(`close ${path}`, requests.close(handle), context.limits.slowCallTimeoutMs);
    } catch {
      // The handle is gone all the same: refused means it wasn't there, and a dead session takes its handles along.
    } finally {
      release();
    }
  }

  /** SFTP status 4 says as little of a full disk as of a broken one. Full: there isn't room for one more write. */
  async #isFull(): Promise<boolean> {
    const { channel, handle, path } = this.#options;
    if (!channel.capabilities.spaceOfHandle) return false;
    try {
      const { freeBytes } = await channel.call(`space of ${path}`, requests.fstatvfs(handle));
      return freeBytes < channel.capabilities.maxWriteBytes;
    } catch {
      return false; // The write's own fault is the news; this was only to explain it.
    }
  }
}
