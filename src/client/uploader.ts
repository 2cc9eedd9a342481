// The public face of an upload: `Uploader.upload` begins one and returns its handle.

import type { UploadContext, UploadEvents, UploadTarget } from './context.js';
import { quickHashCode } from './digests.js';
import { Emitter } from './emitter.js';
import { AbortedError, GaveUpError, ProblemError, StoppedError } from './errors.js';
import { Gateway } from './gateway.js';
import type { FileRef } from './operations.js';
import type { Platform, UploadSource } from './platform.js';
import { ProgressMeter, type UploadPhase, type UploadProgress } from './progress.js';
import { DEFAULT_RETRY_POLICY, Retries, type RetryPolicy } from './retry.js';
import { Transport, type TransportOptions } from './transport.js';
import { UploadRun, type Landed } from './upload-run.js';

export interface UploaderOptions extends TransportOptions {
  /** Chunks on the wire at the same time, per upload. Default: 4. */
  readonly parallel?: number | undefined;
  readonly retry?: Partial<RetryPolicy> | undefined;
}

export interface UploadResult extends Landed {
  readonly file: FileRef;
  /** Bytes of the content. */
  readonly size: number;
  /** Bytes that an earlier run had brought. */
  readonly resumedBytes: number;
  /** Bytes of chunks handed to the network in this run, those sent again included. */
  readonly wireBytes: number;
  readonly durationMs: number;
}

/** An upload that is under way. */
export interface Upload {
  /** Settles once, when nothing of the upload runs any more. Rejects with an `UploadError`, or what reading the source threw. */
  readonly done: Promise<UploadResult>;
  /** The present state, also between events. */
  readonly progress: UploadProgress;
  /** Returns the function that unsubscribes. Listeners added in the same turn as `upload()` miss nothing. */
  on<Name extends keyof UploadEvents>(name: Name, listener: (event: UploadEvents[Name]) => void): () => void;
  /** Cuts all requests at once and leaves the upload resumable; `done` rejects with `StoppedError`. A merge goes on by itself. */
  stop(): void;
  /** Stops and removes what is on the host; `done` rejects with `AbortedError`. Rejects when the gateway refuses, e.g. because it is finished. */
  abort(): Promise<void>;
}

const DEFAULT_PARALLEL = 4;
const PROGRESS_EVERY_MS = 100;

/** Uploads contents to one gateway. One uploader may run any number of uploads. */
export class Uploader {
  readonly #options: UploaderOptions;
  readonly #platform: Platform;
  readonly #gateway: Gateway;

  constructor(options: UploaderOptions, platform: Platform) {
    const { parallel = DEFAULT_PARALLEL } = options;
    if (!Number.isInteger(parallel) || parallel < 1)
      throw new RangeError(`parallel must be a positive integer, not ${parallel}`);
    this.#options = options;
    this.#platform = platform;
    this.#gateway = new Gateway(new Transport(options, platform));
  }

