// The chunks that are arriving in this process, by upload, so that giving an upload up ends them and doesn't run beside them.

interface Arrival {
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

export class Arrivals {
  readonly #byUpload = new Map<string, Set<Arrival>>();

  /** `signal` aborts when the upload is given up. `end` must be called, once. */
  begin(id: string): { readonly signal: AbortSignal; readonly end: () => void } {
    const stop = new AbortController();
    let settle: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => {
      settle = resolve;
    });
    const arrival = { stop, ended };
    const arrivals = this.#byUpload.get(id) ?? new Set();
    this.#byUpload.set(id, arrivals.add(arrival));
    return {
      signal: stop.signal,
      end: () => {
        arrivals.delete(arrival);
        if (arrivals.size === 0 && this.#byUpload.get(id) === arrivals) this.#byUpload.delete(id);
        settle();
      },
    };
  }

  /** Aborts the upload's arrivals with `reason` and waits until each has ended. */
  async stop(id: string, reason: Error): Promise<void> {
    const arrivals = [...(this.#byUpload.get(id) ?? [])];
    for (const { stop } of arrivals) stop.abort(reason);
    await Promise.all(arrivals.map(({ ended }) => ended));
  }
}
