// What `put` says of a file's end, and of all in the end.

import { describeError, ProblemError, SourceChangedError, UploadError } from '../client/errors.js';
import type { UploadProgress, UploadResult } from '../client/index.js';
import { formatBytes, formatDuration, formatRate } from './format.js';
import type { Counts } from './tally.js';

/** One line: path, size, digest, proof, time and rate, what was there. */
export function doneText(target: string, result: UploadResult): string {
  const seconds = result.durationMs / 1_000;
  const facts = [
    formatBytes(result.size),
    result.digest ?? 'digest unknown',
    result.proved ? 'proved on the host' : 'not proved on the host (each chunk was verified on its way in)',
    ...(result.alreadyThere
      ? ['it was there already']
      : [
          paceText(seconds, result.wireBytes),
          ...(result.resumedBytes > 0 ? [`${formatBytes(result.resumedBytes)} were there already`] : []),
        ]),
  ];
  return `${target}  ${facts.join('  ')}`;
}

/** Where nothing had to be sent there was no rate. */
function paceText(seconds: number, wireBytes: number): string {
  const duration = formatDuration(seconds);
  return wireBytes === 0 ? duration : `${duration} at ${formatRate(wireBytes / Math.max(seconds, 0.001))}`;
}

/** What went wrong, and what can be done about it. */
export function failureText(name: string, error: unknown): string {
  // Node's errors of the file system end with the call and the path, which has been named.
  const text = textOf(error).replace(/^[A-Z]+: (.+), \w+( '.*')?$/, '$1');
  const isNamed = text.startsWith(`${name} `);
  return `longshore: ${isNamed ? '' : `${name}: `}${text}${hint(error)}`;
}

/** What went wrong where no file is spoken of. */
export function textOf(error: unknown): string {
  if (isOwnLock(error))
    return 'your unfinished upload to this path is of other content, such as an earlier version of this file';
  return error instanceof UploadError ? problemText(error) : describeError(error);
}

export function problemText({ code, message }: { readonly code: string; readonly message: string }): string {
  return code === 'HOST_UNKNOWN' ? `${message} (longshore hosts lists them)` : message;
}

function isOwnLock(error: unknown): boolean {
  return error instanceof ProblemError && error.problem.__typename === 'UploadLocked' && error.problem.mine;
}

function hint(error: unknown): string {
  if (!(error instanceof UploadError)) return '';
  switch (error.code) {
    case 'FILE_EXISTS':
      return '\n  --if-exists replace overwrites it, --if-exists skip leaves it';
    case 'UPLOAD_LOCKED':
      return isOwnLock(error) ? '\n  --take-over begins anew' : '';
    case 'SOURCE_CHANGED': {
      const isAnother = !(error instanceof SourceChangedError) || !error.looksLikeBegun;
      if (isAnother) return '\n  what was sent is of its earlier version: the same command with --take-over begins anew';
      return '\n  longshore abort gives up what was begun; then the same command begins anew';
    }
    case 'GAVE_UP':
      return '\n  run the same command to go on';
    default:
      return '';
  }
}

export function stoppedText(progress: UploadProgress | undefined): string {
  if (progress === undefined || progress.chunkCount === 0) return 'stopped before anything was sent';
  const there = `${progress.chunksDone} of ${progress.chunkCount} chunks are on the host`;
  if (progress.merge === undefined) return `stopped: ${there}; run the same command to go on`;
  return `stopped: ${there} and the merge goes on without us; run the same command to see its end`;
}

/** So many of those that failed are named once more; all were told when it happened. */
const NAMED_FAILURES = 5;

/** The last line about several files. `isCut`: not all of them were tried. */
export function summaryText(counts: Counts, seconds: number, isCut: boolean): string {
  const { done, doneBytes, alreadyThere, kept, failed, wireBytes } = counts;
  const all = `${counts.files}${counts.isComplete ? '' : ' or more'}`;
  const facts = [
    `${isCut ? `${done} of ${all} files` : filesOf(done)}, ${formatBytes(doneBytes)}`,
    paceText(seconds, wireBytes),
    alreadyThere > 0 ? `${alreadyThere} were there already` : undefined,
    kept > 0 ? `${kept} kept as they were on the host` : undefined,
    leftText(counts),
    failedText(failed),
    isCut ? 'run the same command to go on' : undefined,
  ];
  return `${isCut ? 'stopped: ' : ''}${facts.filter((fact) => fact !== undefined).join('; ')}`;
}

function filesOf(count: number): string {
  return count === 1 ? '1 file' : `${count} files`;
}

function leftText({ links, specialFiles }: Counts): string | undefined {
  const parts = [
    links > 0 ? `${links} ${links === 1 ? 'link' : 'links'}` : undefined,
    specialFiles > 0 ? `${specialFiles} special ${specialFiles === 1 ? 'file' : 'files'}` : undefined,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? undefined : `left out: ${parts.join(', ')}`;
}

function failedText(failed: readonly string[]): string | undefined {
  if (failed.length === 0) return undefined;
  const more = failed.length - NAMED_FAILURES;
  const names = failed.slice(0, NAMED_FAILURES).join(', ');
  return `${failed.length} failed: ${names}${more > 0 ? ` and ${more} more` : ''}`;
}
