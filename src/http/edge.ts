// What becomes of each request: checks from the cheapest to the dearest, then a page or GraphQL. Nothing of a body is read before all of
// them have passed.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { GraphQLError } from 'graphql';
import type { Log } from '../core/ports.js';
import { graphqlError } from '../graphql/errors.js';
import { maxMultipartBytes } from '../graphql/multipart.js';
import { loadSchema } from '../graphql/schema.js';
import type { HttpExchange } from '../graphql/bodies.js';
import type { GraphQLServer } from '../graphql/yoga.js';
import { createGraphQLServer } from '../graphql/yoga.js';
import { Admission } from './admission/admission.js';
import { believe, credentialsOf } from './identity/authentication.js';
import type { Refusal } from './admission/broken-requests.js';
import { refusalOf, refuseSocket } from './admission/broken-requests.js';
import type { Connections } from './connections.js';
import { isAllowedOrigin, isLoopbackHost, notByThatName, setCorsHeaders } from './admission/origins.js';
import type { ServerOptions } from './options.js';
import { createOperationPages } from './pages/operations.js';
import { createPages } from './pages/pages.js';
import type { Visitor } from './admission/refusals.js';
import { checkForgery, checkForm, checkRequestLine, foreignOrigin } from './admission/request-checks.js';
import { drainAfterAnswer, limitUnread, securityHeaders, sendError, sendJson } from './responses.js';

import { createWebSocketEdge } from './websocket/websocket.js';

