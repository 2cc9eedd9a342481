// GraphQL over WebSocket (graphql-transport-ws): the same schema, validation, masking and authentication as over HTTP. graphql-ws's own
// binding to ws isn't used because a client's malformed frame makes it write to the console; this one is its shape, with our log.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { getOperationAST, GraphQLError } from 'graphql';
import type { DocumentNode, ExecutionArgs, ExecutionResult, GraphQLFormattedError, GraphQLSchema } from 'graphql';
import { CloseCode, handleProtocols, makeServer } from 'graphql-ws';
import type { ConnectionInitMessage, Context, SubscribePayload } from 'graphql-ws';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import type { Caller } from '../../core/answers.js';
import type { Log } from '../../core/ports.js';
import type { GraphQLContext } from '../../graphql/context.js';
import { graphqlError } from '../../graphql/errors.js';
import { atTime } from '../../graphql/expiry.js';
import type { GraphQLServer } from '../../graphql/yoga.js';
import type { Admission } from '../admission/admission.js';
import type { Authenticate, Identity } from '../identity/authentication.js';
import type { Visitor } from '../admission/refusals.js';
import { Line } from './socket-line.js';
import { Operations } from './socket-operations.js';
import { Ungreeted } from './ungreeted.js';

export interface WebSocketOptions {
  readonly graphql: GraphQLServer;
  readonly authenticate: Authenticate;
  readonly log: Log;
  readonly admission: Admission;
  /** See `ServerLimits`. */
  readonly maxUngreeted?: number | undefined;
}

export interface WebSocketEdge {
  /** Whether another connection may begin. It may take the place of one that hasn't said who it is. */
  hasRoomFor(visitor: Visitor): boolean;
  /** Takes over a connection whose path, host and origin have been checked. False, and untouched, when it doesn't ask for that properly. */
  accept(req: IncomingMessage, socket: Duplex, head: Buffer, visitor: Visitor): boolean;
  /** Open ones. */
  readonly count: number;
  /** Ends every connection with 1001; those that don't answer are cut after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

const SOCKET_OPTIONS = {
  noServer: true,
  handleProtocols,
  /** Queries and variables, never a chunk. */
  maxPayload: 256 * 1024,
  maxFragments: 256,
  /** It would cost each connection the memory of a compressor. */
  perMessageDeflate: false,
  /** For the client's answer to our goodbye. */
  closeTimeout: 5_000,
} as const;
const INIT_WAIT_MS = 3_000;
/** A page's reload makes a few; two thousand clients may come at once after a restart. */
const MAX_UNGREETED = 4_096;
/** Ids come back with every message; clients count, or take a UUID. */
const MAX_ID_LENGTH = 128;
const GOING_AWAY = 1001;
const TRY_AGAIN_LATER = 1013;
/** Tells graphql-ws's client to connect again, with what `connectionParams` gives it then; 4401 would tell it not to. */
const TOKEN_ENDED = CloseCode.Forbidden;

interface Connection {
  readonly line: Line;
  readonly gone: AbortController;
  readonly visitor: Visitor;
  readonly operations: Operations;
  /** From now on it is nobody unknown. */
  readonly welcome: () => void;
  identity?: Identity;
  begun: number;
  /** Of the message being taken. */
  messageBytes: number;
}

type ConnectionContext = Context<ConnectionInitMessage['payload'], Connection>;

export function createWebSocketEdge(options: WebSocketOptions): WebSocketEdge {
  const { log, maxUngreeted = MAX_UNGREETED } = options;
  const server = new WebSocketServer(SOCKET_OPTIONS);
  // With a listener, ws leaves the answer to us, who see that nothing was opened.
  server.on('wsClientError', () => undefined);
  const ungreeted = new Ungreeted(maxUngreeted);
  const protocol = makeServer<ConnectionInitMessage['payload'], Connection>({
    connectionInitWaitTimeout: INIT_WAIT_MS,
    async onConnect(context) {
      const isWelcome = await connect(context, options);
      if (isWelcome) context.extra.welcome();
      return isWelcome;
    },
    onSubscribe: (context, id, payload) => prepare({ context, id, payload }, options),
    execute: (args) => bound(args).execute(args),
    subscribe: (args) => bound(args).subscribe(args),
    onNext({ extra }, _id, _payload, _args, { data, errors }) {
      if (errors === undefined) return;
      if (data === undefined) options.admission.refused(extra.visitor, String(errors[0]?.extensions['code']));
      return { errors: errors.map(toClient), ...(data === undefined ? {} : { data }) };
    },
    onError: (_context, _id, _payload, errors) => errors.map(toClient),
  });
  const open = (socket: WebSocket, visitor: Visitor): void => {
    const line = new Line(socket, log);
    const forget = ungreeted.add(visitor.address, line);
    const welcome = (): void => {
      forget();
      line.welcome();
    };
    const connection: Connection = {
      ...{ line, visitor, welcome, gone: new AbortController(), operations: new Operations() },
      ...{ begun: 0, messageBytes: 0 },
    };
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        send: (text) => line.send(text),
        close: (code, reason) => line.close(code, reason),
        // Without what came with it: nothing comes back larger than it was sent, or deeper than can be written.
        onPing: () => line.send(PONG),
        onMessage: (take) => {
          line.listen((text) => {
            connection.messageBytes = text.length;
            return take(text);
          });
        },
      },
      connection,
    );
    socket.once('close', (code, reason) => {
      forget();
      connection.gone.abort();
      closed(code, String(reason)).catch((err: unknown) => log.error({ err }, 'a subscription failed to end'));
    });
  };
  return {
    hasRoomFor: ({ address }) => ungreeted.hasRoomFor(address),
    accept(req, socket, head, visitor) {
      let isOpen = false;
      server.handleUpgrade(req, socket, head, (opened) => {
        isOpen = true;
        open(opened, visitor);
      });
      return isOpen;
    },
    get count() {
      return server.clients.size;
    },
    close: (graceMs) => closeAll(server, graceMs),
  };
}

