import { describe, expect, it } from 'vitest';
import { CommonBound, SendWindow } from '../../src/sftp/send-window.js';

const never = new AbortController().signal;

/** Whether the promise has settled by now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  const settled = promise.then(
    () => true,
    () => true,
  );
  await Promise.resolve();
  return (await Promise.race([settled, Promise.resolve(pending)])) !== pending;
}

describe('send window', () => {
  it('lets bytes in until it is full, and the next when some are given back', async () => {
    const window = new SendWindow(10);
    await window.take(6, never);
    await window.take(4, never);
    const third = window.take(1, never);
    expect(await isSettled(third)).toBe(false);
    window.give(4);
    await third;
  });

  it('serves in the order of asking, so that small ones don’t starve a large one', async () => {
    const window = new SendWindow(10);
    await window.take(8, never);
    const large = window.take(5, never);
    const small = window.take(1, never);
    expect(await isSettled(small)).toBe(false);
    window.give(8);
    await large;
    await small;
  });

  it('serves first who has the fewest bytes there, however many others wait, and of whom', async () => {
    const window = new SendWindow(10);
    for (let taken = 0; taken < 10; taken += 2) await window.take(2, never, undefined, 'anna');
    const served: string[] = [];
    const wait = (person: string, at: number) => window.take(2, never, () => served.push(`${person} ${at}`), person);
    const waiting = [wait('anna', 1), wait('anna', 2), wait('bob', 1), wait('bob', 2), wait('bob', 3)];
    for (let given = 0; given < 5; given += 1) window.give(2, 'anna');
    await Promise.all(waiting);
    // When both have as many, it is whose turn it is.
    expect(served).toEqual(['bob 1', 'bob 2', 'anna 1', 'anna 2', 'bob 3']);
  });

  it('lets in alone what is larger than the whole window', async () => {
    const window = new SendWindow(10);
    await window.take(1, never);
    const huge = window.take(100, never);
    expect(await isSettled(huge)).toBe(false);
    window.give(1);
    await huge;
  });

  it('lets the next in when a waiting one is aborted', async () => {
    const window = new SendWindow(10);
    const aborter = new AbortController();
    const reason = new Error('enough');
    await window.take(8, never);
    const large = window.take(5, aborter.signal);
    const small = window.take(2, never);
    aborter.abort(reason);
    await expect(large).rejects.toBe(reason);
    await small;
    await expect(window.take(1, aborter.signal)).rejects.toBe(reason);
  });

  it('has what was let in used at once, before the next is let in', async () => {
    let isShut = false;
    const window = new SendWindow(10, () => isShut);
    const used: string[] = [];
    const use = (name: string) => (): void => {
      used.push(name);
      if (name === 'second') isShut = true;
    };
    await window.take(10, never, use('first'));
    const waiting = ['second', 'third', 'fourth'].map((name) => window.take(1, never, use(name)));
    window.give(10);
    await waiting[0];
    expect(used).toEqual(['first', 'second']);
    isShut = false;
    window.admit();
    await Promise.all(waiting);
    expect(used).toEqual(['first', 'second', 'third', 'fourth']);
  });

  it('lets nobody in while it is shut', async () => {
    let isShut = true;
    const window = new SendWindow(10, () => isShut);
    const waiting = window.take(1, never);
    window.admit();
    expect(await isSettled(waiting)).toBe(false);
    isShut = false;
    window.admit();
    await waiting;
  });

  it('tells how many write, how much is taken, and how much was given back', async () => {
    const window = new SendWindow(10);
    const leave = window.join();
    await window.take(8, never);
    const waiting = window.take(4, never);
    expect(window.load).toEqual({ writers: 1, takenBytes: 8, givenBytes: 0 });
    window.give(8);
    await waiting;
    leave();
    expect(window.load).toEqual({ writers: 0, takenBytes: 4, givenBytes: 8 });
  });

  it('passes on what the use of it throws', async () => {
    const window = new SendWindow(10);
    const ended = new Error('the lease has ended');
    const use = (): void => {
      window.give(10);
      throw ended;
    };
    await expect(window.take(10, never, use)).rejects.toBe(ended);
    await window.take(10, never);
    const waiting = window.take(10, never, use);
    const next = window.take(10, never);
    window.give(10);
    await expect(waiting).rejects.toBe(ended);
    await next;
  });

  it('turns everybody away once closed', async () => {
    const window = new SendWindow(10);
    const reason = new Error('the session ended');
    await window.take(10, never);
    const waiting = window.take(1, never);
    window.close(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(window.take(1, never)).rejects.toBe(reason);
    window.give(10);
  });

  describe('with a bound on all windows', () => {
    it('has an equal part of it while others are written on, and all that is left to it when they are not', async () => {
      const bound = new CommonBound(12);
      const [mine, other] = [new SendWindow(10, undefined, bound), new SendWindow(10, undefined, bound)];
      const [leaveMine, leaveOther, leaveToo] = [mine.join(), other.join(), other.join()];
      await mine.take(6, never);
      const more = mine.take(4, never);
      expect(await isSettled(more)).toBe(false);
      leaveOther();
      mine.give(1);
      expect(await isSettled(more)).toBe(false);
      leaveToo();
      mine.give(1);
      await more;
      leaveMine();
      expect(bound.eachBytes).toBe(12);
    });

    it('always lets one in, however many share it', async () => {
      const bound = new CommonBound(12);
      const windows = Array.from({ length: 5 }, () => new SendWindow(10, undefined, bound));
      for (const window of windows) window.join();
      await Promise.all(windows.map((window) => window.take(3, never)));
    });
  });
});
