// The GraphQL documents this client sends and the answers it understands. Every selection has `__typename` and the catch-all
// `... on Problem`, so that problems and enum values of later versions are survived: see `understand`.

export interface FileRef {
  readonly hostId: string;
  readonly fullPath: string;
  readonly hashCode: string;
}

export type IfExists = 'ASK' | 'REPLACE';

interface ProblemFacts<Typename extends string> {
  readonly __typename: Typename;
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
}

export interface FileExists extends ProblemFacts<'FileExists'> {
  readonly size: number;
  /** ISO 8601. */
  readonly modifiedAt: string;
  readonly etag: string;
}

export interface UploadLocked extends ProblemFacts<'UploadLocked'> {
  readonly holder: string;
  readonly mine: boolean;
  readonly since: string;
  readonly until: string;
}

/** First and last chunk, both included, counted from 1. */
export interface ChunkRange {
  readonly first: number;
  readonly last: number;
}

export interface ChunksMissing extends ProblemFacts<'ChunksMissing'> {
  readonly ranges: readonly ChunkRange[];
  readonly missingCount: number;
}

export interface DigestMismatch extends ProblemFacts<'DigestMismatch'> {
  readonly index: number;
  readonly expected: string;
  readonly actual: string;
}

export interface TryAgainLater extends ProblemFacts<'TryAgainLater'> {
  /** Absent for a retryable problem this client doesn't know. */
  readonly retryAfterMs?: number;
}

export type Refused = ProblemFacts<'Refused'>;

export type Problem = FileExists | UploadLocked | ChunksMissing | DigestMismatch | TryAgainLater | Refused;

export interface UploadReady {
  readonly __typename: 'UploadReady';
  readonly claimedUntil: string;
  readonly chunkSize: number;
  readonly chunkCount: number;
  /** Good in place of a token for the chunks of this upload; `null` where no token is needed. */
  readonly ticket: string | null;
}

export interface UploadResumable {
  readonly __typename: 'UploadResumable';
  readonly claimedUntil: string;
  readonly chunkSize: number;
  readonly chunkCount: number;
  readonly uploadedBytes: number;
  readonly uploadedCount: number;
  readonly ticket: string | null;
}

export interface UploadFinished {
  readonly __typename: 'UploadFinished';
  readonly finishedAt: string;
  readonly size: number;
  readonly contentDigest: string | null;
  readonly proved: boolean;
}

export interface StoredChunk {
  readonly index: number;
  readonly digest: string;
}

export interface DirInfo {
  readonly __typename: 'DirInfo';
  readonly size: number;
  readonly chunkSize: number;
  readonly chunkCount: number;
  readonly uploadedBytes: number;
  readonly uploadedCount: number;
  readonly strategy: string;
  readonly chunks: readonly StoredChunk[];
}

export interface ChunkStored {
  readonly __typename: 'ChunkStored';
  readonly index: number;
  readonly digest: string;
  readonly alreadyStored: boolean;
  readonly uploadedBytes: number;
  readonly uploadedCount: number;
}

export interface MergeProgress {
  /** RECEIVING QUEUED ASSEMBLING VERIFYING PUBLISHING DONE FAILED ABORTED, or one of a later version. */
  readonly phase: string;
  /** Bytes of the phase. */
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** 0 … 100, of the phase. */
  readonly percent: number;
  readonly bytesPerSecond: number | null;
  readonly etaSeconds: number | null;
  readonly strategy: string | null;
  readonly digest: string | null;
  readonly proved: boolean;
  readonly problem: Problem | null;
  readonly updatedAt: string;
}

export interface MergeStarted {
  readonly __typename: 'MergeStarted';
  readonly progress: MergeProgress;
}

export interface UploadAborted {
  readonly __typename: 'UploadAborted';
  readonly abortedAt: string;
}

export interface HostInfo {
  readonly id: string;
  readonly name: string;
  readonly roots: readonly string[];
  readonly reachable: boolean;
  readonly strategy: string | null;
  readonly capabilities: readonly string[];
  readonly freeBytes: number | null;
}

export interface UploadSummary extends FileRef {
  readonly size: number;
  readonly uploadedBytes: number;
  readonly phase: string;
  readonly beganAt: string;
  readonly touchedAt: string;
}

export interface UploadPage {
  readonly items: readonly UploadSummary[];
  readonly nextAfter: string | null;
  readonly problems: readonly Problem[];
}

