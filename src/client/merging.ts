// From the last chunk to the published file: asks for the merge, follows it, and mends what can be mended.

import type { UploadContext } from './context.js';
import { AbortedError, GatewayError, NetworkError, ProblemError } from './errors.js';
import { Gate } from './gate.js';
import { isTerminal, type MergeFeeds } from './merge-feed.js';
import type { ChunkRange, FileExists, FileRef, IfExists, MergeProgress, Problem } from './operations.js';
import type { Platform } from './platform.js';
import { Retries, type Contact, type RetryPolicy } from './retry.js';
import type { SendOutcome } from './sending.js';

/** What the person has allowed about a file that is at the path. */
export interface Permission {
  readonly ifExists: IfExists;
  readonly ifMatch?: string | undefined;
}

export interface MergeSteps {
  readonly chunkCount: number;
  /** `sha256:<hex>` of the whole content. */
  readonly digest: string;
  readonly permission: Permission;
  /** Sends these chunks once more; the host has lost or rejected them. */
  readonly sendAgain: (ranges: readonly ChunkRange[]) => Promise<SendOutcome>;
  /** Asks the person, who throws by refusing. */
  readonly askPermission: (existing: FileExists) => Promise<Permission>;
}

/** `begin-again`: the upload must be asked for anew, from its status. */
export type MergeOutcome = { readonly kind: 'merged'; readonly progress: MergeProgress } | { readonly kind: 'begin-again' };

/** Failures mended before the merge's own problem is reported; a host that loses chunks each time never gets well. */
const MAX_REMEDIES = 20;
/** Subscriptions in a row that ended without one event. */
const MAX_SILENT_FEEDS = 20;
const FEED_PAUSE_MS = 1_000;

/**
 * Asks for the merge and follows it to its end. `mergeFile` gives the same result when repeated, so it is also what is called
 * after each lost subscription: a gateway that was restarted meanwhile takes the merge up again.
 */
export async function merge(context: UploadContext, steps: MergeSteps): Promise<MergeOutcome> {
  const { gateway, retries, file, signal } = context;
  const { chunkCount, digest } = steps;
  const feed = new Feed(context);
  let { permission } = steps;
  for (let remedies = 0; ;) {
    const answer = await retries.run((cut) => gateway.mergeFile(file, { chunkCount, digest, ...permission }, cut), signal);
    let problem: Problem | null;
    if (answer.__typename === 'MergeStarted') {
      const end = await feed.follow(answer.progress);
      if (end === undefined) continue;
      if (end.phase === 'DONE') return { kind: 'merged', progress: end };
      if (end.phase === 'ABORTED') throw new AbortedError();
      problem = end.problem;
      if (problem === null) throw new GatewayError('MERGE_FAILED', 'the merge failed without a cause', { retryable: false });
    } else {
      problem = answer;
    }
    remedies += 1;
    if (remedies > MAX_REMEDIES) throw new ProblemError(problem);
    switch (problem.code) {
      case 'CHUNKS_MISSING': {
        if (!('ranges' in problem)) throw new ProblemError(problem);
        const outcome = await steps.sendAgain(problem.ranges);
        if (outcome.kind === 'unknown') return { kind: 'begin-again' };
        continue; // Finished elsewhere meanwhile: `mergeFile` says so.
      }
      case 'FILE_EXISTS':
        if (!('etag' in problem)) throw new ProblemError(problem);
        permission = await steps.askPermission(problem);
        continue;
      case 'UPLOAD_UNKNOWN':
        return { kind: 'begin-again' };
      case 'ABORTED':
        throw new AbortedError();
      default:
        await pauseForRetry(context, problem, remedies);
    }
  }
}

/** Waits before a failed merge is asked for again; throws when that can't help. */
async function pauseForRetry({ platform, emit, signal }: UploadContext, problem: Problem, attempt: number): Promise<void> {
  if (!problem.retryable) throw new ProblemError(problem);
  const askedMs = problem.__typename === 'TryAgainLater' ? problem.retryAfterMs : undefined;
  const delayMs = askedMs ?? FEED_PAUSE_MS * attempt;
  emit('retry', { code: problem.code, message: problem.message, attempt, delayMs });
  await platform.wait(delayMs, signal);
}

/** Follows one merge over as many subscriptions as it takes. */
class Feed {
  readonly #context: UploadContext;
  /** Subscriptions lost since something was heard. */
  #lost = 0;

  constructor(context: UploadContext) {
    this.#context = context;
  }

  /** The terminal state, or `undefined` after a pause when the subscription was lost before it. */
  async follow(first: MergeProgress): Promise<MergeProgress | undefined> {
    const { meter, emitProgress, emit, gate, feeds, platform, file, signal } = this.#context;
    let latest = first;
    let events = 0;
    const onProgress = (progress: MergeProgress) => {
      latest = progress;
      events += 1;
      meter.merging(progress);
      emitProgress();
    };
    meter.merging(first);
    emitProgress();
    if (isTerminal(first)) return first;
    let isPaused = () => false;
    let lost: unknown = new NetworkError('the subscription ended before the merge');
    try {
      await gate.untilClosed(async (cut) => {
        isPaused = () => cut.aborted;
        await feeds.watch({ file, onProgress, signal: cut });
      }, signal);
    } catch (error) {
      signal.throwIfAborted();
      lost = error;
    }
    if (isTerminal(latest)) return latest;
    if (isPaused()) return undefined; // The merge itself goes on; it is asked for again once this upload may.
    this.#lost = events === 0 ? this.#lost + 1 : 1;
    if (this.#lost > MAX_SILENT_FEEDS || !isPassing(lost)) throw lost;
    emit('retry', { code: 'NETWORK', message: lost.message, attempt: this.#lost, delayMs: FEED_PAUSE_MS });
    await platform.wait(FEED_PAUSE_MS, signal);
    return undefined;
  }
}

interface Following {
  readonly feeds: MergeFeeds;
  readonly contact: Contact;
  readonly platform: Platform;
  readonly policy: RetryPolicy;
  readonly onProgress: (progress: MergeProgress) => void;
  readonly signal: AbortSignal;
}

/** Follows an upload that goes on elsewhere, over as many subscriptions as it takes, to its last state. See `Uploader.watch`. */
export async function follow(
  file: FileRef,
  { feeds, contact, platform, policy, onProgress, signal }: Following,
): Promise<MergeProgress> {
  const gate = new Gate(); // Stays open.
  const patience = { ...policy, firstAnswerPatienceMs: policy.patienceMs };
  const retries = new Retries({ policy: patience, platform, contact, gate, onRetry: () => undefined });
  // A subscription that told something was a success, however it ended; only those that tell nothing try the patience.
  const attempt = async (cut: AbortSignal) => {
    let latest: MergeProgress | undefined;
    const hear = (progress: MergeProgress) => onProgress((latest = progress));
    try {
      await feeds.watch({ file, onProgress: hear, signal: cut });
    } catch (error) {
      if (latest === undefined || !isPassing(error)) throw error;
    }
    if (latest === undefined) throw new NetworkError('the subscription ended without a word');
    return { __typename: 'Heard', latest } as const;
  };
  for (;;) {
    const { latest } = await retries.run(attempt, signal);
    if (isTerminal(latest)) return latest;
    await platform.wait(FEED_PAUSE_MS, signal);
  }
}

function isPassing(error: unknown): error is NetworkError | GatewayError {
  return error instanceof NetworkError || (error instanceof GatewayError && error.retryable);
}
