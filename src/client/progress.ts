// How far an upload is, in bytes that have really moved.

import { chunkSpan, type ChunkPlan } from './chunks.js';
import type { MergeProgress } from './operations.js';

/** See `upload.ts` for what follows what. */
export type UploadPhase =
  'waiting' | 'preparing' | 'sending' | 'merging' | 'paused' | 'done' | 'failed' | 'stopped' | 'aborted';

/** Whether nothing more happens to an upload in this phase. */
export function isOver(phase: UploadPhase): boolean {
  return phase === 'done' || phase === 'failed' || phase === 'stopped' || phase === 'aborted';
}

export interface UploadProgress {
  readonly phase: UploadPhase;
  readonly totalBytes: number;
  /** Bytes that were on the host when this run began. */
  readonly resumedBytes: number;
  /** Bytes of this run: acknowledged, or on the wire of an attempt that still may be. Never goes back. */
  readonly sentBytes: number;
  /** Bytes of chunks this run handed to the network, those sent again included. Only grows. */
  readonly wireBytes: number;
  /** Bytes of the source read and hashed so far; while a resumed upload compares what is there, only this moves. */
  readonly hashedBytes: number;
  /** Chunks that are on the host. */
  readonly chunksDone: number;
  readonly chunkCount: number;
  /** Of the last seconds; 0 when nothing moved in them. */
  readonly bytesPerSecond: number;
  /** Until the last chunk is there; absent while nothing moves. */
  readonly etaSeconds: number | undefined;
  /** The newest state of the merge, once it began. */
  readonly merge: MergeProgress | undefined;
}

/** What a byte of `Upload.chunkStates()` says: the chunk isn't on the host, or is on its way in an attempt that runs, or is there. */
export const CHUNK_STATE = { missing: 0, moving: 1, stored: 2 } as const;
export type ChunkState = (typeof CHUNK_STATE)[keyof typeof CHUNK_STATE];

/** Long enough to be calm with chunks that are acknowledged in bursts, short enough to show a stall soon. */
const RATE_WINDOW_MS = 8_000;
const SAMPLE_EVERY_MS = 200;
/** When an attempt has failed and nothing has moved for so long, it isn't one of several that failed. */
const STILL_MS = 1_000;

interface Sample {
  readonly atMs: number;
  readonly bytes: number;
}

/** Bytes per second over the last `RATE_WINDOW_MS`, outages aside: in one the rate is 0, and afterwards it is measured anew. */
export class RateMeter {
  #samples: Sample[] = [];
  /** When an attempt had failed; until something moves. */
  #interruption: Sample | undefined;

