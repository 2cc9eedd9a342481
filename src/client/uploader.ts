// Where uploads begin: `Uploader` on any platform.

import { BatchUpload, type BatchTarget, type UploadBatch } from './batch.js';
import { sourceOf } from './blob-source.js';
import type { UploadTarget } from './context.js';
import { quickHashCode } from './digests.js';
import { Gateway } from './gateway.js';
import { expectAborted, Leftovers, refOf } from './leftovers.js';
import { MergeFeeds } from './merge-feed.js';
import { follow } from './merging.js';
import type { FileRef, HostInfo, MergeProgress, Problem, UploadSummary } from './operations.js';
import { Pace } from './pace.js';
import type { Platform, UploadSource } from './platform.js';
import { DEFAULT_RETRY_POLICY, type RetryPolicy } from './retry.js';
import { Transport, type TransportOptions } from './transport.js';
import { Turns } from './turns.js';
import { RunningUpload, type Upload, type UploadRoom } from './upload.js';

export interface UploaderOptions extends TransportOptions {
  /**
   * Chunks on the wire at the same time, of all uploads of this uploader, at most; how many there are of these follows what pays. Default:
   * 32 on Node; 5 in browsers, which open six connections to a host.
   */
  readonly parallel?: number | undefined;
  /**
   * Uploads of this uploader that send at the same time, at most, however they were begun; the others are `waiting`. Paused ones and those
   * that wait for their merge aren't counted. Default: 3, so that small files don't wait for each other's answers.
   */
  readonly filesAtOnce?: number | undefined;
  readonly retry?: Partial<RetryPolicy> | undefined;
}

/** What is unfinished, and what kept hosts from being asked. */
export interface Unfinished {
  readonly items: readonly UploadSummary[];
  readonly problems: readonly Problem[];
}

export interface WatchOptions {
  /** The present state at once, then every change; after a lost connection the present one again. */
  readonly onProgress: (progress: MergeProgress) => void;
  /** Ends the watching; it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

const FILES_AT_ONCE = 3;

/** Uploads contents to one gateway. One uploader may have any number of uploads; they share `parallel`, take turns, and use one WebSocket. */
export class Uploader {
  readonly #room: UploadRoom;

  constructor(options: UploaderOptions & { readonly parallel: number }, platform: Platform) {
    const { parallel, filesAtOnce = FILES_AT_ONCE, endpoint, retry } = options;
    for (const [name, number] of Object.entries({ parallel, filesAtOnce })) {
      if (!Number.isInteger(number) || number < 1) throw new RangeError(`${name} must be a positive integer, not ${number}`);
    }
    const transport = new Transport(options, platform);
    const gateway = new Gateway(transport);
    this.#room = {
      gateway,
      leftovers: new Leftovers(gateway),
      contact: { hasAnswered: false },
      feeds: new MergeFeeds(endpoint, transport, platform),
      platform,
      pace: new Pace(parallel, platform.now),
      turns: new Turns(filesAtOnce),
      parallel,
      policy: { ...DEFAULT_RETRY_POLICY, ...retry },
    };
  }

  /** Begins when it has its turn, at once if one is free; or goes on where the same content was left. The content must stay readable until `done` has settled. */
  upload(file: Blob | UploadSource, target: UploadTarget): Upload {
    return new RunningUpload(this.#room, { source: sourceOf(file), target });
  }

  /**
   * Files, and folders as lists of their files (`relativePath`), below one directory, with one total. Every file has its handle from the
   * beginning.
   */
  uploadAll(files: Iterable<Blob | UploadSource>, target: BatchTarget): UploadBatch {
    return new BatchUpload(this.#room, [...files].map(sourceOf), target);
  }

  /** The caller's uploads that were begun on any device and aren't finished, of all hosts or one. One attempt. */
  async unfinished(options: { readonly host?: string; readonly signal?: AbortSignal } = {}): Promise<Unfinished> {
    const { host, signal = new AbortController().signal } = options;
    return await this.#once((gateway) => gateway.uploads(host, signal));
  }

  /**
   * Goes on with what `unfinished` has shown. The content need not be the same file, but has to be the same bytes: `done` rejects with
   * `SourceChangedError` before anything is sent when its size, its samples or a chunk that is on the host say otherwise.
   */
  continue(begun: UploadSummary, file: Blob | UploadSource, options: Omit<UploadTarget, 'host' | 'path'> = {}): Upload {
    const target = { ...options, host: begun.hostId, path: begun.fullPath };
    return new RunningUpload(this.#room, { source: sourceOf(file), target, begun });
  }

  /**
   * Follows an upload of the caller's, on whatever device it is under way: its bytes as they arrive, then its merge. Over lost connections
   * and restarts of the gateway; begins nothing. Resolves with the last state, `DONE`, `FAILED` or `ABORTED`. Rejects with
   * `GaveUpError` when nothing was heard for as long as the retry policy allows, and `GatewayError` when the gateway refuses.
   */
  async watch(file: FileRef, { onProgress, signal = new AbortController().signal }: WatchOptions): Promise<MergeProgress> {
    return await follow(refOf(file), { onProgress, signal, ...this.#room });
  }

  /**
   * Gives up an unfinished upload of the caller's, begun on any device: removes what is on the host. One attempt. Rejects with `ProblemError`
   * when the gateway refuses, e.g. because it is finished. An upload begun here has its own `abort`.
   */
  async abort(file: FileRef, { signal = new AbortController().signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    expectAborted(await this.#once((gateway) => gateway.abortUpload(refOf(file), signal)));
  }

  /** The hosts that the caller may use, and how they are. One attempt. */
  async hosts({ signal = new AbortController().signal }: { readonly signal?: AbortSignal } = {}): Promise<readonly HostInfo[]> {
    return await this.#once((gateway) => gateway.hosts(signal));
  }

  /** The hash code under which `upload` knows this content: `FileRef.hashCode`. */
  async hashCode(file: Blob | UploadSource): Promise<string> {
    const source = sourceOf(file);
    try {
      return await quickHashCode(source, this.#room.platform.hashing, new AbortController().signal);
    } finally {
      await source.close?.();
    }
  }

  async #once<T>(ask: (gateway: Gateway) => Promise<T>): Promise<T> {
    const { gateway, contact } = this.#room;
    const answer = await ask(gateway);
    contact.hasAnswered = true;
    return answer;
  }
}
