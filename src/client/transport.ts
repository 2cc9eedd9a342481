// One GraphQL operation over HTTP, JSON or multipart: headers, identity, and what an answer that isn't data means.

import { GatewayError, NetworkError } from './errors.js';
import { either, unless } from './gate.js';
import { multipartBody, type FilePart } from './multipart.js';
import type { HttpBody, HttpRequest, HttpResponse, Platform } from './platform.js';

export interface TransportOptions {
  /** The gateway's GraphQL URL, `http(s)://…/graphql`. */
  readonly endpoint: string;
  /**
   * The bearer token, or what gives it: asked with every request, so that it may be renewed meanwhile, and once more with the token that
   * the gateway refused (`UNAUTHENTICATED`). Another one than that is tried at once. It may take its time, e.g. to ask the person.
   */
  readonly token?: string | TokenSource | undefined;
  /** Who the caller is, where the gateway runs without authentication. */
  readonly personId?: string | undefined;
  /** A request without a byte in either direction for so long has failed. Default: 60 000. */
  readonly idleTimeoutMs?: number | undefined;
}

export type TokenSource = (asked: { readonly refused: string | undefined }) => string | undefined | Promise<string | undefined>;

type Variables = Readonly<Record<string, unknown>>;

/** What the gateway takes in place of a token for one upload; gone once it has refused it. */
export interface Ticket {
  current: string | undefined;
}

/** What a subscription sends as `connectionParams`. */
export interface ConnectionParams extends Record<string, unknown> {
  readonly authorization?: string;
  readonly personId?: string;
}

const DEFAULT_IDLE_TIMEOUT_MS = 60_000;
const MASKED_ERROR = 'INTERNAL_SERVER_ERROR';
const BEARER = 'Bearer ';
const UNAUTHENTICATED = 'UNAUTHENTICATED';
/** 408 and 425 ask for another attempt, 429 and 503 for a later one; 500, 502, 504 come from proxies while a gateway restarts. */
const RETRYABLE_STATUSES: readonly number[] = [408, 425, 429, 500, 502, 503, 504];

/** Sends operations. All methods reject with `NetworkError`, `GatewayError`, or the signal's reason. Retries are the caller's. */
export class Transport {
  readonly #options: TransportOptions;
  readonly #platform: Platform;
  /** Renewals under way, by the token that was refused: requests that are refused together ask once. */
  readonly #renewals = new Map<string, Promise<string | undefined>>();

  constructor(options: TransportOptions, platform: Platform) {
    this.#options = options;
    this.#platform = platform;
  }

  /** The answer's `data`. */
  async request(query: string, variables: Variables, signal: AbortSignal, ticket?: Ticket): Promise<unknown> {
    const body = new TextEncoder().encode(JSON.stringify({ query, variables }));
    const content = { lengthBytes: body.byteLength, pieces: () => once(body) };
    return await this.#post('application/json', content, signal, { ticket });
  }

