// `longshore put`: local files to a path on a host.

import WebSocket from 'ws';
import {
  describeError,
  FileSource,
  ProblemError,
  StoppedError,
  Uploader,
  UploadError,
  type ExistsDecision,
  type FileExists,
  type Upload,
  type UploadProgress,
  type UploadResult,
} from '../client/index.js';
import { parseDestination, targetsOf } from './destination.js';
import { showBar, showJson, showLines, type Display } from './display.js';
import { EXIT, exitCodeOf, UsageError } from './exit-codes.js';
import { formatBytes, formatDuration, formatRate, parseSize } from './format.js';
import { transportOptions, type GatewayOptions } from './gateway-options.js';
import { onInterrupt, type Terminal } from './terminal.js';

export interface PutOptions extends GatewayOptions {
  readonly ifExists: 'ask' | 'replace' | 'skip';
  readonly parallel: string;
  readonly chunkSize?: string;
  readonly takeOver: boolean;
  readonly json: boolean;
}

interface Job {
  readonly uploader: Uploader;
  readonly file: string;
  readonly host: string;
  readonly path: string;
  readonly chunkSize: number | undefined;
  readonly options: PutOptions;
  readonly terminal: Terminal;
}

const MAX_PARALLEL = 64;

/** One file after the other; a file that fails doesn't keep the next from being sent. Returns the exit code of the first failure. */
export async function put(paths: readonly string[], options: PutOptions, terminal: Terminal): Promise<number> {
  const last = paths.at(-1);
  if (last === undefined || paths.length < 2) throw new UsageError('put needs at least one file and HOST:/PATH');
  const { host, path } = parseDestination(last);
  const targets = targetsOf(paths.slice(0, -1), { host, path });
  const parallel = Number(options.parallel);
  if (!Number.isInteger(parallel) || parallel < 1 || parallel > MAX_PARALLEL) {
    throw new UsageError(`--parallel must be 1 … ${MAX_PARALLEL}, not "${options.parallel}"`);
  }
  const chunkSize = options.chunkSize === undefined ? undefined : parseSize(options.chunkSize);
  if (options.chunkSize !== undefined && chunkSize === undefined) {
    throw new UsageError(`--chunk-size must be a size like 10MiB, not "${options.chunkSize}"`);
  }
  const uploader = new Uploader({ ...transportOptions(options), parallel, webSocket: WebSocket });

  let exitCode: number = EXIT.ok;
  for (const target of targets) {
    const code = await putOne({ uploader, ...target, host, chunkSize, options, terminal });
    if (exitCode === EXIT.ok) exitCode = code;
    // The others would meet the same: the person has had enough, or nobody is there.
    if (code === EXIT.interrupted || code === EXIT.unreachable) return code;
  }
  return exitCode;
}

async function putOne(job: Job): Promise<number> {
  let source: FileSource;
  try {
    source = await FileSource.open(job.file);
  } catch (error) {
    return reportFailure(job, error, undefined);
  }
  try {
    return await send(job, source);
  } finally {
    await source.close();
  }
}

async function send(job: Job, source: FileSource): Promise<number> {
  const { uploader, host, path, chunkSize, options, terminal } = job;
  const asking = new AbortController();
  const upload = uploader.upload(source, {
    host,
    path,
    chunkSize,
    takeOver: options.takeOver,
    ifExists: options.ifExists === 'replace' ? 'replace' : 'ask',
    onFileExists: async (existing) => {
      display.pause();
      const decision = await decide(job, existing, asking.signal);
      display.resume();
      return decision;
    },
  });
  const release = onInterrupt(() => {
    upload.stop();
    asking.abort(new StoppedError());
  }, EXIT.interrupted);
  const display = show(job, upload, source.name);
  try {
    const result = await upload.done;
    display.end();
    terminal.print(options.json ? JSON.stringify({ event: 'done', host, path, ...result }) : summary(job, result));
    return EXIT.ok;
  } catch (error) {
    display.end();
    return reportFailure(job, error, upload.progress);
  } finally {
    release();
  }
}

