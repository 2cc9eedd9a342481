// What programs see of the SDK on every platform; the platform's own `index.ts` adds `Uploader` and `connectGateway`.

export type { BatchEvents, BatchOutcome, BatchProgress, BatchTarget, UploadBatch } from './batch.js';
export { BlobSource } from './blob-source.js';
export type { ExistsDecision, UploadEvents, UploadTarget } from './context.js';
export {
  AbortedError,
  describeError,
  GatewayError,
  GaveUpError,
  NetworkError,
  ProblemError,
  SourceChangedError,
  StoppedError,
  UploadError,
} from './errors.js';
export type { Gateway } from './gateway.js';
export type { FileExists, FileRef, HostInfo, MergeProgress, Problem, UploadLocked, UploadSummary } from './operations.js';
export type { Hash, Hashing, HashPass, HttpRequest, HttpResponse, Network, Platform, UploadSource } from './platform.js';
export { CHUNK_STATE, isOver, type ChunkState, type UploadPhase, type UploadProgress } from './progress.js';
export { DEFAULT_RETRY_POLICY, type Retry, type RetryPolicy } from './retry.js';
export type { TokenSource, TransportOptions } from './transport.js';
export type { Upload, UploadResult } from './upload.js';
export type { Unfinished, WatchOptions } from './uploader.js';
