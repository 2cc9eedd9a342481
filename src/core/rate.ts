// How fast bytes move, smoothed: a rate that people can read.
import type { MergeProgress } from './progress.js';

/** What was measured so long ago counts for about a third. */
const SMOOTHING_MS = 2_000;

export class Rate {
  #last: { readonly bytes: number; readonly at: number } | undefined;
  #bytesPerSecond: number | undefined;

  /** `bytes` so far, at the time `at` in ms. Fewer than before: another beginning. */
  measure(bytes: number, at: number): void {
    const last = this.#last;
    if (last === undefined || bytes < last.bytes) return this.restart(bytes, at);
    const elapsedMs = at - last.at;
    if (elapsedMs <= 0) return;
    const rate = ((bytes - last.bytes) * 1_000) / elapsedMs;
    const share = 1 - Math.exp(-elapsedMs / SMOOTHING_MS);
    const before = this.#bytesPerSecond ?? rate;
    this.#bytesPerSecond = before + share * (rate - before);
    this.#last = { bytes, at };
  }

  /** The rate is unknown until the next measurement. */
  restart(bytes: number, at: number): void {
    this.#last = { bytes, at };
    this.#bytesPerSecond = undefined;
  }

  /** Nothing while it is unknown, or nothing moves. */
  of({ doneBytes, totalBytes }: Pick<MergeProgress, 'doneBytes' | 'totalBytes'>) {
    const rate = this.#bytesPerSecond;
    if (rate === undefined || rate <= 0) return {};
    return { bytesPerSecond: rate, etaSeconds: Math.max(0, totalBytes - doneBytes) / rate };
  }
}
