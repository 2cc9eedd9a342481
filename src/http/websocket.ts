// GraphQL over WebSocket (graphql-transport-ws): the same schema, validation, masking and authentication as over HTTP. graphql-ws's own
// binding to ws isn't used because a client's malformed frame makes it write to the console; this one is its shape, with our log.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { GraphQLError } from 'graphql';
import type { DocumentNode, ExecutionArgs, ExecutionResult, GraphQLFormattedError, GraphQLSchema } from 'graphql';
import { CloseCode, handleProtocols, makeServer } from 'graphql-ws';
import type { ConnectionInitMessage, Context, SubscribePayload } from 'graphql-ws';
import { WebSocketServer } from 'ws';
import type { RawData, WebSocket } from 'ws';
import type { Caller } from '../core/answers.js';
import type { Log } from '../core/ports.js';
import type { GraphQLContext } from '../graphql/context.js';
import { graphqlError } from '../graphql/errors.js';
import type { GraphQLServer } from '../graphql/yoga.js';
import type { Authenticate } from './authentication.js';

export interface WebSocketOptions {
  readonly graphql: GraphQLServer;
  readonly authenticate: Authenticate;
  readonly log: Log;
}

export interface WebSocketEdge {
  /** Takes over a connection whose path, host and origin have been checked. */
  accept(req: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Ends every connection with 1001; those that don't answer are cut after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** Queries and variables, never a chunk. */
const MAX_MESSAGE_BYTES = 256 * 1024;
const INIT_WAIT_MS = 3_000;
/** A client that is gone without a word is noticed within twice this. */
const PING_INTERVAL_MS = 12_000;
/** Far more uploads than a page can show; a bound on what one connection can make us watch. */
const MAX_OPERATIONS = 200;
const GOING_AWAY = 1001;

interface Connection {
  readonly socket: WebSocket;
  readonly gone: AbortController;
  caller?: Caller;
}

type ConnectionContext = Context<ConnectionInitMessage['payload'], Connection>;

export function createWebSocketEdge(options: WebSocketOptions): WebSocketEdge {
  const { log } = options;
  const server = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES, handleProtocols });
  const protocol = makeServer<ConnectionInitMessage['payload'], Connection>({
    connectionInitWaitTimeout: INIT_WAIT_MS,
    onConnect: (context) => connect(context, options.authenticate),
    onSubscribe: (context, _id, payload) => prepare(context, payload, options.graphql),
    execute: (args) => bound(args).execute(args),
    subscribe: (args) => bound(args).subscribe(args),
    onNext: (_context, _id, _payload, _args, { data, errors }) =>
      errors && { errors: errors.map(toClient), ...(data === undefined ? {} : { data }) },
    onError: (_context, _id, _payload, errors) => errors.map(toClient),
  });
  const open = (socket: WebSocket): void => {
    const connection: Connection = { socket, gone: new AbortController() };
    // Stays for good: an error without a listener would end the process.
    socket.on('error', (err) => log.debug({ err }, 'a WebSocket client broke the protocol'));
    const stopPinging = keepAlive(socket);
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        send: (text) => send(socket, text),
        close: (code, reason) => socket.close(code, reason),
        onMessage: (take) => {
          socket.on('message', (data) => {
            take(textOf(data)).catch((err: unknown) => {
              log.error({ err }, 'unexpected error on a WebSocket');
              socket.close(CloseCode.InternalServerError, 'Internal server error');
            });
          });
        },
      },
      connection,
    );
    socket.once('close', (code, reason) => {
      stopPinging();
      connection.gone.abort();
      closed(code, String(reason)).catch((err: unknown) => log.error({ err }, 'a subscription failed to end'));
    });
  };
  return {
    accept: (req, socket, head) => server.handleUpgrade(req, socket, head, open),
    close: (graceMs) => closeAll(server, graceMs),
  };
}

async function connect({ connectionParams, extra }: ConnectionContext, authenticate: Authenticate): Promise<boolean> {
  try {
    extra.caller = await authenticate({
      ...textParameter(connectionParams, 'authorization'),
      ...textParameter(connectionParams, 'personId'),
    });
    return true;
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    // 4401 tells graphql-ws's client not to try again with the same credentials, as 4403 would not.
    extra.socket.close(CloseCode.Unauthorized, 'Unauthorized');
    return false;
  }
}

/** A message's text. With ws's default `binaryType` it comes as one Buffer. */
function textOf(data: RawData): string {
  return Buffer.isBuffer(data) ? data.toString() : '';
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

/** Parses and validates as over HTTP. Returns what to execute, or the errors. */
async function prepare(
  { extra, subscriptions }: ConnectionContext,
  payload: SubscribePayload,
  graphql: GraphQLServer,
): Promise<ExecutionArgs | readonly GraphQLError[]> {
  if (extra.caller === undefined) return [graphqlError('UNAUTHENTICATED', 'The connection has not been initialised.')];
  if (Object.keys(subscriptions).length > MAX_OPERATIONS) {
    return [graphqlError('BAD_REQUEST', `At most ${MAX_OPERATIONS} operations at a time on one connection.`)];
  }
  const asker = { caller: extra.caller, signal: extra.gone.signal };
  const enveloped: Enveloped = graphql.getEnveloped({ ...asker, params: payload });
  const { parse, validate, schema, contextFactory, execute, subscribe } = enveloped;
  try {
    const document = parse(payload.query);
    const errors = validate(schema, document);
    if (errors.length > 0) return errors;
    const { operationName, variables: variableValues } = payload;
    const contextValue = await contextFactory();
    const rootValue: Bound = { execute, subscribe };
    return { schema, document, operationName, variableValues, contextValue, rootValue };
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    error.extensions['code'] ??= 'GRAPHQL_PARSE_FAILED';
    return [error];
  }
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

function send(socket: WebSocket, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    if (socket.readyState !== socket.OPEN) return resolve();
    socket.send(text, (error) => (error ? reject(error) : resolve()));
  });
}

function keepAlive(socket: WebSocket): () => void {
  let isAlive = true;
  socket.on('pong', () => {
    isAlive = true;
  });
  const interval = setInterval(() => {
    if (!isAlive) return socket.terminate();
    isAlive = false;
    socket.ping();
  }, PING_INTERVAL_MS);
  return () => clearInterval(interval);
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
