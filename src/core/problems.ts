// What can go wrong, in the words of the schema. An expected refusal is a `Problem`, returned as a value; a failure below the
// services is a `Fault`, thrown; input a program got wrong is an `InputError`, thrown. Core knows neither HTTP nor GraphQL.

export type TryAgainLaterCode = 'COORDINATION_UNAVAILABLE' | 'HOST_UNREACHABLE' | 'HOST_BUSY' | 'CHUNK_BUSY' | 'RATE_LIMITED';

export type RefusedCode =
  | 'HOST_UNKNOWN'
  | 'HOST_KEY_MISMATCH'
  | 'HOST_AUTH_FAILED'
  | 'HOST_UNSUPPORTED'
  | 'INVALID_PATH'
  | 'INVALID_TARGET'
  | 'PERMISSION_DENIED'
  | 'NOT_ENOUGH_SPACE'
  | 'UPLOAD_UNKNOWN'
  | 'SIZE_MISMATCH'
  | 'CHUNK_CONFLICT'
  | 'CONTENT_MISMATCH'
  | 'TARGET_CHANGED'
  | 'QUOTA_EXCEEDED'
  | 'MERGE_FAILED'
  | 'MERGE_STALLED'
  | 'ABORTED';

export type ProblemCode =
  'FILE_EXISTS' | 'UPLOAD_LOCKED' | 'CHUNKS_MISSING' | 'DIGEST_MISMATCH' | TryAgainLaterCode | RefusedCode;

interface ProblemFacts<Kind extends string, Code extends ProblemCode> {
  /** The GraphQL type's name. */
  readonly kind: Kind;
  readonly code: Code;
  /** For a person to read, in English. */
  readonly message: string;
  /** Whether the same call may succeed later without anybody changing it. */
  readonly retryable: boolean;
}

export interface FileExists extends ProblemFacts<'FileExists', 'FILE_EXISTS'> {
  readonly size: number;
  readonly modifiedAt: number;
  readonly etag: string;
}

export interface UploadLocked extends ProblemFacts<'UploadLocked', 'UPLOAD_LOCKED'> {
  readonly holder: string;
  readonly mine: boolean;
  readonly since: number;
  readonly until: number;
}

/** First and last chunk of a run, both included, counted from 1. */
export interface ChunkRange {
  readonly first: number;
  readonly last: number;
}

export interface ChunksMissing extends ProblemFacts<'ChunksMissing', 'CHUNKS_MISSING'> {
  /** At most 1 000, in ascending order. */
  readonly ranges: readonly ChunkRange[];
  readonly missingCount: number;
}

export interface DigestMismatch extends ProblemFacts<'DigestMismatch', 'DIGEST_MISMATCH'> {
  readonly index: number;
  readonly expected: string;
  readonly actual: string;
}

export interface TryAgainLater extends ProblemFacts<'TryAgainLater', TryAgainLaterCode> {
  readonly retryAfterMs: number;
}

export type Refused = ProblemFacts<'Refused', RefusedCode>;

export type Problem = FileExists | UploadLocked | ChunksMissing | DigestMismatch | TryAgainLater | Refused;

const DEFAULT_RETRY_AFTER_MS = 1_000;

export function refused(code: RefusedCode, message: string, retryable = false): Refused {
  return { kind: 'Refused', code, message, retryable };
}

export function tryAgainLater(code: TryAgainLaterCode, message: string, retryAfterMs = DEFAULT_RETRY_AFTER_MS): TryAgainLater {
  return { kind: 'TryAgainLater', code, message, retryable: true, retryAfterMs };
}

/**
 * What an operation on a host can end in. Those that are also problem codes reach the caller as such; `NOT_FOUND`,
 * `ALREADY_EXISTS` and `FAILURE` (SFTP status 4: the server names no cause) mean something only to the code that asked.
 */
export type FaultCode =
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'FAILURE'
  | 'PERMISSION_DENIED'
  | 'NOT_ENOUGH_SPACE'
  | 'HOST_UNREACHABLE'
  | 'HOST_BUSY'
  | 'HOST_UNKNOWN'
  | 'HOST_KEY_MISMATCH'
  | 'HOST_AUTH_FAILED'
  | 'HOST_UNSUPPORTED'
  | 'COORDINATION_UNAVAILABLE';

/** A failure below the services, already translated from its library's error, which is the `cause`. */
export class Fault extends Error {
  override readonly name = 'Fault';
  readonly code: FaultCode;

  constructor(code: FaultCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** Whether `error` is a fault, of one of `codes` when any are given. */
export function isFault(error: unknown, ...codes: readonly FaultCode[]): error is Fault {
  return error instanceof Fault && (codes.length === 0 || codes.includes(error.code));
}

/** A problem that ends the work from deep inside; the service that began the work returns it as its answer. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.message);
    this.problem = problem;
  }
}

/** Input that a program got wrong. `argument` is the name it has in the schema. */
export class InputError extends Error {
  override readonly name = 'InputError';
  readonly argument: string;

  constructor(argument: string, message: string) {
    super(message);
    this.argument = argument;
  }
}

/**
 * Credentials that aren't good for this call: `UNAUTHENTICATED` where a live token is wanted, `FORBIDDEN` where an upload ticket is for
 * another upload.
 */
export class AccessError extends Error {
  override readonly name = 'AccessError';
  readonly code: 'UNAUTHENTICATED' | 'FORBIDDEN';

  constructor(code: AccessError['code'], message: string) {
    super(message);
    this.code = code;
  }
}
