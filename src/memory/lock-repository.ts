// Claims, leases and ends of uploads in one process. Secret: the state is a map, and every call is one synchronous step.
// The twin of src/redis; both pass test/contract/lock-repository.ts. Called by compose; may import core.
import type {
  Claim,
  ClaimMove,
  ClaimOutcome,
  ClaimRequest,
  Clock,
  FinishedUpload,
  LeaseOutcome,
  LockRepository,
  MergeLease,
  SlotLease,
} from '../core/ports.js';

interface Lease {
  readonly token: string;
  readonly until: number;
}

interface Entry {
  claim: Claim;
  merge?: Lease;
  /** A merge waits for the slots: they are not renewed, so it waits no longer than one lease. */
  mergeWaits?: Lease;
  readonly slots: Map<number, Lease>;
}

interface Ending {
  readonly facts: FinishedUpload;
  readonly until: number;
}

/** A process that loses its memory loses the holders in it, too: there is only this one, and nobody from before. */
const MEMORY = 'process';

/** Calls between two looks for expired entries: claims that nobody asks about again must not stay for ever. */
const CALLS_BETWEEN_SWEEPS = 1_000;

export class MemoryLockRepository implements LockRepository {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #endings = new Map<string, Ending>();
  readonly #chores = new Map<string, Lease>();
  #calls = 0;

  constructor(options: { readonly clock: Clock }) {
    this.#clock = options.clock;
  }

  /** Claims and ends kept, expired ones that were not yet swept included. */
  get size(): number {
    return this.#entries.size + this.#endings.size;
  }

