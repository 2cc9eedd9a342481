// The state of an upload, or of all together, in one line that fits.

import type { MergeProgress, Retry, Upload, UploadProgress } from '../client/index.js';
import { formatBytes, formatLeft, formatRate } from './format.js';
import { shortenTo, widthOf } from './letters.js';
import type { Total } from './tally.js';

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

const OVER: readonly string[] = ['DONE', 'FAILED', 'ABORTED'];

const WIDE_BAR = 24;
const NARROW_BAR = 10;
const MIN_NAME = 8;

/** `film.mov  ████░░  41 %  41.0 MiB of 100 MiB  …`: with less room first the facts go, then the bar, then parts of the name. */
export function progressLine(
  { name, progress }: Pick<Upload, 'name' | 'progress'>,
  retry: Retry | undefined,
  columns: number,
): string {
  const state = { fraction: fractionOf(progress), percent: percentOf(progress) };
  if (retry === undefined) return line(name, state, factsOf(progress), columns);
  return `${line(name, state, [], columns)}  waiting: ${retry.message} (attempt ${retry.attempt} failed)`;
}

/** `3 of 340 files  ██░░  …`, with `340+` as long as more are being found. */
export function totalLine(total: Total, columns: number): string {
  const { files, isComplete, filesOver, bytesOver, totalBytes, bytesPerSecond } = total;
  const fraction = totalBytes === 0 ? 0 : bytesOver / totalBytes;
  const facts = [`${formatBytes(bytesOver)} of ${formatBytes(totalBytes)}`];
  if (bytesPerSecond > 0) facts.push(formatRate(bytesPerSecond));
  const leftSeconds = (totalBytes - bytesOver) / bytesPerSecond;
  if (isComplete && leftSeconds > 0 && Number.isFinite(leftSeconds)) facts.push(formatLeft(leftSeconds));
  return line(
    `${filesOver} of ${files}${isComplete ? '' : '+'} files`,
    { fraction, percent: percentText(fraction) },
    facts,
    columns,
  );
}

interface State {
  readonly fraction: number;
  readonly percent: string;
}

function line(name: string, { fraction, percent }: State, facts: readonly string[], columns: number): string {
  const cells = columns >= 100 ? WIDE_BAR : columns >= 40 ? NARROW_BAR : 0;
  const bar = cells === 0 ? '' : `${'█'.repeat(Math.floor(fraction * cells)).padEnd(cells, '░')} `;
  const state = `${bar}${percent}`.trimEnd();
  const nameColumns = Math.max(MIN_NAME, Math.min(widthOf(name), Math.floor((columns - state.length - 2) / 2)));
  let text = `${shortenTo(nameColumns, name)}  ${state}`;
  for (const fact of facts) {
    if (widthOf(text) + 2 + fact.length > columns) break;
    text += `  ${fact}`;
  }
  return text;
}

/** What is on the host or on its way, 0 … 1. Once all is, the host's work has a percentage of its own. */
function fractionOf(progress: UploadProgress): number {
  if (progress.totalBytes === 0) return progress.phase === 'preparing' ? 0 : 1;
  return Math.min(1, (progress.resumedBytes + progress.sentBytes) / progress.totalBytes);
}

/** Of what is sent; empty once all is. */
function percentOf(progress: UploadProgress): string {
  return progress.phase === 'merging' ? '' : percentText(fractionOf(progress));
}

/** The same without a bar. */
export function progressText(progress: UploadProgress): string {
  return [percentOf(progress).trim(), ...factsOf(progress)].filter((fact) => fact !== '').join('  ');
}

/** The facts right of the bar, what matters most first. */
function factsOf(progress: UploadProgress): readonly string[] {
  switch (progress.phase) {
    case 'preparing':
      return ['preparing'];
    case 'sending':
      return isComparing(progress) ? comparingFacts(progress) : sendingFacts(progress);
    case 'merging':
      return progress.merge === undefined ? ['sent; asking for the merge'] : mergeFacts(progress.merge);
    case 'waiting':
    case 'paused':
    case 'done':
    case 'failed':
    case 'stopped':
    case 'aborted':
      return [progress.phase];
  }
}

/** Before a resumed upload sends, it compares what is on the host with the file. */
function isComparing({ resumedBytes, wireBytes, hashedBytes, totalBytes }: UploadProgress): boolean {
  return resumedBytes > 0 && wireBytes === 0 && hashedBytes < totalBytes;
}

function comparingFacts({ hashedBytes, totalBytes, chunksDone, chunkCount }: UploadProgress): readonly string[] {
  return [
    `comparing with the ${chunksDone}/${chunkCount} chunks on the host`,
    `${formatBytes(hashedBytes)} of ${formatBytes(totalBytes)}`,
  ];
}

function sendingFacts(progress: UploadProgress): readonly string[] {
  const { resumedBytes, sentBytes, totalBytes, bytesPerSecond, etaSeconds, chunksDone, chunkCount } = progress;
  return [
    `${formatBytes(resumedBytes + sentBytes)} of ${formatBytes(totalBytes)}`,
    bytesPerSecond > 0 ? formatRate(bytesPerSecond) : undefined,
    etaSeconds === undefined ? undefined : formatLeft(etaSeconds),
    `chunks ${chunksDone}/${chunkCount}`,
  ].filter((fact) => fact !== undefined);
}

/** Only what is read or copied moves with its bytes. */
function mergeFacts({ phase, percent, bytesPerSecond, etaSeconds }: MergeProgress): readonly string[] {
  const state = MERGE_WORDS[phase] ?? phase.toLowerCase();
  const words = OVER.includes(phase) ? state : `sent; ${state}`;
  if (phase !== 'ASSEMBLING' && phase !== 'VERIFYING') return [words];
  return [
    `${words} ${percentText(percent / 100).trim()}`,
    bytesPerSecond === null || bytesPerSecond === 0 ? undefined : formatRate(bytesPerSecond),
    etaSeconds === null || etaSeconds === 0 ? undefined : formatLeft(etaSeconds),
  ].filter((fact) => fact !== undefined);
}

function percentText(fraction: number): string {
  return `${String(Math.floor(Math.min(1, fraction) * 100)).padStart(3)} %`;
}
