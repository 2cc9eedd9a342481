// The schema's operations as functions. Here answers from the network become types, once: an unknown problem becomes
// `TryAgainLater` or `Refused` by its `retryable`, as the schema asks of clients.

import { GatewayError } from './errors.js';
import type { FilePart } from './multipart.js';
import * as op from './operations.js';
import { isRecord, type Ticket, type Transport } from './transport.js';

const UPLOADS_PER_PAGE = 100;

export interface StatusOptions {
  /** Bytes of the content. */
  readonly size: number;
  /** Wish, in bytes. */
  readonly chunkSize?: number | undefined;
  readonly ifExists: op.IfExists;
  readonly ifMatch?: string | undefined;
  readonly takeOver: boolean;
}

export interface ChunkOptions {
  readonly index: number;
  /** SHA-256, lower-case hex. */
  readonly digest: string;
  readonly chunk: FilePart;
  readonly onBytesSent: (bytes: number) => void;
  readonly signal: AbortSignal;
  /** What `uploadStatus` gave. */
  readonly ticket?: Ticket | undefined;
}

export interface MergeOptions {
  readonly chunkCount: number;
  /** `sha256:<hex>` of the whole content. */
  readonly digest: string;
  readonly ifExists: op.IfExists;
  readonly ifMatch?: string | undefined;
}

/** One attempt each; errors are those of `Transport`. Every call may be repeated: the same call gives the same result. */
export class Gateway {
  readonly transport: Transport;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  async hosts(signal: AbortSignal): Promise<readonly op.HostInfo[]> {
    const data = await this.transport.request(op.HOSTS, {}, signal);
    return member(data, 'hosts') as unknown as readonly op.HostInfo[];
  }

  /** All of the caller's unfinished uploads, page by page; on one host when `hostId` is given. */
  async uploads(
    hostId: string | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly items: readonly op.UploadSummary[]; readonly problems: readonly op.Problem[] }> {
    const items: op.UploadSummary[] = [];
    const problems: op.Problem[] = [];
    let after: string | null = null;
    do {
      const data = await this.transport.request(op.UPLOADS, { hostId, first: UPLOADS_PER_PAGE, after }, signal);
      const page = member(data, 'uploads') as unknown as op.UploadPage;
      items.push(...page.items);
      problems.push(...page.problems);
      after = page.nextAfter;
    } while (after !== null);
    return { items, problems };
  }

  async uploadStatus(file: op.FileRef, options: StatusOptions, signal: AbortSignal): Promise<op.UploadStatusAnswer> {
    const data = await this.transport.request(op.UPLOAD_STATUS, { file, ...options }, signal);
    return understand<op.UploadStatusAnswer>(data, [
      'UploadReady',
      'UploadResumable',
      'UploadFinished',
      'FileExists',
      'UploadLocked',
    ]);
  }

  /** With at most `first` stored chunks after index `after`. */
  async dirInfo(
    file: op.FileRef,
    page: { readonly first: number; readonly after: number },
    signal: AbortSignal,
    ticket?: Ticket,
  ): Promise<op.DirInfoAnswer> {
    const data = await this.transport.request(op.DIR_INFO, { file, ...page }, signal, ticket);
    return understand<op.DirInfoAnswer>(data, ['DirInfo', 'UploadFinished', 'UploadLocked']);
  }

  async uploadChunk(file: op.FileRef, options: ChunkOptions): Promise<op.UploadChunkAnswer> {
    const { index, digest, chunk, onBytesSent, signal, ticket } = options;
    const upload = { fileVariable: 'chunk', file: chunk, onFileBytes: onBytesSent, signal, ticket };
    const data = await this.transport.upload(op.UPLOAD_CHUNK, { file, index, digest }, upload);
    return understand<op.UploadChunkAnswer>(data, ['ChunkStored', 'UploadFinished', 'DigestMismatch', 'UploadLocked']);
  }

  async mergeFile(file: op.FileRef, options: MergeOptions, signal: AbortSignal): Promise<op.MergeFileAnswer> {
    const data = await this.transport.request(op.MERGE_FILE, { file, ...options }, signal);
    return understand<op.MergeFileAnswer>(data, ['MergeStarted', 'ChunksMissing', 'FileExists', 'UploadLocked']);
  }

  async abortUpload(file: op.FileRef, signal: AbortSignal): Promise<op.AbortUploadAnswer> {
    const data = await this.transport.request(op.ABORT_UPLOAD, { file }, signal);
    return understand<op.AbortUploadAnswer>(data, ['UploadAborted', 'UploadFinished', 'UploadLocked']);
  }
}

/**
 * The `answer` of an operation, as one of the `known` types (besides `TryAgainLater` and `Refused`). The gateway's schema
 * vouches for the fields of a type it names, so they are not checked one by one.
 */
function understand<Answer extends { readonly __typename: string }>(
  data: unknown,
  known: readonly Answer['__typename'][],
): Answer | op.TryAgainLater | op.Refused {
  const answer = member(data, 'answer');
  const typename = answer['__typename'];
  if (['TryAgainLater', 'Refused', ...known].some((name) => name === typename)) return answer as unknown as Answer;
  const { code, message, retryable } = answer;
  if (typeof code !== 'string' || typeof message !== 'string') {
    throw new GatewayError('NOT_UNDERSTOOD', `the gateway answered ${String(typename)}, which this version doesn't know`, {
      retryable: false,
    });
  }
  return { __typename: retryable === true ? 'TryAgainLater' : 'Refused', code, message, retryable: retryable === true };
}

function member(data: unknown, name: string): Record<string, unknown> {
  const value = isRecord(data) ? data[name] : undefined;
  if (!isRecord(value)) throw new GatewayError('NOT_UNDERSTOOD', `the gateway's answer has no "${name}"`, { retryable: false });
  return value;
}
