// Calls that are tried again, and what is thrown when that doesn't help.

export interface Problem {
  readonly __typename: string;
  readonly code: string;
  /** For the person. */
  readonly message: string;
  /** Which file is in the way, with `FILE_EXISTS`. */
  readonly etag?: string;
}

/** The upload can't go on until the person does or decides something. What was sent stays on the host. */
export class UploadProblem extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.message);
    this.problem = problem;
  }
}

export interface Patience {
  readonly signal: AbortSignal;
  /** Whether what the client library threw says that the call may not have reached the gateway. */
  readonly isNetworkError: (error: unknown) => boolean;
}

const ATTEMPTS = 8;
const FIRST_DELAY_MS = 250;

/**
 * Calls until the answer isn't `TryAgainLater`: every call to the gateway may be repeated. Rejects with `UploadProblem`, with the signal's
 * reason, or with the last network error.
 */
export async function answerTo<Answer extends { readonly __typename: string }>(
  call: () => Promise<Answer>,
  { signal, isNetworkError }: Patience,
): Promise<Exclude<Answer, Problem>> {
  for (let attempt = 1; ; attempt += 1) {
    let delayMs = FIRST_DELAY_MS * 2 ** attempt;
    try {
      const answer = await call();
      if (!isProblem(answer)) return answer as Exclude<Answer, Problem>;
      if (answer.retryAfterMs === undefined || attempt === ATTEMPTS) throw new UploadProblem(answer);
      delayMs = answer.retryAfterMs;
    } catch (error) {
      signal.throwIfAborted();
      if (!isNetworkError(error) || attempt === ATTEMPTS) throw error;
    }
    await pause(delayMs, signal);
  }
}

/** Any answer with a code is a problem, whatever its type is called. */
function isProblem(answer: { readonly __typename: string }): answer is Problem & { readonly retryAfterMs?: number } {
  return 'code' in answer;
}

function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, delayMs);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}
