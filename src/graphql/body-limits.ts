// What bounds every request's body, in size and in silence.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLError } from 'graphql';
import { graphqlError } from './errors.js';

export interface BodyLimits {
  /** Largest file of a multipart request, bytes. */
  readonly maxFileBytes: number;
  /** Longest silence of a client that still owes bytes, ms. */
  readonly idleTimeoutMs: number;
}

/** Bound of a body without a file, and of `operations` in one with a file: a hundred times the largest operation of our clients. */
export const MAX_OPERATION_BYTES = 1024 * 1024;

/** Refuses a body that says it is larger than `maxBytes`, and asks for one whose client waits to be asked (RFC 9110 §10.1.1). */
export function invite(req: IncomingMessage, res: ServerResponse, maxBytes: number): void {
  if (Number(req.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(`The body may have at most ${maxBytes} bytes.`);
  if (req.headers.expect?.toLowerCase() === '100-continue') res.writeContinue();
}

export function tooLarge(message: string): GraphQLError {
  return graphqlError('PAYLOAD_TOO_LARGE', message, { status: 413 });
}

/** The error for a client that owes bytes and sends none. Its connection is of no more use. */
export function stoppedArriving(idleTimeoutMs: number, code: 'BAD_REQUEST' | 'BAD_MULTIPART'): GraphQLError {
  const message = `Nothing of the body arrived for ${idleTimeoutMs} ms.`;
  return graphqlError(code, message, { status: 408, closeConnection: true });
}
