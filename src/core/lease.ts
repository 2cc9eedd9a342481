// Leases: the right to write one chunk, or to run one merge, for a short while and again. A holder that can't renew stops before the
// lease lapses, so that nobody else works beside it.
import type { Clock, MergeLeaseOutcome, SlotOutcome } from './ports.js';
import { Fault, ProblemError, tryAgainLater } from './problems.js';

/** A gateway that dies blocks its chunks no longer than this. */
export const SLOT_LEASE_MS = 30_000;
/** A merge whose process died is taken over within 15 s. */
export const MERGE_LEASE_MS = 10_000;
/** Of the lease: when it is renewed, how soon that is tried again when the store was away, and when its holder must have stopped. */
const RENEW_AFTER = 1 / 3;
const RETRY_AFTER = 1 / 12;
const STOP_AFTER = 2 / 3;

/** Somebody else has the lease, or the claim it hangs on. Whoever worked under it says nothing more about the upload. */
export class LeaseLost extends ProblemError {
  constructor() {
    super(tryAgainLater('CHUNK_BUSY', 'the claim on this upload was lost'));
  }
}

export interface Held {
  /** Aborts when the lease is lost. */
  readonly signal: AbortSignal;
  /** Throws when it is lost or about to lapse. */
  readonly check: () => void;
}

export interface Lease {
  readonly clock: Clock;
  readonly leaseMs: number;
  /** Monotonic time at which the lease was asked for. */
  readonly leasedAt: number;
  readonly renew: () => Promise<SlotOutcome | MergeLeaseOutcome>;
  readonly release: () => Promise<void>;
}

/** Does `work` under a lease that was just taken, renews it meanwhile, and gives it back. */
export async function holdingLease<T>(lease: Lease, work: (held: Held) => Promise<T>): Promise<T> {
  const { clock, leaseMs } = lease;
  const ended = new AbortController();
  const lost = new AbortController();
  let stopAt = lease.leasedAt + leaseMs * STOP_AFTER;
  const check = () => {
    lost.signal.throwIfAborted();
    if (clock.monotonic() > stopAt)
      throw new Fault('COORDINATION_UNAVAILABLE', 'the lease on this upload could not be renewed');
  };
  const renewing = renew();
  try {
    return await work({ signal: lost.signal, check });
  } finally {
    ended.abort();
    await renewing;
    await lease.release().catch(() => undefined); // It lapses by itself.
  }

  async function renew(): Promise<void> {
    let pause = RENEW_AFTER;
    while (!lost.signal.aborted) {
      try {
        await clock.sleep(leaseMs * pause, ended.signal);
      } catch {
        return; // The work has ended.
      }
      const askedAt = clock.monotonic();
      // A store that is away is asked again; `check` stops the holder in time.
      const outcome = await lease.renew().catch(() => undefined);
      pause = outcome === undefined ? RETRY_AFTER : RENEW_AFTER;
      if (outcome?.kind === 'held') stopAt = askedAt + leaseMs * STOP_AFTER;
      else if (outcome !== undefined) lost.abort(new LeaseLost());
    }
  }
}
