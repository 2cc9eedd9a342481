// Where uploads begin: `Uploader` on any platform.

import { BatchUpload, type BatchTarget, type UploadBatch } from './batch.js';
import { sourceOf } from './blob-source.js';
import type { UploadTarget } from './context.js';
import { quickHashCode } from './digests.js';
import { Gateway } from './gateway.js';
import type { Problem, UploadSummary } from './operations.js';
import { Pace } from './pace.js';
import type { Platform, UploadSource } from './platform.js';
import { DEFAULT_RETRY_POLICY, type RetryPolicy } from './retry.js';
import { Transport, type TransportOptions } from './transport.js';
import { RunningUpload, type Upload, type UploadRoom } from './upload.js';

export interface UploaderOptions extends TransportOptions {
  /**
   * Chunks on the wire at the same time, of all uploads of this uploader, at most; how many there are of these follows what pays. Default:
   * 8 on Node; 5 in browsers, which open six connections to a host.
   */
  readonly parallel?: number | undefined;
  readonly retry?: Partial<RetryPolicy> | undefined;
}

/** What is unfinished, and what kept hosts from being asked. */
export interface Unfinished {
  readonly items: readonly UploadSummary[];
  readonly problems: readonly Problem[];
}

/** Uploads contents to one gateway. One uploader may run any number of uploads; they share `parallel`. */
export class Uploader {
  readonly #room: UploadRoom;

  constructor(options: UploaderOptions & { readonly parallel: number }, platform: Platform) {
    const { parallel, endpoint, retry } = options;
    if (!Number.isInteger(parallel) || parallel < 1)
      throw new RangeError(`parallel must be a positive integer, not ${parallel}`);
    this.#room = {
      endpoint,
      gateway: new Gateway(new Transport(options, platform)),
      platform,
      pace: new Pace(parallel, platform.now),
      parallel,
      policy: { ...DEFAULT_RETRY_POLICY, ...retry },
    };
  }

  /** Begins at once, or goes on where the same content was left. The content must stay readable until `done` has settled. */
  upload(file: Blob | UploadSource, target: UploadTarget): Upload {
    return new RunningUpload(this.#room, { source: sourceOf(file), target });
  }

  /**
   * Files, and folders as lists of their files (`relativePath`), below one directory: a few at a time, with one total. Every file has its
   * handle from the beginning.
   */
  uploadAll(files: Iterable<Blob | UploadSource>, target: BatchTarget): UploadBatch {
    return new BatchUpload(this.#room, [...files].map(sourceOf), target);
  }

  /** The caller's uploads that were begun on any device and aren't finished, of all hosts or one. */
  async unfinished(options: { readonly host?: string; readonly signal?: AbortSignal } = {}): Promise<Unfinished> {
    const { host, signal = new AbortController().signal } = options;
    return await this.#room.gateway.uploads(host, signal);
  }

  /**
   * Goes on with what `unfinished` has shown. The content need not be the same file, but has to be the same bytes: `done` rejects with
   * `SourceChangedError` before anything is sent when its size, its samples or a chunk that is on the host say otherwise.
   */
  continue(begun: UploadSummary, file: Blob | UploadSource, options: Omit<UploadTarget, 'host' | 'path'> = {}): Upload {
    const target = { ...options, host: begun.hostId, path: begun.fullPath };
    return new RunningUpload(this.#room, { source: sourceOf(file), target, begun });
  }

  /** The hash code under which `upload` knows this content: `FileRef.hashCode`. */
  async hashCode(file: Blob | UploadSource): Promise<string> {
    return await quickHashCode(sourceOf(file), this.#room.platform.hashing, new AbortController().signal);
  }
}
