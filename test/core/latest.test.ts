import { describe, expect, it } from 'vitest';
import { Latest, prepared } from '../../src/core/latest.js';
import { deferred, settle } from '../support/manual-clock.js';

const DONE = { done: true, value: undefined };

function latest() {
  const closed = { count: 0 };
  return { closed, queue: new Latest<number>(() => (closed.count += 1)) };
}

describe('a queue of one', () => {
  it('gives a reader who comes late the latest value only', async () => {
    const { queue } = latest();
    for (const value of [1, 2, 3]) queue.push(value);
    expect(await queue.next()).toEqual({ done: false, value: 3 });
  });

  it('gives each value once', async () => {
    const { queue } = latest();
    queue.push(1);
    await queue.next();
    const next = queue.next();
    queue.push(2);
    expect(await next).toEqual({ done: false, value: 2 });
  });

  it('serves waiting readers in their order', async () => {
    const { queue } = latest();
    const readers = [queue.next(), queue.next()];
    queue.push(1);
    queue.push(2);
    expect(await Promise.all(readers)).toEqual([1, 2].map((value) => ({ done: false, value })));
  });

  it('still delivers the value before its end, then ends', async () => {
    const { queue } = latest();
    queue.push(1);
    queue.end();
    expect([await queue.next(), await queue.next(), await queue.next()]).toEqual([{ done: false, value: 1 }, DONE, DONE]);
  });

  it('ends a reader who waits', async () => {
    const { queue } = latest();
    const next = queue.next();
    queue.end();
    expect(await next).toEqual(DONE);
  });

  it('takes nothing after its end', async () => {
    const { queue } = latest();
    queue.end();
    queue.push(1);
    expect(await queue.next()).toEqual(DONE);
  });

  it('ends at once for a reader who leaves while it is idle', async () => {
    const { queue } = latest();
    const next = queue.next();
    expect(await queue.return()).toEqual(DONE);
    expect(await next).toEqual(DONE);
  });

  it('gives nothing more to a reader who left with a value unread', async () => {
    const { queue } = latest();
    queue.push(1);
    await queue.return();
    expect(await queue.next()).toEqual(DONE);
  });

  it('says once that it closed, whoever ends it how often', async () => {
    const { queue, closed } = latest();
    await queue.return();
    await queue.return();
    queue.end();
    expect(closed.count).toBe(1);
  });

  it('is left by breaking out of a loop', async () => {
    const { queue, closed } = latest();
    queue.push(1);
    for await (const value of queue) if (value === 1) break;
    expect(closed.count).toBe(1);
  });
});

describe('a prepared iterable', () => {
  const read = <T>(iterable: AsyncIterable<T>) => iterable[Symbol.asyncIterator]();

  it('is prepared by its first reading, once', async () => {
    const { queue } = latest();
    let count = 0;
    const iterator = read(
      prepared(async () => {
        count += 1;
        return queue;
      }),
    );
    expect(count).toBe(0);
    queue.push(1);
    await iterator.next();
    queue.push(2);
    expect(await iterator.next()).toEqual({ done: false, value: 2 });
    expect(count).toBe(1);
  });

  it('ends when its source ends', async () => {
    const { queue } = latest();
    queue.end();
    expect(await read(prepared(async () => queue)).next()).toEqual(DONE);
  });

  it('never prepares for a reader who left before', async () => {
    let count = 0;
    const iterator = read(
      prepared(async () => {
        count += 1;
        return latest().queue;
      }),
    );
    await iterator.return?.();
    expect(await iterator.next()).toEqual(DONE);
    expect(count).toBe(0);
  });

  it('lets a reader go while it prepares, and closes the source when that comes', async () => {
    const { queue, closed } = latest();
    const preparing = deferred<Latest<number>>();
    const iterator = read(prepared(() => preparing.promise));
    const next = iterator.next();
    expect(await iterator.return?.()).toEqual(DONE);
    expect(await next).toEqual(DONE);
    preparing.resolve(queue);
    await settle();
    expect(closed.count).toBe(1);
  });

  it('lets a reader go while nothing comes', async () => {
    const { queue, closed } = latest();
    const iterator = read(prepared(async () => queue));
    const next = iterator.next();
    await settle();
    expect(await iterator.return?.()).toEqual(DONE);
    expect(await next).toEqual(DONE);
    expect(closed.count).toBe(1);
  });

  it('tells its reader that preparation failed', async () => {
    const iterator = read(prepared(() => Promise.reject(new Error('no host'))));
    await expect(iterator.next()).rejects.toThrow('no host');
  });

  it('lets a reader go after preparation failed', async () => {
    const iterator = read(prepared(() => Promise.reject(new Error('no host'))));
    await iterator.next().catch(() => undefined);
    expect(await iterator.return?.()).toEqual(DONE);
  });
});