  /** `bytes` is the running total. */
  record(atMs: number, bytes: number): void {
    if (this.#interruption !== undefined && bytes > this.#interruption.bytes) {
      if (this.#isStill(atMs)) this.#samples = [{ atMs, bytes: this.#interruption.bytes }];
      this.#interruption = undefined;
    }
    const last = this.#samples.at(-1);
    if (last !== undefined && atMs - last.atMs < SAMPLE_EVERY_MS) return;
    this.#samples.push({ atMs, bytes });
    // One sample older than the window stays: it is where the window's first bytes are counted from.
    while ((this.#samples[1]?.atMs ?? atMs) < atMs - RATE_WINDOW_MS) this.#samples.shift();
  }

  /** An attempt failed. */
  interrupted(atMs: number, bytes: number): void {
    if (this.#interruption?.bytes !== bytes) this.#interruption = { atMs, bytes };
  }

  bytesPerSecond(atMs: number, bytes: number): number {
    if (this.#isStill(atMs)) return 0;
    const from = this.#samples.find((sample) => sample.atMs >= atMs - RATE_WINDOW_MS) ?? this.#samples.at(-1);
    if (from === undefined || atMs <= from.atMs) return 0;
    return ((bytes - from.bytes) * 1_000) / Math.max(atMs - from.atMs, SAMPLE_EVERY_MS);
  }

  #isStill(atMs: number): boolean {
    return this.#interruption !== undefined && atMs - this.#interruption.atMs >= STILL_MS;
  }
}

/** One attempt to send a chunk. */
export interface Flight {
  moved(bytes: number): void;
  /** The attempt has ended, well or not; its bytes are either stored now or will move again. */
  land(): void;
}

const NO_CHUNKS = new Uint8Array();

/** Counts one upload's bytes, and knows its chunks. */
export class ProgressMeter {
  readonly #totalBytes: number;
  readonly #now: () => number;
  #rate = new RateMeter();
  #phase: UploadPhase = 'waiting';
  #plan: ChunkPlan | undefined;
  #states = NO_CHUNKS;
  #resumedBytes: number | undefined;
  #storedBytes = 0;
  #flyingBytes = 0;
  #sentBytes = 0;
  #wireBytes = 0;
  #hashedBytes = 0;
  #chunksDone = 0;
  #merge: MergeProgress | undefined;

  constructor(totalBytes: number, now: () => number) {
    this.#totalBytes = totalBytes;
    this.#now = now;
  }

  /** By index less one, `CHUNK_STATE`. Changes by itself; another one with each `opened`. */
  get states(): Uint8Array {
    return this.#states;
  }

  enter(phase: UploadPhase): void {
    this.#phase = phase;
  }

  /** What the host says is there; asked again after the gateway forgot the upload. */
  opened(plan: ChunkPlan, stored: Iterable<number>): void {
    this.#plan = plan;
    this.#states = new Uint8Array(plan.chunkCount);
    this.#storedBytes = 0;
    this.#chunksDone = 0;
    for (const index of stored) this.#turn(index, CHUNK_STATE.stored);
    this.#resumedBytes ??= this.#storedBytes;
    this.#hashedBytes = 0;
    this.#rate.record(this.#now(), this.#wireBytes);
  }

  hashed(bytes: number): void {
    this.#hashedBytes += bytes;
  }

  /** A chunk that was thought to be there isn't. */
  unstored(index: number): void {
    this.#turn(index, CHUNK_STATE.missing);
  }

  stored(index: number): void {
    this.#turn(index, CHUNK_STATE.stored);
    this.#raise();
  }

  flight(index: number): Flight {
    let bytes = 0;
    let landed = false;
    this.#turn(index, CHUNK_STATE.moving);
    return {
      moved: (moved) => {
        this.#wireBytes += moved;
        this.#rate.record(this.#now(), this.#wireBytes);
        if (landed) return; // The last flush may be told after the answer that made it superfluous.
        bytes += moved;
        this.#flyingBytes += moved;
        this.#raise();
      },
      land: () => {
        landed = true;
        this.#flyingBytes -= bytes;
        bytes = 0;
        if (this.#states[index - 1] === CHUNK_STATE.moving) this.#turn(index, CHUNK_STATE.missing);
      },
    };
  }

  /** All of it is on the host, whoever brought it. */
  landed(): void {
    this.#resumedBytes ??= this.#totalBytes;
    this.#storedBytes = this.#totalBytes;
    this.#states.fill(CHUNK_STATE.stored);
    this.#chunksDone = this.#states.length;
    this.#raise();
  }

  /** The time until now says nothing of the rate to come. */
  restartRate(): void {
    this.#rate = new RateMeter();
    this.#rate.record(this.#now(), this.#wireBytes);
  }

  /** An attempt failed: when nothing moves from now on, that is an outage. */
  interrupted(): void {
    this.#rate.interrupted(this.#now(), this.#wireBytes);
  }

  merging(progress: MergeProgress): void {
    this.#merge = progress;
  }

  snapshot(): UploadProgress {
    const bytesPerSecond = this.#rate.bytesPerSecond(this.#now(), this.#wireBytes);
    const remainingBytes = Math.max(0, this.#totalBytes - this.#storedBytes - this.#flyingBytes);
    return {
      phase: this.#phase,
      totalBytes: this.#totalBytes,
      resumedBytes: this.#resumedBytes ?? 0,
      sentBytes: this.#sentBytes,
      wireBytes: this.#wireBytes,
      hashedBytes: this.#hashedBytes,
      chunksDone: this.#chunksDone,
      chunkCount: this.#states.length,
      bytesPerSecond,
      etaSeconds: bytesPerSecond > 0 ? remainingBytes / bytesPerSecond : undefined,
      merge: this.#merge,
    };
  }

  #turn(index: number, state: ChunkState): void {
    if (this.#plan === undefined) return;
    const { length } = chunkSpan(this.#plan, index);
    const change = Number(state === CHUNK_STATE.stored) - Number(this.#states[index - 1] === CHUNK_STATE.stored);
    this.#states[index - 1] = state;
    this.#chunksDone += change;
    this.#storedBytes += change * length;
  }

  #raise(): void {
    const here = this.#storedBytes + this.#flyingBytes - (this.#resumedBytes ?? 0);
    this.#sentBytes = Math.min(Math.max(this.#sentBytes, here), this.#totalBytes - (this.#resumedBytes ?? 0));
  }
}
