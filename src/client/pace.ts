// How many requests with chunks are on the wire at the same time.

interface Asker {
  readonly admit: () => void;
  state: 'waiting' | 'admitted' | 'gone';
}

/** Taking the first out of a long array moves all others: those that have left are taken out together, when they are most of it. */
const TIDY_FROM = 1_000;

/** Lets at most `limit` pieces of work run at once, first come, first served. One that waits costs the same among three and among 100 000. */
export class Slots {
  #limit: number;
  #taken = 0;
  #waiting = 0;
  /** From `#first` on; who has left stays until it would have been its turn. */
  #queue: Asker[] = [];
  #first = 0;

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
    return this.#waiting;
  }

  /** Calls `admit` when a slot is free, before it returns if one is now. What it returns leaves the queue or gives the slot back, once. */
  ask(admit: () => void): () => void {
    const asker: Asker = { admit, state: 'waiting' };
    this.#queue.push(asker);
    this.#waiting += 1;
    this.#admit();
    return () => {
      if (asker.state === 'gone') return;
      if (asker.state === 'waiting') this.#waiting -= 1;
      else this.#taken -= 1;
      asker.state = 'gone';
      // Later: whoever lets many go in one turn, those that wait included, doesn't have the next one begin in between.
      queueMicrotask(() => this.#admit());
    };
  }

  /** Rejects with the signal's reason when that aborts before the turn came; afterwards the work itself has to heed it. */
  async use<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const leave = await this.#turn(signal);
    try {
      return await work();
    } finally {
      leave();
    }
  }

  async #turn(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    return await new Promise<() => void>((resolve, reject) => {
      const end = () => {
        leave();
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', end);
      const leave = this.ask(() => {
        signal.removeEventListener('abort', end);
        // Not before `ask` has returned.
        queueMicrotask(() => resolve(leave));
      });
    });
  }

  #admit(): void {
    while (this.#taken < this.#limit) {
      const next = this.#queue[this.#first];
      if (next === undefined) {
        this.#queue = [];
        this.#first = 0;
        return;
      }
      this.#first += 1;
      if (this.#first > TIDY_FROM && this.#first > this.#queue.length / 2) {
        this.#queue = this.#queue.slice(this.#first);
        this.#first = 0;
      }
      if (next.state === 'gone') continue;
      this.#waiting -= 1;
      this.#taken += 1;
      next.state = 'admitted';
      next.admit();
    }
  }
}

/** Far more than a gateway merges at the same time; what else was sent would only wait there, in ever greater number. */
const MERGES_AT_ONCE = 32;

/** Whose turn it is among the uploads of one uploader: to send, or to be merged. */
export class Turns {
  readonly sending: Slots;
  readonly merging = new Slots(MERGES_AT_ONCE);

  constructor(filesAtOnce: number) {
    this.sending = new Slots(filesAtOnce);
  }
}

/** One upload's turn. */
export class Turn {
  readonly #turns: Turns;
  #kind: keyof Turns | undefined;
  #isHeld = false;
  #leave: () => void = LEFT;

  constructor(turns: Turns) {
    this.#turns = turns;
  }

  get isWaiting(): boolean {
    return this.#kind !== undefined && !this.#isHeld;
  }

  /**
   * Calls `onTurn` once it has a turn of that kind, before it returns if one is free. A turn to send is kept until there is one to be
   * merged, so that no more is sent than can be merged; the other way round nobody waits with a turn.
   */
  ask(kind: keyof Turns, onTurn: () => void): void {
    if (kind === this.#kind) {
      if (this.#isHeld) onTurn();
      return;
    }
    const leaveLast = this.#leave;
    if (kind === 'sending') leaveLast();
    this.#kind = kind;
    this.#isHeld = false;
    let hasReturned = false;
    const leave = this.#turns[kind].ask(() => {
      this.#isHeld = true;
      leaveLast();
      if (hasReturned) onTurn();
    });
    this.#leave = () => {
      leave();
      leaveLast();
    };
    hasReturned = true;
    // Only now, when whoever is called may also give it back.
    if (!this.isWaiting) onTurn();
  }

  /** Or leaves the queue. */
  giveBack(): void {
    const leave = this.#leave;
    this.#kind = undefined;
    this.#isHeld = false;
    this.#leave = LEFT;
    leave();
  }
}

const LEFT = () => undefined;

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
