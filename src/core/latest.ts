// Iterables for watchers. Async generators are no use here: their `return()` waits for the pending `next()`, so that a watcher
// who leaves while nothing happens would stay subscribed.

/** A queue of one: a newer value replaces the unread one. `end` after a value still delivers that value. */
export class Latest<T> implements AsyncIterableIterator<T> {
  #unread: { readonly value: T } | undefined;
  #waiting: ((result: IteratorResult<T>) => void)[] = [];
  #ended = false;
  readonly #onClose: () => void;

  /** `onClose` is called once, when the reader leaves or the queue ends. */
  constructor(onClose: () => void) {
    this.#onClose = onClose;
  }

  push(value: T): void {
    if (this.#ended) return;
    const reader = this.#waiting.shift();
    if (reader === undefined) this.#unread = { value };
    else reader({ done: false, value });
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const reader of this.#waiting.splice(0)) reader({ done: true, value: undefined });
    this.#onClose();
  }

  next(): Promise<IteratorResult<T>> {
    const unread = this.#unread;
    if (unread !== undefined) {
      this.#unread = undefined;
      return Promise.resolve({ done: false, value: unread.value });
    }
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  return(): Promise<IteratorResult<T>> {
    this.#unread = undefined;
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** An iterable that is prepared when it is first read, and whose reader may leave at any time. */
export function prepared<T>(prepare: () => Promise<AsyncIterable<T>>): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator](): AsyncIterator<T> {
      let source: Promise<AsyncIterator<T>> | undefined;
      let hasLeft = false;
      // Not a race against one promise of leaving: each `next` would leave its reaction there until the reader goes.
      const waiting = new Set<(result: IteratorResult<T>) => void>();
      const end = { done: true, value: undefined } as const;
      return {
        next() {
          if (hasLeft) return Promise.resolve(end);
          source ??= prepare().then((iterable) => iterable[Symbol.asyncIterator]());
          const following = source.then((iterator) => iterator.next());
          return new Promise((resolve, reject) => {
            waiting.add(resolve);
            void following.then(resolve, reject).finally(() => waiting.delete(resolve));
          });
        },
        return() {
          hasLeft = true;
          for (const leave of waiting) leave(end);
          // A failed preparation was told to whoever asked for the next value.
          source?.then((iterator) => iterator.return?.()).catch(() => undefined);
          return Promise.resolve(end);
        },
      };
    },
  };
}

/** The same values; when the source fails, `last` of the error instead, and that is the end. Undefined: the error it is. */
export function orElse<T>(source: AsyncIterable<T>, last: (error: unknown) => T | undefined): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator](): AsyncIterator<T> {
      const iterator = source[Symbol.asyncIterator]();
      let hasFailed = false;
      return {
        async next() {
          if (hasFailed) return { done: true, value: undefined };
          try {
            return await iterator.next();
          } catch (error) {
            hasFailed = true;
            const value = last(error);
            if (value === undefined) throw error;
            return { done: false, value };
          }
        },
        async return() {
          await iterator.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}
