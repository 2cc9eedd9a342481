// A listener for monitoring alone: of a worker, and of a gateway whose metrics aren't to be where its callers are.
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GraphQLError } from 'graphql';
import type { Log } from '../core/ports.js';
import { isLoopbackHost, notByThatName } from './admission/origins.js';
import { createListener } from './listener.js';
import { createOperationPages } from './pages/operations.js';
import type { OperationsOptions } from './pages/operations.js';
import { securityHeaders, sendError, sendJson } from './responses.js';

export interface OperationsServerOptions extends OperationsOptions {
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
  readonly log: Log;
}

export interface OperationsServer {
  /** Such as `http://127.0.0.1:9464`. */
  readonly url: string;
  /** Not ready from now on. */
  stop(): void;
  /** Cuts off whoever is still reading. */
  close(): Promise<void>;
}

const HEADERS_TIMEOUT_MS = 10_000;
/** A few that monitor. */
const MAX_CONNECTIONS = 64;

/** Resolves when it listens; rejects when it can't. */
export async function startOperationsServer({
  address,
  port,
  log,
  ...own
}: OperationsServerOptions): Promise<OperationsServer> {
  const pages = createOperationPages(own);
  const server = createListener({ headersTimeoutMs: HEADERS_TIMEOUT_MS, maxConnections: MAX_CONNECTIONS });
  const isOnLoopback = isLoopbackHost(address.includes(':') ? `[${address}]` : address);
  const answer = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const path = req.url?.split('?', 1)[0] ?? '';
    const isRead = req.method === 'GET' || req.method === 'HEAD';
    // A page of another site whose name leads here reads nothing.
    if (isOnLoopback && !isLoopbackHost(req.headers.host)) return sendError(res, notByThatName());
    // Of anything else nothing is read: it has no place here.
    if (!isRead) res.setHeader('connection', 'close');
    if (isRead && ((await pages.sendState(res, path)) || (await pages.sendMetrics(req, res, path)))) return;
    sendJson(res, 404, { errors: [{ message: 'There is nothing here.', extensions: { code: 'NOT_FOUND' } }] });
  };
  server.on('request', (req: IncomingMessage, res: ServerResponse) => {
    for (const [name, value] of Object.entries(securityHeaders({ isSecure: false }))) res.setHeader(name, value);
    answer(req, res).catch((err: unknown) => {
      if (err instanceof GraphQLError && !res.headersSent) return sendError(res, err);
      log.error({ err }, 'a page for monitoring failed');
      res.destroy();
    });
  });
  server.listen(port, address);
  await once(server, 'listening');
  const { port: own_, family, address: at } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${at}]` : at}:${own_}`,
    stop: () => pages.stop(),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
