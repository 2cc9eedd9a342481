import { describe, expect, it } from 'vitest';
import { Watchdog } from '../../src/core/watchdog.js';
import type { Deferred } from '../support/manual-clock.js';
import { ManualClock, deferred, settle } from '../support/manual-clock.js';

const MINUTE_MS = 60_000;

/** Work under a watchdog; `heeds`: whether it ends when it is told to. */
function watched(heeds: boolean) {
  const clock = new ManualClock();
  const outside = new AbortController();
  const watchdog = new Watchdog({ clock, signal: outside.signal });
  const work: Deferred<string> = deferred();
  if (heeds) watchdog.signal.addEventListener('abort', () => work.reject(new Error('told to end')));
  const ended = { value: undefined as string | undefined, error: undefined as unknown };
  const watching = watchdog.watch(work.promise).then(
    (value) => (ended.value = value),
    (error: unknown) => (ended.error = error),
  );
  return { clock, outside, watchdog, work, ended, watching };
}

const STALLED = { problem: { code: 'MERGE_STALLED', retryable: true } };

describe('a watchdog', () => {
  it('gives what the work gives, and leaves nothing behind', async () => {
    const { clock, work, ended, watching } = watched(true);
    await settle();
    work.resolve('done');
    await watching;
    expect(ended.value).toBe('done');
    expect(clock.sleepers).toBe(0);
  });

  it('gives the error of work that fails', async () => {
    const { work, ended, watching } = watched(true);
    work.reject(new Error('disk full'));
    await watching;
    expect(ended.error).toMatchObject({ message: 'disk full' });
  });

  it('ends work that stands still', async () => {
    const { clock, watchdog, ended } = watched(true);
    watchdog.report('VERIFYING', 5);
    await clock.advance(2 * MINUTE_MS - 1);
    expect(watchdog.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(ended.error).toMatchObject(STALLED);
    expect(clock.sleepers).toBe(0);
  });

  it('lets work go on that moves, however slowly', async () => {
    const { clock, watchdog } = watched(true);
    for (let done = 1; done < 20; done++) {
      watchdog.report('VERIFYING', done);
      await clock.advance(MINUTE_MS);
    }
    // Another attempt begins at its beginning.
    watchdog.report('VERIFYING', 0);
    await clock.advance(1.5 * MINUTE_MS);
    expect(watchdog.signal.aborted).toBe(false);
  });

  it('takes the same position again for no movement', async () => {
    const { clock, watchdog, ended } = watched(true);
    for (let round = 0; round < 20; round++) {
      watchdog.report('VERIFYING', 5);
      await clock.advance(10_000);
    }
    expect(ended.error).toMatchObject(STALLED);
  });

  it('takes a sign of life for one', async () => {
    const { clock, watchdog } = watched(true);
    for (let round = 0; round < 20; round++) {
      watchdog.alive();
      await clock.advance(MINUTE_MS);
    }
    expect(watchdog.signal.aborted).toBe(false);
  });

  it('gives publication the time that its own deadlines need', async () => {
    const { clock, watchdog, ended } = watched(true);
    watchdog.report('PUBLISHING', 0);
    await clock.advance(9 * MINUTE_MS);
    expect(watchdog.signal.aborted).toBe(false);
    await clock.advance(MINUTE_MS);
    expect(ended.error).toMatchObject(STALLED);
  });

  it('leaves work to itself that doesn’t end when it is told to', async () => {
    const { clock, watchdog, ended } = watched(false);
    await clock.advance(2 * MINUTE_MS);
    expect(watchdog.signal.aborted).toBe(true);
    expect(ended.error).toBeUndefined();
    await clock.advance(15_000);
    expect(ended.error).toMatchObject(STALLED);
    expect(clock.sleepers).toBe(0);
  });

  it('gives what the work gives after it was told to end', async () => {
    const { clock, work, ended, watching } = watched(false);
    await clock.advance(2 * MINUTE_MS);
    work.resolve('published');
    await watching;
    expect(ended.value).toBe('published');
  });

  it('passes the order to end on, and waits no longer for work that doesn’t heed it', async () => {
    const { clock, outside, watchdog, ended } = watched(false);
    outside.abort(new Error('closing'));
    expect(watchdog.signal.aborted).toBe(true);
    await clock.advance(15_000);
    expect(ended.error).toMatchObject({ message: 'closing' });
    expect(clock.sleepers).toBe(0);
  });
});
