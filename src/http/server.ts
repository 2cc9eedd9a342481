// The HTTP edge. Secret: sockets, paths, headers, pages and how a connection begins and ends. Called by compose.
// May import graphql and core, and node:http, ws, graphql-ws, jose and proxy-addr.
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Connections } from './connections.js';
import { createEdge } from './edge.js';
import { createListener } from './listener.js';
import type { ServerOptions } from './options.js';

export type { ServerOptions } from './options.js';

export interface RunningServer {
  /** Such as `http://127.0.0.1:4000`. */
  readonly url: string;
  readonly port: number;
  /** Open ones. */
  readonly webSocketCount: number;
  /**
   * Stops listening, ends WebSockets (1001) and event streams, lets requests under way finish for at most `graceMs` (default 5 000), and
   * resolves when every connection is closed.
   */
  close(graceMs?: number): Promise<void>;
}

const DEFAULT_HEADERS_TIMEOUT_MS = 10_000;
const DEFAULT_GRACE_MS = 5_000;

/** Resolves when the server listens; rejects when it can't. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { tls, limits } = options;
  const isSecure = tls !== undefined;
  const { headersTimeoutMs = DEFAULT_HEADERS_TIMEOUT_MS, maxConnections } = limits;
  const server = createListener({ tls, headersTimeoutMs, maxConnections });
  const connections = new Connections(server, { isSecure });
  const edge = createEdge(options, connections);
  server.on('request', edge.handle);
  server.on('checkContinue', edge.handle);
  server.on('checkExpectation', edge.refuseExpectation);
  server.on('upgrade', edge.upgrade);
  server.on('clientError', edge.refuseBroken);
  await listen(server, options);
  const { port, family, address } = server.address() as AddressInfo;
  return {
    url: `${isSecure ? 'https' : 'http'}://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    port,
    get webSocketCount() {
      return edge.webSocketCount;
    },
    async close(graceMs = DEFAULT_GRACE_MS) {
      await Promise.all([edge.close(graceMs), connections.close(graceMs)]);
    },
  };
}

function listen(server: Server, { port, address }: ServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
