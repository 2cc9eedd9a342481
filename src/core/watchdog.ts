// Work that may stop moving without failing: on a host that answers and does nothing, or by a promise that never settles.
import type { Clock } from './ports.js';
import { ProblemError, refused } from './problems.js';
import type { MergePhase } from './progress.js';

/** Longer than any two operations in a row may wait for a disk (a minute each, `src/sftp/limits.ts`), so that those deadlines decide. */
const PATIENCE_MS = 2 * 60_000;
/** Publication tells no bytes, and makes several things durable one after another. */
const PUBLISHING_PATIENCE_MS = 10 * 60_000;
/** For work that was told to end, until it is left to itself. */
const GRACE_MS = 15_000;

interface Options {
  readonly clock: Clock;
  /** Of whoever may end the work. */
  readonly signal: AbortSignal;
}

export class Watchdog {
  readonly #options: Options;
  readonly #stop = new AbortController();
  #phase: MergePhase = 'QUEUED';
  #doneBytes = 0;
  #movedAt: number;

  constructor(options: Options) {
    this.#options = options;
    this.#movedAt = options.clock.monotonic();
  }

  /** For the work: aborts when it stands still, and with the signal it was given. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** A position; the same as before is no movement. */
  readonly report = (phase: MergePhase, doneBytes: number): void => {
    if (phase === this.#phase && doneBytes === this.#doneBytes) return;
    this.#phase = phase;
    this.#doneBytes = doneBytes;
    this.alive();
  };

  /** A sign of life where the host tells no position. */
  readonly alive = (): void => {
    this.#movedAt = this.#options.clock.monotonic();
  };

  /**
   * What `work` gives. When it stands still, or the signal aborts, it is told to end, and has some seconds for that; then it is left to
   * itself, and this rejects: with `MERGE_STALLED`, or the signal's reason. What it still gives in these seconds counts.
   */
  async watch<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.#options;
    const ended = new AbortController();
    const onAbort = () => this.#stop.abort(signal.reason);
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    try {
      return await Promise.race([work, this.#patience(ended.signal)]);
    } catch (error) {
      // The work's own error is how it ended for standing still.
      throw this.#stop.signal.aborted ? this.#stop.signal.reason : error;
    } finally {
      ended.abort();
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Never resolves; rejects when nothing more is waited for. */
  async #patience(ended: AbortSignal): Promise<never> {
    const { clock } = this.#options;
    // Woken by the end of the work, and by the order to end it.
    const wake = AbortSignal.any([ended, this.#stop.signal]);
    for (let leftMs = this.#leftMs(); leftMs > 0 && !wake.aborted; leftMs = this.#leftMs()) {
      await clock.sleep(leftMs, wake).catch(() => undefined);
    }
    if (!wake.aborted) this.#stop.abort(stalled(this.#phase));
    await clock.sleep(GRACE_MS, ended);
    throw this.#stop.signal.reason;
  }

  #leftMs(): number {
    const patienceMs = this.#phase === 'PUBLISHING' ? PUBLISHING_PATIENCE_MS : PATIENCE_MS;
    return this.#movedAt + patienceMs - this.#options.clock.monotonic();
  }
}

function stalled(phase: MergePhase): ProblemError {
  const message = `the merge stood still while ${phase}, and was stopped; all chunks are kept, ask for it again`;
  return new ProblemError(refused('MERGE_STALLED', message, true));
}
