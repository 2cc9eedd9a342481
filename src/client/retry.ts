// When to try again and when to give up. The only place of this room that repeats a call.

import { describeError, GatewayError, GaveUpError, NetworkError } from './errors.js';
import { either, type Gate } from './gate.js';
import type { Refused, TryAgainLater } from './operations.js';
import type { Hashing, Platform } from './platform.js';

export interface RetryPolicy {
  /** Wait before the second attempt; doubled each time. Default: 250. */
  readonly firstDelayMs: number;
  /** No wait of our own choice is longer. Default: 30 000. */
  readonly maxDelayMs: number;
  /** How long nothing at all may succeed before the upload gives up, resumable. Default: 600 000. */
  readonly patienceMs: number;
  /** The same as long as the gateway hasn't answered this uploader even once: more likely a wrong address than an outage. Default: 5 000. */
  readonly firstAnswerPatienceMs: number;
}

export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  firstDelayMs: 250,
  maxDelayMs: 30_000,
  patienceMs: 600_000,
  firstAnswerPatienceMs: 5_000,
};

/** Told before each wait. */
export interface Retry {
  /** A problem code, a GraphQL error code, or `NETWORK`. */
  readonly code: string;
  readonly message: string;
  /** Failed attempts of this call so far. */
  readonly attempt: number;
  readonly delayMs: number;
}

/** Even a gateway that says "at once" isn't asked in a tight loop. */
const MIN_DELAY_MS = 50;
/** A wish beyond this is more likely a mistake, and we'd rather ask once too often. */
const MAX_ASKED_DELAY_MS = 300_000;
/** A masked internal error is usually a defect that stays; a few attempts cover a gateway on its way up or down. */
const INTERNAL_ERROR_ATTEMPTS = 6;
/** Refused as often with a new token each time, the caller is somebody whom the gateway doesn't want. */
const UNAUTHENTICATED_ATTEMPTS = 3;
const ATTEMPTS: ReadonlyMap<string, number> = new Map([
  ['INTERNAL_SERVER_ERROR', INTERNAL_ERROR_ATTEMPTS],
  ['UNAUTHENTICATED', UNAUTHENTICATED_ATTEMPTS],
]);
/** A wait that took so much longer than it should have was a machine that slept. */
const OVERSLEPT_MS = 10_000;

/**
 * The wait after the `attempt`-th failure, in ms: what the gateway asked for plus up to a quarter, so that many clients don't
 * come back at the same instant; else exponential with the upper half random.
 */
export function delayMs(policy: RetryPolicy, attempt: number, askedMs: number | undefined, random: number): number {
  if (askedMs !== undefined) return Math.max(MIN_DELAY_MS, Math.min(askedMs, MAX_ASKED_DELAY_MS) * (1 + random / 4));
  const ceiling = Math.min(policy.maxDelayMs, policy.firstDelayMs * 2 ** Math.min(attempt - 1, 30));
  return Math.max(MIN_DELAY_MS, ceiling * (0.5 + random / 2));
}

interface Trouble {
  readonly code: string;
  readonly message: string;
  readonly askedMs: number | undefined;
  readonly error: unknown;
}

/** Shared by all who call the same gateway. */
export interface Contact {
  /** Whether it has ever answered, whatever it said. */
  hasAnswered: boolean;
}

export interface RetriesOptions {
  readonly policy: RetryPolicy;
  readonly platform: Platform;
  readonly contact: Contact;
  /** While it is closed no attempt is made; closing it cuts attempts and waits, and they don't count. */
  readonly gate: Gate;
  readonly onRetry: (retry: Retry) => void;
}

/** Repeats the calls of one upload. They share one patience: as long as any of them succeeds, the others go on trying. */
export class Retries {
  readonly #policy: RetryPolicy;
  readonly #platform: Platform;
  readonly #gate: Gate;
  readonly #onRetry: (retry: Retry) => void;
  readonly #contact: Contact;
  #troubleSince: number | undefined;

  constructor({ policy, platform, contact, gate, onRetry }: RetriesOptions) {
    this.#policy = policy;
    this.#platform = platform;
    this.#contact = contact;
    this.#gate = gate;
    this.#onRetry = onRetry;
  }

  /**
   * Calls `attempt` until its answer is final. Rejects with `GaveUpError` when patience has ended, the signal's reason, or
   * what `attempt` throws and repeating can't mend.
   */
  async run<Answer extends { readonly __typename: string }>(
    attempt: (signal: AbortSignal) => Promise<Answer>,
    signal: AbortSignal,
  ): Promise<Exclude<Answer, TryAgainLater>> {
    for (let failures = 1; ; failures += 1) {
      const result = await this.#gate.through((cut) => this.#settle(attempt, failures, cut), signal);
      if (result.trouble === undefined) return result.answer;
      await this.#wait(result.trouble, failures, signal);
    }
  }