export interface Edge {
  readonly handle: (req: IncomingMessage, res: ServerResponse) => void;
  readonly refuseExpectation: (req: IncomingMessage, res: ServerResponse) => void;
  readonly upgrade: (req: IncomingMessage, socket: Duplex, head: Buffer) => void;
  readonly refuseBroken: (error: Error, socket: Duplex) => void;
  /** Open ones. */
  readonly webSocketCount: number;
  /** From now on not ready. Ends WebSockets; those that don't answer are cut after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

const DEFAULT_IDLE_TIMEOUT_MS = 30_000;
const DEFAULT_RATE_WINDOW_MS = 30_000;
const DEFAULT_OPERATION_TIMEOUT_MS = 120_000;
const DEFAULT_UNREAD_TIMEOUT_MS = 60_000;
/** Time for the rest of a chunk after its answer, at about a megabyte a second. */
const DRAIN_MAX_MS = 10_000;

export function createEdge(options: ServerOptions, connections: Connections): Edge {
  const { log, origins = [], limits, authenticate = believe, loopbackOnly = true } = options;
  const { unreadTimeoutMs = DEFAULT_UNREAD_TIMEOUT_MS } = limits;
  const isSecure = options.tls !== undefined;
  const admission = new Admission({ ...limits, trustedProxies: options.trustedProxies, audit: options.audit });
  const visitors = new WeakMap<IncomingMessage, Visitor>();
  const onRefused = (code: string, { req }: HttpExchange): void => {
    const visitor = visitors.get(req);
    if (visitor !== undefined) admission.refused(visitor, code);
  };
  const graphql = createGraphQL(options, { onRefused, unreadTimeoutMs });
  const webSockets = createWebSocketEdge({ graphql, authenticate, log, admission, maxUngreeted: limits.maxUngreeted });
  const pages = createPages(origins);
  const operations = createOperationPages(options);
  const drainBounds = { maxBytes: maxMultipartBytes(limits.maxChunkBytes), maxMs: DRAIN_MAX_MS };

  /** What is true of every request, wherever it goes. */
  const check = (req: IncomingMessage): void => {
    checkRequestLine(req);
    if (!loopbackOnly || isLoopbackHost(req.headers.host)) return;
    throw notByThatName();
  };

  const answerGraphQL = async (req: IncomingMessage, res: ServerResponse, visitor: Visitor): Promise<void> => {
    setCorsHeaders(req, res, origins);
    if (req.method === 'OPTIONS') return void res.writeHead(204).end();
    if (isForGraphiql(req)) return pages.sendGraphiql(req, res);
    checkForgery(req, origins);
    checkForm(req);
    const identity = await authenticate(credentialsOf(req));
    const caller = { ...identity.caller, request: visitor };
    admission.admitCaller(caller);
    await graphql(req, res, {
      req,
      res,
      ...identity,
      caller,
      allowance: admission.allowanceOf(caller),
      signal: goneSignal(res),
    });
  };

  const answer = async (req: IncomingMessage, res: ServerResponse, visitor: Visitor): Promise<void> => {
    check(req);
    const path = pathOf(req);
    const isRead = req.method === 'GET' || req.method === 'HEAD';
    if (isRead && (await operations.sendState(res, path))) return;
    admission.admitAddress(visitor);
    if (path === '/graphql') return answerGraphQL(req, res, visitor);
    if (isRead && (await operations.sendMetrics(req, res, path))) return;
    if (isRead && path === '/') return pages.sendUploadPage(req, res);
    if (isRead && (await pages.sendPart(req, res, path))) return;
    return sendJson(res, 404, NOT_FOUND);
  };

  const begin = (req: IncomingMessage, res: ServerResponse): Visitor => {
    const visitor = admission.visitorOf(req);
    visitors.set(req, visitor);
    connections.begin(res);
    for (const [name, value] of Object.entries(securityHeaders({ isSecure }))) res.setHeader(name, value);
    res.setHeader('x-request-id', visitor.id);
    drainAfterAnswer(req, res, drainBounds);
    res.once('prefinish', () => limitUnread(res, unreadTimeoutMs));
    return visitor;
  };

  const refuse = (socket: Duplex, visitor: Visitor, refusal: Refusal): void => {
    admission.refused(visitor, refusal.code);
    refuseSocket(socket, refusal, { requestId: visitor.id, isSecure });
  };

  return {
    handle(req, res) {
      const visitor = begin(req, res);
      answer(req, res, visitor).catch((error: unknown) => {
        if (!(error instanceof GraphQLError) || res.headersSent) return answerFailure(res, error, { log, id: visitor.id });
        admission.refused(visitor, String(error.extensions['code']));
        sendError(res, error);
      });
    },
    refuseExpectation(req, res) {
      admission.refused(begin(req, res), 'EXPECTATION_FAILED');
      sendJson(res, 417, EXPECTATION_FAILED);
    },
    upgrade(req, socket, head) {
      socket.on('error', (err) => log.debug({ err }, 'a connection broke while it was upgraded'));
      const visitor = admission.visitorOf(req);
      try {
        check(req);
        if (pathOf(req) !== '/graphql') return refuse(socket, visitor, NO_SUCH_SOCKET);
        if (!isAllowedOrigin(req, origins)) throw foreignOrigin();
        admission.admitAddress(visitor);
      } catch (error) {
        return refuse(socket, visitor, toRefusal(error));
      }
      if (!webSockets.hasRoomFor(visitor)) return refuse(socket, visitor, FULL);
      if (webSockets.accept(req, socket, head, visitor)) connections.release(socket);
      else if (!socket.destroyed) refuse(socket, visitor, NO_HANDSHAKE);
    },
    refuseBroken(error, socket) {
      if (!socket.writable || connections.isAnswering(socket)) return void socket.destroy();
      const visitor = admission.visitorOfSocket(socket);
      refuse(socket, visitor, refusalOf(error));
    },
    get webSocketCount() {
      return webSockets.count;
    },
    async close(graceMs) {
      operations.stop();
      admission.close();
      await webSockets.close(graceMs);
    },
  };
}

interface GraphQLParts {
  readonly onRefused: (code: string, exchange: HttpExchange) => void;
  readonly unreadTimeoutMs: number;
}

function createGraphQL(options: ServerOptions, { onRefused, unreadTimeoutMs }: GraphQLParts): GraphQLServer {
  const { longshore, log, introspection = true, limits } = options;
  return createGraphQLServer({
    schema: loadSchema(),
    longshore,
    log,
    introspection,
    limits: {
      maxFileBytes: limits.maxChunkBytes,
      idleTimeoutMs: limits.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS,
      rateWindowMs: limits.rateWindowMs ?? DEFAULT_RATE_WINDOW_MS,
      operationTimeoutMs: limits.operationTimeoutMs ?? DEFAULT_OPERATION_TIMEOUT_MS,
    },
    onRefused,
    // Afterwards, since Yoga lifts the limit before it begins to stream.
    onAnswer: ({ res }) => setImmediate(() => limitUnread(res, unreadTimeoutMs)),
  });
}

const NOT_FOUND = { errors: [{ message: 'There is nothing here. Try /graphql.', extensions: { code: 'NOT_FOUND' } }] };
const EXPECTATION_FAILED = {
  errors: [{ message: 'Only 100-continue may be expected.', extensions: { code: 'EXPECTATION_FAILED' } }],
};
const FULL: Refusal = {
  status: 503,
  code: 'SERVICE_UNAVAILABLE',
  message: 'Too many connections have yet to say who they are. Try again later.',
  headers: { 'retry-after': '1' },
};
const NO_SUCH_SOCKET: Refusal = { status: 404, code: 'NOT_FOUND', message: 'There is nothing here. Try /graphql.' };

const NO_HANDSHAKE: Refusal = {
  status: 400,
  code: 'BAD_REQUEST',
  message: 'Only WebSockets of version 13 are taken, by GET and with a key.',
  // RFC 6455 section 4.2.2.
  headers: { 'sec-websocket-version': '13' },
};

/** A browser that wants a page. */
function isForGraphiql({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && headers.accept?.includes('text/html') === true;
}

/** Aborts when the client is gone before its answer is. */
function goneSignal(res: ServerResponse): AbortSignal {
  const gone = new AbortController();
  res.once('close', () => {
    if (!res.writableFinished) gone.abort();
  });
  return gone.signal;
}

function answerFailure(res: ServerResponse, error: unknown, { log, id }: { readonly log: Log; readonly id: string }): void {
  log.error({ requestId: id, err: error }, 'a request failed unexpectedly');
  if (res.headersSent) return void res.destroy();
  sendError(res, graphqlError('INTERNAL_SERVER_ERROR', `Unexpected error. The log has it as ${id}.`, { id, status: 500 }));
}

function toRefusal(error: unknown): Refusal {
  if (!(error instanceof GraphQLError)) return { status: 500, code: 'INTERNAL_SERVER_ERROR', message: 'Unexpected error.' };
  const { code, http } = error.extensions as { code: string; http: Pick<Refusal, 'status' | 'headers'> };
  return { code, message: error.message, ...http };
}

function pathOf({ url = '/' }: IncomingMessage): string {
  return url.split('?', 1)[0] ?? url;
}
