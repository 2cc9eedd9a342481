// One upload as its owner sees it: a handle with events, pause and an end.
//
//   waiting → preparing → sending ⇄ merging → done      merging goes back to sending when the host lacks chunks
//   any of these ⇄ paused                               `pause`, `resume`; what was known stays known
//   any, paused too → failed | stopped | aborted        an error or no more patience, `stop`, `abort`

import type { UploadContext, UploadEvents, UploadTarget } from './context.js';
import { mayBe, quickHashCode } from './digests.js';
import { Emitter } from './emitter.js';
import { AbortedError, GaveUpError, ProblemError, SourceChangedError, StoppedError } from './errors.js';
import { Gate } from './gate.js';
import type { Gateway } from './gateway.js';
import type { FileRef } from './operations.js';
import type { Pace, Slots } from './pace.js';
import type { Platform, UploadSource } from './platform.js';
import { ProgressMeter, type UploadPhase, type UploadProgress } from './progress.js';
import { Retries, type RetryPolicy } from './retry.js';
import { UploadRun, type Landed } from './upload-run.js';

export interface UploadResult extends Landed {
  readonly file: FileRef;
  /** Bytes of the content. */
  readonly size: number;
  /** Bytes that an earlier run had brought. */
  readonly resumedBytes: number;
  /** Bytes of chunks handed to the network in this run, those sent again included. */
  readonly wireBytes: number;
  /** From its first step, waiting for its turn aside, pauses included. */
  readonly durationMs: number;
}

/** An upload that is under way. */
export interface Upload {
  /** The content's name. */
  readonly name: string;
  readonly target: UploadTarget;
  /** Settles once, when nothing of the upload runs any more. Rejects with an `UploadError`, or what reading the source threw. */
  readonly done: Promise<UploadResult>;
  /** The present state, also between events. */
  readonly progress: UploadProgress;
  /** Returns the function that unsubscribes. Listeners added in the same turn as `upload()` miss nothing. */
  on<Name extends keyof UploadEvents>(name: Name, listener: (event: UploadEvents[Name]) => void): () => void;
  /**
   * Cuts all requests at once and sends nothing more until `resume()`. A merge goes on by itself meanwhile. The path stays ours on the
   * gateway as long as its claims live (15 minutes by default); after that another may take it.
   */
  pause(): void;
  /** Goes on at once, without asking anew or reading again what was compared. */
  resume(): void;
  /** Cuts all requests at once and leaves the upload resumable; `done` rejects with `StoppedError`. A merge goes on by itself. */
  stop(): void;
  /** Stops and removes what is on the host; `done` rejects with `AbortedError`. Rejects when the gateway refuses, e.g. because it is finished. */
  abort(): Promise<void>;
}

/** What the uploads of one uploader share. */
export interface UploadRoom {
  readonly endpoint: string;
  readonly gateway: Gateway;
  readonly platform: Platform;
  readonly pace: Pace;
  readonly parallel: number;
  readonly policy: RetryPolicy;
}

export interface UploadJob {
  readonly source: UploadSource;
  readonly target: UploadTarget;
  /** What was begun, when it is to be continued: its hash code counts, whatever this source's own would be. */
  readonly begun?: { readonly hashCode: string; readonly size: number } | undefined;
  /** Whose turn it is, where uploads wait for each other. */
  readonly turns?: Slots | undefined;
}

const PROGRESS_EVERY_MS = 100;

export class RunningUpload implements Upload {
  readonly done: Promise<UploadResult>;
  readonly #emitter = new Emitter<UploadEvents>();
  readonly #ending = new AbortController();
  readonly #gate = new Gate();
  readonly #room: UploadRoom;
  readonly #job: UploadJob;
  readonly #meter: ProgressMeter;
  readonly #retries: Retries;
  /** For what comes from elsewhere than the gateway: in browsers the code that hashes. */
  readonly #loading: Retries;
  #file: FileRef | undefined;
  /** Where the work is, whether it is paused or not. */
  #phase: UploadPhase = 'preparing';
  #progressAt = Number.NEGATIVE_INFINITY;

