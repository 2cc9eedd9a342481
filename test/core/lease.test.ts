import { describe, expect, it } from 'vitest';
import type { Held } from '../../src/core/lease.js';
import { holdingLease } from '../../src/core/lease.js';
import type { Claim, SlotOutcome } from '../../src/core/ports.js';
import { Fault, ProblemError } from '../../src/core/problems.js';
import type { Deferred } from '../support/manual-clock.js';
import { ManualClock, deferred, settle } from '../support/manual-clock.js';

const LEASE_MS = 30_000;
const CLAIM: Claim = { target: 't', person: 'anna', upload: 'u', since: 0, touchedAt: 0, until: 1 };
const HELD: SlotOutcome = { kind: 'held', claim: CLAIM, created: false };
const AWAY = new Fault('COORDINATION_UNAVAILABLE', 'the store is away');

function lending(renew: () => Promise<SlotOutcome> = async () => HELD) {
  const clock = new ManualClock();
  const work: Deferred<string> = deferred<string>();
  const calls: string[] = [];
  let held: Held | undefined;
  const lease = {
    clock,
    leaseMs: LEASE_MS,
    leasedAt: clock.monotonic(),
    renew: () => {
      calls.push(`renewed at ${clock.monotonic()}`);
      return renew();
    },
    release: async () => void calls.push('released'),
  };
  const result = holdingLease(lease, (given) => {
    held = given;
    return work.promise;
  });
  result.catch(() => undefined);
  if (held === undefined) throw new Error('the work begins at once');
  return { clock, work, calls, held, result };
}

describe('a lease', () => {
  it('is renewed every third of its time while the work runs', async () => {
    const { clock, calls } = lending();
    await clock.advance(LEASE_MS);
    expect(calls).toEqual(['renewed at 10000', 'renewed at 20000', 'renewed at 30000']);
  });

  it('that is renewed holds for as long as the work takes', async () => {
    const { clock, held } = lending();
    await clock.advance(100 * LEASE_MS);
    expect(held.check).not.toThrow();
    expect(held.signal.aborted).toBe(false);
  });

  it('is given back when the work is done, which is answered', async () => {
    const { work, calls, result } = lending();
    work.resolve('stored');
    expect(await result).toBe('stored');
    expect(calls).toEqual(['released']);
  });

  it('is given back when the work fails, which is what the caller hears', async () => {
    const { work, calls, result } = lending();
    work.reject(new Error('the host went away'));
    await expect(result).rejects.toThrow('the host went away');
    expect(calls).toEqual(['released']);
  });

  it('leaves no timer behind', async () => {
    const { clock, work, result } = lending();
    expect(clock.sleepers).toBe(1);
    work.resolve('stored');
    await result;
    expect(clock.sleepers).toBe(0);
  });

  it('is given back after a renewal that was under way, never before', async () => {
    const renewal = deferred<SlotOutcome>();
    const { clock, work, calls, result } = lending(() => renewal.promise);
    await clock.advance(LEASE_MS / 3);
    work.resolve('stored');
    await settle();
    expect(calls).toEqual(['renewed at 10000']);
    renewal.resolve(HELD);
    await result;
    expect(calls).toEqual(['renewed at 10000', 'released']);
  });

  it('that could not be given back does not hide what the work answered', async () => {
    const lease = {
      clock: new ManualClock(),
      leaseMs: LEASE_MS,
      leasedAt: 0,
      renew: async () => HELD,
      release: () => Promise.reject(AWAY),
    };
    expect(await holdingLease(lease, async () => 'stored')).toBe('stored');
  });
});

describe('when the store is away', () => {
  const away = () => Promise.reject<SlotOutcome>(AWAY);

  it('the work goes on for two thirds of the lease', async () => {
    const { clock, held } = lending(away);
    await clock.advance((LEASE_MS * 2) / 3);
    expect(held.check).not.toThrow();
  });

  it('the check throws before the lease lapses', async () => {
    const { clock, held } = lending(away);
    await clock.advance((LEASE_MS * 2) / 3 + 1);
    expect(held.check).toThrow(expect.objectContaining({ code: 'COORDINATION_UNAVAILABLE' }));
  });

  it('the check throws also while the store gives no answer at all', async () => {
    const { clock, held } = lending(() => new Promise(() => undefined));
    await clock.advance((LEASE_MS * 2) / 3 + 1);
    expect(held.check).toThrow(Fault);
  });

  it('the store is asked again, and a renewal counts from when it was asked for', async () => {
    let answers = 0;
    const { clock, held } = lending(() => ((answers += 1) === 1 ? away() : Promise.resolve(HELD)));
    await clock.advance((LEASE_MS * 4) / 3 - 1);
    expect(held.check).not.toThrow();
  });

  it('an answer that comes late does not stretch the lease', async () => {
    const answer = deferred<SlotOutcome>();
    const { clock, held } = lending(() => answer.promise);
    await clock.advance(25_000); // asked at 10 000
    answer.resolve(HELD);
    await settle();
    expect(held.check).not.toThrow();
    await clock.advance(5_001);
    expect(held.check).toThrow(Fault);
  });
});

describe('a lost lease', () => {
  it.each<[string, SlotOutcome]>([
    ['taken by another', { kind: 'taken', claim: CLAIM, merging: false }],
    ['held under another token', { kind: 'busy', retryAfterMs: 1 }],
  ])('%s aborts the work', async (_, outcome) => {
    const { clock, held } = lending(async () => outcome);
    await clock.advance(LEASE_MS / 3);
    expect(held.signal.aborted).toBe(true);
    expect(held.signal.reason).toBeInstanceOf(ProblemError);
    expect(held.check).toThrow(ProblemError);
  });

  it('is not asked for again', async () => {
    const { clock, calls } = lending(async () => ({ kind: 'busy', retryAfterMs: 1 }));
    await clock.advance(10 * LEASE_MS);
    expect(calls).toEqual(['renewed at 10000']);
  });

  it('tells the client to try again', async () => {
    const { clock, held } = lending(async () => ({ kind: 'busy', retryAfterMs: 1 }));
    await clock.advance(LEASE_MS / 3);
    expect((held.signal.reason as ProblemError).problem).toMatchObject({ kind: 'TryAgainLater', retryable: true });
  });
});
