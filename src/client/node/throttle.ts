// A limit on bytes per second for all requests that share it.

import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

/** A piece is what may leave in so long: many requests take turns within a second, and none looks idle. */
const PIECE_MS = 50;
/** What late timers have cost is made up for; whoever sent nothing for longer than this has nothing saved up. */
const CREDIT_MS = 200;

/** Each piece has its time to leave; who comes first has the earlier one. */
export class Throttle {
  readonly #bytesPerMs: number;
  readonly #pieceBytes: number;
  /** When all that was let through until now may have left. */
  #freeAtMs = Number.NEGATIVE_INFINITY;

  constructor(bytesPerSecond: number) {
    if (!(bytesPerSecond > 0)) throw new RangeError(`bytes per second must be more than 0, not ${bytesPerSecond}`);
    this.#bytesPerMs = bytesPerSecond / 1_000;
    this.#pieceBytes = Math.max(1, Math.floor(this.#bytesPerMs * PIECE_MS));
  }

  /** The same bytes, each not before its time, in pieces as small as that needs. Waits for nothing any more once `over` has settled. */
  async *slow(pieces: AsyncIterable<Uint8Array>, over: Promise<unknown>): AsyncGenerator<Uint8Array, void> {
    const waiting = new AbortController();
    const end = () => waiting.abort();
    over.then(end, end);
    for await (const piece of pieces) {
      for (let at = 0; at < piece.byteLength; at += this.#pieceBytes) {
        const part = piece.subarray(at, at + this.#pieceBytes);
        await this.#turn(part.byteLength, waiting.signal);
        yield part;
      }
    }
  }

  async #turn(bytes: number, over: AbortSignal): Promise<void> {
    if (over.aborted) return;
    const now = performance.now();
    const beginsAtMs = now - this.#freeAtMs > CREDIT_MS ? now : this.#freeAtMs;
    this.#freeAtMs = beginsAtMs + bytes / this.#bytesPerMs;
    const waitMs = this.#freeAtMs - now;
    if (waitMs <= 0) return;
    // Ends early only for a request that is over: its reader sees that by itself.
    await sleep(waitMs, undefined, { signal: over }).catch(() => undefined);
  }
}
