// Pausing: a gate that every step of an upload passes.

/** Open at first. Closing it cuts the work that is passing; once it is open again that work begins anew. */
export class Gate {
  #cutting = new AbortController();
  readonly #waiting = new Set<() => void>();

  get isOpen(): boolean {
    return !this.#cutting.signal.aborted;
  }

  /** Aborts when the gate is closed the next time. */
  get closing(): AbortSignal {
    return this.#cutting.signal;
  }

  close(): void {
    this.#cutting.abort();
  }

  open(): void {
    if (this.isOpen) return;
    this.#cutting = new AbortController();
    for (const goOn of [...this.#waiting]) goOn();
  }

  /** Resolves when the gate is open. Rejects with the signal's reason. */
  async passed(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.isOpen) return;
    await new Promise<void>((resolve, reject) => {
      const settle = () => {
        this.#waiting.delete(settle);
        signal.removeEventListener('abort', settle);
        if (signal.aborted) reject(signal.reason as Error);
        else resolve();
      };
      this.#waiting.add(settle);
      signal.addEventListener('abort', settle);
    });
  }

  /** Runs `work` once the gate is open, and again when it was cut. Otherwise settles as `work` does; rejects with the signal's reason. */
  async through<T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    for (;;) {
      await this.passed(signal);
      const cut = this.#cutting.signal;
      try {
        return await either([signal, cut], work);
      } catch (error) {
        signal.throwIfAborted();
        if (!cut.aborted) throw error;
      }
    }
  }
}

/**
 * Runs `work` with a signal that aborts when one of `signals` does. Unlike `AbortSignal.any` it leaves nothing behind on signals that
 * live much longer than the work.
 */
export async function either<T>(signals: readonly AbortSignal[], work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const ending = new AbortController();
  const end = () => ending.abort(signals.find(({ aborted }) => aborted)?.reason);
  if (signals.some(({ aborted }) => aborted)) end();
  for (const signal of signals) signal.addEventListener('abort', end);
  try {
    return await work(ending.signal);
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', end);
  }
}
