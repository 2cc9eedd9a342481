// One merge as the queue runs it: under its lease, with patience for a host or a store that is away, to an end that its viewers see.
import { clean, doneProgress, failedProgress, finishUpload, releaseClaim } from './ending.js';
import { claimKey, finishedAnswer, lockedProblem } from './entrance.js';
import { mergeEvent } from './audit.js';
import { strikeOut } from './bookkeeping.js';
import { identify } from './file-ref.js';
import type { UploadIdentity } from './file-ref.js';
import { Lease, LeaseLost, MERGE_LEASE_MS, TOKEN_BYTES } from './lease.js';
import type { Held, TakeOutcome } from './lease.js';
import { Escaped, NO_REQUEST, mergeStaged } from './merge-steps.js';
import type { Host, MergeJob } from './ports.js';
import { ProblemError, isFault, refused } from './problems.js';
import type { Problem } from './problems.js';
import { ProgressReporter } from './progress-reporter.js';
import type { MergeProgress } from './progress.js';
import { isMerging } from './progress.js';
import type { Services, UploadCall } from './services.js';
import { problemOf } from './services.js';
import type { MergeRequest, StagedUpload } from './staging.js';
import { resolveTarget } from './target.js';

/** How long a host that is away is tried again; then the merge fails. Its request stays on the host, and brings it back when somebody looks. */
const HOST_PATIENCE_MS = 15_000;
/** The same of the store: its viewers can't be told that it failed, and it costs the host nothing. */
const STORE_PATIENCE_MS = 10 * 60_000;
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 5_000;
/** Between two looks whether the leases that are in a merge's way are gone. */
const LEASE_POLL_MS = 200;

/**
 * Runs to a terminal state and tells it; never rejects. When `signal` aborts it stops without a state: who aborted it tells, or the
 * request on the host brings it back.
 */
