// The bound on bytes of writes under way on one channel, shared fairly by the files that write there.

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
  readonly enter: () => void;
  readonly refuse: (reason: unknown) => void;
}

export class SendWindow {
  readonly #limitBytes: number;
  readonly #isShut: () => boolean;
  readonly #waiters = new Set<Waiter>();
  #takenBytes = 0;
  #givenBytes = 0;
  #writers = 0;
  #closed: { readonly reason: unknown } | undefined;

  /** `isShut`: whether nobody may come in, although there is room; `admit` is to be called when that has changed. */
  constructor(limitBytes: number, isShut: () => boolean = () => false) {
    this.#limitBytes = limitBytes;
    this.#isShut = isShut;
  }

  get load(): WindowLoad {
    return { writers: this.#writers, takenBytes: this.#takenBytes, givenBytes: this.#givenBytes };
  }

  /** To be called by a file that begins to write; what it returns, once, when it has ended. */
  join(): () => void {
    this.#writers += 1;
    return () => {
      this.#writers -= 1;
    };
  }

  /**
   * Calls `use`, and resolves, when `bytes` more may be under way, in the order of asking; whoever took them gives them back. More
   * than the whole window is let in alone. Rejects, with nothing taken, with the signal's reason or that of `close`; and with what
   * `use` throws, which must give them back too.
   */
  take(bytes: number, signal: AbortSignal, use: () => void = () => undefined): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    if (this.#closed !== undefined) return Promise.reject(this.#closed.reason);
    if (this.#waiters.size === 0 && this.#hasRoom(bytes)) {
      this.#takenBytes += bytes;
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

  give(bytes: number): void {
    this.#takenBytes -= bytes;
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
    for (const waiter of this.#waiters) {
      if (!this.#hasRoom(waiter.bytes)) return;
      this.#takenBytes += waiter.bytes;
      waiter.enter();
    }
  }

  #hasRoom(bytes: number): boolean {
    if (this.#isShut()) return false;
    return this.#takenBytes === 0 || this.#takenBytes + bytes <= this.#limitBytes;
  }
}
