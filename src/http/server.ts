// The HTTP edge. Secret: sockets, paths, headers, pages and how a connection begins and ends. Called by compose.
// May import graphql and core, and node:http, ws and graphql-ws.
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { GraphQLError } from 'graphql';
import type { Longshore } from '../core/answers.js';
import type { Log } from '../core/ports.js';
import { graphqlError } from '../graphql/errors.js';
import { maxMultipartBytes } from '../graphql/multipart.js';
import { loadSchema } from '../graphql/schema.js';
import type { GraphQLServer } from '../graphql/yoga.js';
import { createGraphQLServer } from '../graphql/yoga.js';
import type { Authenticate } from './authentication.js';
import { believe } from './authentication.js';
import { Connections } from './connections.js';
import { isAllowedOrigin, isLoopbackHost, setCorsHeaders } from './origins.js';
import type { Pages } from './pages.js';
import { createPages } from './pages.js';
import { drainAfterAnswer, sendError, sendJson, setSecurityHeaders } from './responses.js';
import type { WebSocketEdge } from './websocket.js';
import { createWebSocketEdge } from './websocket.js';

export interface ServerOptions {
  readonly longshore: Longshore;
  readonly log: Log;
  /** Address to listen on. */
  readonly address: string;
  /** 0: a free one. */
  readonly port: number;
  /** Origins of other sites whose pages may use the API, such as `https://files.example.com`. Our own needs no entry. */
  readonly origins?: readonly string[];
  readonly limits: {
    /** Largest chunk, bytes. A larger one is refused with `PAYLOAD_TOO_LARGE`. */
    readonly maxChunkBytes: number;
    /** Longest silence of a client that still owes bytes of its body, ms. Default 30 000. */
    readonly idleTimeoutMs?: number;
  };
  /** Tells who asks. Default: whoever the client says, for `auth.mode: none`. */
  readonly authenticate?: Authenticate;
  /** Answer only requests to a loopback name or address in `Host`. To be set whenever nobody has to prove who he is. Default true. */
  readonly loopbackOnly?: boolean;
  /** Whether requests can be served, for `/ready`. Default: always. */
  readonly ready?: () => boolean | Promise<boolean>;
}

export interface RunningServer {
  /** Such as `http://127.0.0.1:4000`. */
  readonly url: string;
  readonly port: number;
  /**
   * Stops listening, ends WebSockets (1001) and event streams, lets requests under way finish for at most `graceMs` (default 5 000), and
   * resolves when every connection is closed.
   */
  close(graceMs?: number): Promise<void>;
}

const DEFAULT_IDLE_TIMEOUT_MS = 30_000;
const DEFAULT_GRACE_MS = 5_000;
/** Time for the rest of a chunk after its answer, at about a megabyte a second. */
const DRAIN_MAX_MS = 10_000;