function show({ options, host, path, terminal }: Job, upload: Upload, name: string): Display {
  if (options.json) return showJson(upload, { host, path }, terminal);
  return terminal.screen === undefined ? showLines(upload, name, terminal) : showBar(upload, name, terminal.screen);
}

async function decide(
  { options, host, path, terminal }: Job,
  existing: FileExists,
  signal: AbortSignal,
): Promise<ExistsDecision> {
  if (options.ifExists !== 'ask' || options.json || terminal.ask === undefined) return 'keep';
  const facts = `${formatBytes(existing.size)}, changed ${new Date(existing.modifiedAt).toLocaleString()}`;
  const answer = await terminal.ask(`${host}:${path} is there already (${facts}). Replace it? [y/N] `, signal);
  return /^y(es)?$/i.test(answer.trim()) ? 'replace' : 'keep';
}

function summary({ host, path }: Job, result: UploadResult): string {
  const seconds = result.durationMs / 1_000;
  const facts = [
    formatBytes(result.size),
    result.digest ?? 'digest unknown',
    result.proved ? 'proved on the host' : 'not proved on the host (each chunk was verified on its way in)',
    ...(result.alreadyThere
      ? ['it was there already']
      : [
          `${formatDuration(seconds)} at ${formatRate(result.wireBytes / Math.max(seconds, 0.001))}`,
          ...(result.resumedBytes > 0 ? [`${formatBytes(result.resumedBytes)} were there already`] : []),
        ]),
  ];
  return `${host}:${path}  ${facts.join('  ')}`;
}

/** Says what went wrong and what can be done; returns the exit code. */
function reportFailure(job: Job, error: unknown, progress: UploadProgress | undefined): number {
  const { options, host, path, file, terminal } = job;
  const isSkipped = options.ifExists === 'skip' && error instanceof UploadError && error.code === 'FILE_EXISTS';
  const exitCode = isSkipped ? EXIT.ok : exitCodeOf(error);
  if (options.json) {
    const { code, resumable } = error instanceof UploadError ? error : { code: 'FAILED', resumable: true };
    const event = isSkipped ? 'skipped' : exitCode === EXIT.interrupted ? 'stopped' : 'failed';
    const { chunksDone = 0, chunkCount = 0 } = progress ?? {};
    const facts = { code, message: describeError(error), resumable, exitCode, chunksDone, chunkCount };
    terminal.print(JSON.stringify({ event, host, path, ...facts }));
    return exitCode;
  }
  if (isSkipped) terminal.say(`${host}:${path} is there already: skipped`);
  else if (error instanceof StoppedError) terminal.say(stoppedText(progress));
  else terminal.say(`longshore: ${file}: ${describeError(error)}${hint(error)}`);
  return exitCode;
}

function stoppedText(progress: UploadProgress | undefined): string {
  if (progress === undefined || progress.chunkCount === 0) return 'stopped before anything was sent';
  const there = `${progress.chunksDone} of ${progress.chunkCount} chunks are on the host`;
  if (progress.merge === undefined) return `stopped: ${there}; run the same command to go on`;
  return `stopped: ${there} and the merge goes on without us; run the same command to see its end`;
}

function hint(error: unknown): string {
  if (!(error instanceof UploadError)) return '';
  switch (error.code) {
    case 'FILE_EXISTS':
      return '\n  --if-exists replace overwrites it, --if-exists skip leaves it';
    case 'UPLOAD_LOCKED': {
      const mine = error instanceof ProblemError && error.problem.__typename === 'UploadLocked' && error.problem.mine;
      return mine ? '\n  it is your own upload of another content: --take-over replaces that' : '';
    }
    case 'INVALID_TARGET':
      return '\n  to put it into a directory, end the path with /';
    case 'GAVE_UP':
      return '\n  run the same command to go on';
    default:
      return '';
  }
}
