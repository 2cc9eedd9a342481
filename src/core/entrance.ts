// Who may go on with an upload: claims, what is left of them on the host when they were lost, and uploads that ended already.
import type { UploadFinished } from './answers.js';
import { book, strikeOut } from './bookkeeping.js';
import type { ReceivedMap } from './chunks.js';
import { chunkPlan } from './chunks.js';
import type { TakeOutcome } from './lease.js';
import type { Claim, ClaimOutcome, FileFacts } from './ports.js';
import { ProblemError, refused, tryAgainLater } from './problems.js';
import type { ProblemCode, UploadLocked } from './problems.js';
import { problemOf } from './services.js';
import type { Services, UploadCall } from './services.js';
import type { MergeProgress } from './progress.js';
import { findInPlace, look } from './sight.js';
import type { OtherUpload, StagedUpload } from './staging.js';
import { etagOf } from './target.js';

/** A lease may last longer, but mostly its holder is done, or gone and found out, sooner. */
const BUSY_RETRY_MS = 1_000;

/** Own other content that had no call for this long gives way without `takeOver`. */
export const ACTIVE_MS = 60_000;

/**
 * `work` with what this process remembers of the upload. That may be over: given up through another, and perhaps begun again. Then once more
 * with what is on the host, unless `isSpent`.
 */
export async function rememberedFirst<T>(
  work: (by: Admission['by']) => Promise<T>,
  isSpent: () => boolean = () => false,
): Promise<T> {
  try {
    return await work('recall');
  } catch (error) {
    if (problemOf(error)?.code !== 'UPLOAD_UNKNOWN' || isSpent()) throw error;
    return work('find');
  }
}

/** How a call comes in. */
export interface Admission {
  /** Takes the claim together with a lease, and tells when the upload has ended well. Default: that is asked first, and the claim renewed alone. */
  readonly take?: () => Promise<TakeOutcome>;
  /** How the staging directory is found: see `Assembly`. */
  readonly by: 'find' | 'recall';
}

/**
 * Every call but `uploadStatus` comes in here: it renews the claim, restores a lost one, and opens the staging directory for `work`.
 * Throws `UPLOAD_UNKNOWN`, `ABORTED`, `UploadLocked` or `CHUNK_BUSY` as a `ProblemError`.
 */
export async function entering<T>(
  services: Services,
  call: UploadCall,
  work: (staged: StagedUpload) => Promise<T>,
  admission: Admission = { by: 'find' },
): Promise<T | UploadFinished> {
  const entry = await admitted(services, call, admission);
  if (entry.kind === 'UploadFinished') return entry;
  const { claim, created } = entry;
  if (created) await yieldToOthers(services, call, 0);
  try {
    return await work(await openStaged(services, call, { claim, by: admission.by }));
  } catch (error) {
    const code = problemOf(error)?.code;
    // A claim that this call restored, for an upload that is no more, would only be in the way of others.
    if (created && code !== undefined && NOTHING_TO_CLAIM.includes(code)) await giveBack(services, call);
    // Published while this call was inside, and cleaned away under it.
    const finished = code === 'UPLOAD_UNKNOWN' ? await finishedAnswer(services, call) : undefined;
    if (finished === undefined) throw error;
    return finished;
  }
}

const NOTHING_TO_CLAIM: readonly ProblemCode[] = ['UPLOAD_UNKNOWN', 'ABORTED', 'HOST_UNSUPPORTED'];

/** What went wrong is the news; a claim that can't be given back lapses. */
async function giveBack(services: Services, call: UploadCall): Promise<void> {
  await services.locks.release(claimKey(call)).catch(() => undefined);
}

async function admitted(
  services: Services,
  call: UploadCall,
  admission: Admission,
): Promise<Extract<ClaimOutcome, { readonly kind: 'held' }> | UploadFinished> {
  const ended = admission.take === undefined ? await finishedAnswer(services, call) : undefined;
  if (ended !== undefined) return ended;
  const outcome = await (admission.take?.() ?? renew(services, call));
  switch (outcome.kind) {
    case 'held':
      return outcome;
    case 'finished':
      // What is there now may be another file: then it is forgotten, and the content comes anew.
      return (await finishedAnswer(services, call)) ?? admitted(services, call, admission);
    case 'taken':
      throw new ProblemError(takenProblem(call, outcome.claim));
    case 'busy': {
      const message = 'this chunk is on its way already, or the upload is being merged';
      throw new ProblemError(tryAgainLater('CHUNK_BUSY', message, Math.min(outcome.retryAfterMs, BUSY_RETRY_MS)));
    }
  }
}

export function claimKey(call: UploadCall) {
  const { targetKey, person, uploadKey } = call.identity;
  return { target: targetKey, person, upload: uploadKey };
}

function renew(services: Services, call: UploadCall): Promise<ClaimOutcome> {
  return services.locks.claim({ ...claimKey(call), ttlMs: services.limits.claimTtlMs, move: 'never', idleMs: ACTIVE_MS });
}

