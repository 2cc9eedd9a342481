// One merge, from complete chunks to the published target: verify, publish, clean. Each step is idempotent and begins by looking at
// what is on the host, so that it can be begun anywhere again.
import type { UploadFinished } from './answers.js';
import { chunksMissing } from './chunks.js';
import { claimKey, finishedAnswer, lockedProblem } from './entrance.js';
import type { ContentDigest } from './file-ref.js';
import { claimedDigest, formatContentDigest, identify } from './file-ref.js';
import { LeaseLost, MERGE_LEASE_MS, holdingLease } from './lease.js';
import type { Held } from './lease.js';
import type { FinishedUpload, Host, MergeJob } from './ports.js';
import { ProblemError, isFault, refused } from './problems.js';
import type { Problem } from './problems.js';
import { ProgressReporter } from './progress-reporter.js';
import type { MergeProgress } from './progress.js';
import { isTerminal, unproved } from './progress.js';
import type { Services, UploadCall } from './services.js';
import { problemOf } from './services.js';
import type { MergeRequest, Published, StagedUpload } from './staging.js';
import { resolveTarget } from './target.js';

/** Pauses before a host that is away is tried again; after the last the merge fails, to be asked for again. */
const HOST_AWAY_PAUSES_MS = [1_000, 2_000, 4_000, 8_000] as const;
/** Between two looks whether the leases that are in a merge's way are gone. */
const LEASE_POLL_MS = 200;
const TOKEN_BYTES = 16;

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
  const reporter = new ProgressReporter({ feed, clock, id: job.id, strategy: 'IN_PLACE' });
  try {
    await whileHostIsAway(services, signal, () =>
      services.hosts.use(job.hostId, (host) => mergeOn({ services, job, host, reporter, signal })),
    );
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
}

async function mergeOn(options: MergeOptions): Promise<void> {
  const { services, job, host, reporter, signal } = options;
  const { hashing, assembly, log } = services;
  const target = await resolveTarget(host, job.target);
  const identity = identify(hashing, { ...job, target: job.target });
  const call: UploadCall = { host, target, identity };
  const finished = await finishedAnswer(services, call);
  if (finished !== undefined) return reporter.end(doneProgress(finished));
  const staged = await assembly.find(host, identity, target);
  const request = await staged?.mergeRequest();
  if (staged === undefined || request === undefined) return endUnwanted(options, staged);
  try {
    const published = await underMergeLease(options, call, (held) =>
      verifyAndPublish({ ...call, services, staged, reporter, signal: AbortSignal.any([signal, held.signal]) }, held),
    );
    await reporter.settled();
    const answer = await finishUpload(services, staged, published);
    log.info({ host: job.hostId, upload: job.id, sizeBytes: answer.size, proved: answer.proved }, 'published');
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
    if (newest?.askedAt === request.askedAt) await staged.withdrawMergeRequest().catch(() => undefined);
    await reporter.end(failedProgress(services, problem));
  }
}

/**
 * A job that nobody wants any more: its upload was given up while it waited, or a run before it answered the same request. A state
 * that was told stays; those who were told to wait for this job must not wait for ever.
 */
async function endUnwanted(options: MergeOptions, staged: StagedUpload | undefined): Promise<void> {
  const { services, job, reporter } = options;
  const last = await services.feed.last(job.id);
  if (last === undefined || last.phase === 'RECEIVING' || isTerminal(last)) return;
  const problem = staged === undefined ? refused('UPLOAD_UNKNOWN', 'the upload was given up before it was merged') : NO_REQUEST;
  await reporter.end(failedProgress(services, problem));
}

const NO_REQUEST = refused('MERGE_FAILED', 'the merge was asked for no longer', true);