/** Resolves when the server listens; rejects when it can't. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const server = createServer();
  // A slow upload may take hours; bodies have a limit of their own on silence. Headers keep Node's deadline.
  server.requestTimeout = 0;
  const connections = new Connections(server);
  const edge = createEdge(options, connections);
  server.on('request', edge.handle);
  server.on('checkContinue', edge.handle);
  server.on('upgrade', edge.upgrade);
  await listen(server, options);
  const { port, family, address } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    port,
    async close(graceMs = DEFAULT_GRACE_MS) {
      await Promise.all([connections.close(graceMs), edge.webSockets.close(graceMs)]);
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

interface Edge {
  readonly handle: (req: IncomingMessage, res: ServerResponse) => void;
  readonly upgrade: (req: IncomingMessage, socket: Duplex, head: Buffer) => void;
  readonly webSockets: WebSocketEdge;
}

function createEdge(options: ServerOptions, connections: Connections): Edge {
  const { longshore, log, origins = [], limits, authenticate = believe, loopbackOnly = true } = options;
  const { maxChunkBytes, idleTimeoutMs = DEFAULT_IDLE_TIMEOUT_MS } = limits;
  const graphql = createGraphQLServer({
    schema: loadSchema(),
    longshore,
    log,
    limits: { maxFileBytes: maxChunkBytes, idleTimeoutMs },
  });
  const pages = createPages(origins);
  const webSockets = createWebSocketEdge({ graphql, authenticate, log });
  const drainBounds = { maxBytes: maxMultipartBytes(maxChunkBytes), maxMs: DRAIN_MAX_MS };
  const isForUs = (req: IncomingMessage): boolean => !loopbackOnly || isLoopbackHost(req.headers.host);

  const answer = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    if (!isForUs(req)) throw graphqlError('FORBIDDEN', 'This server answers to loopback names only.', { status: 403 });
    const path = pathOf(req);
    if (path === '/graphql') {
      setCorsHeaders(req, res, origins);
      return answerGraphQL({ req, res, pages, graphql, authenticate });
    }
    if (req.method !== 'GET' && req.method !== 'HEAD') return sendJson(res, 404, NOT_FOUND);
    if (path === '/') return pages.sendUploadPage(req, res);
    if (await pages.sendPart(req, res, path)) return;
    if (path === '/health') return sendJson(res, 200, { status: 'ok' });
    if (path === '/ready') return sendReadiness(res, (await options.ready?.()) ?? true);
    return sendJson(res, 404, NOT_FOUND);
  };

  return {
    handle(req, res) {
      connections.begin(res);
      setSecurityHeaders(res);
      drainAfterAnswer(req, res, drainBounds);
      answer(req, res).catch((error: unknown) => answerFailure(res, error, log));
    },
    upgrade(req, socket, head) {
      socket.on('error', (err) => log.debug({ err }, 'a connection broke while it was upgraded'));
      if (pathOf(req) !== '/graphql') return refuseUpgrade(socket, '404 Not Found');
      if (!isForUs(req) || !isAllowedOrigin(req, origins)) return refuseUpgrade(socket, '403 Forbidden');
      connections.release(socket);
      webSockets.accept(req, socket, head);
    },
    webSockets,
  };
}

const NOT_FOUND = { errors: [{ message: 'There is nothing here. Try /graphql.', extensions: { code: 'NOT_FOUND' } }] };

interface GraphQLExchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly pages: Pages;
  readonly graphql: GraphQLServer;
  readonly authenticate: Authenticate;
}

async function answerGraphQL({ req, res, pages, graphql, authenticate }: GraphQLExchange): Promise<void> {
  if (req.method === 'OPTIONS') return void res.writeHead(204).end();
  if (req.method === 'GET' && req.headers.accept?.includes('text/html') === true) return pages.sendGraphiql(req, res);
  const { authorization, 'x-person-id': personId } = req.headers;
  const caller = await authenticate({
    ...(authorization === undefined ? {} : { authorization }),
    ...(typeof personId === 'string' ? { personId } : {}),
  });
  const gone = new AbortController();
  res.once('close', () => {
    if (!res.writableFinished) gone.abort();
  });
  await graphql(req, res, { caller, signal: gone.signal });
}

function answerFailure(res: ServerResponse, error: unknown, log: Log): void {
  if (error instanceof GraphQLError && !res.headersSent) return sendError(res, error);
  log.error({ err: error }, 'a request failed unexpectedly');
  if (res.headersSent) return void res.destroy();
  sendError(res, graphqlError('INTERNAL_SERVER_ERROR', 'Unexpected error.', { status: 500 }));
}

function sendReadiness(res: ServerResponse, isReady: boolean): void {
  sendJson(res, isReady ? 200 : 503, { status: isReady ? 'ready' : 'not ready' });
}

function pathOf({ url = '/' }: IncomingMessage): string {
  return url.split('?', 1)[0] ?? url;
}

function refuseUpgrade(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}