async function openStaged(
  services: Services,
  call: UploadCall,
  { claim, by }: { readonly claim: Claim; readonly by: Admission['by'] },
): Promise<StagedUpload> {
  const { assembly, feed } = services;
  const { host, identity, target } = call;
  const found = await assembly[by](host, identity, target);
  if (found !== undefined) return found;
  if (claim.declared !== undefined) {
    await bookBegun(services, call, claim.declared.size);
    const { staged, isNew } = await assembly.open(host, identity, target, claim.declared);
    const holder = await services.locks.holder(identity.targetKey);
    const isHeld = holder?.upload === identity.uploadKey && (holder.since === claim.since || holder.declared !== undefined);
    // A claim that is gone may have been forgotten by the store; an end that was told may not.
    if (isHeld || !isOver(await feed.last(identity.id))) {
      // What was counted was in another directory.
      if (isNew) {
        await feed.forgetReceived(identity.id);
        await feed.knowReceived(identity.id, [], chunkPlan(staged.manifest.size, staged.manifest.chunkSize));
      }
      return staged;
    }
    // Given up or published since this call came in, through another process, which can't have seen what was made here.
    if (isNew) await staged.discard();
    await strikeOut(services, identity);
  }
  const last = await feed.last(identity.id);
  if (last?.phase === 'ABORTED') throw new ProblemError(refused('ABORTED', 'this upload was aborted'));
  throw new ProblemError(refused('UPLOAD_UNKNOWN', 'no such upload is under way; begin with uploadStatus'));
}

/** The line that `uploadStatus` wrote may have lapsed, or be of another size: so what the person may have decides once more. */
async function bookBegun(services: Services, call: UploadCall, sizeBytes: number): Promise<void> {
  const booking = await book(services, call, { sizeBytes, uploadedBytes: undefined });
  if (booking.kind !== 'booked') throw new ProblemError(booking);
}

function isOver(last: MergeProgress | undefined): boolean {
  return last?.phase === 'ABORTED' || last?.phase === 'DONE';
}

/** What a claim in the way means for a call that doesn't move claims. */
function takenProblem(call: UploadCall, claim: Claim) {
  if (claim.person !== call.identity.person) return lockedProblem(call, claim);
  return refused('UPLOAD_UNKNOWN', 'other content of yours holds the claim on this path; begin with uploadStatus');
}

export function lockedProblem(call: UploadCall, claim: Pick<Claim, 'person' | 'since' | 'until'>): UploadLocked {
  const mine = claim.person === call.identity.person;
  return {
    kind: 'UploadLocked',
    code: 'UPLOAD_LOCKED',
    message: mine ? 'you are uploading other content to this path' : 'somebody else is uploading to this path',
    retryable: !mine,
    holder: claim.person,
    mine,
    since: claim.since,
    until: claim.until,
  };
}

/**
 * Claims may have been lost: another person's directory for the same target, touched within a claim's life, still locks; so do the
 * caller's own other directories for `ownLockMs`. Throws `UploadLocked`.
 */
async function checkOthers(services: Services, call: UploadCall, ownLockMs: number): Promise<void> {
  const { person } = call.identity;
  const now = services.clock.now();
  const others = await services.assembly.others(call.host, call.identity, call.target);
  const lockMs = (other: OtherUpload) => (other.person === person ? ownLockMs : services.limits.claimTtlMs);
  // Hosts tell whole seconds: what was touched this moment may seem to lie ahead.
  const locking = others.find((other) => Math.max(0, now - other.touchedAt) < lockMs(other));
  if (locking === undefined) return;
  const until = locking.touchedAt + lockMs(locking);
  throw new ProblemError(lockedProblem(call, { person: locking.person, since: locking.beganAt, until }));
}

/** After claims were lost: a claim that is new gives way to whoever has been at this target lately, or can't be asked about. */
export async function yieldToOthers(services: Services, call: UploadCall, ownLockMs: number): Promise<void> {
  try {
    await checkOthers(services, call, ownLockMs);
  } catch (error) {
    await giveBack(services, call);
    throw error;
  }
}

/** The answer to every call about content that was published, as long as its target is unchanged. */
export async function finishedAnswer(services: Services, call: UploadCall): Promise<UploadFinished | undefined> {
  const { locks, hashing, clock } = services;
  const { uploadKey, targetKey, target } = call.identity;
  const finished = await locks.finished(uploadKey, targetKey);
  if (finished === undefined) return undefined;
  const isIt = (facts: FileFacts) => etagOf(hashing, facts) === finished.etag;
  // Looked at anew: it may have been published after this call had resolved its target.
  const facts = await call.host.lstat(target);
  const isThere = facts !== undefined && isIt(facts);
  // What is forgotten would have to be sent again: not for one look at a directory that is swapped for another.
  if (!isThere && (await findInPlace(clock, () => look(call.host, target, isIt))) === undefined) {
    await locks.forget(uploadKey, targetKey);
    await services.feed.forget(call.identity.id);
    return undefined;
  }
  const { finishedAt, size, proved, contentDigest } = finished;
  return { kind: 'UploadFinished', finishedAt, size, proved, ...(contentDigest !== undefined && { contentDigest }) };
}

/** Undefined when what was staged is gone: given up meanwhile, or removed by somebody on the host. Then the upload begins afresh. */
export async function receivedIfAny(staged: StagedUpload): Promise<ReceivedMap | undefined> {
  try {
    return await staged.received();
  } catch (error) {
    if (error instanceof ProblemError && error.problem.code === 'UPLOAD_UNKNOWN') return undefined;
    throw error;
  }
}
