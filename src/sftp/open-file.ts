// One open file: bound to the channel that opened it, since a handle means nothing on another.
import type { Stats } from 'ssh2';
import type { FileFacts, OpenFile, WriteOptions } from '../core/ports.js';
import { Fault, isFault } from '../core/problems.js';
import type { RemotePath } from '../core/remote-path.js';
import { toFacts } from './attributes.js';
import type { Channel } from './channel.js';
import type { SftpLimits } from './limits.js';
import { writePipelined } from './pipelined-writer.js';
import { readAhead } from './read-ahead.js';
import { type FileSystemFacts, toSpace } from './space.js';

export interface SshFileOptions {
  readonly channel: Channel;
  readonly handle: Buffer;
  /** For messages alone: the file may have been renamed since. */
  readonly path: RemotePath;
  readonly limits: SftpLimits;
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
    const { channel, handle } = this.#options;
    try {
      await writePipelined({ ...options, channel, handle, offset, pieces });
    } catch (error) {
      if (isFault(error, 'FAILURE') && (await this.#isFull())) {
        throw new Fault('NOT_ENOUGH_SPACE', `no space is left for ${this.#options.path}`, { cause: error });
      }
      throw error;
    }
  }

  read(offset: number, lengthBytes: number, signal?: AbortSignal): AsyncIterable<Uint8Array> {
    const { channel, handle, limits } = this.#options;
    const windowBytes = limits.readWindowBytes;
    return readAhead({ channel, handle, offset, lengthBytes, windowBytes, ...(signal === undefined ? {} : { signal }) });
  }

  async facts(): Promise<FileFacts> {
    const { channel, handle, path } = this.#options;
    return toFacts(await channel.call<Stats>(`stat open ${path}`, (sftp, done) => sftp.fstat(handle, done)));
  }

  truncate(size: number): Promise<void> {
    const { channel, handle, path } = this.#options;
    return channel.call<void>(`truncate ${path}`, (sftp, done) => sftp.fsetstat(handle, { size }, done));
  }

  async sync(): Promise<void> {
    const { channel, handle, path, limits } = this.#options;
    if (!channel.capabilities.offers.fsync) return;
    const { slowCallTimeoutMs } = limits;
    await channel.call<void>(`fsync ${path}`, (sftp, done) => sftp.ext_openssh_fsync(handle, done), slowCallTimeoutMs);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { channel, handle, path, limits, release } = this.#options;
    try {
      await channel.call<void>(`close ${path}`, (sftp, done) => sftp.close(handle, done), limits.slowCallTimeoutMs);
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
      const facts = await channel.call<FileSystemFacts>(`space of ${path}`, (sftp, done) =>
        sftp.ext_openssh_fstatvfs(handle, done),
      );
      return toSpace(facts).freeBytes < channel.capabilities.maxWriteBytes;
    } catch {
      return false; // The write's own fault is the news; this was only to explain it.
    }
  }
}
