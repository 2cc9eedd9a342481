/** How many keys are remembered; about a hundred bytes each. The one that was quiet the longest is forgotten first. */
const MAX_KEYS = 100_000;
/** As a multiple of the rate: a page with many small files may begin all at once. */
const BURST_S = 10;

export interface RateLimitOptions {
  /** Calls a second that may go on for ever. Ten times as many may come at once after a quiet time. */
  readonly perSecond: number;
  /** Monotonic, ms. */
  readonly now: () => number;
  readonly maxKeys?: number;
}

/**
 * A bucket of tokens for each key, kept as the one moment at which it would be full again (GCRA, ITU-T I.371 Annex A): no timers, and
 * a bound on the keys, which an attacker chooses.
 */
export class RateLimit {
  readonly #intervalMs: number;
  readonly #burstMs = BURST_S * 1_000;
  readonly #now: () => number;
  readonly #maxKeys: number;
  /** When each key's bucket is full again; the key that was seen last comes last. */
  readonly #fullAt = new Map<string, number>();

  constructor({ perSecond, now, maxKeys = MAX_KEYS }: RateLimitOptions) {
    this.#intervalMs = 1_000 / perSecond;
    this.#now = now;
    this.#maxKeys = maxKeys;
  }

  /** Takes one call from the key's bucket: 0. When there is none: after how many ms, at least 1, there will be; nothing is taken. */
  take(key: string): number {
    const now = this.#now();
    const fullAt = Math.max(this.#fullAt.get(key) ?? 0, now) + this.#intervalMs;
    const waitMs = Math.ceil(fullAt - now - this.#burstMs);
    if (waitMs > 0) return waitMs;
    this.#keep(key, fullAt, now);
    return 0;
  }

  /** Takes `calls` more for what has turned out to be worth it, even if there are fewer. */
  charge(key: string, calls: number): void {
    const now = this.#now();
    const fullAt = Math.max(this.#fullAt.get(key) ?? 0, now) + calls * this.#intervalMs;
    this.#keep(key, Math.min(fullAt, now + this.#burstMs + calls * this.#intervalMs), now);
  }

  get keys(): number {
    return this.#fullAt.size;
  }

  #keep(key: string, fullAt: number, now: number): void {
    this.#fullAt.delete(key);
    this.#fullAt.set(key, fullAt);
    // Two for each that comes: so all that are full again go, in time.
    let looks = 2;
    for (const [oldest, at] of this.#fullAt) {
      if (looks === 0 || (at > now && this.#fullAt.size <= this.#maxKeys)) return;
      looks -= 1;
      this.#fullAt.delete(oldest);
    }
  }
}
