import type { Problem } from './problems.js';

export type MergePhase = 'RECEIVING' | 'QUEUED' | 'ASSEMBLING' | 'VERIFYING' | 'PUBLISHING' | 'DONE' | 'FAILED' | 'ABORTED';

export type MergeStrategy = 'IN_PLACE' | 'COPY_DATA' | 'COMMAND' | 'RELAY';

/** A state of one upload's way to its target, as every viewer sees it. Bytes are those of the phase; times are epoch ms. */
export interface MergeProgress {
  readonly phase: MergePhase;
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** 0 … 100, of the phase. */
  readonly percent: number;
  readonly bytesPerSecond?: number;
  readonly etaSeconds?: number;
  readonly strategy?: MergeStrategy;
  /** Digest of the whole content as the host proved it: `sha256:<hex>` or `md5:<hex>`. */
  readonly digest?: string;
  readonly proved: boolean;
  readonly problem?: Problem;
  readonly updatedAt: number;
}

const TERMINAL: readonly MergePhase[] = ['DONE', 'FAILED', 'ABORTED'];

export function isTerminal(progress: MergeProgress): boolean {
  return TERMINAL.includes(progress.phase);
}

/** Whether a merge was asked for and has not ended. */
export function isMerging(progress: MergeProgress): boolean {
  return progress.phase !== 'RECEIVING' && !isTerminal(progress);
}

/** Percent of a phase. A phase of zero bytes counts as complete. */
export function percentOf(doneBytes: number, totalBytes: number): number {
  if (totalBytes <= 0) return 100;
  return Math.min(100, (doneBytes / totalBytes) * 100);
}

/** A state in which nothing is proved yet. */
export function unproved(
  state: Pick<MergeProgress, 'phase' | 'doneBytes' | 'totalBytes' | 'updatedAt'> & Partial<MergeProgress>,
): MergeProgress {
  const isUnderWay = state.phase === 'RECEIVING';
  return { percent: isUnderWay ? percentOf(state.doneBytes, state.totalBytes) : 0, proved: false, ...state };
}