export async function runMerge(services: Services, job: MergeJob, signal: AbortSignal): Promise<void> {
  const { feed, clock, log } = services;
  const reporter = new ProgressReporter({ feed, clock, id: job.id });
  let concluded = undefined as MergeProgress | undefined;
  const conclude = (end: MergeProgress) => {
    concluded = end;
  };
  try {
    await withPatience(services, signal, async () => {
      if (concluded !== undefined) return reporter.end(concluded);
      const last = await feed.last(job.id);
      if (last !== undefined && isMerging(last)) reporter.goOnFrom(last);
      return services.hosts.use(
        job.hostId,
        (host) => mergeOn({ services, job, host, reporter, signal, conclude }, 'recall'),
        job.person,
      );
    });
  } catch (error) {
    if (signal.aborted) return;
    log.error({ host: job.hostId, upload: job.id, err: error }, 'merge failed');
    const problem = mergeProblem(error);
    if (concluded === undefined) services.audit.record(mergeEvent(job, problem.code));
    await reporter.end(failedProgress(services, problem)).catch(() => undefined); // The store of states is away too.
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

/** `by`: how its staging directory is found. What is remembered may be over: then it is looked for. */
async function mergeOn(options: MergeOptions, by: 'find' | 'recall'): Promise<void> {
  const { services, job, host, reporter, signal } = options;
  const { hashing, assembly, log } = services;
  const target = await resolveTarget(host, { path: job.target, person: job.person });
  const identity = identify(hashing, { ...job, target: job.target });
  const call: UploadCall = { host, target, identity };
  const finished = await finishedAnswer(services, call);
  if (finished !== undefined) {
    // A run before this one may not have come to what follows.
    await reporter.end(doneProgress(finished));
    const staged = await assembly.find(host, identity, target);
    if (staged !== undefined) await clean(services, staged);
    await strikeOut(services, identity);
    return releaseClaim(services, identity);
  }
  const staged = await assembly[by](host, identity, target);
  const stored = await staged?.mergeRequest();
  if (stored === undefined && by === 'recall') return mergeOn(options, 'find');
  const request = stored ?? (staged && (await restoreRequest(services, staged)));
  if (staged === undefined || request === undefined) return endUnwanted(options, call, staged);
  reporter.strategy = await staged.strategy();
  reporter.answers = request.askedAt;
  try {
    await underMergeLease(options, call, (held) => finishMerge(options, staged, held));
  } catch (error) {
    if (signal.aborted || isAway(error)) throw error;
    if (error instanceof LeaseLost) return; // Another process has it, and tells.
    const ended = await finishedAnswer(services, call);
    if (ended !== undefined) return reporter.end(doneProgress(ended)); // Another call found it published, and ended it.
    const problem = mergeProblem(error);
    if (problem.code === 'UPLOAD_UNKNOWN' && by === 'recall') return mergeOn(options, 'find');
    const isExpected = error instanceof ProblemError && !(error instanceof Escaped);
    log.warn({ host: job.hostId, upload: job.id, code: problem.code, ...(!isExpected && { err: error }) }, 'merge failed');
    // A newer request is for the run that comes with it.
    const newest = await staged.mergeRequest().catch(() => undefined);
    if (newest !== undefined && newest.askedAt !== request.askedAt) return;
    options.conclude(failedProgress(services, problem));
    const escaped = error instanceof Escaped ? { escaped: error.escape } : undefined;
    services.audit.record(mergeEvent(identity, problem.code, escaped));
    // Withdrawn first, so that a failed merge doesn't come back by itself. One that is asked for again in this instant may be withdrawn
    // with it: then the feed has it, doesn't tell this end, and the next run restores it.
    await staged.withdrawMergeRequest().catch(() => undefined);
    await reporter.end(failedProgress(services, problem));
  }
}

/** What was asked for and not answered, though it is no longer on the host; undefined when the upload isn't there either: it is being given up. */
async function restoreRequest({ feed }: Services, staged: StagedUpload): Promise<MergeRequest | undefined> {
  const asked = await feed.asked(staged.identity.id);
  if (asked === undefined) return undefined;
  const request = JSON.parse(asked.text) as MergeRequest;
  try {
    await staged.requestMerge(request);
  } catch (error) {
    if (problemOf(error)?.code !== 'UPLOAD_UNKNOWN') throw error;
    return undefined;
  }
  return request;
}

/**
 * A job that nobody wants any more: its upload was given up while it waited, or a run before it answered the same request. A state
 * that was told stays; those who were told to wait for this job must not wait for ever.
 */
async function endUnwanted(options: MergeOptions, call: UploadCall, staged: StagedUpload | undefined): Promise<void> {
  const { services, job, reporter } = options;
  if (!(await isExpected(services, job))) return;
  const lease = mergeLease(services, call.identity);
  const outcome = await lease.take();
  if (outcome.kind === 'busy') return; // Another run, or whoever gives the upload up, has it, and tells.
  try {
    if (!(await isExpected(services, job))) return;
    const problem =
      staged === undefined ? refused('UPLOAD_UNKNOWN', 'the upload was given up before it was merged') : NO_REQUEST;
    await reporter.end(failedProgress(services, problem));
  } finally {
    await lease.release();
    if (outcome.kind === 'held' && outcome.created) await services.locks.release(claimKey(call));
  }
}

/** Whether viewers were told to wait for this job. */
async function isExpected({ feed }: Services, job: MergeJob): Promise<boolean> {
  const last = await feed.last(job.id);
  return last !== undefined && isMerging(last);
}

/**
 * For a merge that took every process with it that ran it: all chunks are kept, and `mergeFile` starts afresh. One of them may have been
 * thought dead and go on, and nobody tells the end beside it: this waits until its lease is free.
 */
export async function giveUpMerge(services: Services, job: MergeJob, signal: AbortSignal): Promise<void> {
  const identity = identify(services.hashing, job);
  const lease = mergeLease(services, identity);
  const outcome = await takePatiently(services, lease, signal);
  const end = async () => {
    if (!(await isExpected(services, job))) return;
    await withdraw(services, job).catch((error: unknown) => {
      services.log.warn({ host: job.hostId, upload: job.id, err: error }, 'request of a given up merge not withdrawn');
    });
    const problem = refused('MERGE_STALLED', 'every process that ran this merge ended; ask for it again', true);
    services.audit.record(mergeEvent(job, problem.code));
    await services.feed.publish(job.id, failedProgress(services, problem));
  };
  // While other content has the claim nobody merges this.
  if (outcome.kind === 'taken') return end();
  await lease.hold(end);
  if (outcome.created) await releaseClaim(services, identity);
}

async function withdraw({ hosts, assembly, hashing }: Services, job: MergeJob): Promise<void> {
  await hosts.use(job.hostId, async (host) => {
    const staged = await assembly.find(
      host,
      identify(hashing, job),
      await resolveTarget(host, { path: job.target, person: job.person }),
    );
    await staged?.withdrawMergeRequest();
  });
}

function mergeLease(services: Services, { targetKey, person, uploadKey }: UploadIdentity): Lease {
  const { locks, clock, hashing, limits } = services;
  const token = hashing.nonce(TOKEN_BYTES);
  const claim = { target: targetKey, person, upload: uploadKey };
  const request = { ...claim, ttlMs: limits.claimTtlMs, token, leaseMs: MERGE_LEASE_MS };
  return new Lease({
    clock,
    leaseMs: MERGE_LEASE_MS,
    ask: (renews) => locks.leaseMerge({ ...request, ...(renews !== undefined && { renews }) }),
    release: () => locks.releaseMerge(request),
  });
}

/** Waits for whoever has it. */
async function takePatiently(
  { clock }: Services,
  lease: Lease,
  signal: AbortSignal,
): Promise<Exclude<TakeOutcome, { readonly kind: 'busy' | 'finished' }>> {
  for (;;) {
    const outcome = await lease.take();
    if (outcome.kind === 'finished') throw new Error('only a chunk is refused for that');
    if (outcome.kind !== 'busy') return outcome;
    await clock.sleep(LEASE_POLL_MS, signal);
  }
}

/** Waits for chunks that are still being written; holds the lease, and with it the claim, as long as `work` runs. */
async function underMergeLease(options: MergeOptions, call: UploadCall, work: (held: Held) => Promise<void>): Promise<void> {
  const lease = mergeLease(options.services, call.identity);
  const outcome = await takePatiently(options.services, lease, options.signal);
  if (outcome.kind === 'taken') throw new ProblemError(lockedProblem(call, outcome.claim));
  return outcome.created ? restoring(options, call, () => lease.hold(work)) : lease.hold(work);
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

async function finishMerge(options: MergeOptions, staged: StagedUpload, held: Held): Promise<void> {
  const { services, reporter, signal } = options;
  const { hostId, id } = staged.identity;
  try {
    const published = await mergeStaged({ staged, reporter, held, clock: services.clock, signal });
    const times = reporter.times();
    await reporter.settled();
    const { size, proved } = await finishUpload(services, staged, published, times);
    services.log.info({ host: hostId, upload: id, sizeBytes: size, proved, ...times }, 'published');
  } catch (error) {
    // What failed because the upload was given up, or taken over, is not for this run to tell.
    await held.confirm();
    throw error;
  }
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
