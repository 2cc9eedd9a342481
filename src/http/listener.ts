import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';

export interface ListenerOptions {
  /** PEM of the certificate chain and of its private key; undefined: plain HTTP. */
  readonly tls?: { readonly certificate: string; readonly privateKey: string } | undefined;
  /** Longest time for the head of a request, from its first byte or the connection's beginning, ms. */
  readonly headersTimeoutMs: number;
  /** Further ones are closed at once. Default 10 000. */
  readonly maxConnections?: number | undefined;
}

/** Any head that our clients and the browsers make, a token of 8 KiB and the cookies of other programs on this host included. */
const MAX_HEADER_BYTES = 16 * 1024;
/** Longer than the minute for which proxies usually keep a connection: the side that doesn't send is the one to close. */
const KEEP_ALIVE_MS = 65_000;
/** So that no connection lives for ever. */
const MAX_REQUESTS_PER_CONNECTION = 10_000;
/** Five times what two thousand pages keep open, and few enough that files and hosts still have descriptors. */
const MAX_CONNECTIONS = 10_000;
/** How late a slow head may be noticed, as a part of its time. */
const CHECKS = 5;
const HANDSHAKE_MS = 10_000;

/** An HTTP server with bounds on everything that comes before a body; bodies have bounds of their own. Doesn't listen yet. */
export function createListener({ tls, headersTimeoutMs, maxConnections = MAX_CONNECTIONS }: ListenerOptions): Server {
  const options = {
    headersTimeout: headersTimeoutMs,
    // A slow upload may take hours.
    requestTimeout: 0,
    connectionsCheckingInterval: headersTimeoutMs / CHECKS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    // Is looked at with the rest of the head, so that the answer is ours.
    requireHostHeader: false,
  };
  const server = tls === undefined ? createServer(options) : createTlsServer({ ...options, ...secure(tls) });
  server.maxRequestsPerSocket = MAX_REQUESTS_PER_CONNECTION;
  server.maxConnections = maxConnections;
  return server;
}

function secure({ certificate, privateKey }: NonNullable<ListenerOptions['tls']>) {
  return { cert: certificate, key: privateKey, minVersion: 'TLSv1.2', handshakeTimeout: HANDSHAKE_MS } as const;
}
