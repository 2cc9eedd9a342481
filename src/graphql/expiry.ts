// What is watched ends when the right to watch it does.

/** Timers count to 2^31 - 1 ms, and stand still while a machine sleeps: so the clock is looked at now and then. */
const LONGEST_TIMER_MS = 3_600_000;

/** Calls back once when the clock (epoch ms) is there, never at once. Returns the function that prevents it. */
export function atTime(epochMs: number, act: () => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const wait = () => {
    const restMs = epochMs - Date.now();
    timer = setTimeout(() => (epochMs <= Date.now() ? act() : wait()), Math.max(0, Math.min(restMs, LONGEST_TIMER_MS)));
  };
  wait();
  return () => clearTimeout(timer);
}

/**
 * The same values until `epochMs`; then it rejects with `reason`, also while it waits for the next one, and the source is returned.
 * Returning it returns the source at once: an async generator would wait for the next value.
 */
export function endingAt<T>(source: AsyncIterable<T>, epochMs: number, reason: () => Error): AsyncIterableIterator<T> {
  const values = source[Symbol.asyncIterator]();
  const done: IteratorReturnResult<undefined> = { done: true, value: undefined };
  let state: 'open' | 'expired' | 'over' = 'open';
  /** Of the `next` under way. */
  let fail: ((reason: Error) => void) | undefined;
  const expire = () => {
    state = fail === undefined ? 'expired' : 'over';
    fail?.(reason());
    // Its own failure would come too late for anybody to hear.
    values.return?.().catch(() => undefined);
  };
  const cancel = atTime(epochMs, expire);
  const end = () => {
    state = 'over';
    cancel();
  };

  const next = (): Promise<IteratorResult<T, undefined>> =>
    new Promise((resolve, reject) => {
      if (state === 'over') return resolve(done);
      if (state === 'expired') {
        end();
        return reject(reason());
      }
      fail = reject;
      const settled = values.next().finally(() => (fail = undefined));
      settled.then(
        (result) => {
          if (result.done === true) end();
          resolve(result.done === true ? done : result);
        },
        (error: unknown) => {
          end();
          reject(error);
        },
      );
    });
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next,
    async return() {
      end();
      await values.return?.();
      return done;
    },
  };
}

/** The same values. `release` is called when they have ended, failed or been returned, or never began. */
export function releasing<T>(release: (() => void) | undefined, begin: () => AsyncIterable<T>): AsyncIterableIterator<T> {
  const failed = (error: unknown): never => {
    release?.();
    throw error;
  };
  let values: AsyncIterator<T>;
  try {
    values = begin()[Symbol.asyncIterator]();
  } catch (error) {
    return failed(error);
  }
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      const result = await values.next().catch(failed);
      if (result.done === true) release?.();
      return result;
    },
    async return() {
      release?.();
      await values.return?.();
      return { done: true, value: undefined };
    },
  };
}
