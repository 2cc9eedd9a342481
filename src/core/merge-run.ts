// One merge, from complete chunks to the published target: verify, publish, clean. Each step is idempotent and begins by looking at
// what is on the host, so that it can be begun anywhere again.
import { chunksMissing } from './chunks.js';
import { clean, doneProgress, failedProgress, finishUpload, releaseClaim } from './ending.js';
import { claimKey, finishedAnswer, lockedProblem } from './entrance.js';
import type { ContentDigest } from './file-ref.js';
import { claimedDigest, identify } from './file-ref.js';
import { Lease, LeaseLost, MERGE_LEASE_MS, TOKEN_BYTES } from './lease.js';
import type { Held } from './lease.js';
import type { Host, MergeJob } from './ports.js';
import { ProblemError, isFault, refused } from './problems.js';
import type { Problem } from './problems.js';
import { ProgressReporter } from './progress-reporter.js';
import type { MergeProgress } from './progress.js';
import { isTerminal } from './progress.js';
import type { Services, UploadCall } from './services.js';
import { problemOf } from './services.js';
import type { MergeRequest, Published, StagedUpload } from './staging.js';
import { resolveTarget } from './target.js';

/** How long a host that is away is tried again; then the merge fails. Its request stays on the host, and brings it back when somebody looks. */
const HOST_PATIENCE_MS = 15_000;
/** The same of the store: its viewers can't be told that it failed, and it costs the host nothing. */
const STORE_PATIENCE_MS = 10 * 60_000;
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 5_000;
/** Between two looks whether the leases that are in a merge's way are gone. */
const LEASE_POLL_MS = 200;

interface Merge extends UploadCall {
  readonly services: Services;
  readonly staged: StagedUpload;
  readonly reporter: ProgressReporter;
  readonly signal: AbortSignal;
}

/**
 * Runs to a terminal state and tells it; never rejects. When `signal` aborts it stops without a state: who aborted it tells, or the
 * request on the host brings it back.
 */
export async function runMerge(services: Services, job: MergeJob, signal: AbortSignal): Promise<void> {
  const { feed, clock, log } = services;
  const reporter = new ProgressReporter({ feed, clock, id: job.id });
  let concluded: MergeProgress | undefined;
  const conclude = (end: MergeProgress) => {
    concluded = end;
  };
  try {
    await withPatience(services, signal, () => {
      if (concluded !== undefined) return reporter.end(concluded);
      return services.hosts.use(job.hostId, (host) => mergeOn({ services, job, host, reporter, signal, conclude }));
    });
  } catch (error) {
    if (signal.aborted) return;
    log.error({ host: job.hostId, upload: job.id, err: error }, 'merge failed');
    await reporter.end(failedProgress(services, mergeProblem(error))).catch(() => undefined); // The store of states is away too.
  }
}

interface MergeOptions {
  readonly services: Services;
  readonly job: MergeJob;
  readonly host: Host;
  readonly reporter: ProgressReporter;
  readonly signal: AbortSignal;
  /** Keeps how it ended, for when that can't be told at once. */
  readonly conclude: (end: MergeProgress) => void;
}

async function mergeOn(options: MergeOptions): Promise<void> {
  const { services, job, host, reporter, signal } = options;
  const { hashing, assembly, log } = services;
  const target = await resolveTarget(host, job.target);
  const identity = identify(hashing, { ...job, target: job.target });
  const call: UploadCall = { host, target, identity };
  const finished = await finishedAnswer(services, call);
  const staged = await assembly.find(host, identity, target);
  if (finished !== undefined) {
    // A run before this one may not have come to what follows.
    await reporter.end(doneProgress(finished));
    if (staged !== undefined) await clean(services, staged);
    return releaseClaim(services, identity);
  }
  const request = await staged?.mergeRequest();
  if (staged === undefined || request === undefined) return endUnwanted(options, call, staged);
  reporter.strategy = staged.strategy;
  try {
    await underMergeLease(options, call, async (held) => {
      try {
        await finishMerge({ ...call, services, staged, reporter, signal: AbortSignal.any([signal, held.signal]) }, held);
      } catch (error) {
        // What failed because the upload was given up, or taken over, is not for this run to tell.
        await held.confirm();
        throw error;
      }
    });
  } catch (error) {
    if (signal.aborted || isAway(error)) throw error;
    if (error instanceof LeaseLost) return; // Another process has it, and tells.
    const ended = await finishedAnswer(services, call);
    if (ended !== undefined) return reporter.end(doneProgress(ended)); // Another call found it published, and ended it.
    const problem = mergeProblem(error);
    const isExpected = error instanceof ProblemError;
    log.warn({ host: job.hostId, upload: job.id, code: problem.code, ...(!isExpected && { err: error }) }, 'merge failed');
    // Withdrawn first, so that a failed merge doesn't come back by itself; a newer request is for the run that comes with it.
    const newest = await staged.mergeRequest().catch(() => undefined);
    if (newest !== undefined && newest.askedAt !== request.askedAt) return;
    options.conclude(failedProgress(services, problem));
    await staged.withdrawMergeRequest().catch(() => undefined);
    await reporter.end(failedProgress(services, problem));
  }
}

/**
 * A job that nobody wants any more: its upload was given up while it waited, or a run before it answered the same request. A state
 * that was told stays; those who were told to wait for this job must not wait for ever.
 */
