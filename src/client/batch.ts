// Several files at once: bounded, with a total, each with a handle of its own.

import { Emitter } from './emitter.js';
import type { UploadTarget } from './context.js';
import type { UploadSource } from './platform.js';
import { RateMeter, type UploadProgress } from './progress.js';
import { RunningUpload, type Upload, type UploadResult, type UploadRoom } from './upload.js';

export interface BatchTarget extends Omit<UploadTarget, 'path'> {
  /** Absolute path of a directory on the host; what is missing of it is made. */
  readonly directory: string;
}

export interface BatchProgress {
  readonly files: number;
  readonly filesDone: number;
  /** Failed, stopped or aborted. */
  readonly filesFailed: number;
  readonly totalBytes: number;
  /** Bytes that were on the hosts before, as far as is known yet. */
  readonly resumedBytes: number;
  /** Bytes of this run. Never goes back. */
  readonly sentBytes: number;
  readonly bytesPerSecond: number;
  /** Until the last chunk is there, failed files aside; absent while nothing moves. */
  readonly etaSeconds: number | undefined;
}

export type BatchOutcome =
  | { readonly upload: Upload; readonly status: 'done'; readonly result: UploadResult }
  | { readonly upload: Upload; readonly status: 'failed'; readonly error: unknown };

export interface BatchEvents {
  /** At most ten times a second, and when a file has ended. */
  readonly progress: BatchProgress;
  readonly file: BatchOutcome;
}

/** Files that are under way together. One that fails doesn't keep the others. */
export interface UploadBatch {
  /** In the order given. */
  readonly uploads: readonly Upload[];
  /** What became of each, in the same order, when all have ended. Doesn't reject. */
  readonly done: Promise<readonly BatchOutcome[]>;
  readonly progress: BatchProgress;
  on<Name extends keyof BatchEvents>(name: Name, listener: (event: BatchEvents[Name]) => void): () => void;
  pause(): void;
  resume(): void;
  stop(): void;
  /** Rejects with the first refusal, after all were asked. */
  abort(): Promise<void>;
}

const PROGRESS_EVERY_MS = 100;

export class BatchUpload implements UploadBatch {
  readonly uploads: readonly Upload[];
  readonly done: Promise<readonly BatchOutcome[]>;
  readonly #emitter = new Emitter<BatchEvents>();
  readonly #now: () => number;
  /** The last that was heard of each, so that the total costs the same for three files and ten thousand. */
  readonly #heard = new Map<Upload, Share>();
  readonly #total: { -readonly [Fact in keyof Share]: number } = { ...NOTHING };
  readonly #rate = new RateMeter();
  #filesDone = 0;
  #filesFailed = 0;
  #progressAt = Number.NEGATIVE_INFINITY;

  constructor(room: UploadRoom, sources: readonly UploadSource[], { directory, ...rest }: BatchTarget) {
    this.#now = room.platform.now;
    this.uploads = sources.map((source) => {
      const path = `${directory.replace(/\/+$/, '')}/${source.relativePath ?? source.name}`;
      return new RunningUpload(room, { source, target: { ...rest, path } });
    });
    for (const upload of this.uploads) {
      this.#hear(upload, shareOf(upload.progress));
      upload.on('progress', (progress) => {
        this.#hear(upload, shareOf(progress));
        this.#emitProgress(PROGRESS_EVERY_MS);
      });
    }
    this.done = Promise.all(this.uploads.map((upload) => this.#outcome(upload)));
  }

  get progress(): BatchProgress {
    const { totalBytes, resumedBytes, sentBytes, wireBytes, leftBytes } = this.#total;
    const bytesPerSecond = this.#rate.bytesPerSecond(this.#now(), wireBytes);
    return {
      files: this.uploads.length,
      filesDone: this.#filesDone,
      filesFailed: this.#filesFailed,
      totalBytes,
      resumedBytes,
      sentBytes,
      bytesPerSecond,
      etaSeconds: bytesPerSecond > 0 ? leftBytes / bytesPerSecond : undefined,
    };
  }

  on<Name extends keyof BatchEvents>(name: Name, listener: (event: BatchEvents[Name]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  pause(): void {
    for (const upload of this.uploads) upload.pause();
  }

  resume(): void {
    for (const upload of this.uploads) upload.resume();
  }

  stop(): void {
    for (const upload of this.uploads) upload.stop();
  }

  async abort(): Promise<void> {
    const answers = await Promise.allSettled(
      this.uploads.filter((upload) => this.#isLeft(upload)).map((upload) => upload.abort()),
    );
    const refusal = answers.find(({ status }) => status === 'rejected');
    if (refusal?.status === 'rejected') throw refusal.reason;
  }

  #isLeft(upload: Upload): boolean {
    return upload.progress.phase !== 'done';
  }

  async #outcome(upload: Upload): Promise<BatchOutcome> {
    const outcome = await upload.done.then(
      (result): BatchOutcome => ({ upload, status: 'done', result }),
      (error: unknown): BatchOutcome => ({ upload, status: 'failed', error }),
    );
    if (outcome.status === 'done') this.#filesDone += 1;
    else this.#filesFailed += 1;
    this.#hear(upload, { ...shareOf(upload.progress), leftBytes: 0 });
    this.#emitter.emit('file', outcome);
    this.#emitProgress(0);
    return outcome;
  }

  #hear(upload: Upload, share: Share): void {
    const before = this.#heard.get(upload) ?? NOTHING;
    for (const fact of FACTS) this.#total[fact] += share[fact] - before[fact];
    this.#heard.set(upload, share);
    if (share.wireBytes > before.wireBytes) this.#rate.record(this.#now(), this.#total.wireBytes);
  }

  #emitProgress(notWithinMs: number): void {
    const now = this.#now();
    if (now - this.#progressAt < notWithinMs) return;
    this.#progressAt = now;
    this.#emitter.emit('progress', this.progress);
  }
}

const NOTHING = { totalBytes: 0, resumedBytes: 0, sentBytes: 0, wireBytes: 0, leftBytes: 0 };
type Share = Readonly<typeof NOTHING>;
const FACTS = Object.keys(NOTHING) as (keyof Share)[];

function shareOf({ totalBytes, resumedBytes, sentBytes, wireBytes }: UploadProgress): Share {
  return { totalBytes, resumedBytes, sentBytes, wireBytes, leftBytes: totalBytes - resumedBytes - sentBytes };
}
