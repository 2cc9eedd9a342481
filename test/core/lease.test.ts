import { describe, expect, it } from 'vitest';
import type { Held } from '../../src/core/lease.js';
import { Lease } from '../../src/core/lease.js';
import type { Claim, LeaseOutcome } from '../../src/core/ports.js';
import { Fault, ProblemError } from '../../src/core/problems.js';
import type { Deferred } from '../support/manual-clock.js';
import { ManualClock, deferred, settle } from '../support/manual-clock.js';

const LEASE_MS = 30_000;
const CLAIM: Claim = { target: 't', person: 'anna', upload: 'u', since: 0, touchedAt: 0, until: 1 };
const HELD: LeaseOutcome = { kind: 'held', claim: CLAIM, created: false, memory: 'first' };
const AWAY = new Fault('COORDINATION_UNAVAILABLE', 'the store is away');

async function lending(
  renew: (renews?: string) => Promise<LeaseOutcome> = async () => HELD,
  release: () => Promise<void> = async () => undefined,
  { clock = new ManualClock(), wordMs }: { readonly clock?: ManualClock; readonly wordMs?: number } = {},
) {
  const work: Deferred<string> = deferred<string>();
  const calls: string[] = [];
  let held: Held | undefined;
  let isTaken = false;
  const lease = new Lease({
    clock,
    leaseMs: LEASE_MS,
    ...(wordMs !== undefined && { wordMs }),
    ask: async (renews) => {
      if (!isTaken) return HELD;
      calls.push(`renewed at ${clock.monotonic()}`);
      return renew(renews);
    },
    release: () => {
      calls.push('released');
      return release();
    },
  });
  expect(await lease.take()).toEqual(HELD);
  isTaken = true;
  const result = lease.hold((given) => {
    held = given;
    return work.promise;
  });
  result.catch(() => undefined);
  if (held === undefined) throw new Error('the work begins at once');
  return { clock, work, calls, held, result };
}

describe('a lease', () => {
  it('is renewed every third of its time while the work runs', async () => {
    const { clock, calls } = await lending();
    await clock.advance(LEASE_MS);
    expect(calls).toEqual(['renewed at 10000', 'renewed at 20000', 'renewed at 30000']);
  });

  it('that is renewed holds for as long as the work takes', async () => {
    const { clock, held } = await lending();
    await clock.advance(100 * LEASE_MS);
    expect(held.check).not.toThrow();
    expect(held.signal.aborted).toBe(false);
  });

  it('is given back when the work is done, which is answered', async () => {
    const { work, calls, result } = await lending();
    work.resolve('stored');
    expect(await result).toBe('stored');
    expect(calls).toEqual(['released']);
  });

  it('is given back when the work fails, which is what the caller hears', async () => {
    const { work, calls, result } = await lending();
    work.reject(new Error('the host went away'));
    await expect(result).rejects.toThrow('the host went away');
    expect(calls).toEqual(['released']);
  });

  it('leaves no timer behind', async () => {
    const { clock, work, result } = await lending();
    expect(clock.sleepers).toBe(1);
    work.resolve('stored');
    await result;
    expect(clock.sleepers).toBe(0);
  });

  it('is given back after a renewal that was under way, never before', async () => {
    const renewal = deferred<LeaseOutcome>();
    const { clock, work, calls, result } = await lending(() => renewal.promise);
    await clock.advance(LEASE_MS / 3);
    work.resolve('stored');
    await settle();
    expect(calls).toEqual(['renewed at 10000']);
    renewal.resolve(HELD);
    await result;
    expect(calls).toEqual(['renewed at 10000', 'released']);
  });

  it('that could not be given back does not hide what the work answered', async () => {
    const lease = new Lease({
      clock: new ManualClock(),
      leaseMs: LEASE_MS,
      ask: async () => HELD,
      release: () => Promise.reject(AWAY),
    });
    await lease.take();
    expect(await lease.hold(async () => 'stored')).toBe('stored');
  });
});

