// What bounds every request's body: in size, in silence and in slowness.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLError } from 'graphql';
import { graphqlError } from './errors.js';

export interface BodyLimits {
  /** Largest file of a multipart request, bytes. */
  readonly maxFileBytes: number;
  /** Longest silence of a client that still owes bytes, ms. */
  readonly idleTimeoutMs: number;
  /** Whoever sends fewer than `MIN_BYTES_PER_SECOND` over so long, ms, holds a connection for nothing. */
  readonly rateWindowMs: number;
  /** Longest time for a whole body without a file, ms. */
  readonly operationTimeoutMs: number;
}

/** Bound of a body without a file, and of `operations` in one with a file: twenty times the largest operation of our clients. */
export const MAX_OPERATION_BYTES = 256 * 1024;

/** A quarter of what the slowest honest line we know of carries. */
const MIN_BYTES_PER_SECOND = 1_024;

/** Refuses a body that says it is larger than `maxBytes`, and asks for one whose client waits to be asked (RFC 9110 §10.1.1). */
export function invite(req: IncomingMessage, res: ServerResponse, maxBytes: number): void {
  if (Number(req.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(`The body may have at most ${maxBytes} bytes.`);
  if (req.headers.expect?.toLowerCase() === '100-continue') res.writeContinue();
}

export function tooLarge(message: string): GraphQLError {
  return graphqlError('PAYLOAD_TOO_LARGE', message, { status: 413 });
}

type BodyCode = 'BAD_REQUEST' | 'BAD_MULTIPART';

interface PaceOptions {
  readonly limits: BodyLimits;
  readonly code: BodyCode;
  /** Whether it is us who take nothing more: that time isn't the client's. */
  readonly isHeldBack: () => boolean;
  /** Called once, with the error for the client. Its connection is of no more use. */
  readonly onFailure: (error: GraphQLError) => void;
}

/** Watches how a body arrives, until it is stopped: a client must neither fall silent nor send in drops. */
export class Pace {
  readonly #options: PaceOptions;
  readonly #idle: NodeJS.Timeout;
  readonly #window: NodeJS.Timeout;
  #windowBytes = 0;
  /** Since the window began we made the client wait: it proves nothing. */
  #isExcused = false;

  constructor(req: IncomingMessage, options: PaceOptions) {
    this.#options = options;
    const { idleTimeoutMs, rateWindowMs } = options.limits;
    this.#idle = setTimeout(() => this.#whenIdle(), idleTimeoutMs);
    this.#window = setInterval(() => this.#whenWindowEnds(), rateWindowMs);
    req.on('data', (piece: Buffer) => {
      this.#windowBytes += piece.length;
      this.#idle.refresh();
    });
  }

  /** We made the client wait for a while. */
  excuse(): void {
    this.#isExcused = true;
  }

  stop(): void {
    clearTimeout(this.#idle);
    clearInterval(this.#window);
  }

  #whenIdle(): void {
    if (this.#options.isHeldBack()) return void this.#idle.refresh();
    this.#fail(`Nothing of the body arrived for ${this.#options.limits.idleTimeoutMs} ms.`);
  }

  #whenWindowEnds(): void {
    const leastBytes = (MIN_BYTES_PER_SECOND * this.#options.limits.rateWindowMs) / 1_000;
    if (this.#isExcused || this.#options.isHeldBack() || this.#windowBytes >= leastBytes) {
      this.#windowBytes = 0;
      this.#isExcused = false;
      return;
    }
    this.#fail(`The body arrives too slowly: send at least ${MIN_BYTES_PER_SECOND} bytes a second.`);
  }

  #fail(message: string): void {
    this.stop();
    this.#options.onFailure(bodyTimeout(this.#options.code, message));
  }
}

/** The error for a client that owes bytes and sends none. Its connection is of no more use. */
export function bodyTimeout(code: BodyCode, message: string): GraphQLError {
  return graphqlError(code, message, { status: 408, closeConnection: true });
}
