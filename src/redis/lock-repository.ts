// Claims, leases and ends of uploads that several processes share. Secret: each call is one script, so one step, on the server's
// clock. The twin of src/memory; both pass test/contract/lock-repository.ts.
import type {
  Claim,
  ClaimMove,
  ClaimOutcome,
  ClaimRequest,
  FinishedUpload,
  LeaseOutcome,
  LockRepository,
  MergeLease,
  SlotLease,
} from '../core/ports.js';
import type { RedisConnection } from './connection.js';
import { unavailable } from './connection.js';
import { loadScript } from './scripts.js';

const MERGE_FIELD = 'm';

export class RedisLockRepository implements LockRepository {
  readonly #redis: RedisConnection;
  readonly #claim = loadScript('claim-record', 'claim');
  readonly #leaseSlot = loadScript('claim-record', 'lease-slot');
  readonly #leaseMerge = loadScript('claim-record', 'lease-merge');
  readonly #releaseClaim = loadScript('release-claim');
  readonly #releaseLease = loadScript('release-lease');
  readonly #leaseChore = loadScript('lease-chore');

  constructor(options: { readonly redis: RedisConnection }) {
    this.#redis = options.redis;
  }

  async claim(request: ClaimRequest & ClaimMove): Promise<ClaimOutcome> {
    const { move, idleMs, declared, isFresh } = request;
    const args = [move, idleMs, declared?.size ?? '', declared?.chunkSize ?? '', isFresh === true ? '1' : ''];
    const outcome = leaseOutcome(
      request.target,
      await this.#redis.run(this.#claim, this.#keys(request), [...owner(request), ...args]),
    );
    if (outcome.kind === 'taken') return outcome;
    if (outcome.kind !== 'held') throw unreadable(outcome.kind);
    return { kind: 'held', claim: outcome.claim, created: outcome.created };
  }

  async holder(target: string): Promise<Claim | undefined> {
    const fields = await this.#redis.call((client) => client.hmget(this.#redis.keys.claim(target), ...CLAIM_FIELDS));
    return fields[0] === null ? undefined : claimOf(target, fields);
  }

  async release(request: { readonly target: string; readonly person: string; readonly upload: string }): Promise<void> {
    const { target, person, upload } = request;
    await this.#redis.run(this.#releaseClaim, [this.#redis.keys.claim(target)], [person, upload]);
  }

  async leaseSlot(request: ClaimRequest & SlotLease): Promise<LeaseOutcome> {
    const args = [...owner(request), ...lease(request), request.index];
    const keys = [...this.#keys(request), this.#redis.keys.finished(request.upload, request.target)];
    return leaseOutcome(request.target, await this.#redis.run(this.#leaseSlot, keys, args));
  }

  releaseSlot(request: { target: string; upload: string; index: number; token: string }): Promise<void> {
    return this.#release(request, `s:${request.index}`);
  }

  leaseMerge(request: ClaimRequest & MergeLease): Promise<LeaseOutcome> {
    return this.#takeMerge(request, 'wait');
  }

  seizeMerge(request: ClaimRequest & MergeLease): Promise<LeaseOutcome> {
    return this.#takeMerge(request, 'seize');
  }

  releaseMerge(request: { target: string; upload: string; token: string }): Promise<void> {
    return this.#release(request, MERGE_FIELD);
  }

  async finish(upload: string, target: string, facts: FinishedUpload, ttlMs: number): Promise<void> {
    const key = this.#redis.keys.finished(upload, target);
    await this.#redis.call((client) => client.set(key, JSON.stringify(facts), 'PX', Math.ceil(ttlMs)));
  }

  async finished(upload: string, target: string): Promise<FinishedUpload | undefined> {
    const stored = await this.#redis.call((client) => client.get(this.#redis.keys.finished(upload, target)));
    return stored === null ? undefined : finishedUpload(stored);
  }

  async forget(upload: string, target: string): Promise<void> {
    await this.#redis.call((client) => client.del(this.#redis.keys.finished(upload, target)));
  }

  async leaseChore(chore: string, token: string, leaseMs: number): Promise<boolean> {
    const answer = await this.#redis.run(this.#leaseChore, [this.#redis.keys.chore(chore)], [token, Math.ceil(leaseMs)]);
    return answer === 1;
  }

  async #takeMerge(request: ClaimRequest & MergeLease, how: 'wait' | 'seize'): Promise<LeaseOutcome> {
    const args = [...owner(request), ...lease(request), how];
    return leaseOutcome(request.target, await this.#redis.run(this.#leaseMerge, this.#keys(request), args));
  }

  async #release(request: { target: string; upload: string; token: string }, field: string): Promise<void> {
    const { target, upload, token } = request;
    await this.#redis.run(this.#releaseLease, [this.#redis.keys.claim(target)], [upload, field, token]);
  }

  #keys(request: { readonly target: string }): readonly string[] {
    return [this.#redis.keys.claim(request.target), this.#redis.keys.memory];
  }
}

function owner(request: ClaimRequest): readonly (string | number)[] {
  return [request.person, request.upload, Math.ceil(request.ttlMs)];
}

function lease(request: MergeLease): readonly (string | number)[] {
  return [request.token, Math.ceil(request.leaseMs), request.renews ?? ''];
}

/** In the order in which the scripts answer them: see claim-record.lua. */
const CLAIM_FIELDS = ['person', 'upload', 'since', 'touchedAt', 'until', 'size', 'chunkSize'] as const;

function leaseOutcome(target: string, reply: unknown): LeaseOutcome {
  if (!Array.isArray(reply)) throw unreadable(reply);
  const [kind, first, memory, ...fields] = reply.map(String);
  switch (kind) {
    case 'held':
      return { kind, claim: claimOf(target, fields), created: first === '1', memory: memory ?? '' };
    case 'taken':
      return { kind, claim: claimOf(target, fields), merging: first === '1' };
    case 'busy':
      return { kind, retryAfterMs: Number(first) };
    case 'finished':
    case 'lost':
      return { kind };
    default:
      throw unreadable(kind);
  }
}

function claimOf(target: string, fields: readonly (string | null)[]): Claim {
  const [person, upload, since, touchedAt, until, size, chunkSize] = fields;
  if (typeof person !== 'string' || typeof upload !== 'string') throw unreadable('a claim of nobody');
  return {
    target,
    person,
    upload,
    since: Number(since),
    touchedAt: Number(touchedAt),
    until: Number(until),
    ...(size && { declared: { size: Number(size), chunkSize: Number(chunkSize) } }),
  };
}

/** Written by `finish` alone, so its form is known. */
function finishedUpload(stored: string): FinishedUpload {
  try {
    return JSON.parse(stored) as FinishedUpload;
  } catch (error) {
    throw unavailable(error);
  }
}

function unreadable(answer: unknown): Error {
  return unavailable(new Error(`unexpected answer ${String(answer)}`));
}