async function endUnwanted(options: MergeOptions, call: UploadCall, staged: StagedUpload | undefined): Promise<void> {
  const { services, job, reporter } = options;
  if (!isWaiting(await services.feed.last(job.id))) return;
  const lease = mergeLease(services, call);
  const outcome = await lease.take();
  if (outcome.kind === 'busy') return; // Another run, or whoever gives the upload up, has it, and tells.
  try {
    if (!isWaiting(await services.feed.last(job.id))) return;
    const problem =
      staged === undefined ? refused('UPLOAD_UNKNOWN', 'the upload was given up before it was merged') : NO_REQUEST;
    await reporter.end(failedProgress(services, problem));
  } finally {
    await lease.release();
    if (outcome.kind === 'held' && outcome.created) await services.locks.release(claimKey(call));
  }
}

function isWaiting(state: MergeProgress | undefined): boolean {
  return state !== undefined && state.phase !== 'RECEIVING' && !isTerminal(state);
}

const NO_REQUEST = refused('MERGE_FAILED', 'the merge was asked for no longer', true);

function mergeLease(services: Services, call: UploadCall): Lease {
  const { locks, clock, hashing, limits } = services;
  const token = hashing.nonce(TOKEN_BYTES);
  const request = { ...claimKey(call), ttlMs: limits.claimTtlMs, token, leaseMs: MERGE_LEASE_MS };
  return new Lease({
    clock,
    leaseMs: MERGE_LEASE_MS,
    ask: (renews) => locks.leaseMerge({ ...request, ...(renews !== undefined && { renews }) }),
    release: () => locks.releaseMerge(request),
  });
}

/** Waits for chunks that are still being written; holds the lease, and with it the claim, as long as `work` runs. */
async function underMergeLease(options: MergeOptions, call: UploadCall, work: (held: Held) => Promise<void>): Promise<void> {
  const lease = mergeLease(options.services, call);
  for (;;) {
    const outcome = await lease.take();
    if (outcome.kind === 'taken') throw new ProblemError(lockedProblem(call, outcome.claim));
    if (outcome.kind === 'held') return outcome.created ? restoring(options, call, () => lease.hold(work)) : lease.hold(work);
    await options.services.clock.sleep(LEASE_POLL_MS, options.signal);
  }
}

/** A claim that was nobody's, taken for a merge that then came to nothing, would only be in the way of others. */
async function restoring(options: MergeOptions, call: UploadCall, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    // Who has lost it has nothing to give back; one that can't be given back lapses.
    if (!(error instanceof LeaseLost)) await releaseClaim(options.services, call.identity).catch(() => undefined);
    throw error;
  }
}

async function finishMerge(merge: Merge, held: Held): Promise<void> {
  const { services, staged, reporter, identity } = merge;
  const published = await assembleAndPublish(merge, held);
  await reporter.settled();
  const { size, proved } = await finishUpload(services, staged, published);
  services.log.info({ host: identity.hostId, upload: identity.id, sizeBytes: size, proved }, 'published');
}

async function assembleAndPublish(merge: Merge, held: Held): Promise<Published> {
  const { staged, reporter, signal } = merge;
  const recovered = await staged.recoverPublication();
  if (recovered !== undefined) return recovered;
  const request = await requestOf(staged);
  const received = await staged.received();
  if (!received.isComplete) throw new ProblemError(chunksMissing(received));
  const size = staged.manifest.size;
  await staged.assemble({ signal, onProgress: reporter.report });

  reporter.report('VERIFYING', 0, size);
  const verification = await staged.verify(digestsOf(staged, request), { signal, onProgress: reporter.report });
  if (verification.kind !== 'holds') throw new ProblemError(verification.problem);
  reporter.report('PUBLISHING', 0, size);
  // The newest request decides; a hash that came with it meanwhile is proved too.
  const newest = await requestOf(staged);
  if (newest.digest !== undefined && newest.digest.hex !== request.digest?.hex) return assembleAndPublish(merge, held);
  const outcome = await staged.publish(newest, verification.verified, held.confirm);
  if (outcome.kind === 'refused') throw new ProblemError(outcome.problem);
  return outcome.published;
}

async function requestOf(staged: StagedUpload): Promise<MergeRequest> {
  const request = await staged.mergeRequest();
  if (request === undefined) throw new ProblemError(NO_REQUEST);
  return request;
}

/** Hashes of the whole content that the client named. */
function digestsOf(staged: StagedUpload, request: MergeRequest): readonly ContentDigest[] {
  const claimed = claimedDigest(staged.manifest.hashCode);
  const digests = [claimed, request.digest].filter((digest) => digest !== undefined);
  return digests.filter((digest, at) => digests.findIndex((other) => other.algorithm === digest.algorithm) === at);
}

function mergeProblem(error: unknown): Problem {
  if (isFault(error, 'FAILURE', 'ALREADY_EXISTS')) return refused('MERGE_FAILED', error.message, true);
  return problemOf(error) ?? refused('MERGE_FAILED', 'the merge failed for a reason that the log has', true);
}

/** The host or the store of claims: what was done stays done, and the merge goes on when they are back. */
function isAway(error: unknown): boolean {
  return isFault(error, 'HOST_UNREACHABLE', 'HOST_BUSY', 'COORDINATION_UNAVAILABLE');
}

/** Tries again while host or store are away. */
async function withPatience(services: Services, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  const { clock } = services;
  let awaySince: number | undefined;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
    const attemptAt = clock.monotonic();
    try {
      return await work();
    } catch (error) {
      if (signal.aborted || !isAway(error)) throw error;
      const now = clock.monotonic();
      const patienceMs = isFault(error, 'COORDINATION_UNAVAILABLE') ? STORE_PATIENCE_MS : HOST_PATIENCE_MS;
      // An attempt that lasted had got somewhere: this is another outage.
      if (awaySince === undefined || now - attemptAt > patienceMs) awaySince = now;
      if (now - awaySince >= patienceMs) throw error;
      await clock.sleep(pauseMs, signal);
    }
  }
}
