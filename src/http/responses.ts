import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLError } from 'graphql';

/** Nothing here is a page's business to use, but for what our own page asks the person for itself. */
const PERMISSIONS_POLICY = 'camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), hid=(), midi=()';
const YEAR_S = 31_536_000;

/**
 * Headers of every answer: nothing of ours is to be framed, sniffed, embedded, kept or told to other sites, and who has come over TLS is
 * to come so again (RFC 6797). A page adds its own content policy.
 */
export function securityHeaders({ isSecure }: { readonly isSecure: boolean }): Readonly<Record<string, string>> {
  return {
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': PERMISSIONS_POLICY,
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cache-control': 'no-store',
    ...(isSecure ? { 'strict-transport-security': `max-age=${YEAR_S}` } : {}),
  };
}

export function sendJson(res: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  res.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(text) });
  res.end(text);
}

/** An error in the form that GraphQL clients understand, also where GraphQL itself was never reached. */
export function sendError(res: ServerResponse, error: GraphQLError): void {
  const { http, ...extensions } = error.extensions;
  const { status, headers = {} } = isHttp(http) ? http : { status: 500 };
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  sendJson(res, status, { errors: [{ message: error.message, extensions }] });
}

function isHttp(http: unknown): http is { readonly status: number; readonly headers?: Readonly<Record<string, string>> } {
  return typeof http === 'object' && http !== null && 'status' in http && typeof http.status === 'number';
}

/**
 * From now on closes the connection when nothing of the answer is taken for so long: whoever doesn't read would have us keep it for ever.
 * Node sets its own limit for the time after the answer.
 */
export function limitUnread(res: ServerResponse, timeoutMs: number): void {
  if (!res.writableFinished) res.socket?.setTimeout(timeoutMs);
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
