// How many requests with chunks are on the wire at the same time.

/** Lets at most `limit` pieces of work run at once, first come, first served. */
export class Slots {
  #limit: number;
  #taken = 0;
  readonly #queue: (() => void)[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  get limit(): number {
    return this.#limit;
  }

  /** Lowering it ends no work; it only keeps the next from beginning. */
  set limit(limit: number) {
    this.#limit = limit;
    this.#admit();
  }

  /** How many wait for their turn. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Rejects with the signal's reason when that aborts before the turn came; afterwards the work itself has to heed it. */
  async use<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.#turn(signal);
    try {
      return await work();
    } finally {
      this.#taken -= 1;
      this.#admit();
    }
  }

  async #turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const admitted = () => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        this.#queue.splice(this.#queue.indexOf(admitted), 1);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#queue.push(admitted);
      this.#admit();
    });
  }

  #admit(): void {
    while (this.#taken < this.#limit) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#taken += 1;
      next();
    }
  }
}

/** Long enough that chunks which end in bursts don't look like a change, short enough to find the best within the first file. */
const WINDOW_MS = 2_000;
/** One request more must bring so much more to stay: less is noise. */
const GAIN = 1.08;
/** Windows without another try after one that didn't pay; doubled up to the maximum, since links do change. */
const FIRST_REST = 4;
const MAX_REST = 64;
/** Chunks in flight are refused together; that is one word, not as many. */
const CROWDED_ONCE_MS = 2_000;

/** What one link carries well is neither too few requests (the wire idles for an answer's way) nor many (they only share it). */
const START = 4;

/**
 * Finds the number of requests that pays, within 1 … `max`, for all uploads that share it: one more as long as the rate grows with it,
 * back again where it doesn't, half of them when the other side says that it is busy.
 */
export class Pace {
  readonly #max: number;
  readonly #now: () => number;
  readonly #slots: Slots;
  #windowBeganAt = Number.NaN;
  #windowBytes = 0;
  /** Rate before the try that is under way, in bytes per ms; `undefined`: none is. */
  #rateBefore: number | undefined;
  #rest = 0;
  #nextRest = FIRST_REST;
  #crowdedAt = Number.NEGATIVE_INFINITY;

  constructor(max: number, now: () => number) {
    this.#max = max;
    this.#now = now;
    this.#slots = new Slots(Math.min(START, max));
  }

  /** Requests at the same time, for now. */
  get limit(): number {
    return this.#slots.limit;
  }

  async use<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return await this.#slots.use(work, signal);
  }

  /** Bytes have left. */
  moved(bytes: number): void {
    const now = this.#now();
    this.#windowBytes += bytes;
    if (Number.isNaN(this.#windowBeganAt)) this.#begin(now);
    const elapsedMs = now - this.#windowBeganAt;
    if (elapsedMs < WINDOW_MS) return;
    const rate = this.#windowBytes / elapsedMs;
    this.#begin(now);
    // A gap of that length is a pause or a machine that slept, and no measure of anything.
    if (elapsedMs < 2 * WINDOW_MS) this.#judge(rate);
  }

  /** The gateway or the host has too much to do. */
  crowded(): void {
    const now = this.#now();
    if (now - this.#crowdedAt < CROWDED_ONCE_MS) return;
    this.#crowdedAt = now;
    this.#slots.limit = Math.max(1, Math.floor(this.#slots.limit / 2));
    this.#rateBefore = undefined;
    this.#rest = FIRST_REST;
    this.#begin(now);
  }

  #begin(now: number): void {
    this.#windowBeganAt = now;
    this.#windowBytes = 0;
  }

  #judge(rate: number): void {
    if (this.#rateBefore !== undefined && rate < this.#rateBefore * GAIN) {
      this.#slots.limit = Math.max(1, this.#slots.limit - 1);
      this.#rateBefore = undefined;
      this.#rest = this.#nextRest;
      this.#nextRest = Math.min(MAX_REST, this.#nextRest * 2);
      return;
    }
    if (this.#rateBefore !== undefined) this.#nextRest = FIRST_REST;
    this.#rateBefore = undefined;
    if (this.#rest > 0) {
      this.#rest -= 1;
      return;
    }
    // With nobody waiting it isn't the limit that holds the rate back.
    if (this.#slots.limit >= this.#max || this.#slots.waiting === 0) return;
    this.#rateBefore = rate;
    this.#slots.limit += 1;
  }
}