  claim(request: ClaimRequest & ClaimMove): Promise<ClaimOutcome> {
    return Promise.resolve(this.#claimNow(request));
  }

  holder(target: string): Promise<Claim | undefined> {
    return Promise.resolve(this.#entry(target)?.claim);
  }

  release(request: { readonly target: string; readonly person: string; readonly upload: string }): Promise<void> {
    const entry = this.#entry(request.target);
    if (entry?.claim.person === request.person && entry.claim.upload === request.upload) this.#entries.delete(request.target);
    return Promise.resolve();
  }

  leaseSlot(request: ClaimRequest & SlotLease): Promise<LeaseOutcome> {
    return Promise.resolve(this.#slotNow(request));
  }

  releaseSlot(request: { target: string; upload: string; index: number; token: string }): Promise<void> {
    const entry = this.#entry(request.target);
    const slot = entry?.slots.get(request.index);
    if (entry?.claim.upload === request.upload && slot?.token === request.token) entry.slots.delete(request.index);
    return Promise.resolve();
  }

  leaseMerge(request: ClaimRequest & MergeLease): Promise<LeaseOutcome> {
    return Promise.resolve(this.#mergeNow(request, 'wait'));
  }

  seizeMerge(request: ClaimRequest & MergeLease): Promise<LeaseOutcome> {
    return Promise.resolve(this.#mergeNow(request, 'seize'));
  }

  releaseMerge(request: { target: string; upload: string; token: string }): Promise<void> {
    const entry = this.#entry(request.target);
    if (entry?.claim.upload === request.upload && entry.merge?.token === request.token) delete entry.merge;
    return Promise.resolve();
  }

  finish(upload: string, target: string, facts: FinishedUpload, ttlMs: number): Promise<void> {
    this.#endings.set(endingKey(upload, target), { facts, until: this.#clock.now() + ttlMs });
    return Promise.resolve();
  }

  finished(upload: string, target: string): Promise<FinishedUpload | undefined> {
    return Promise.resolve(this.#finishedNow(upload, target));
  }

  forget(upload: string, target: string): Promise<void> {
    this.#endings.delete(endingKey(upload, target));
    return Promise.resolve();
  }

  leaseChore(chore: string, token: string, leaseMs: number): Promise<boolean> {
    const holder = this.#alive(this.#chores.get(chore));
    if (holder !== undefined && holder.token !== token) return Promise.resolve(false);
    this.#chores.set(chore, { token, until: this.#clock.now() + leaseMs });
    return Promise.resolve(true);
  }

  #finishedNow(upload: string, target: string): FinishedUpload | undefined {
    const ending = this.#endings.get(endingKey(upload, target));
    return ending !== undefined && ending.until > this.#clock.now() ? ending.facts : undefined;
  }

  #slotNow(request: ClaimRequest & SlotLease): LeaseOutcome {
    const { target, upload, index, token, leaseMs, renews } = request;
    if (renews === undefined && this.#finishedNow(upload, target) !== undefined) return { kind: 'finished' };
    if (renews !== undefined && this.#ownEntry(request)?.slots.get(index)?.token !== token) return { kind: 'lost' };
    const outcome = this.#claimNow({ ...request, move: 'never', idleMs: 0 });
    const entry = this.#entry(target);
    if (outcome.kind === 'taken') return outcome;
    const held = { ...outcome, memory: MEMORY } as const;
    if (entry === undefined) return held;
    const now = this.#clock.now();
    const slot = this.#alive(entry.slots.get(index));
    const others = slot?.token === token ? undefined : slot;
    const inTheWay = this.#alive(entry.merge) ?? this.#alive(entry.mergeWaits) ?? others;
    if (inTheWay !== undefined) return { kind: 'busy', retryAfterMs: inTheWay.until - now };
    entry.slots.set(index, { token, until: now + leaseMs });
    // A merge whose lease lapsed can't go on beside a chunk.
    delete entry.merge;
    return held;
  }

  #mergeNow(request: ClaimRequest & MergeLease, how: 'wait' | 'seize'): LeaseOutcome {
    const has = this.#ownEntry(request)?.merge?.token === request.token;
    if (request.renews !== undefined && !has) return { kind: 'lost' };
    const outcome = this.#claimNow({ ...request, move: 'never', idleMs: 0 });
    const entry = this.#entry(request.target);
    if (outcome.kind === 'taken') return outcome;
    const held = { ...outcome, memory: MEMORY } as const;
    if (entry === undefined) return held;
    const now = this.#clock.now();
    // Lapsed, or seized: whoever had it finds it lost.
    for (const [index, slot] of entry.slots) if (how === 'seize' || slot.until <= now) entry.slots.delete(index);
    const merge = this.#alive(entry.merge);
    const others = [...entry.slots.values(), ...(merge === undefined || has ? [] : [merge])];
    if (how === 'wait' && others.length > 0) {
      entry.mergeWaits = { token: request.token, until: now + request.leaseMs };
      return { kind: 'busy', retryAfterMs: Math.max(...others.map((lease) => lease.until)) - now };
    }
    entry.merge = { token: request.token, until: now + request.leaseMs };
    delete entry.mergeWaits;
    return held;
  }

  #claimNow(request: ClaimRequest & ClaimMove): ClaimOutcome {
    this.#sweepNowAndThen();
    const now = this.#clock.now();
    const entry = this.#entry(request.target);
    const old = entry?.claim;
    const renewed = {
      target: request.target,
      person: request.person,
      upload: request.upload,
      touchedAt: now,
      until: now + request.ttlMs,
    };
    if (entry === undefined || old === undefined) {
      const claim = { ...renewed, since: now, ...(request.declared && { declared: request.declared }) };
      this.#entries.set(request.target, { claim, slots: new Map() });
      return { kind: 'held', claim, created: true };
    }
    if (old.person === request.person && old.upload === request.upload) {
      const declared = request.declared ?? old.declared;
      entry.claim = { ...renewed, since: old.since, ...(declared && { declared }) };
      return { kind: 'held', claim: entry.claim, created: false };
    }
    const merging = this.#alive(entry.merge) !== undefined;
    const idle = now - old.touchedAt >= request.idleMs;
    const gives = request.move === 'always' || (request.move === 'when-idle' && idle);
    if (old.person !== request.person || merging || !gives) return { kind: 'taken', claim: old, merging };
    this.#entries.delete(request.target);
    return this.#claimNow(request);
  }

  /** Under the claim of this person's upload. */
  #ownEntry(request: ClaimRequest): Entry | undefined {
    const entry = this.#entry(request.target);
    return entry?.claim.person === request.person && entry.claim.upload === request.upload ? entry : undefined;
  }

  #entry(target: string): Entry | undefined {
    const entry = this.#entries.get(target);
    if (entry === undefined || entry.claim.until > this.#clock.now()) return entry;
    this.#entries.delete(target);
    return undefined;
  }

  #alive(lease: Lease | undefined): Lease | undefined {
    return lease !== undefined && lease.until > this.#clock.now() ? lease : undefined;
  }

  #sweepNowAndThen(): void {
    this.#calls += 1;
    if (this.#calls % CALLS_BETWEEN_SWEEPS !== 0) return;
    const now = this.#clock.now();
    for (const [target, entry] of this.#entries) if (entry.claim.until <= now) this.#entries.delete(target);
    for (const [key, ending] of this.#endings) if (ending.until <= now) this.#endings.delete(key);
    for (const [chore, lease] of this.#chores) if (lease.until <= now) this.#chores.delete(chore);
  }
}

function endingKey(upload: string, target: string): string {
  return `${target} ${upload}`;
}