export type UploadStatusAnswer =
  UploadReady | UploadResumable | UploadFinished | FileExists | UploadLocked | TryAgainLater | Refused;
export type DirInfoAnswer = DirInfo | UploadFinished | UploadLocked | TryAgainLater | Refused;
export type UploadChunkAnswer = ChunkStored | UploadFinished | DigestMismatch | UploadLocked | TryAgainLater | Refused;
export type MergeFileAnswer = MergeStarted | ChunksMissing | FileExists | UploadLocked | TryAgainLater | Refused;
export type AbortUploadAnswer = UploadAborted | UploadFinished | UploadLocked | TryAgainLater | Refused;

const PROBLEM = `__typename ... on Problem { code message retryable }`;
const RETRY = `... on TryAgainLater { retryAfterMs }`;
const LOCKED = `... on UploadLocked { holder mine since until }`;
const EXISTS = `... on FileExists { size modifiedAt etag }`;
const MISSING = `... on ChunksMissing { ranges { first last } missingCount }`;
const FINISHED = `... on UploadFinished { finishedAt size contentDigest proved }`;
const PROGRESS = `phase doneBytes totalBytes percent bytesPerSecond etaSeconds strategy digest proved updatedAt
  problem { ${PROBLEM} ${EXISTS} ${MISSING} ${RETRY} }`;

export const HOSTS = `query Hosts { hosts { id name roots reachable strategy capabilities freeBytes } }`;

export const UPLOADS = `query Uploads($hostId: ID, $first: Int!, $after: String) {
  uploads(hostId: $hostId, first: $first, after: $after) {
    items { hostId fullPath hashCode size uploadedBytes phase beganAt touchedAt } nextAfter problems { ${PROBLEM} ${RETRY} }
  }
}`;

export const UPLOAD_STATUS = `query UploadStatus(
  $file: FileRef!, $size: ByteCount!, $chunkSize: Int, $ifExists: IfExists!, $ifMatch: String, $takeOver: Boolean!
) {
  answer: uploadStatus(file: $file, size: $size, chunkSize: $chunkSize, ifExists: $ifExists, ifMatch: $ifMatch, takeOver: $takeOver) {
    ${PROBLEM} ${RETRY} ${LOCKED} ${EXISTS} ${FINISHED}
    ... on UploadReady { claimedUntil chunkSize chunkCount ticket }
    ... on UploadResumable { claimedUntil chunkSize chunkCount uploadedBytes uploadedCount ticket }
  }
}`;

export const DIR_INFO = `query DirInfo($file: FileRef!, $first: Int!, $after: Int!) {
  answer: dirInfo(file: $file) {
    ${PROBLEM} ${RETRY} ${LOCKED} ${FINISHED}
    ... on DirInfo {
      size chunkSize chunkCount uploadedBytes uploadedCount strategy
      chunks(first: $first, after: $after) { index digest }
    }
  }
}`;

export const UPLOAD_CHUNK = `mutation UploadChunk($file: FileRef!, $index: Int!, $digest: String, $chunk: Upload!) {
  answer: uploadChunk(file: $file, index: $index, digest: $digest, chunk: $chunk) {
    ${PROBLEM} ${RETRY} ${LOCKED} ${FINISHED}
    ... on DigestMismatch { index expected actual }
    ... on ChunkStored { index digest alreadyStored uploadedBytes uploadedCount }
  }
}`;

export const MERGE_FILE = `mutation MergeFile(
  $file: FileRef!, $chunkCount: Int!, $digest: String, $ifExists: IfExists!, $ifMatch: String
) {
  answer: mergeFile(file: $file, chunkCount: $chunkCount, digest: $digest, ifExists: $ifExists, ifMatch: $ifMatch) {
    ${PROBLEM} ${RETRY} ${LOCKED} ${EXISTS} ${MISSING}
    ... on MergeStarted { progress { ${PROGRESS} } }
  }
}`;

export const ABORT_UPLOAD = `mutation AbortUpload($file: FileRef!) {
  answer: abortUpload(file: $file) { ${PROBLEM} ${RETRY} ${LOCKED} ${FINISHED} ... on UploadAborted { abortedAt } }
}`;

export const MERGE_PROGRESS = `subscription MergeProgress($file: FileRef!) { mergeProgress(file: $file) { ${PROGRESS} } }`;
