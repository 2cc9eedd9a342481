// One upload as its owner sees it: a handle with events, pause and an end.
//
//   waiting → preparing → sending ⇄ merging → done      merging goes back to sending when the host lacks chunks
//   any of these ⇄ paused                               `pause`, `resume`; what was known stays known
//   any, paused too → failed | stopped | aborted        an error or no more patience, `stop`, `abort`
//
// It has a turn while it does anything, gives it back while it is paused, and another when it goes on to the merge: the wire is
// for the next one then. Whatever it does passes a gate, which is open while it has the turn that its phase needs.

import type { UploadContext, UploadEvents, UploadTarget } from './context.js';
import { mayBe, quickHashCode } from './digests.js';
import { Emitter } from './emitter.js';
import { AbortedError, GaveUpError, SourceChangedError, StoppedError } from './errors.js';
import { Gate } from './gate.js';
import type { Gateway } from './gateway.js';
import type { FileRef } from './operations.js';
import { expectAborted, type Leftovers } from './leftovers.js';
import type { MergeFeeds } from './merge-feed.js';
import type { Pace } from './pace.js';
import type { Hashing, Platform, UploadSource } from './platform.js';
import { isOver, ProgressMeter, type UploadPhase, type UploadProgress } from './progress.js';
import { patientHashing, Retries, type Contact, type Retry, type RetryPolicy } from './retry.js';
import { Turn, type Turns } from './turns.js';
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
  /** Settles once, when nothing of the upload runs any more and its source is closed. Rejects with an `UploadError`, or what reading the source threw. */
  readonly done: Promise<UploadResult>;
  /** The present state, also between events. */
  readonly progress: UploadProgress;
  /**
   * State of each chunk by index less one, as `CHUNK_STATE`; empty until their number is known. Its bytes change by themselves, between
   * events too; it is another array when the plan is another. To be read, not written.
   */
  chunkStates(): Uint8Array;
  /** Returns the function that unsubscribes. Listeners added in the same turn as `upload()` miss nothing. */
  on<Name extends keyof UploadEvents>(name: Name, listener: (event: UploadEvents[Name]) => void): () => void;
  /**
   * Cuts all requests at once and sends nothing more until `resume()`; another upload has its turn meanwhile. A merge goes on by itself.
   * The path stays ours on the gateway as long as its claims live (15 minutes by default); after that another may take it.
   */
  pause(): void;
  /** Goes on when it has a turn, at once if one is free, without asking anew or reading again what was compared. */
  resume(): void;
  /** Cuts all requests at once and leaves the upload resumable; `done` rejects with `StoppedError`. A merge goes on by itself. */
  stop(): void;
  /**
   * Stops and removes what is on the host, also what an earlier run of an upload that still waits for its turn has left there; `done`
   * rejects with `AbortedError`. Rejects when the gateway refuses, e.g. because it is finished, or can't be asked.
   */
  abort(): Promise<void>;
}

/** What the uploads of one uploader share. */
export interface UploadRoom {
  readonly gateway: Gateway;
  readonly feeds: MergeFeeds;
  readonly leftovers: Leftovers;
  readonly contact: Contact;
  readonly platform: Platform;
  readonly pace: Pace;
  readonly turns: Turns;
  readonly parallel: number;
  readonly policy: RetryPolicy;
}

export interface UploadJob {
  readonly source: UploadSource;
  readonly target: UploadTarget;
  /** What was begun, when it is to be continued: its hash code counts, whatever this source's own would be. */
  readonly begun?: { readonly hashCode: string; readonly size: number } | undefined;
}

const PROGRESS_EVERY_MS = 100;

/** What an upload needs from its first turn on. Thousands that wait do without. */
interface Work {
  readonly ending: AbortController;
  readonly gate: Gate;
  readonly retries: Retries;
}

export class RunningUpload implements Upload {
  readonly done: Promise<UploadResult>;
  readonly #emitter = new Emitter<UploadEvents>();
  readonly #room: UploadRoom;
  readonly #job: UploadJob;
  readonly #meter: ProgressMeter;
  readonly #turn: Turn;
  #resolve: (result: UploadResult) => void = () => undefined;
  #reject: (reason: unknown) => void = () => undefined;
  #work: Work | undefined;
  #file: FileRef | undefined;
  /** Where the work is, whether it waits, is paused, or not. */
  #phase: UploadPhase = 'preparing';
  #isPaused = false;
  #shown: UploadPhase = 'waiting';
  #progressAt = Number.NEGATIVE_INFINITY;

