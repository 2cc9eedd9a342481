// Leases: the right to write one chunk, or to run one merge, for a short while and again. A holder that can't renew stops before the
// lease lapses, so that nobody else works beside it.
import type { Clock, LeaseOutcome } from './ports.js';
import { Fault, ProblemError, tryAgainLater } from './problems.js';

/** A gateway that dies blocks its chunks no longer than this. */
export const SLOT_LEASE_MS = 10_000;
/** A merge whose process died is taken over within 15 s. */
export const MERGE_LEASE_MS = 10_000;
/**
 * How long the store's word is enough for committing a chunk. Nobody else can have been lent it by then, and a chunk of an upload that was
 * given up meanwhile goes where its directory went; most chunks take less, and so ask once.
 */
export const SLOT_WORD_MS = 1_000;
/** Of a holder's token, random. */
export const TOKEN_BYTES = 16;
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

/** What the work under a lease may ask. */
export interface Held {
  /** Aborts when the lease is lost. */
  readonly signal: AbortSignal;
  /** Throws when it is lost or about to lapse. Costs nothing. */
  readonly check: () => void;
  /** Renews it, unless the store's word is young enough; rejects when it is lost. While the store is away its time counts alone. */
  readonly confirm: () => Promise<void>;
  /** Gives it back before the work has ended, for what is left to say. Never rejects. */
  readonly giveBack: () => Promise<void>;
}

/** What somebody is told who asks for a lease. */
export type TakeOutcome = Exclude<LeaseOutcome, { readonly kind: 'lost' }>;

interface LeaseOptions {
  readonly clock: Clock;
  readonly leaseMs: number;
  /** How long after the store was asked `confirm` takes its word without asking again. Default 0: it always asks. */
  readonly wordMs?: number;
  /** Asks the store; `renews` is what came with the last answer. */
  readonly ask: (renews?: string) => Promise<LeaseOutcome>;
  readonly release: () => Promise<void>;
}

/** One lease of one holder: taken, then held as long as some work takes. */
export class Lease {
  readonly #options: LeaseOptions;
  readonly #lost = new AbortController();
  /** What the store said when it was last asked: nothing yet, something, or it was away. */
  #store: 'unasked' | 'there' | 'away' = 'unasked';
  #memory: string | undefined;
  /** When the store was asked that lent it: monotonic, and epoch ms. */
  #lentAt = { monotonic: Number.NEGATIVE_INFINITY, now: Number.NEGATIVE_INFINITY };
  /** Monotonic time at which its holder must have stopped. */
  #stopAt = Number.NEGATIVE_INFINITY;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  /** The store's answer; to be asked again when it is `busy`. */
  async take(): Promise<TakeOutcome> {
    const outcome = await this.#ask();
    if (outcome.kind === 'lost') throw new Error('only a renewal can be lost');
    return outcome;
  }

  /** Does `work` under the lease that was just taken, renews it meanwhile, and gives it back. */
  async hold<T>(work: (held: Held) => Promise<T>): Promise<T> {
    const ended = new AbortController();
    const renewing = this.#keepRenewing(ended.signal);
    const giveBack = async () => {
      ended.abort();
      await renewing;
      await this.release();
    };
    try {
      return await work({ signal: this.#lost.signal, check: () => this.#check(), confirm: () => this.#confirm(), giveBack });
    } finally {
      await giveBack();
    }
  }

  /** Never rejects: what can't be given back lapses by itself. A second time does no harm. A store that is away isn't waited for. */
  async release(): Promise<void> {
    if (this.#store === 'unasked') return;
    const released = this.#options.release().catch(() => undefined);
    const isThere = this.#store === 'there';
    this.#store = 'unasked';
    if (isThere) await released;
  }

  #check(): void {
    this.#lost.signal.throwIfAborted();
    if (this.#options.clock.monotonic() > this.#stopAt) throw notRenewed();
  }

  async #confirm(): Promise<void> {
    this.#check();
    if (!this.#isWordEnough()) await this.#renew();
    this.#check();
  }

  /** By both clocks: the one stands still with a machine that is paused, the other may be set back. */
  #isWordEnough(): boolean {
    const { clock, wordMs = 0 } = this.#options;
    const isYoung = (ageMs: number) => ageMs >= 0 && ageMs < wordMs;
    return isYoung(clock.monotonic() - this.#lentAt.monotonic) && isYoung(clock.now() - this.#lentAt.now);
  }

  /** Whether the store answered; one that is away is asked again, and `check` stops the holder in time. */
  async #renew(): Promise<boolean> {
    try {
      const outcome = await this.#ask();
      if (outcome.kind !== 'held') this.#lost.abort(new LeaseLost());
      return true;
    } catch {
      return false;
    }
  }

  async #ask(): Promise<LeaseOutcome> {
    const { clock, leaseMs, ask } = this.#options;
    const askedAt = { monotonic: clock.monotonic(), now: clock.now() };
    this.#store = 'away';
    const outcome = await ask(this.#memory);
    this.#store = 'there';
    if (outcome.kind === 'held') {
      this.#memory = outcome.memory;
      this.#lentAt = askedAt;
      this.#stopAt = Math.max(this.#stopAt, askedAt.monotonic + leaseMs * STOP_AFTER);
    }
    return outcome;
  }

  async #keepRenewing(ended: AbortSignal): Promise<void> {
    const { clock, leaseMs } = this.#options;
    let pause = RENEW_AFTER;
    while (!this.#lost.signal.aborted) {
      try {
        await clock.sleep(leaseMs * pause, ended);
      } catch {
        return; // The work has ended.
      }
      pause = (await this.#renew()) ? RENEW_AFTER : RETRY_AFTER;
      if (clock.monotonic() > this.#stopAt) this.#lost.abort(notRenewed());
    }
  }
}

function notRenewed(): Fault {
  return new Fault('COORDINATION_UNAVAILABLE', 'the lease on this upload could not be renewed');
}
