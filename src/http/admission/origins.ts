// Which pages may talk to us, told by the `Origin` that a browser sends, and which names we answer to.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { GraphQLError } from 'graphql';
import { graphqlError } from '../../graphql/errors.js';

/** Headers our clients send that a page of another origin may send too. */
const ALLOWED_HEADERS = 'content-type, authorization, x-person-id, x-graphql-yoga-csrf, apollo-require-preflight';
/** Headers of ours that a page of another origin could not read otherwise. */
const EXPOSED_HEADERS = 'retry-after, x-request-id';
const PREFLIGHT_MAX_AGE_S = 600;

/**
 * Whether the page may. A request without `Origin` isn't from a page; a page we served ourselves (its origin's host is the `Host` it
 * asked) may, over TLS when it came so; others when listed in `listen.origins`, exactly.
 */
export function isAllowedOrigin({ headers, socket }: IncomingMessage, origins: readonly string[]): boolean {
  const { origin, host } = headers;
  if (origin === undefined || origins.includes(origin)) return true;
  if (host === undefined || !URL.canParse(origin)) return false;
  const { protocol, host: ownHost } = new URL(origin);
  // Without TLS of our own a proxy before us may have it.
  return ownHost === host.toLowerCase() && (protocol === 'https:' || !isTls(socket));
}

/** Whether the connection is encrypted by this process itself. */
export function isTls(socket: Socket): boolean {
  return 'encrypted' in socket && socket.encrypted === true;
}

/** Lets pages of the listed origins read the answer (CORS, https://fetch.spec.whatwg.org/#http-cors-protocol). Without cookies. */
export function setCorsHeaders(req: IncomingMessage, res: ServerResponse, origins: readonly string[]): void {
  res.appendHeader('vary', 'origin');
  const { origin } = req.headers;
  if (origin === undefined || !origins.includes(origin)) return;
  res.setHeader('access-control-allow-origin', origin);
  res.setHeader('access-control-expose-headers', EXPOSED_HEADERS);
  if (req.method !== 'OPTIONS') return;
  res.setHeader('access-control-allow-methods', 'GET, POST');
  res.setHeader('access-control-allow-headers', ALLOWED_HEADERS);
  res.setHeader('access-control-max-age', PREFLIGHT_MAX_AGE_S);
}

/**
 * Whether `Host` is a name or address of this very machine. A page whose name was made to resolve to 127.0.0.1 (DNS rebinding) is of the
 * same origin as far as the browser knows; its own name in `Host` gives it away.
 */
export function isLoopbackHost(host: string | undefined): boolean {
  if (!isHost(host)) return false;
  const { hostname } = new URL(`http://${host}`);
  return (
    hostname === 'localhost' || hostname.endsWith('.localhost') || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname)
  );
}

export function notByThatName(): GraphQLError {
  return graphqlError('FORBIDDEN', 'This server answers to loopback names only.', { status: 403 });
}

/** A host and perhaps a port, and nothing else that a URL may have there: `name@127.0.0.1` would parse, too. */
export function isHost(host: string | undefined): host is string {
  return host !== undefined && /^[\w.:[\]-]+$/.test(host) && URL.canParse(`http://${host}`);
}
