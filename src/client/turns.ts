// Whose turn it is, among many that want the same.

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

  get taken(): number {
    return this.#taken;
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
    const leave = await this.turn(signal);
    try {
      return await work();
    } finally {
      leave();
    }
  }

  /** Resolves, when a slot is free, with what gives it back. Rejects with the signal's reason when that aborts before. */
  async turn(signal: AbortSignal): Promise<() => void> {
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
