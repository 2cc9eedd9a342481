// Which pages may talk to us, told by the `Origin` that a browser sends, and which names we answer to.
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Headers our clients send that a page of another origin may send too. */
const ALLOWED_HEADERS = 'content-type, authorization, x-person-id, x-graphql-yoga-csrf, apollo-require-preflight';
/** Headers of ours that a page of another origin could not read otherwise. */
const EXPOSED_HEADERS = 'retry-after';
const PREFLIGHT_MAX_AGE_S = 600;

/**
 * Whether the page may. A request without `Origin` isn't from a page; a page we served ourselves (its origin's host is the `Host` it
 * asked) may; others when listed in `listen.origins`, exactly.
 */
export function isAllowedOrigin({ headers: { origin, host } }: IncomingMessage, origins: readonly string[]): boolean {
  if (origin === undefined || origins.includes(origin)) return true;
  return host !== undefined && URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
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
  // Nothing but a host and a port: `name@127.0.0.1` would parse, too.
  if (host === undefined || !/^[\w.:[\]-]+$/.test(host) || !URL.canParse(`http://${host}`)) return false;
  const { hostname } = new URL(`http://${host}`);
  return (
    hostname === 'localhost' || hostname.endsWith('.localhost') || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname)
  );
}