  /** The same with a file as `fileVariable`. `onFileBytes` hears of the file's own bytes as they leave the process. */
  async upload(
    query: string,
    variables: Variables,
    options: {
      readonly fileVariable: string;
      readonly file: FilePart;
      readonly onFileBytes: (bytes: number) => void;
      readonly signal: AbortSignal;
      readonly ticket?: Ticket | undefined;
    },
  ): Promise<unknown> {
    const { fileVariable, file, onFileBytes, signal, ticket } = options;
    const body = multipartBody({ query, variables, fileVariable, file, boundary: this.#boundary() });
    const count = (bodyBytes: number) => Math.min(Math.max(bodyBytes - body.prefixBytes, 0), file.length);
    let sent = 0;
    const onBytesSent = (bytes: number) => {
      const before = count(sent);
      sent += bytes;
      if (count(sent) > before) onFileBytes(count(sent) - before);
    };
    return await this.#post(body.contentType, body, signal, { onBytesSent, ticket });
  }

  /**
   * A subscription as server-sent events: `onData` gets each result's `data`. Resolves when the gateway says it is complete.
   * https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md, distinct connections mode.
   */
  async stream(query: string, variables: Variables, onData: (data: unknown) => void, signal: AbortSignal): Promise<void> {
    const body = new TextEncoder().encode(JSON.stringify({ query, variables }));
    const state = { unread: '', complete: false, failure: undefined as unknown };
    const failed = new AbortController();
    const onText = (text: string) => {
      const events = (state.unread + text).split(/\r?\n\r?\n/);
      state.unread = events.pop() ?? '';
      try {
        for (const event of events) {
          if (/^event: ?complete$/m.test(event)) state.complete = true;
          const data = /^data: ?(.+)$/m.exec(event)?.[1];
          if (data !== undefined) onData(dataOf({ status: 200, retryAfter: undefined, text: data }));
        }
      } catch (error) {
        state.failure ??= error; // Whoever calls this has no use for it.
        failed.abort();
      }
    };
    const content = { lengthBytes: body.byteLength, pieces: () => once(body) };
    const token = await unless(signal, this.#token());
    const facts = { accept: 'text/event-stream', onText, token };
    try {
      await either([signal, failed.signal], async (cut) => {
        const response = await this.#send('application/json', content, cut, facts);
        if (response.status !== 200) dataOf(response);
      });
    } catch (error) {
      state.failure ??= error;
    }
    signal.throwIfAborted();
    if (state.failure !== undefined) throw await this.#meaning(state.failure, token, signal);
    if (!state.complete) throw new NetworkError('the event stream was cut');
  }

  /** Identity for a WebSocket's `connection_init`. */
  async connectionParams(): Promise<ConnectionParams> {
    const token = await this.#token();
    const { personId } = this.#options;
    return {
      ...(token === undefined ? {} : { authorization: BEARER + token }),
      ...(personId === undefined ? {} : { personId }),
    };
  }

  /** What it means that the gateway refused a connection with these; asks for another token first. */
  async refusal({ authorization }: ConnectionParams): Promise<GatewayError> {
    const token = authorization?.slice(BEARER.length);
    if (token !== undefined && (await this.#renewed(token)) !== token) return tokenRenewed();
    return new GatewayError(UNAUTHENTICATED, 'the gateway refused who we are', { retryable: false });
  }

  async #post(
    contentType: string,
    body: HttpBody,
    signal: AbortSignal,
    { ticket, ...listeners }: { readonly ticket: Ticket | undefined } & Pick<HttpRequest, 'onBytesSent'>,
  ): Promise<unknown> {
    const accept = 'application/graphql-response+json, application/json';
    const used = ticket?.current;
    const token = used ?? (await unless(signal, this.#token()));
    try {
      return dataOf(await this.#send(contentType, body, signal, { accept, token, ...listeners }));
    } catch (error) {
      if (used === undefined || !isUnauthenticated(error)) throw await this.#meaning(error, token, signal);
      if (ticket?.current === used) ticket.current = undefined;
      throw tokenRenewed();
    }
  }

  async #send(
    contentType: string,
    body: HttpBody,
    signal: AbortSignal,
    facts: { readonly accept: string; readonly token: string | undefined } & Pick<HttpRequest, 'onBytesSent' | 'onText'>,
  ): Promise<HttpResponse> {
    const { accept, token, ...listeners } = facts;
    const { endpoint: url, personId, idleTimeoutMs = DEFAULT_IDLE_TIMEOUT_MS } = this.#options;
    const headers = {
      accept,
      // Lets a multipart request through the gateway's guard against cross-site forms.
      'apollo-require-preflight': '1',
      'content-type': contentType,
      ...(token === undefined ? {} : { authorization: BEARER + token }),
      ...(personId === undefined ? {} : { 'x-person-id': personId }),
    };
    return await this.#platform.send({ url, headers, body, idleTimeoutMs, signal, ...listeners });
  }

  /** Of a failure with this token. Asks for another when it was refused: then it is worth trying again. */
  async #meaning(error: unknown, token: string | undefined, signal: AbortSignal): Promise<unknown> {
    if (token === undefined || !isUnauthenticated(error)) return error;
    return (await unless(signal, this.#renewed(token))) === token ? error : tokenRenewed();
  }

  async #token(): Promise<string | undefined> {
    const { token } = this.#options;
    return typeof token === 'function' ? await token({ refused: undefined }) : token;
  }

  async #renewed(refused: string): Promise<string | undefined> {
    const { token } = this.#options;
    if (typeof token !== 'function') return refused;
    const underWay = this.#renewals.get(refused);
    if (underWay !== undefined) return await underWay;
    const renewal = Promise.resolve(token({ refused })).finally(() => this.#renewals.delete(refused));
    this.#renewals.set(refused, renewal);
    return await renewal;
  }

  #boundary(): string {
    const word = () => Math.floor(this.#platform.random() * 2 ** 32).toString(16);
    return `longshore-${word()}-${word()}-${word()}-${word()}`;
  }
}

function tokenRenewed(): GatewayError {
  return new GatewayError(UNAUTHENTICATED, 'the token was refused and renewed', { retryable: true, retryAfterMs: 0 });
}

async function* once(piece: Uint8Array): AsyncIterable<Uint8Array> {
  yield piece;
}

/** The `data` of a GraphQL response; anything else is a `GatewayError`. */
function dataOf(response: HttpResponse): unknown {
  const result = parseJson(response.text);
  if (!isRecord(result) || !('data' in result || 'errors' in result)) throw notGraphQL(response);
  const { data, errors } = result;
  if (Array.isArray(errors) && errors.length > 0) throw graphQLError(errors[0], response);
  if (data === undefined || data === null) throw notGraphQL(response);
  return data;
}

function isUnauthenticated(error: unknown): boolean {
  return error instanceof GatewayError && error.code === UNAUTHENTICATED;
}

function graphQLError(error: unknown, response: HttpResponse): GatewayError {
  const facts = isRecord(error) ? error : {};
  const extensions = isRecord(facts['extensions']) ? facts['extensions'] : {};
  const code = typeof extensions['code'] === 'string' ? extensions['code'] : 'GRAPHQL_ERROR';
  const message = typeof facts['message'] === 'string' ? facts['message'] : 'the gateway reported an error without a message';
  // A status alone doesn't decide here: a gateway may answer 500 to an operation it will never accept.
  const retryable = mayRetry(extensions) || response.status === 429 || response.status === 503;
  return new GatewayError(code, message, { retryable, retryAfterMs: retryAfterMsOf(response) });
}

/** Whether an error is worth another attempt, by its `extensions`. */
export function mayRetry({ code, retryable }: Record<string, unknown>): boolean {
  return code === MASKED_ERROR || retryable === true;
}

function notGraphQL(response: HttpResponse): GatewayError {
  return new GatewayError('NOT_GRAPHQL', `the endpoint answered HTTP ${response.status} without a GraphQL result`, {
    retryable: RETRYABLE_STATUSES.includes(response.status),
    retryAfterMs: retryAfterMsOf(response),
  });
}

/** Only the form in seconds is understood; a date would need the two clocks to agree. */
function retryAfterMsOf({ retryAfter }: HttpResponse): number | undefined {
  return retryAfter !== undefined && /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) * 1_000 : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // Not JSON: a proxy's page. The caller reports the status.
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