  constructor(room: UploadRoom, job: UploadJob) {
    const { platform, policy } = room;
    this.#room = room;
    this.#job = job;
    this.#meter = new ProgressMeter(job.source.size, platform.now);
    const onRetry = (retry: UploadEvents['retry']) => this.#emitter.emit('retry', retry);
    const retries = { policy, platform, gate: this.#gate, onRetry };
    this.#retries = new Retries(retries);
    this.#loading = new Retries({ ...retries, policy: { ...policy, firstAnswerPatienceMs: policy.patienceMs } });
    if (job.turns !== undefined) this.#meter.enter((this.#phase = 'waiting'));
    this.done = this.#run();
    // Whoever only listens to events has heard of the failure by `phase`; it isn't unhandled.
    this.done.catch(() => undefined);
  }

  get name(): string {
    return this.#job.source.name;
  }

  get target(): UploadTarget {
    return this.#job.target;
  }

  get progress(): UploadProgress {
    return this.#meter.snapshot();
  }

  on<Name extends keyof UploadEvents>(name: Name, listener: (event: UploadEvents[Name]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  pause(): void {
    if (isOver(this.#phase) || !this.#gate.isOpen) return;
    this.#gate.close();
    this.#show('paused');
  }

  resume(): void {
    if (this.#gate.isOpen) return;
    this.#meter.restartRate();
    this.#retries.forgetTrouble();
    if (!isOver(this.#phase)) this.#show(this.#phase);
    this.#gate.open();
  }

  stop(): void {
    this.#ending.abort(new StoppedError());
  }

  async abort(): Promise<void> {
    this.#ending.abort(new AbortedError());
    await this.done.catch(() => undefined); // Its failure is `done`'s to report.
    const file = this.#file;
    if (file === undefined) return;
    this.#gate.open();
    const { signal } = new AbortController();
    const answer = await this.#retries.run((cut) => this.#room.gateway.abortUpload(file, cut), signal);
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
    const { turns } = this.#job;
    try {
      return turns === undefined ? await this.#work() : await turns.use(() => this.#work(), this.#ending.signal);
    } catch (error) {
      this.#enter(phaseAfter(error));
      throw error;
    }
  }

  async #work(): Promise<UploadResult> {
    const { platform, endpoint } = this.#room;
    const { source, target } = this.#job;
    const beganAt = platform.now();
    this.#enter('preparing');
    const { hashCode } = await this.#loading.run((cut) => this.#identify(cut), this.#ending.signal);
    const file = (this.#file = { hostId: target.host, fullPath: target.path, hashCode });
    const landed = await new UploadRun(this.#context(file), endpoint).run();
    this.#meter.landed();
    this.#enter('done');
    const { resumedBytes, wireBytes } = this.#meter.snapshot();
    return { ...landed, file, size: source.size, resumedBytes, wireBytes, durationMs: platform.now() - beganAt };
  }

  async #identify(signal: AbortSignal): Promise<{ readonly __typename: 'Identity'; readonly hashCode: string }> {
    const { hashing } = this.#room.platform;
    const { source, begun } = this.#job;
    const identity = (hashCode: string) => ({ __typename: 'Identity', hashCode }) as const;
    if (begun === undefined) return identity(await quickHashCode(source, hashing, signal));
    if (await mayBe(source, begun, hashing, signal)) return identity(begun.hashCode);
    throw new SourceChangedError(`${source.name} isn't the content that was begun`);
  }

  #context(file: FileRef): UploadContext {
    return {
      ...this.#room,
      retries: this.#retries,
      gate: this.#gate,
      meter: this.#meter,
      source: this.#job.source,
      target: this.#job.target,
      file,
      signal: this.#ending.signal,
      emit: (name, event) => {
        this.#emitter.emit(name, event);
        this.#emitProgress(PROGRESS_EVERY_MS);
      },
      emitProgress: () => this.#emitProgress(PROGRESS_EVERY_MS),
      enter: (phase) => this.#enter(phase),
    };
  }

  #enter(phase: UploadPhase): void {
    this.#phase = phase;
    if (this.#gate.isOpen || isOver(phase)) this.#show(phase);
  }

  #show(phase: UploadPhase): void {
    this.#meter.enter(phase);
    this.#emitter.emit('phase', phase);
    this.#emitProgress(0);
  }

  #emitProgress(notWithinMs: number): void {
    const now = this.#room.platform.now();
    if (now - this.#progressAt < notWithinMs) return;
    this.#progressAt = now;
    this.#emitter.emit('progress', this.#meter.snapshot());
  }
}

/** Whether nothing more happens to an upload in this phase. */
export function isOver(phase: UploadPhase): boolean {
  return phase === 'done' || phase === 'failed' || phase === 'stopped' || phase === 'aborted';
}

function phaseAfter(error: unknown): UploadPhase {
  if (error instanceof StoppedError) return 'stopped';
  if (error instanceof AbortedError) return 'aborted';
  if (error instanceof GaveUpError) return 'stopped';
  return 'failed';
}