/** Waits for chunks that are still being written; holds the lease, and with it the claim, as long as `work` runs. */
async function underMergeLease<T>(options: MergeOptions, call: UploadCall, work: (held: Held) => Promise<T>): Promise<T> {
  const { locks, clock, hashing, limits } = options.services;
  const token = hashing.nonce(TOKEN_BYTES);
  const request = { ...claimKey(call), ttlMs: limits.claimTtlMs, token, leaseMs: MERGE_LEASE_MS };
  for (;;) {
    const leasedAt = clock.monotonic();
    const outcome = await locks.leaseMerge(request);
    if (outcome.kind === 'taken') throw new ProblemError(lockedProblem(call, outcome.claim));
    if (outcome.kind === 'held') {
      const lease = {
        clock,
        leaseMs: MERGE_LEASE_MS,
        leasedAt,
        renew: () => locks.leaseMerge(request),
        release: () => locks.releaseMerge(request),
      };
      return holdingLease(lease, work);
    }
    await clock.sleep(LEASE_POLL_MS, options.signal);
  }
}

async function verifyAndPublish(merge: Merge, held: Held): Promise<Published> {
  const { staged, reporter, signal } = merge;
  const recovered = await staged.recoverPublication();
  if (recovered !== undefined) return recovered;
  const request = await requestOf(staged);
  const received = await staged.refreshReceived();
  if (!received.isComplete) throw new ProblemError(chunksMissing(received));
  const size = staged.manifest.size;

  reporter.report('VERIFYING', 0, size);
  const verification = await staged.verify(digestsOf(staged, request), { signal, onProgress: reporter.report });
  if (verification.kind !== 'holds') throw new ProblemError(verification.problem);
  reporter.report('PUBLISHING', 0, size);
  // The newest request decides; a hash that came with it meanwhile is proved too.
  const newest = await requestOf(staged);
  if (newest.digest !== undefined && newest.digest.hex !== request.digest?.hex) return verifyAndPublish(merge, held);
  const outcome = await staged.publish(newest, verification.verified, held.check);
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

/** The end of an upload whose file is there: remembered first, so that a crash while cleaning finds it, then cleaned, then told. */
export async function finishUpload(services: Services, staged: StagedUpload, published: Published): Promise<UploadFinished> {
  const { locks, feed, clock, limits, log } = services;
  const { identity } = staged;
  const facts: FinishedUpload = {
    finishedAt: clock.now(),
    size: staged.manifest.size,
    proved: published.proved,
    etag: published.etag,
    ...(published.digest && { contentDigest: formatContentDigest(published.digest) }),
  };
  await locks.finish(identity.uploadKey, identity.targetKey, facts, limits.stagingTtlMs);
  try {
    await staged.discard();
  } catch (error) {
    // The file is published, and that is final; what is left is ours to sweep later.
    log.warn({ host: identity.hostId, upload: identity.id, err: error }, 'cleaning failed');
  }
  await locks.release({ target: identity.targetKey, person: identity.person, upload: identity.uploadKey });
  await feed.publish(identity.id, doneProgress(facts));
  const { finishedAt, size, proved, contentDigest } = facts;
  return { kind: 'UploadFinished', finishedAt, size, proved, ...(contentDigest !== undefined && { contentDigest }) };
}

export function doneProgress(finished: Omit<FinishedUpload, 'etag'>): MergeProgress {
  const { size, proved, contentDigest, finishedAt } = finished;
  return {
    phase: 'DONE',
    doneBytes: size,
    totalBytes: size,
    percent: 100,
    strategy: 'IN_PLACE',
    proved,
    ...(contentDigest !== undefined && { digest: contentDigest }),
    updatedAt: finishedAt,
  };
}

export function failedProgress(services: Services, problem: Problem): MergeProgress {
  return unproved({ phase: 'FAILED', doneBytes: 0, totalBytes: 0, problem, updatedAt: services.clock.now() });
}

function mergeProblem(error: unknown): Problem {
  if (isFault(error, 'FAILURE', 'ALREADY_EXISTS')) return refused('MERGE_FAILED', error.message, true);
  return problemOf(error) ?? refused('MERGE_FAILED', 'the merge failed for a reason that the log has', true);
}

/** The host or the store of claims: what was done stays done, and the merge goes on when they are back. */
function isAway(error: unknown): boolean {
  return isFault(error, 'HOST_UNREACHABLE', 'HOST_BUSY', 'COORDINATION_UNAVAILABLE');
}

async function whileHostIsAway(services: Services, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  for (const pauseMs of HOST_AWAY_PAUSES_MS) {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted || !isAway(error)) throw error;
      await services.clock.sleep(pauseMs, signal);
    }
  }
  return work();
}