describe('when the store is away', () => {
  const away = () => Promise.reject<LeaseOutcome>(AWAY);

  it('the work goes on for two thirds of the lease', async () => {
    const { clock, held } = await lending(away);
    await clock.advance((LEASE_MS * 2) / 3);
    expect(held.check).not.toThrow();
  });

  it('the check throws before the lease lapses', async () => {
    const { clock, held } = await lending(away);
    await clock.advance((LEASE_MS * 2) / 3 + 1);
    expect(held.check).toThrow(expect.objectContaining({ code: 'COORDINATION_UNAVAILABLE' }));
  });

  it('the check throws also while the store gives no answer at all', async () => {
    const { clock, held } = await lending(() => new Promise(() => undefined));
    await clock.advance((LEASE_MS * 2) / 3 + 1);
    expect(held.check).toThrow(Fault);
  });

  it('the store is asked again, and a renewal counts from when it was asked for', async () => {
    let answers = 0;
    const { clock, held } = await lending(() => ((answers += 1) === 1 ? away() : Promise.resolve(HELD)));
    await clock.advance((LEASE_MS * 4) / 3 - 1);
    expect(held.check).not.toThrow();
  });

  it('an answer that comes late does not stretch the lease', async () => {
    const answer = deferred<LeaseOutcome>();
    const { clock, held } = await lending(() => answer.promise);
    await clock.advance(25_000); // asked at 10 000
    answer.resolve(HELD);
    await settle();
    expect(held.check).not.toThrow();
    await clock.advance(5_001);
    expect(held.check).toThrow(Fault);
  });
});

describe('giving back', () => {
  it('does not wait for a store that is away', async () => {
    const { clock, work, result } = await lending(
      () => Promise.reject(AWAY),
      () => new Promise(() => undefined),
    );
    await clock.advance(LEASE_MS / 3);
    work.resolve('stored');
    expect(await result).toBe('stored');
  });

  it('is nothing to a lease that was never asked for', async () => {
    let calls = 0;
    const release = async () => void (calls += 1);
    const lease = new Lease({ clock: new ManualClock(), leaseMs: LEASE_MS, ask: () => Promise.reject(AWAY), release });
    await lease.release();
    expect(calls).toBe(0);
  });
});

describe('giving back before the work has ended', () => {
  it('happens once, and ends the renewals', async () => {
    const { clock, work, calls, held, result } = await lending();
    await held.giveBack();
    expect(calls).toEqual(['released']);
    await clock.advance(LEASE_MS);
    work.resolve('stored');
    expect(await result).toBe('stored');
    expect(calls).toEqual(['released']);
  });

  it('waits for a renewal that is under way', async () => {
    const renewal = deferred<LeaseOutcome>();
    const { clock, calls, held } = await lending(() => renewal.promise);
    await clock.advance(LEASE_MS / 3);
    const given = held.giveBack();
    await settle();
    expect(calls).toEqual(['renewed at 10000']);
    renewal.resolve(HELD);
    await given;
    expect(calls).toEqual(['renewed at 10000', 'released']);
  });

  it('never rejects', async () => {
    const { held } = await lending(undefined, () => Promise.reject(AWAY));
    await expect(held.giveBack()).resolves.toBeUndefined();
  });
});