  constructor(room: UploadRoom, job: UploadJob) {
    this.#room = room;
    this.#job = job;
    if (job.begun !== undefined) this.#file = fileOf(job.target, job.begun.hashCode);
    this.#meter = new ProgressMeter(job.source.size, room.platform.now);
    this.#turn = new Turn(room.turns);
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever only listens to events has heard of the failure by `phase`; it isn't unhandled.
    this.done.catch(() => undefined);
    // Lets the caller add listeners first.
    queueMicrotask(() => this.#askForTurn());
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

  chunkStates(): Uint8Array {
    return this.#meter.states;
  }

  on<Name extends keyof UploadEvents>(name: Name, listener: (event: UploadEvents[Name]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  pause(): void {
    if (isOver(this.#phase) || this.#isPaused) return;
    this.#isPaused = true;
    this.#work?.gate.close();
    this.#turn.giveBack();
    this.#show('paused');
  }

  resume(): void {
    if (isOver(this.#phase) || !this.#isPaused) return;
    this.#isPaused = false;
    this.#meter.restartRate();
    this.#work?.retries.forgetTrouble();
    this.#askForTurn();
  }

  stop(): void {
    this.#endWith(new StoppedError());
  }

  async abort(): Promise<void> {
    this.#endWith(new AbortedError());
    await this.done.catch(() => undefined); // Its failure is `done`'s to report.
    const { gateway } = this.#room;
    const gate = new Gate(); // Stays open.
    const retries = this.#retriesWith(gate);
    const file = this.#file ?? (await this.#leftBefore(gate, retries));
    if (file === undefined) return;
    expectAborted(await retries.run((cut) => gateway.abortUpload(file, cut), new AbortController().signal));
  }

  /** What an earlier run has left on the host. */
  async #leftBefore(gate: Gate, retries: Retries): Promise<FileRef | undefined> {
    const { source, target } = this.#job;
    try {
      return await this.#room.leftovers.find({ ...target, source, hashing: this.#hashingWith(gate), retries });
    } finally {
      await source.close?.().catch(() => undefined);
    }
  }

  #endWith(error: StoppedError | AbortedError): void {
    if (this.#work !== undefined) this.#work.ending.abort(error);
    else if (!isOver(this.#phase)) void this.#end(phaseAfter(error), () => this.#reject(error));
  }

  #askForTurn(): void {
    if (isOver(this.#phase) || this.#isPaused) return;
    this.#turn.ask(this.#phase === 'merging' ? 'merging' : 'sending', () => {
      if (this.#work === undefined) this.#begin();
      else this.#work.gate.open();
      this.#show(this.#phase);
    });
    if (this.#turn.isWaiting) this.#show('waiting');
  }

  #begin(): void {
    const gate = new Gate();
    const work = (this.#work = { ending: new AbortController(), gate, retries: this.#retriesWith(gate) });
    this.#upload(work).then(
      (result) => this.#end('done', () => this.#resolve(result)),
      (error: unknown) => this.#end(phaseAfter(error), () => this.#reject(error)),
    );
  }

  async #upload(work: Work): Promise<UploadResult> {
    const { platform } = this.#room;
    const { source, target } = this.#job;
    const beganAt = platform.now();
    const hashing = this.#hashingWith(work.gate);
    const file = (this.#file = fileOf(target, await this.#identify(hashing, work.ending.signal)));
    const landed = await new UploadRun(this.#context(work, file, hashing)).run();
    this.#meter.landed();
    const { resumedBytes, wireBytes } = this.#meter.snapshot();
    return { ...landed, file, size: source.size, resumedBytes, wireBytes, durationMs: platform.now() - beganAt };
  }

  /** Doesn't reject. */
  async #end(phase: UploadPhase, settle: () => void): Promise<void> {
    this.#phase = phase;
    this.#show(phase);
    this.#turn.giveBack();
    // Nothing was written that closing could fail to keep.
    await this.#job.source.close?.().catch(() => undefined);
    settle();
  }

  #retriesWith(gate: Gate, contact = this.#room.contact): Retries {
    const { policy, platform } = this.#room;
    const onRetry = (retry: Retry) => {
      this.#meter.interrupted();
      this.#emitter.emit('retry', retry);
    };
    return new Retries({ policy, platform, gate, contact, onRetry });
  }

  /** In browsers the code that hashes comes from elsewhere than the gateway's answers do: a wrong address is none of its troubles. */
  #hashingWith(gate: Gate): Hashing {
    return patientHashing(this.#room.platform.hashing, this.#retriesWith(gate, { hasAnswered: true }));
  }

  async #identify(hashing: Hashing, signal: AbortSignal): Promise<string> {
    const { source, begun } = this.#job;
    if (begun === undefined) return await quickHashCode(source, hashing, signal);
    if (await mayBe(source, begun, hashing, signal)) return begun.hashCode;
    throw new SourceChangedError(`${source.name} isn't the content that was begun`);
  }

  #context({ ending: { signal }, gate, retries }: Work, file: FileRef, hashing: Hashing): UploadContext {
    return {
      ...this.#room,
      ...this.#job,
      hashing,
      retries,
      gate,
      meter: this.#meter,
      file,
      ticket: { current: undefined },
      signal,
      emit: (name, event) => {
        this.#emitter.emit(name, event);
        this.#emitProgress(PROGRESS_EVERY_MS);
      },
      emitProgress: () => this.#emitProgress(PROGRESS_EVERY_MS),
      enter: async (phase) => {
        this.#phase = phase;
        gate.close();
        this.#askForTurn();
        await gate.passed(signal);
      },
    };
  }

  #show(phase: UploadPhase): void {
    if (phase === this.#shown) return;
    this.#shown = phase;
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

function fileOf({ host, path }: UploadTarget, hashCode: string): FileRef {
  return { hostId: host, fullPath: path, hashCode };
}

function phaseAfter(error: unknown): UploadPhase {
  if (error instanceof StoppedError) return 'stopped';
  if (error instanceof AbortedError) return 'aborted';
  if (error instanceof GaveUpError) return 'stopped';
  return 'failed';
}
