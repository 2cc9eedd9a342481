// The bound on bytes of writes under way: on one channel, shared fairly by those whose files write there, and on all channels of a process.

/** What may be under way on all channels together, in equal parts for those that are written on. */
export class CommonBound {
  readonly #bytes: number;
  #channels = 0;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** The part of each channel, for now. */
  get eachBytes(): number {
    return this.#bytes / Math.max(1, this.#channels);
  }

  /** To be called for a channel on which somebody begins to write; what it returns, once, when nobody does any more. */
  enter(): () => void {
    this.#channels += 1;
    return () => {
      this.#channels -= 1;
    };
  }
}

/** What the window tells of the work on its channel. */
export interface WindowLoad {
  /** Files that are being written. */
  readonly writers: number;
  readonly takenBytes: number;
  /** Given back so far. */
  readonly givenBytes: number;
}

interface Waiter {
  readonly bytes: number;
  readonly person: string | undefined;
  readonly enter: () => void;
  readonly refuse: (reason: unknown) => void;
}

export class SendWindow {
  readonly #limitBytes: number;
  readonly #isShut: () => boolean;
  readonly #common: CommonBound | undefined;
  #leaveCommon: (() => void) | undefined;
  /** In the order of asking. */
  readonly #waiters = new Set<Waiter>();
  /** Bytes under way, by person. */
  readonly #takenBy = new Map<string | undefined, number>();
  #takenBytes = 0;
  #givenBytes = 0;
  #writers = 0;
  #closed: { readonly reason: unknown } | undefined;

  /** `isShut`: whether nobody may come in, although there is room; `admit` is to be called when that has changed. */
  constructor(limitBytes: number, isShut: () => boolean = () => false, common?: CommonBound) {
    this.#limitBytes = limitBytes;
    this.#isShut = isShut;
    this.#common = common;
  }

  get load(): WindowLoad {
    return { writers: this.#writers, takenBytes: this.#takenBytes, givenBytes: this.#givenBytes };
  }

  /** To be called by a file that begins to write; what it returns, once, when it has ended. */
  join(): () => void {
    if (this.#writers === 0) this.#leaveCommon = this.#common?.enter();
    this.#writers += 1;
    return () => {
      this.#writers -= 1;
      if (this.#writers === 0) this.#leaveCommon?.();
    };
  }

  /**
   * Calls `use`, and resolves, when `bytes` more may be under way: first for the person who has the fewest there, then in the order of
   * asking; whoever took them gives them back. More than the whole window is let in alone. Rejects, with nothing taken, with the signal's
   * reason or that of `close`; and with what `use` throws, which must give them back too.
   */
  take(bytes: number, signal: AbortSignal, use: () => void = () => undefined, person?: string): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    if (this.#closed !== undefined) return Promise.reject(this.#closed.reason);
    if (this.#waiters.size === 0 && this.#hasRoom(bytes)) {
      this.#note(bytes, person);
      return new Promise((resolve) => {
        use();
        resolve();
      });
    }
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiters.delete(waiter);
        signal.removeEventListener('abort', onAbort);
      };
      const onAbort = (): void => {
        waiter.refuse(signal.reason);
        // The one who left may have been too big for the room there is; the next may fit.
        this.admit();
      };
      const waiter: Waiter = {
        bytes,
        person,
        enter: () => {
          leave();
          try {
            use();
            resolve();
          } catch (error) {
            reject(error);
          }
        },
        refuse: (reason) => {
          leave();
          reject(reason);
        },
      };
      this.#waiters.add(waiter);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  give(bytes: number, person?: string): void {
    this.#note(-bytes, person);
    this.#givenBytes += bytes;
    this.admit();
  }

  /** Turns everybody away with `reason`, now and later. */
  close(reason: unknown): void {
    this.#closed = { reason };
    for (const waiter of [...this.#waiters]) waiter.refuse(reason);
  }

  /** Lets in whoever there is room for now. */
  admit(): void {
    for (let next = this.#next(); next !== undefined && this.#hasRoom(next.bytes); next = this.#next()) {
      this.#note(next.bytes, next.person);
      next.enter();
    }
  }

  #next(): Waiter | undefined {
    let next: Waiter | undefined;
    for (const waiter of this.#waiters) {
      if (next === undefined || this.#takenOf(waiter.person) < this.#takenOf(next.person)) next = waiter;
    }
    return next;
  }

  #takenOf(person: string | undefined): number {
    return this.#takenBy.get(person) ?? 0;
  }

  #note(bytes: number, person: string | undefined): void {
    this.#takenBytes += bytes;
    const taken = this.#takenOf(person) + bytes;
    if (taken === 0) this.#takenBy.delete(person);
    else this.#takenBy.set(person, taken);
  }

  #hasRoom(bytes: number): boolean {
    if (this.#isShut()) return false;
    // Of a part that grows while somebody waits he learns with the next answer: there is one to come, or he would be let in alone.
    const limitBytes = Math.min(this.#limitBytes, this.#common?.eachBytes ?? Infinity);
    return this.#takenBytes === 0 || this.#takenBytes + bytes <= limitBytes;
  }
}
