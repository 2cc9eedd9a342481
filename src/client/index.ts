// Room: the SDK. Brings a content to a path on a host through a gateway, whole or not at all, and goes on where it stopped.
// Knows only the GraphQL schema. Called by the command, the page and other people's programs. May import its own files,
// graphql-ws and the platform's APIs; what needs Node is in `node/`, and this file is the surface for Node. Another platform
// gives a `Platform` and an entry like `node/uploader.ts`; the rest stays.

export { Uploader, connectGateway, type NodeUploaderOptions as UploaderOptions } from './node/uploader.js';
export { FileSource } from './node/file-source.js';
export { nodePlatform } from './node/platform.js';

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
export type { Hash, HttpRequest, HttpResponse, Platform, UploadSource } from './platform.js';
export type { UploadPhase, UploadProgress } from './progress.js';
export { DEFAULT_RETRY_POLICY, type Retry, type RetryPolicy } from './retry.js';
export type { TransportOptions } from './transport.js';
export type { Upload, UploadResult } from './uploader.js';