const PONG = JSON.stringify({ type: 'pong' });

async function connect(
  { connectionParams, extra }: ConnectionContext,
  { authenticate, admission }: WebSocketOptions,
): Promise<boolean> {
  const { line, gone, visitor } = extra;
  try {
    const identity = await authenticate({
      ...textParameter(connectionParams, 'authorization'),
      ...textParameter(connectionParams, 'personId'),
    });
    extra.identity = identity;
    if (identity.expiresAt !== undefined && !gone.signal.aborted) {
      const forget = atTime(identity.expiresAt, () => line.close(TOKEN_ENDED, 'The token has expired'));
      gone.signal.addEventListener('abort', forget, { once: true });
    }
    return true;
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    const code = String(error.extensions['code']);
    admission.refused(visitor, code);
    if (code === 'UNAUTHENTICATED') line.close(CloseCode.Unauthorized, 'Unauthorized');
    else line.close(TRY_AGAIN_LATER, 'Try again later');
    return false;
  }
}

function textParameter(parameters: ConnectionInitMessage['payload'], name: string): Record<string, string> {
  const value = parameters?.[name];
  return typeof value === 'string' ? { [name]: value } : {};
}

type Execution = (args: ExecutionArgs) => Promise<ExecutionResult | AsyncIterable<ExecutionResult>>;

interface Bound {
  readonly execute: Execution;
  readonly subscribe: Execution;
}

/** What Yoga and its plugins make of one operation; its own type leaves most of this open. */
interface Enveloped extends Bound {
  readonly schema: GraphQLSchema;
  readonly parse: (query: string) => DocumentNode;
  readonly validate: (schema: GraphQLSchema, document: DocumentNode) => readonly GraphQLError[];
  readonly contextFactory: () => GraphQLContext | Promise<GraphQLContext>;
}

interface Beginnings {
  readonly context: ConnectionContext;
  readonly id: string;
  readonly payload: SubscribePayload;
}

/** Parses and validates as over HTTP. Returns what to execute, or the errors. */
async function prepare(
  { context: { extra, subscriptions }, id, payload }: Beginnings,
  { graphql, admission }: WebSocketOptions,
): Promise<ExecutionArgs | readonly GraphQLError[]> {
  const { identity, line, visitor, operations, gone } = extra;
  if (identity === undefined) return [graphqlError('UNAUTHENTICATED', 'The connection has not been initialised.')];
  extra.begun += 1;
  const caller: Caller = { ...identity.caller, request: { ...visitor, id: `${visitor.id}.${extra.begun}` } };
  try {
    if (id.length > MAX_ID_LENGTH) {
      line.close(CloseCode.BadRequest, 'Invalid message received');
      throw graphqlError('BAD_REQUEST', `An id has at most ${MAX_ID_LENGTH} letters.`);
    }
    admission.admitCaller(caller);
    check(operations.begin(id, extra.messageBytes, subscriptions));
    const enveloped: Enveloped = graphql.getEnveloped({
      ...identity,
      caller,
      allowance: admission.allowanceOf(caller),
      expiresAt: undefined,
      signal: gone.signal,
      params: payload,
    });
    const { parse, validate, schema, contextFactory, execute, subscribe } = enveloped;
    const document = parse(payload.query);
    const errors = validate(schema, document);
    if (errors.length > 0) return errors;
    const { operationName, variables: variableValues } = payload;
    if (getOperationAST(document, operationName)?.operation !== 'subscription') check(operations.call(id));
    const contextValue = await contextFactory();
    const rootValue: Bound = { execute, subscribe };
    return { schema, document, operationName, variableValues, contextValue, rootValue };
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    error.extensions['code'] ??= 'GRAPHQL_PARSE_FAILED';
    admission.refused(visitor, String(error.extensions['code']));
    return [error];
  }
}

function check(objection: string | undefined): void {
  if (objection !== undefined) throw graphqlError('TOO_MANY_OPERATIONS', objection);
}

/** The execution that belongs to the operation's own plugins; `prepare` sends it along. */
function bound({ rootValue }: ExecutionArgs): Bound {
  return rootValue as Bound;
}

/** Without what is about HTTP alone. */
function toClient(error: GraphQLError): GraphQLFormattedError {
  const { extensions, ...formatted } = error.toJSON();
  const { http: _http, ...own } = extensions ?? {};
  return { ...formatted, ...(Object.keys(own).length > 0 ? { extensions: own } : {}) };
}

async function closeAll(server: WebSocketServer, graceMs: number): Promise<void> {
  const ends = [...server.clients].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
  for (const socket of server.clients) socket.close(GOING_AWAY, 'Going away');
  const cut = setTimeout(() => {
    for (const socket of server.clients) socket.terminate();
  }, graceMs);
  await Promise.all(ends);
  clearTimeout(cut);
  server.close();
}
