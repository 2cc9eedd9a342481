// Pausing: a gate that every step of an upload passes.

/**
 * Open at first. Closing it cuts the work that is passing; once it is open again that work begins anew. Everyone who passes has a signal
 * of their own: Node warns of signals that more than ten listen to.
 */
export class Gate {
  #isOpen = true;
  readonly #passing = new Set<AbortController>();
  readonly #waiting = new Set<() => void>();

  get isOpen(): boolean {
    return this.#isOpen;
  }

  close(): void {
    this.#isOpen = false;
    for (const cutting of [...this.#passing]) cutting.abort();
  }

  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
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
      const passage: { cut?: AbortSignal } = {};
      try {
        return await this.untilClosed((cut) => work((passage.cut = cut)), signal);
      } catch (error) {
        signal.throwIfAborted();
        if (passage.cut?.aborted !== true) throw error;
      }
    }
  }

  /** Runs `work` once, with a signal that aborts when the gate is closed (at once if it is) or `signal` aborts. */
  async untilClosed<T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    const cutting = new AbortController();
    this.#passing.add(cutting);
    if (!this.#isOpen) cutting.abort();
    try {
      return await either([signal, cutting.signal], work);
    } finally {
      this.#passing.delete(cutting);
    }
  }
}

/** Settles as `promise` does, or rejects with the signal's reason before: for what can't be cut itself, and goes on unheard. */
export async function unless<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return await either([signal], (cut) => {
    const aborted = new Promise<never>((_, reject) => {
      const end = () => reject(cut.reason as Error);
      if (cut.aborted) end();
      cut.addEventListener('abort', end);
    });
    return Promise.race([aborted, promise]);
  });
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