describe('confirming a lease where the store’s word counts for a while', () => {
  const WORD_MS = 1_000;

  /** What is paused knows it by this clock alone, if at all. */
  class PausedClock extends ManualClock {
    pausedMs = 0;

    override now(): number {
      return super.now() + this.pausedMs;
    }
  }

  it('asks nobody while that is young', async () => {
    const { clock, calls, held } = await lending(undefined, undefined, { wordMs: WORD_MS });
    await clock.advance(WORD_MS - 1);
    await held.confirm();
    expect(calls).toEqual([]);
  });

  it('asks when it is old', async () => {
    const { clock, held } = await lending(async () => ({ kind: 'lost' }), undefined, { wordMs: WORD_MS });
    await clock.advance(WORD_MS);
    await expect(held.confirm()).rejects.toThrow(ProblemError);
  });

  it('counts from the last time that the store said yes', async () => {
    const { clock, calls, held } = await lending(undefined, undefined, { wordMs: WORD_MS });
    await clock.advance(LEASE_MS / 3 + WORD_MS / 2);
    await held.confirm();
    expect(calls).toEqual(['renewed at 10000']);
    await clock.advance(WORD_MS / 2);
    await held.confirm();
    expect(calls).toEqual(['renewed at 10000', 'renewed at 11000']);
  });

  it.each([
    ['ahead', 2 * WORD_MS],
    ['back', -1],
  ])('asks when the time of day has gone %s although the process saw none pass', async (_, pausedMs) => {
    const clock = new PausedClock();
    const { calls, held } = await lending(undefined, undefined, { clock, wordMs: WORD_MS });
    clock.pausedMs = pausedMs;
    await held.confirm();
    expect(calls).toEqual(['renewed at 0']);
  });

  it('does not count what is lost', async () => {
    const { clock, held } = await lending(async () => ({ kind: 'lost' }), undefined, { wordMs: LEASE_MS });
    await clock.advance(LEASE_MS / 3);
    await expect(held.confirm()).rejects.toThrow(ProblemError);
  });
});

describe('confirming a lease', () => {
  it('renews it', async () => {
    const { clock, held } = await lending();
    await clock.advance(LEASE_MS / 2 - LEASE_MS / 3);
    await held.confirm();
    await clock.advance(LEASE_MS / 2);
    expect(held.check).not.toThrow();
  });

  it('rejects when it is lost, and aborts the work', async () => {
    const { held } = await lending(async () => ({ kind: 'lost' }));
    await expect(held.confirm()).rejects.toThrow(ProblemError);
    expect(held.signal.aborted).toBe(true);
  });

  it('holds while the store is away and the lease has time', async () => {
    const { clock, held } = await lending(() => Promise.reject(AWAY));
    await clock.advance((LEASE_MS * 2) / 3);
    await held.confirm();
    await clock.advance(1);
    await expect(held.confirm()).rejects.toMatchObject({ code: 'COORDINATION_UNAVAILABLE' });
  });

  it('says which memory of the store the lease is in, the newest', async () => {
    const told: (string | undefined)[] = [];
    const { held } = await lending(async (renews) => {
      told.push(renews);
      return { ...HELD, memory: `${renews} and one` };
    });
    await held.confirm();
    await held.confirm();
    expect(told).toEqual(['first', 'first and one']);
  });
});

describe('a lost lease', () => {
  it.each<[string, LeaseOutcome]>([
    ['taken by another', { kind: 'taken', claim: CLAIM, merging: false }],
    ['held under another token', { kind: 'busy', retryAfterMs: 1 }],
    ['given up', { kind: 'lost' }],
  ])('%s aborts the work', async (_, outcome) => {
    const { clock, held } = await lending(async () => outcome);
    await clock.advance(LEASE_MS / 3);
    expect(held.signal.aborted).toBe(true);
    expect(held.signal.reason).toBeInstanceOf(ProblemError);
    expect(held.check).toThrow(ProblemError);
  });

  it('is not asked for again', async () => {
    const { clock, calls } = await lending(async () => ({ kind: 'busy', retryAfterMs: 1 }));
    await clock.advance(10 * LEASE_MS);
    expect(calls).toEqual(['renewed at 10000']);
  });

  it('tells the client to try again', async () => {
    const { clock, held } = await lending(async () => ({ kind: 'busy', retryAfterMs: 1 }));
    await clock.advance(LEASE_MS / 3);
    expect((held.signal.reason as ProblemError).problem).toMatchObject({ kind: 'TryAgainLater', retryable: true });
  });
});
