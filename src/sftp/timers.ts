// Timers over the injected clock. Each returns what cancels it; cancelling twice is harmless.
import type { Clock } from '../core/ports.js';

/** Calls `action` once, `ms` from now. */
export function after(clock: Clock, ms: number, action: () => void): () => void {
  const cancelled = new AbortController();
  clock.sleep(ms, cancelled.signal).then(action, () => {
    // Cancelled: nothing is to be done.
  });
  return () => cancelled.abort();
}

/** Calls `action` every `ms` until cancelled. */
export function every(clock: Clock, ms: number, action: () => void): () => void {
  let cancel = after(clock, ms, tick);
  function tick(): void {
    cancel = after(clock, ms, tick);
    action();
  }
  return () => cancel();
}

/** Settles as `promise` does, or rejects with the signal's reason when that aborts first. Leaves no listener behind. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    const settled = (): void => signal.removeEventListener('abort', onAbort);
    promise.then(
      (value) => {
        settled();
        resolve(value);
      },
      (error: unknown) => {
        settled();
        reject(error);
      },
    );
  });
}
