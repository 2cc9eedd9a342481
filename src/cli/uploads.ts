// `longshore status` and `longshore abort`: what is unfinished, and giving it up.

import {
  connectGateway,
  FileSource,
  ProblemError,
  Uploader,
  type FileRef,
  type Gateway,
  type Problem,
  type UploadSummary,
} from '../client/index.js';
import { insideOf, parseDestination, targetsOf, type Destination } from './destination.js';
import { EXIT, UsageError } from './exit-codes.js';
import { formatBytes, formatDate, formatTable } from './format.js';
import { transportOptions, type GatewayOptions } from './gateway-options.js';
import { problemText } from './report.js';
import type { Terminal } from './terminal.js';

export interface StatusOptions extends GatewayOptions {
  readonly host?: string;
  readonly json: boolean;
}

/** Without arguments the caller's unfinished uploads; with FILE and HOST:/PATH how far that one is, where `put` would bring it. */
export async function status(args: readonly string[], options: StatusOptions, terminal: Terminal): Promise<number> {
  const [file, destination] = args;
  if (file === undefined) return await listUploads(options, terminal);
  if (destination === undefined) throw new UsageError('status needs both FILE and HOST:/PATH, or neither');
  return await statusOf(file, parseDestination(destination), options, terminal);
}

const HEAD = ['TARGET', 'ON THE HOST', 'OF', 'PHASE', 'LAST TOUCHED'] as const;

async function listUploads(options: StatusOptions, terminal: Terminal): Promise<number> {
  const { signal } = new AbortController();
  const { items, problems } = await connectGateway(transportOptions(options)).uploads(options.host, signal);
  if (options.json) for (const item of items) terminal.print(JSON.stringify(item));
  else if (items.length === 0 && problems.length === 0) terminal.say('no unfinished uploads');
  else if (items.length > 0) terminal.print(formatTable(HEAD, items.map(rowOf), terminal.columns));
  for (const problem of problems) terminal.say(`longshore: ${problemText(problem)}`);
  return problems.length === 0 ? EXIT.ok : EXIT.failed;
}

function rowOf({ hostId, fullPath, uploadedBytes, size, phase, touchedAt }: UploadSummary): string[] {
  const there = size === 0 ? '0 B' : `${formatBytes(uploadedBytes)} (${Math.floor((uploadedBytes / size) * 100)} %)`;
  return [`${hostId}:${fullPath}`, there, formatBytes(size), phase.toLowerCase(), formatDate(touchedAt)];
}

async function statusOf(path: string, target: Destination, options: StatusOptions, terminal: Terminal): Promise<number> {
  const transport = transportOptions(options);
  const source = await FileSource.open(path);
  try {
    const hashCode = await new Uploader(transport).hashCode(source);
    const gateway = connectGateway(transport);
    const [naming] = targetsOf([path], target);
    const file = { hostId: target.host, fullPath: naming?.path ?? target.path, hashCode };
    const found = await lookAt(gateway, file, source.size).catch(async (refusal: unknown) => {
      const inside = insideOf(file.fullPath, path, refusal);
      if (inside === undefined) throw refusal;
      return await lookAt(gateway, { ...file, fullPath: inside }, source.size);
    });
    const line = 'state' in found ? STATES[found.state] : progressOf(found);
    terminal.print(options.json ? JSON.stringify(found) : line);
    return EXIT.ok;
  } finally {
    await source.close();
  }
}

type State = 'FINISHED' | 'FILE_EXISTS' | 'LOCKED' | 'NOT_BEGUN' | 'OTHER_CONTENT';

const STATES: Readonly<Record<State, string>> = {
  FINISHED: 'finished: this content is at the path',
  FILE_EXISTS: 'not begun; there is a file at the path',
  LOCKED: 'somebody else is uploading to the path',
  NOT_BEGUN: 'not begun',
  OTHER_CONTENT: 'not begun; you have begun another content at the path, or the file has changed since',
};

function progressOf({ uploadedBytes, size, phase }: UploadSummary): string {
  const there = `${formatBytes(uploadedBytes)} of ${formatBytes(size)} are on the host`;
  return phase === 'RECEIVING' ? `unfinished: ${there}; put goes on` : `${phase.toLowerCase()}: ${there}`;
}

/** What is unfinished there, if it is this content, or else what the gateway says of it. */
async function lookAt(
  gateway: Gateway,
  file: FileRef,
  size: number,
): Promise<UploadSummary | (FileRef & { readonly state: State })> {
  const found = await unfinishedAt(gateway, { host: file.hostId, path: file.fullPath });
  const same = found.find(({ hashCode }) => hashCode === file.hashCode);
  if (same !== undefined) return same;
  return { ...file, state: found.length > 0 ? 'OTHER_CONTENT' : await askStatus(gateway, file, size) };
}

/** `uploadStatus` also claims the target when it is free; we only look, so a claim that came of it is given back. */
async function askStatus(gateway: Gateway, file: FileRef, size: number): Promise<State> {
  const { signal } = new AbortController();
  const answer = await gateway.uploadStatus(file, { size, ifExists: 'ASK', takeOver: false }, signal);
  switch (answer.__typename) {
    case 'UploadFinished':
      return 'FINISHED';
    case 'FileExists':
      return 'FILE_EXISTS';
    case 'UploadLocked':
      return 'LOCKED';
    case 'UploadReady':
      await gateway.abortUpload(file, signal);
      return 'NOT_BEGUN';
    case 'UploadResumable':
      return 'NOT_BEGUN'; // Begun in this very moment by another process of the same person: theirs to go on.
    default:
      throw new ProblemError(answer);
  }
}

export interface AbortOptions extends GatewayOptions {
  readonly hash?: string;
  readonly json: boolean;
}

/** Gives up the caller's unfinished uploads at each path; their chunks are removed from the host. */
export async function abort(destinations: readonly string[], options: AbortOptions, terminal: Terminal): Promise<number> {
  const gateway = connectGateway(transportOptions(options));
  let exitCode: number = EXIT.ok;
  for (const target of destinations.map(parseDestination)) {
    const found = await unfinishedAt(gateway, target);
    const chosen = found.filter(({ hashCode }) => options.hash === undefined || hashCode === options.hash);
    if (chosen.length === 0) {
      terminal.say(`longshore: no unfinished upload of yours at ${target.host}:${target.path}`);
      exitCode = EXIT.failed;
    }
    for (const item of chosen) await abortOne(gateway, item, options, terminal);
  }
  return exitCode;
}

async function abortOne(gateway: Gateway, item: UploadSummary, { json }: AbortOptions, terminal: Terminal): Promise<void> {
  const { hostId, fullPath, hashCode } = item;
  const answer = await gateway.abortUpload({ hostId, fullPath, hashCode }, new AbortController().signal);
  if (answer.__typename !== 'UploadAborted' && answer.__typename !== 'UploadFinished') throw new ProblemError(answer);
  const isAborted = answer.__typename === 'UploadAborted';
  const line = isAborted ? 'aborted; its chunks are removed' : 'too late: it is finished';
  terminal.print(json ? JSON.stringify({ ...item, aborted: isAborted }) : `${hostId}:${fullPath}  ${line}`);
}

/** The caller's unfinished uploads at exactly this path. A host that can't be asked is a failure here. */
async function unfinishedAt(gateway: Gateway, { host, path }: Destination): Promise<readonly UploadSummary[]> {
  const { items, problems } = await gateway.uploads(host, new AbortController().signal);
  const [problem]: readonly Problem[] = problems;
  if (problem !== undefined) throw new ProblemError(problem);
  return items.filter(({ fullPath }) => fullPath === path);
}