  /** Begins at once, or goes on where the same content was left. `source` must stay readable until `done` has settled. */
  upload(source: UploadSource, target: UploadTarget): Upload {
    return new RunningUpload(this.#gateway, this.#platform, this.#options, { source, target });
  }

  /** The hash code under which `upload` knows this content: `FileRef.hashCode`. */
  async hashCode(source: UploadSource): Promise<string> {
    return await quickHashCode(source, this.#platform.sha256);
  }
}

interface UploadJob {
  readonly source: UploadSource;
  readonly target: UploadTarget;
}

class RunningUpload implements Upload {
  readonly done: Promise<UploadResult>;
  readonly #emitter = new Emitter<UploadEvents>();
  readonly #ending = new AbortController();
  readonly #gateway: Gateway;
  readonly #platform: Platform;
  readonly #options: UploaderOptions;
  readonly #source: UploadSource;
  readonly #target: UploadTarget;
  readonly #meter: ProgressMeter;
  readonly #retries: Retries;
  #file: FileRef | undefined;
  #progressAt = Number.NEGATIVE_INFINITY;

  constructor(gateway: Gateway, platform: Platform, options: UploaderOptions, job: UploadJob) {
    this.#gateway = gateway;
    this.#platform = platform;
    this.#options = options;
    this.#source = job.source;
    this.#target = job.target;
    this.#meter = new ProgressMeter(job.source.size, platform.now);
    this.#retries = new Retries({ ...DEFAULT_RETRY_POLICY, ...options.retry }, platform, (retry) =>
      this.#emitter.emit('retry', retry),
    );
    this.done = this.#run();
    // Whoever only listens to events has heard of the failure by `phase`; it isn't unhandled.
    this.done.catch(() => undefined);
  }

  get progress(): UploadProgress {
    return this.#meter.snapshot();
  }

  on<Name extends keyof UploadEvents>(name: Name, listener: (event: UploadEvents[Name]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  stop(): void {
    this.#ending.abort(new StoppedError());
  }

  async abort(): Promise<void> {
    this.#ending.abort(new AbortedError());
    await this.done.catch(() => undefined); // Its failure is `done`'s to report.
    const file = this.#file;
    if (file === undefined) return;
    const { signal } = new AbortController();
    const answer = await this.#retries.run(() => this.#gateway.abortUpload(file, signal), signal);
    if (answer.__typename === 'UploadAborted') return;
    if (answer.__typename === 'UploadFinished') {
      throw new ProblemError({
        __typename: 'Refused',
        code: 'ABORTED',
        message: 'too late: the upload is finished',
        retryable: false,
      });
    }
    if (answer.code !== 'UPLOAD_UNKNOWN') throw new ProblemError(answer);
  }

  async #run(): Promise<UploadResult> {
    await Promise.resolve(); // Lets the caller add listeners first.
    const beganAt = this.#platform.now();
    try {
      this.#enter('preparing');
      const hashCode = await quickHashCode(this.#source, this.#platform.sha256);
      const { signal } = this.#ending;
      signal.throwIfAborted();
      const file = (this.#file = { hostId: this.#target.host, fullPath: this.#target.path, hashCode });
      const landed = await new UploadRun(this.#context(file), this.#options.endpoint).run();
      this.#enter('done');
      const { resumedBytes, wireBytes } = this.#meter.snapshot();
      const durationMs = this.#platform.now() - beganAt;
      return { ...landed, file, size: this.#source.size, resumedBytes, wireBytes, durationMs };
    } catch (error) {
      this.#enter(phaseAfter(error));
      throw error;
    }
  }

  #context(file: FileRef): UploadContext {
    return {
      gateway: this.#gateway,
      platform: this.#platform,
      retries: this.#retries,
      meter: this.#meter,
      source: this.#source,
      target: this.#target,
      file,
      parallel: this.#options.parallel ?? DEFAULT_PARALLEL,
      signal: this.#ending.signal,
      emit: (name, event) => {
        this.#emitter.emit(name, event);
        this.#emitProgress(PROGRESS_EVERY_MS);
      },
      emitProgress: () => this.#emitProgress(PROGRESS_EVERY_MS),
    };
  }

  #enter(phase: UploadPhase): void {
    this.#meter.enter(phase);
    this.#emitter.emit('phase', phase);
    this.#emitProgress(0);
  }

  #emitProgress(notWithinMs: number): void {
    const now = this.#platform.now();
    if (now - this.#progressAt < notWithinMs) return;
    this.#progressAt = now;
    this.#emitter.emit('progress', this.#meter.snapshot());
  }
}

function phaseAfter(error: unknown): UploadPhase {
  if (error instanceof StoppedError) return 'stopped';
  if (error instanceof AbortedError) return 'aborted';
  if (error instanceof GaveUpError) return 'stopped';
  return 'failed';
}
