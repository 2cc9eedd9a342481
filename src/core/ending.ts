// How an upload ends: remembered, cleaned, told, and its claim given up, in this order, so that whoever finds it half ended can go on.
import type { UploadFinished } from './answers.js';
import { mergeEvent } from './audit.js';
import { strikeOut } from './bookkeeping.js';
import type { UploadIdentity } from './file-ref.js';
import { formatContentDigest } from './file-ref.js';
import type { FinishedUpload } from './ports.js';
import type { Problem } from './problems.js';
import type { MergeProgress } from './progress.js';
import { unproved } from './progress.js';
import type { Services } from './services.js';
import type { Published, StagedUpload } from './staging.js';

const CLEANING_ATTEMPTS = 3;
const CLEANING_PAUSE_MS = 1_000;

/**
 * The end of an upload whose file is there: remembered first, so that a crash while cleaning finds it, then cleaned, then told.
 * `times` is what is known of how long it took, for the audit.
 */
export async function finishUpload(
  services: Services,
  staged: StagedUpload,
  published: Published,
  times: Readonly<Record<string, number>> = {},
): Promise<UploadFinished> {
  const { locks, feed, clock, limits, audit } = services;
  const { identity } = staged;
  const facts: FinishedUpload = {
    finishedAt: clock.now(),
    size: staged.manifest.size,
    proved: published.proved,
    strategy: await staged.strategy(),
    etag: published.etag,
    ...(published.digest && { contentDigest: formatContentDigest(published.digest) }),
  };
  await locks.finish(identity.uploadKey, identity.targetKey, facts, limits.stagingTtlMs);
  await clean(services, staged);
  await feed.publish(identity.id, doneProgress(facts));
  // Last: who fails before may come again under the same claim.
  await releaseClaim(services, identity);
  await strikeOut(services, identity);
  const { strategy } = facts;
  const how = { sizeBytes: facts.size, proved: facts.proved, ...(strategy && { strategy }), ...times };
  audit.record(mergeEvent(identity, 'done', { ...how, ...(facts.contentDigest && { digest: facts.contentDigest }) }));
  const { finishedAt, size, proved, contentDigest } = facts;
  return { kind: 'UploadFinished', finishedAt, size, proved, ...(contentDigest !== undefined && { contentDigest }) };
}

/** Never rejects: the file is published, and that is final; what is left after some tries is for the sweeper. */
export async function clean(services: Services, staged: StagedUpload): Promise<void> {
  const { clock, log } = services;
  const { hostId, id } = staged.identity;
  for (let attempt = 1; ; attempt++) {
    try {
      await staged.remove();
      return;
    } catch (error) {
      log.warn({ host: hostId, upload: id, attempt, err: error }, 'cleaning failed');
      if (attempt === CLEANING_ATTEMPTS) return;
    }
    await clock.sleep(CLEANING_PAUSE_MS);
  }
}

export function releaseClaim({ locks }: Services, { targetKey, person, uploadKey }: UploadIdentity): Promise<void> {
  return locks.release({ target: targetKey, person, upload: uploadKey });
}

export function doneProgress(finished: Omit<FinishedUpload, 'etag'>): MergeProgress {
  const { size, proved, contentDigest, finishedAt, strategy } = finished;
  return {
    phase: 'DONE',
    doneBytes: size,
    totalBytes: size,
    percent: 100,
    ...(strategy !== undefined && { strategy }),
    proved,
    ...(contentDigest !== undefined && { digest: contentDigest }),
    updatedAt: finishedAt,
  };
}

export function failedProgress(services: Services, problem: Problem): MergeProgress {
  return unproved({ phase: 'FAILED', doneBytes: 0, totalBytes: 0, problem, updatedAt: services.clock.now() });
}
