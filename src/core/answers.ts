// What the services answer. `kind` is the name of the GraphQL type; times are epoch milliseconds; absent is undefined.
import type {
  ChunkRange,
  ChunksMissing,
  DigestMismatch,
  FileExists,
  Problem,
  Refused,
  TryAgainLater,
  UploadLocked,
} from './problems.js';
import type { MergePhase, MergeProgress, MergeStrategy } from './progress.js';

export type HostCapability =
  'RANDOM_WRITE' | 'COPY_DATA' | 'COMMAND' | 'HARD_LINK' | 'POSIX_RENAME' | 'FSYNC' | 'SPACE' | 'HASH_COMMAND';

export interface HostAnswer {
  readonly id: string;
  readonly name: string;
  readonly roots: readonly string[];
  readonly reachable: boolean;
  readonly strategy?: MergeStrategy;
  readonly capabilities: readonly HostCapability[];
  readonly freeBytes?: number;
}

export interface UploadReady {
  readonly kind: 'UploadReady';
  readonly claimedUntil: number;
  readonly chunkSize: number;
  readonly chunkCount: number;
}

export interface UploadResumable {
  readonly kind: 'UploadResumable';
  readonly claimedUntil: number;
  readonly chunkSize: number;
  readonly chunkCount: number;
  readonly uploadedBytes: number;
  readonly uploadedCount: number;
}

export interface UploadFinished {
  readonly kind: 'UploadFinished';
  readonly finishedAt: number;
  readonly size: number;
  /** `sha256:<hex>` or `md5:<hex>`, when a hash of the whole content is known. */
  readonly contentDigest?: string;
  readonly proved: boolean;
}

export interface UploadAborted {
  readonly kind: 'UploadAborted';
  readonly abortedAt: number;
}

export interface StoredChunk {
  readonly index: number;
  /** SHA-256, lower-case hex. */
  readonly digest: string;
}

export interface DirInfo {
  readonly kind: 'DirInfo';
  /** Of the target. */
  readonly name: string;
  /** Path of the staging directory. */
  readonly dir: string;
  readonly dirHashCode: string;
  readonly size: number;
  readonly chunkSize: number;
  readonly chunkCount: number;
  readonly uploadedBytes: number;
  readonly uploadedCount: number;
  readonly chunkList: readonly number[];
  /** At most `first` chunks whose index is greater than `after`, ascending. */
  readonly chunks: (page: { readonly first: number; readonly after: number }) => readonly StoredChunk[];
  readonly missing: readonly ChunkRange[];
  readonly strategy: MergeStrategy;
}

export interface ChunkStored {
  readonly kind: 'ChunkStored';
  readonly index: number;
  readonly digest: string;
  readonly alreadyStored: boolean;
  readonly uploadedBytes: number;
  readonly uploadedCount: number;
}

export interface MergeStarted {
  readonly kind: 'MergeStarted';
  readonly progress: MergeProgress;
}

export interface UploadSummary {
  readonly hostId: string;
  readonly fullPath: string;
  readonly hashCode: string;
  readonly size: number;
  readonly uploadedBytes: number;
  readonly phase: MergePhase;
  readonly beganAt: number;
  readonly touchedAt: number;
}

export interface UploadPage {
  readonly items: readonly UploadSummary[];
  readonly nextAfter?: string;
  readonly problems: readonly Problem[];
}

export type UploadStatusAnswer =
  UploadReady | UploadResumable | UploadFinished | FileExists | UploadLocked | TryAgainLater | Refused;
export type DirInfoAnswer = DirInfo | UploadFinished | UploadLocked | TryAgainLater | Refused;
export type UploadChunkAnswer = ChunkStored | UploadFinished | DigestMismatch | UploadLocked | TryAgainLater | Refused;
export type MergeFileAnswer = MergeStarted | ChunksMissing | FileExists | UploadLocked | TryAgainLater | Refused;
export type AbortUploadAnswer = UploadAborted | UploadFinished | UploadLocked | TryAgainLater | Refused;

export type IfExists = 'ASK' | 'REPLACE';

/** The authenticated caller. */
export interface Caller {
  readonly person: string;
  readonly groups: readonly string[];
  /** `fileKey` of the one upload that an upload ticket is good for; undefined: the caller showed who it is just now. */
  readonly ticketFor?: string;
  /** The request it asks with, for the audit. */
  readonly request?: { readonly id: string; readonly address?: string };
}

/** As it came from the client, not yet checked. */
export interface FileRefInput {
  readonly hostId: string;
  readonly fullPath: string;
  readonly hashCode: string;
}

export interface UploadStatusInput {
  readonly file: FileRefInput;
  readonly size: number;
  readonly chunkSize?: number;
  readonly ifExists: IfExists;
  readonly ifMatch?: string;
  readonly takeOver: boolean;
}

export interface UploadChunkInput {
  readonly file: FileRefInput;
  readonly index: number;
  /** SHA-256, lower-case hex. */
  readonly digest?: string;
  readonly pieces: AsyncIterable<Uint8Array>;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
}

export interface MergeFileInput {
  readonly file: FileRefInput;
  readonly chunkCount: number;
  readonly digest?: string;
  readonly ifExists: IfExists;
  readonly ifMatch?: string;
}

export interface UploadsInput {
  readonly hostId?: string;
  readonly first: number;
  readonly after?: string;
}

/**
 * Everything a caller can ask of Longshore; the edges speak to this alone. Answers hold every expected refusal; thrown are
 * `InputError` (the program's mistake, before anything was touched) and what nobody expected.
 */
export interface Longshore {
  hosts(caller: Caller): Promise<readonly HostAnswer[]>;
  uploadStatus(caller: Caller, input: UploadStatusInput): Promise<UploadStatusAnswer>;
  dirInfo(caller: Caller, file: FileRefInput): Promise<DirInfoAnswer>;
  uploads(caller: Caller, input: UploadsInput): Promise<UploadPage>;
  /** Reads `pieces` to their end only when the bytes are wanted; the edge disposes of the rest. */
  uploadChunk(caller: Caller, input: UploadChunkInput): Promise<UploadChunkAnswer>;
  mergeFile(caller: Caller, input: MergeFileInput): Promise<MergeFileAnswer>;
  abortUpload(caller: Caller, file: FileRefInput): Promise<AbortUploadAnswer>;
  /** The present state at once, then newer ones, latest wins; ends after a terminal one, or at once when its iterator returns. */
  mergeProgress(caller: Caller, file: FileRefInput): AsyncIterable<MergeProgress>;
}
