// What became of all files of one command, and how far they are together.

import type { Upload, UploadProgress } from '../client/index.js';
import { RateMeter } from '../client/progress.js';

/** All files together, now. */
export interface Total {
  readonly files: number;
  /** Whether these are all; else more are still being found. */
  readonly isComplete: boolean;
  readonly totalBytes: number;
  /** Files that have come to an end, good or bad. */
  readonly filesOver: number;
  /** Bytes that are on the host or on their way, and those of files that need not or can't go. */
  readonly bytesOver: number;
  readonly bytesPerSecond: number;
}

/** What became of them. */
export interface Counts {
  readonly files: number;
  readonly isComplete: boolean;
  readonly done: number;
  /** Of those that are done. */
  readonly doneBytes: number;
  /** Of those that are done, the files that had been before. */
  readonly alreadyThere: number;
  /** Files at whose path another was, and was to stay. */
  readonly kept: number;
  /** Names, in the order in which they failed. */
  readonly failed: readonly string[];
  readonly links: number;
  readonly specialFiles: number;
  /** Handed to the network, also in vain. */
  readonly wireBytes: number;
}

export class Tally {
  readonly running = new Set<Upload>();
  readonly #now: () => number;
  readonly #rate = new RateMeter();
  readonly #failed: string[] = [];
  readonly #counts = {
    files: 0,
    isComplete: false,
    done: 0,
    doneBytes: 0,
    alreadyThere: 0,
    kept: 0,
    links: 0,
    specialFiles: 0,
  };
  #totalBytes = 0;
  #bytesOver = 0;
  /** Of uploads that have ended. */
  #wireBytes = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  found(bytes: number): void {
    this.#counts.files += 1;
    this.#totalBytes += bytes;
  }

  foundAll(): void {
    this.#counts.isComplete = true;
  }

  begins(upload: Upload): void {
    this.running.add(upload);
    upload.on('retry', () => this.#rate.interrupted(this.#now(), this.#allWireBytes()));
  }

  ends(upload: Upload): void {
    this.running.delete(upload);
    this.#wireBytes += upload.progress.wireBytes;
  }

  landed(bytes: number, alreadyThere: boolean): void {
    this.#counts.done += 1;
    this.#counts.doneBytes += bytes;
    if (alreadyThere) this.#counts.alreadyThere += 1;
    this.#bytesOver += bytes;
  }

  kept(bytes: number): void {
    this.#counts.kept += 1;
    this.#bytesOver += bytes;
  }

  failed(name: string, bytes: number): void {
    this.#failed.push(name);
    this.#bytesOver += bytes;
  }

  leaves(what: 'link' | 'special file'): void {
    this.#counts[what === 'link' ? 'links' : 'specialFiles'] += 1;
  }

  get total(): Total {
    const { files, isComplete, done, kept } = this.#counts;
    const running = [...this.running].map(({ progress }) => progress);
    const now = this.#now();
    const wireBytes = this.#allWireBytes();
    this.#rate.record(now, wireBytes);
    return {
      files,
      isComplete,
      totalBytes: this.#totalBytes,
      filesOver: done + kept + this.#failed.length,
      bytesOver: this.#bytesOver + sum(running, ({ resumedBytes, sentBytes }) => resumedBytes + sentBytes),
      bytesPerSecond: this.#rate.bytesPerSecond(now, wireBytes),
    };
  }

  #allWireBytes(): number {
    return (
      this.#wireBytes +
      sum(
        [...this.running].map(({ progress }) => progress),
        (progress) => progress.wireBytes,
      )
    );
  }

  /** Once nothing runs any more. */
  get counts(): Counts {
    return { ...this.#counts, failed: this.#failed, wireBytes: this.#wireBytes };
  }
}

function sum(running: readonly UploadProgress[], of: (progress: UploadProgress) => number): number {
  return running.reduce((total, progress) => total + of(progress), 0);
}