  /** Forgets earlier trouble: something reached the host. */
  succeeded(): void {
    this.#contact.hasAnswered = true;
    this.#troubleSince = undefined;
  }

  /** Patience begins anew: nothing could succeed meanwhile. */
  forgetTrouble(): void {
    this.#troubleSince = undefined;
  }

  async #settle<Answer extends { readonly __typename: string }>(
    attempt: (signal: AbortSignal) => Promise<Answer>,
    failures: number,
    signal: AbortSignal,
  ): Promise<{ answer: Exclude<Answer, TryAgainLater>; trouble?: undefined } | { trouble: Trouble }> {
    try {
      const answer = await attempt(signal);
      this.#contact.hasAnswered = true;
      if (isRetryable(answer)) return { trouble: troubleOf(answer) };
      this.succeeded();
      return { answer: answer as Exclude<Answer, TryAgainLater> };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof NetworkError) {
        return { trouble: { code: error.code, message: error.message, askedMs: undefined, error } };
      }
      if (!(error instanceof GatewayError)) throw error;
      if (error.code !== 'NOT_GRAPHQL') this.#contact.hasAnswered = true;
      if (!error.retryable || failures >= (ATTEMPTS.get(error.code) ?? Infinity)) throw error;
      return { trouble: { code: error.code, message: error.message, askedMs: error.retryAfterMs, error } };
    }
  }

  async #wait(trouble: Trouble, attempt: number, signal: AbortSignal): Promise<void> {
    const { platform, network } = { platform: this.#platform, network: this.#platform.network };
    const now = platform.now();
    const isOffline = network?.isOnline() === false;
    // Without a way out nobody's patience is tried, and only now and then is it worth an attempt: the platform may be wrong.
    this.#troubleSince = isOffline ? now : (this.#troubleSince ?? now);
    const waitMs = isOffline ? this.#policy.maxDelayMs : delayMs(this.#policy, attempt, trouble.askedMs, platform.random());
    const patienceMs = this.#contact.hasAnswered || isOffline ? this.#policy.patienceMs : this.#policy.firstAnswerPatienceMs;
    if (now + waitMs - this.#troubleSince > patienceMs) this.#giveUp(trouble);
    this.#onRetry({ code: trouble.code, message: trouble.message, attempt, delayMs: waitMs });
    await this.#sleep(waitMs, signal);
    if (platform.now() - now > waitMs + OVERSLEPT_MS) this.#troubleSince = undefined;
  }

  #giveUp(trouble: Trouble): never {
    const unreachable = !this.#contact.hasAnswered;
    const last = describeError(trouble.error ?? trouble.message);
    const text = unreachable ? `no answer from the gateway: ${last}` : `nothing got through for too long; last: ${last}`;
    throw new GaveUpError(text, { unreachable, cause: trouble.error });
  }

  /** Ends early when the way out is there again, or after a pause. */
  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    const waking = new AbortController();
    const unsubscribe = this.#platform.network?.onOnline(() => waking.abort());
    try {
      const wait = (cut: AbortSignal) => either([cut, waking.signal], (ended) => this.#platform.wait(ms, ended));
      await this.#gate.untilClosed(wait, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!waking.signal.aborted && this.#gate.isOpen) throw error;
    } finally {
      unsubscribe?.();
    }
    await this.#gate.passed(signal);
  }
}

/** Hashing whose code may have to come over the network first, and then is asked for again like everything else that does. */
export function patientHashing(hashing: Hashing, retries: Retries): Hashing {
  const patient = async (work: (signal: AbortSignal) => Promise<string>, signal: AbortSignal) => {
    const attempt = async (cut: AbortSignal) => ({ __typename: 'Digest', digest: await work(cut) }) as const;
    return (await retries.run(attempt, signal)).digest;
  };
  return {
    digest: (source, spans, signal) => patient((cut) => hashing.digest(source, spans, cut), signal),
    pass(source, signal) {
      const pass = hashing.pass(source, signal);
      return {
        chunk: (span) => patient(() => pass.chunk(span), signal),
        whole: () => patient(() => pass.whole(), signal),
        end: () => pass.end(),
      };
    },
  };
}

/** `UPLOAD_UNKNOWN` has a remedy of its own, whatever its `retryable`: asking for the status again. */
function isRetryable(answer: { readonly __typename: string }): answer is TryAgainLater | Refused {
  if (answer.__typename === 'TryAgainLater') return true;
  if (answer.__typename !== 'Refused') return false;
  const refused = answer as Refused;
  return refused.retryable && refused.code !== 'UPLOAD_UNKNOWN';
}

function troubleOf(answer: TryAgainLater | Refused): Trouble {
  const askedMs = answer.__typename === 'TryAgainLater' ? answer.retryAfterMs : undefined;
  return { code: answer.code, message: answer.message, askedMs, error: undefined };
}
