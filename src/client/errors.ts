// How an upload can end other than well. Each is an `UploadError` with a stable `code`; `resumable` says whether the same
// call later goes on where this one stopped.

import type { Problem } from './operations.js';

export class UploadError extends Error {
  override readonly name: string = 'UploadError';
  /** A problem code of the schema, a GraphQL error code, or one of the client's own words. */
  readonly code: string;
  /** Whether what is on the host stays there and the same upload may be continued. */
  readonly resumable: boolean;

  constructor(code: string, message: string, options: { readonly resumable: boolean; readonly cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.resumable = options.resumable;
  }
}

/** The gateway answered with a problem that repeating doesn't mend. `code` is the problem's. */
export class ProblemError extends UploadError {
  override readonly name = 'ProblemError';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.code, problem.message, { resumable: true });
    this.problem = problem;
  }
}

/** The gateway answered with a GraphQL error, or with something that isn't GraphQL. */
export class GatewayError extends UploadError {
  override readonly name = 'GatewayError';
  readonly retryable: boolean;
  /** How long the gateway or a proxy asked to wait (`Retry-After`). */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: string,
    message: string,
    options: { readonly retryable: boolean; readonly retryAfterMs?: number | undefined },
  ) {
    super(code, message, { resumable: true });
    this.retryable = options.retryable;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** No answer: refused, cut, or silent for too long. Code `NETWORK`; always worth another attempt. */
export class NetworkError extends UploadError {
  override readonly name = 'NetworkError';

  constructor(message: string, cause?: unknown) {
    super('NETWORK', message, { resumable: true, cause });
  }
}

/** Attempts ended because nothing got through for as long as the retry policy allows. The `cause` is the last failure. */
export class GaveUpError extends UploadError {
  override readonly name = 'GaveUpError';
  /** Whether the gateway never gave an answer at all. */
  readonly unreachable: boolean;

  constructor(message: string, options: { readonly unreachable: boolean; readonly cause: unknown }) {
    super(options.unreachable ? 'GATEWAY_UNREACHABLE' : 'GAVE_UP', message, { resumable: true, cause: options.cause });
    this.unreachable = options.unreachable;
  }
}

/** The source isn't the content that was begun, or changed while it was sent. Code `SOURCE_CHANGED`. */
export class SourceChangedError extends UploadError {
  override readonly name = 'SourceChangedError';
  /** Whether it can't be told from what was begun but by its bytes: that has to be given up before the source can be sent. */
  readonly looksLikeBegun: boolean;

  constructor(message: string, { looksLikeBegun = false }: { readonly looksLikeBegun?: boolean } = {}) {
    super('SOURCE_CHANGED', message, { resumable: false });
    this.looksLikeBegun = looksLikeBegun;
  }
}

/** `stop()` was called: nothing was removed, the same call goes on. Code `STOPPED`. */
export class StoppedError extends UploadError {
  override readonly name = 'StoppedError';

  constructor() {
    super('STOPPED', 'the upload was stopped', { resumable: true });
  }
}

/** The upload was given up, here or from elsewhere, and its chunks are gone. Code `ABORTED`. */
export class AbortedError extends UploadError {
  override readonly name = 'AbortedError';

  constructor() {
    super('ABORTED', 'the upload was aborted', { resumable: false });
  }
}

/** Says in one line what an unknown thrown value means, causes included. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Node's happy-eyeballs failure has an empty message and the real ones inside.
  if (error instanceof AggregateError && error.message === '') return error.errors.map(describeError).join('; ');
  return error.message;
}
