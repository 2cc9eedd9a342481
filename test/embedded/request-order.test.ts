import { describe, expect, it } from 'vitest';
import { RequestOrder, type Span } from '../../src/embedded/request-order.js';

/** Runs requests whose ends the test decides; tells which have begun. */
function bench() {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const order = new RequestOrder(() => undefined);
  const add = (name: string, span?: Span, lengthBytes = 0): void => {
    const run = (): Promise<void> => {
      begun.push(name);
      return new Promise((resolve) => ends.set(name, resolve));
    };
    order.add({ span, lengthBytes, run });
  };
  const end = async (name: string): Promise<void> => {
    ends.get(name)?.();
    await new Promise(setImmediate);
  };
  return { order, begun, add, end };
}

const span = (access: Span['access'], from: number, to: number, file = 'f'): Span => ({ access, file, from, to });

describe('the order of requests', () => {
  it('lets writes side by side that do not overlap', () => {
    const { begun, add } = bench();
    add('a', span('write', 0, 10));
    add('b', span('write', 10, 20));
    expect(begun).toEqual(['a', 'b']);
  });

  it('keeps apart what overlaps, unless both only read or the files differ', async () => {
    const { begun, add, end } = bench();
    add('a', span('read', 0, 10));
    add('b', span('read', 5, 15));
    add('c', span('write', 5, 15, 'other'));
    add('d', span('write', 14, 16));
    expect(begun).toEqual(['a', 'b', 'c']);
    await end('b');
    expect(begun).toEqual(['a', 'b', 'c', 'd']);
  });

  it('never lets a request overtake one that waits', async () => {
    const { begun, add, end } = bench();
    add('a', span('write', 0, 10));
    add('b', span('write', 0, 10));
    add('c', span('write', 50, 60));
    expect(begun).toEqual(['a']);
    await end('a');
    expect(begun).toEqual(['a', 'b', 'c']);
  });

  it('runs alone what has no span', async () => {
    const { begun, add, end } = bench();
    add('a', span('read', 0, 1));
    add('alone');
    add('b', span('read', 1, 2));
    expect(begun).toEqual(['a']);
    await end('a');
    expect(begun).toEqual(['a', 'alone']);
    await end('alone');
    expect(begun).toEqual(['a', 'alone', 'b']);
  });

  it('runs at most eight at once', async () => {
    const { begun, add, end } = bench();
    for (let at = 0; at < 10; at += 1) add(String(at), span('write', at, at + 1));
    expect(begun).toHaveLength(8);
    await end('3');
    expect(begun).toHaveLength(9);
  });

  it('is full by bytes and by number, and not any more when they have run', async () => {
    const { order, add, end } = bench();
    add('large', undefined, 4 * 1024 * 1024);
    expect(order.isFull).toBe(true);
    await end('large');
    expect(order.isFull).toBe(false);
    for (let at = 0; at < 257; at += 1) add(String(at));
    expect(order.isFull).toBe(true);
  });

  it('is idle when what runs has ended and what waits was dropped', async () => {
    const { order, begun, add, end } = bench();
    add('a');
    add('b');
    order.dropWaiting();
    let isIdle = false;
    const idle = order.idle().then(() => (isIdle = true));
    await new Promise(setImmediate);
    expect(isIdle).toBe(false);
    await end('a');
    await idle;
    expect(begun).toEqual(['a']);
  });
});
