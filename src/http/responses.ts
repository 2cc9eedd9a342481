import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLError } from 'graphql';

/** Headers of every answer: nothing of ours is to be framed, sniffed or told to other sites. A page adds its own content policy. */
export function setSecurityHeaders(res: ServerResponse): void {
  res.setHeader('x-content-type-options', 'nosniff');
  res.setHeader('x-frame-options', 'DENY');
  res.setHeader('referrer-policy', 'no-referrer');
  res.setHeader('cross-origin-opener-policy', 'same-origin');
  res.setHeader('content-security-policy', "default-src 'none'; frame-ancestors 'none'");
  res.setHeader('cache-control', 'no-store');
}

export function sendJson(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
  res.end(JSON.stringify(body));
}

/** An error in the form that GraphQL clients understand, also where GraphQL itself was never reached. */
export function sendError(res: ServerResponse, error: GraphQLError): void {
  const { http, ...extensions } = error.extensions;
  const status = isStatus(http) ? http.status : 500;
  sendJson(res, status, { errors: [{ message: error.message, extensions }] });
}

function isStatus(http: unknown): http is { readonly status: number } {
  return typeof http === 'object' && http !== null && 'status' in http && typeof http.status === 'number';
}

export interface DrainBounds {
  readonly maxBytes: number;
  readonly maxMs: number;
}

/**
 * After the answer, takes in what the client still sends of its body: many clients read no answer before they have sent everything, and
 * closing on them would destroy the answer too. Beyond the bounds the connection is closed.
 */
export function drainAfterAnswer(req: IncomingMessage, res: ServerResponse, { maxBytes, maxMs }: DrainBounds): void {
  req.on('error', () => {
    // A connection that breaks while nobody waits for its bytes. Those who do have their own listeners.
  });
  res.once('finish', () => {
    if (req.complete) return;
    let lengthBytes = 0;
    const giveUp = (): void => void req.destroy();
    const deadline = setTimeout(giveUp, maxMs);
    req.once('close', () => clearTimeout(deadline));
    req.unpipe();
    req.on('data', (piece: Buffer) => {
      lengthBytes += piece.length;
      if (lengthBytes > maxBytes) giveUp();
    });
    req.resume();
  });
}
