// An upload's state in one line.

import type { MergeProgress, Retry, UploadProgress } from '../client/index.js';
import { formatBytes, formatRate, formatSeconds } from './format.js';

const MERGE_WORDS: Readonly<Record<string, string>> = {
  RECEIVING: 'waiting for the host',
  QUEUED: 'queued on the gateway',
  ASSEMBLING: 'assembling on the host',
  VERIFYING: 'verifying on the host',
  PUBLISHING: 'publishing',
  DONE: 'published',
  FAILED: 'failed',
  ABORTED: 'aborted',
};

/** 0 … 1 of the present phase. */
export function fractionOf(progress: UploadProgress): number {
  if (progress.merge !== undefined && progress.phase !== 'sending') return progress.merge.percent / 100;
  if (progress.totalBytes === 0) return progress.phase === 'preparing' ? 0 : 1;
  return (progress.resumedBytes + progress.sentBytes) / progress.totalBytes;
}

/** The facts right of the bar. `retry` is the newest one while it waits. */
export function factsOf(progress: UploadProgress, retry: Retry | undefined): string {
  if (retry !== undefined) return `waiting: ${retry.message} (attempt ${retry.attempt} failed)`;
  switch (progress.phase) {
    case 'preparing':
      return 'preparing';
    case 'sending':
      return isComparing(progress) ? comparingFacts(progress) : sendingFacts(progress);
    case 'merging':
      return progress.merge === undefined ? 'asking for the merge' : mergeFacts(progress.merge);
    case 'waiting':
    case 'paused':
    case 'done':
    case 'failed':
    case 'stopped':
    case 'aborted':
      return progress.phase;
  }
}

/** Before a resumed upload sends, it compares what is on the host with the file. */
function isComparing({ resumedBytes, wireBytes, hashedBytes, totalBytes }: UploadProgress): boolean {
  return resumedBytes > 0 && wireBytes === 0 && hashedBytes < totalBytes;
}

function comparingFacts({ hashedBytes, totalBytes, chunksDone, chunkCount }: UploadProgress): string {
  const compared = `${formatBytes(hashedBytes)} of ${formatBytes(totalBytes)}`;
  return `comparing with the ${chunksDone}/${chunkCount} chunks on the host: ${compared}`;
}

function sendingFacts(progress: UploadProgress): string {
  const { resumedBytes, sentBytes, totalBytes, bytesPerSecond, etaSeconds, chunksDone, chunkCount } = progress;
  return [
    `${formatBytes(resumedBytes + sentBytes)} of ${formatBytes(totalBytes)}`,
    formatRate(bytesPerSecond),
    etaSeconds === undefined ? undefined : `${formatSeconds(etaSeconds)} left`,
    `chunks ${chunksDone}/${chunkCount}`,
  ]
    .filter((fact) => fact !== undefined)
    .join('  ');
}

function mergeFacts({ phase, doneBytes, totalBytes, bytesPerSecond, etaSeconds }: MergeProgress): string {
  return [
    MERGE_WORDS[phase] ?? phase.toLowerCase(),
    totalBytes > 0 && phase !== 'DONE' ? `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}` : undefined,
    bytesPerSecond === null || bytesPerSecond === 0 ? undefined : formatRate(bytesPerSecond),
    etaSeconds === null ? undefined : `${formatSeconds(etaSeconds)} left`,
  ]
    .filter((fact) => fact !== undefined)
    .join('  ');
}

export function percentText(fraction: number): string {
  return `${String(Math.floor(Math.min(1, fraction) * 100)).padStart(3)} %`;
}
