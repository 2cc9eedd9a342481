// What bodies get of each turn of the event loop. libuv reads up to 2 MiB from a socket before it looks at the next one, and each MiB takes
// milliseconds on its way to the host: a few senders in a fast network would have everybody else wait for 50 ms.

/** Some 4 ms of work. Everybody who sends gets a piece in each turn, however many they are. */
const BYTES_PER_TURN = 1024 * 1024;

/** Of all bodies of a process. */
export class TurnBudget {
  #takenBytes = 0;
  #nextTurn: Promise<void> | undefined;

  /** Undefined as long as there are bytes left in this turn; else resolves in the next one. */
  take(bytes: number): Promise<void> | undefined {
    this.#nextTurn ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#nextTurn = undefined;
        this.#takenBytes = 0;
        resolve();
      });
    });
    this.#takenBytes += bytes;
    return this.#takenBytes > BYTES_PER_TURN ? this.#nextTurn : undefined;
  }
}
