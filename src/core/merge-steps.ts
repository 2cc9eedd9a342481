// The steps of a merge under its lease: assemble, verify, publish. Each is idempotent and begins by looking at what is on the host.
import { chunksMissing } from './chunks.js';
import type { ContentDigest } from './file-ref.js';
import { claimedDigest } from './file-ref.js';
import type { Held } from './lease.js';
import type { Clock } from './ports.js';
import { ProblemError, refused } from './problems.js';
import type { Problem } from './problems.js';
import type { ProgressReporter } from './progress-reporter.js';
import { outcomeOf, settled, valueOf } from './settled.js';
import type { MergePhase } from './progress.js';
import type { AssembleOptions, Escape, MergeRequest, Published, StagedUpload } from './staging.js';
import { Watchdog } from './watchdog.js';

interface Steps {
  readonly staged: StagedUpload;
  readonly reporter: ProgressReporter;
  readonly held: Held;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export const NO_REQUEST = refused('MERGE_FAILED', 'the merge was asked for no longer', true);

/** Makes the target of the chunks. Rejects with `MERGE_STALLED` when that stands still; whatever is still under way then never publishes. */
export async function mergeStaged({ staged, reporter, held, clock, signal }: Steps): Promise<Published> {
  const watchdog = new Watchdog({ clock, signal: AbortSignal.any([signal, held.signal]) });
  const report = (phase: MergePhase, doneBytes: number, totalBytes: number) => {
    watchdog.report(phase, doneBytes);
    reporter.report(phase, doneBytes, totalBytes);
  };
  const options: AssembleOptions = {
    signal: watchdog.signal,
    onProgress: report,
    onAlive: watchdog.alive,
    onStrategy: (strategy) => {
      reporter.strategy = strategy;
    },
  };
  const confirm = async () => {
    watchdog.signal.throwIfAborted();
    await held.confirm();
    watchdog.signal.throwIfAborted();
  };
  return watchdog.watch(takeSteps(staged, options, confirm));
}

/** Somebody on the host led the file astray. */
export class Escaped extends ProblemError {
  /** What became of it there. */
  readonly escape: Escape;

  constructor(problem: Problem, escape: Escape) {
    super(problem);
    this.escape = escape;
  }
}

/** Another hash is to be proved than the one that was. */
class OtherDigest extends Error {}

async function takeSteps(staged: StagedUpload, options: AssembleOptions, confirm: Held['confirm']): Promise<Published> {
  const [[recovered, asked], looked] = await settled([
    settled([staged.recoverPublication(), staged.mergeRequest()]),
    outcomeOf(staged.received()),
  ]);
  if (recovered !== undefined) return recovered;
  const request = wanted(asked);
  const received = valueOf(looked);
  if (!received.isComplete) throw new ProblemError(chunksMissing(received));
  const { size } = staged.manifest;
  await staged.assemble(options);

  options.onProgress('VERIFYING', 0, size);
  const verification = await staged.verify(digestsOf(staged, request), options);
  if (verification.kind !== 'holds') throw new ProblemError(verification.problem);
  options.onProgress('PUBLISHING', 0, size);
  // The newest request decides; a hash that came with it meanwhile is proved too.
  const newest = async () => {
    const asked = wanted(await staged.mergeRequest());
    if (asked.digest !== undefined && asked.digest.hex !== request.digest?.hex) throw new OtherDigest();
    return asked;
  };
  const outcome = await staged.publish(newest, verification.verified, confirm).catch((error: unknown) => {
    if (error instanceof OtherDigest) return undefined;
    throw error;
  });
  if (outcome === undefined) return takeSteps(staged, options, confirm);
  if (outcome.kind === 'published') return outcome.published;
  throw outcome.escaped === undefined ? new ProblemError(outcome.problem) : new Escaped(outcome.problem, outcome.escaped);
}

function wanted(request: MergeRequest | undefined): MergeRequest {
  if (request === undefined) throw new ProblemError(NO_REQUEST);
  return request;
}

/** Hashes of the whole content that the client named. */
function digestsOf(staged: StagedUpload, request: MergeRequest): readonly ContentDigest[] {
  const claimed = claimedDigest(staged.manifest.hashCode);
  const digests = [claimed, request.digest].filter((digest) => digest !== undefined);
  return digests.filter((digest, at) => digests.findIndex((other) => other.algorithm === digest.algorithm) === at);
}
