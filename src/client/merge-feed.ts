// Merge progress as it happens: over a WebSocket that all subscriptions of an uploader share, or as server-sent events where there is
// none or a proxy forbids it.

import { createClient, type Client } from 'graphql-ws/client';
import { GatewayError, NetworkError } from './errors.js';
import { either } from './gate.js';
import { MERGE_PROGRESS, type FileRef, type MergeProgress } from './operations.js';
import { Slots } from './turns.js';
import type { Platform } from './platform.js';
import { isRecord, mayRetry, type ConnectionParams, type Transport } from './transport.js';

export interface Watch {
  readonly file: FileRef;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: MergeProgress) => void;
}

/** A connection that is dead without saying so is noticed after at most the sum of both. */
const PING_EVERY_MS = 10_000;
const PONG_WITHIN_MS = 10_000;
/** From the first byte to the gateway's acknowledgement: long for a bad line, and there are server-sent events. */
const CONNECT_WITHIN_MS = 15_000;
/** The next file of a sequence finds the connection still there; a program on Node isn't kept alive longer than that. */
const CLOSE_AFTER_MS = 300;
/** A gateway takes 200 operations on one connection. */
const WATCHES_PER_SOCKET = 100;
/** After a connection on which nothing was heard: a proxy that forbids them is soon asked for the next time, a gateway that restarts isn't. */
const SOCKET_REST_MS = 60_000;
/** Where streams are fewer than those who want one, each has its own for so long. */
const STREAM_TURN_MS = 3_000;

export function isTerminal({ phase }: MergeProgress): boolean {
  return phase === 'DONE' || phase === 'FAILED' || phase === 'ABORTED';
}

/** All subscriptions of one uploader. Nothing is kept open when there are none. */
export class MergeFeeds {
  readonly #endpoint: string;
  readonly #transport: Transport;
  readonly #platform: Platform;
  readonly #streams: Slots;
  #sockets: Socket[] = [];
  #noSocketUntil = Number.NEGATIVE_INFINITY;

  constructor(endpoint: string, transport: Transport, platform: Platform) {
    this.#endpoint = endpoint;
    this.#transport = transport;
    this.#platform = platform;
    this.#streams = new Slots(platform.eventStreams);
  }

  /**
   * Resolves when the gateway ends the subscription; rejects with `NetworkError`, `GatewayError`, or the signal's reason. A lost one isn't
   * begun anew here.
   */
  async watch(watch: Watch): Promise<void> {
    do {
      watch.signal.throwIfAborted();
      if (this.#maySocket() && (await this.#watchSocket(watch))) return;
    } while (!(await this.#streams.use(() => this.#stream(watch), watch.signal)));
  }

  #maySocket(): boolean {
    return this.#platform.webSocket !== undefined && this.#platform.now() >= this.#noSocketUntil;
  }

  /** Resolves with whether that was a way to hear anything. */
  async #watchSocket(watch: Watch): Promise<boolean> {
    const heard = { anything: false };
    const onProgress = (progress: MergeProgress) => {
      heard.anything = true;
      watch.onProgress(progress);
    };
    try {
      await this.#socket().watch({ ...watch, onProgress });
      return true;
    } catch (error) {
      // Nothing is wrong: once more, with the token of that time.
      if (error instanceof TokenEndedError && heard.anything) {
        watch.signal.throwIfAborted();
        return await this.#watchSocket(watch);
      }
      if (!(error instanceof NetworkError) || heard.anything) throw error;
      this.#noSocketUntil = this.#platform.now() + SOCKET_REST_MS;
      return false;
    }
  }

  #socket(): Socket {
    this.#sockets = this.#sockets.filter(({ isLost }) => !isLost);
    const free = this.#sockets.find(({ watches }) => watches < WATCHES_PER_SOCKET);
    if (free !== undefined) return free;
    const socket = new Socket(this.#endpoint, this.#transport, this.#platform);
    this.#sockets.push(socket);
    return socket;
  }

  /** Resolves with whether the gateway has ended it; else it is another's turn, or time to try a WebSocket. */
  async #stream({ file, signal, onProgress }: Watch): Promise<boolean> {
    const turn = new AbortController();
    const ended = new AbortController();
    void this.#endTurn(turn, ended.signal);
    try {
      await either([signal, turn.signal], async (cut) => {
        await this.#transport.stream(MERGE_PROGRESS, { file }, (data) => onProgress(mergeProgressOf(data)), cut);
      });
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (turn.signal.aborted) return false;
      throw error;
    } finally {
      ended.abort();
    }
  }

  /** Doesn't reject. */
  async #endTurn(turn: AbortController, ended: AbortSignal): Promise<void> {
    const { eventStreams, webSocket } = this.#platform;
    if (eventStreams === Infinity && webSocket === undefined) return;
    try {
      do await this.#platform.wait(STREAM_TURN_MS, ended);
      while (this.#streams.waiting === 0 && !this.#maySocket());
      turn.abort();
    } catch {
      // The stream has ended before its turn.
    }
  }
}

interface Listener {
  /** Ends the watching with what `reason` rejects with. */
  readonly lose: (reason: Promise<never>) => void;
}

/** One WebSocket, and those who listen to it. Once it is lost it isn't used again: the next one needs no memory of this. */
class Socket {
  readonly #transport: Transport;
  readonly #listeners = new Set<Listener>();
  readonly #watchdog: Watchdog;
  readonly #client: Client;
  #params: ConnectionParams = {};
  /** A WebSocket. */
  #opened: unknown;
  #isLost = false;

  constructor(endpoint: string, transport: Transport, platform: Platform) {
    this.#transport = transport;
    // Before it is open it can't be ended without an error that nobody hears; should it open then, it closes by itself.
    this.#watchdog = new Watchdog(platform, () => {
      if (this.#opened !== undefined) this.#client.terminate();
      this.#lose(new Error('no answer'));
    });
    this.#client = createClient({
      url: endpoint.replace(/^http/, 'ws'),
      webSocketImpl: platform.webSocket,
      connectionParams: async () => (this.#params = await transport.connectionParams()),
      // Repeating is the caller's: it first makes sure that the merge is still wanted and known.
      retryAttempts: 0,
      keepAlive: PING_EVERY_MS,
      lazyCloseTimeout: CLOSE_AFTER_MS,
      on: {
        opened: (socket) => (this.#opened = socket),
        connecting: () => this.#watchdog.start(CONNECT_WITHIN_MS),
        connected: () => this.#watchdog.stop(),
        ping: (received) => {
          if (!received) this.#watchdog.start(PONG_WITHIN_MS);
        },
        pong: () => this.#watchdog.stop(),
        error: (error) => this.#lose(error),
        closed: (event) => this.#lose(event),
      },
    });
  }

  /** Or about to be. */
  get isLost(): boolean {
    return this.#isLost || (isRecord(this.#opened) && Number(this.#opened['readyState']) > OPEN);
  }

  get watches(): number {
    return this.#listeners.size;
  }

  async watch({ file, signal, onProgress }: Watch): Promise<void> {
    let leave: (() => void) | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        const unsubscribe = this.#client.subscribe(
          { query: MERGE_PROGRESS, variables: { file } },
          {
            next: ({ data, errors }) => {
              if (errors !== undefined) return reject(subscriptionError(errors));
              try {
                onProgress(mergeProgressOf(data));
              } catch (error) {
                reject(error);
              }
            },
            // Of a lost connection they would tell, too, and before it is known why.
            error: (error) => {
              if (!this.#isLost) reject(subscriptionError(error));
            },
            complete: () => {
              if (!this.#isLost) resolve();
            },
          },
        );
        const end = () => reject(signal.reason as Error);
        const listener: Listener = {
          lose: (reason) => {
            unsubscribe(); // First, so that the client doesn't connect anew by itself.
            reason.catch(reject); // It may be long in coming, when a person is asked; the signal still counts.
          },
        };
        leave = () => {
          this.#listeners.delete(listener);
          signal.removeEventListener('abort', end);
          unsubscribe();
        };
        this.#listeners.add(listener);
        signal.addEventListener('abort', end);
      });
    } finally {
      leave?.();
    }
  }

  /** `cause` is whatever the socket's event was. */
  #lose(cause: unknown): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#watchdog.stop();
    const reason = this.#reasonOf(cause);
    reason.catch(() => undefined); // Nobody may be listening.
    for (const { lose } of [...this.#listeners]) lose(reason);
  }

  async #reasonOf(cause: unknown): Promise<never> {
    const { code, reason = '' } = isRecord(cause) ? (cause as { code?: unknown; reason?: unknown }) : {};
    if (code === UNAUTHORIZED) throw await this.#transport.refusal(this.#params);
    const Lost = code === TOKEN_ENDED ? TokenEndedError : NetworkError;
    throw new Lost(`the WebSocket was lost${typeof reason === 'string' && reason !== '' ? `: ${reason}` : ''}`, cause);
  }
}

class TokenEndedError extends NetworkError {}

/** Of WebSocket's `readyState`; beyond are closing and closed. */
const OPEN = 1;
/** Close code of graphql-transport-ws: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md */
const UNAUTHORIZED = 4401;
/** The token has ended, and the connection with it. */
const TOKEN_ENDED = 4403;

function mergeProgressOf(data: unknown): MergeProgress {
  const progress = isRecord(data) ? data['mergeProgress'] : undefined;
  if (isRecord(progress) && typeof progress['phase'] === 'string') return progress as unknown as MergeProgress;
  throw new GatewayError('NOT_UNDERSTOOD', 'the gateway sent merge progress without a phase', { retryable: false });
}

/** graphql-ws reports GraphQL errors as an array; a lost connection is heard of by the socket. */
function subscriptionError(errors: unknown): Error {
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined;
  if (!isRecord(first)) return new NetworkError('the WebSocket was lost', errors);
  const extensions = isRecord(first['extensions']) ? first['extensions'] : {};
  const code = typeof extensions['code'] === 'string' ? extensions['code'] : 'GRAPHQL_ERROR';
  return new GatewayError(code, String(first['message']), { retryable: mayRetry(extensions) });
}

/** Bites once when it was started and isn't stopped in time. */
class Watchdog {
  readonly #platform: Platform;
  readonly #bite: () => void;
  #waiting: AbortController | undefined;

  constructor(platform: Platform, bite: () => void) {
    this.#platform = platform;
    this.#bite = bite;
  }

  start(ms: number): void {
    this.stop();
    const waiting = (this.#waiting = new AbortController());
    // Rejects only by `stop`.
    this.#platform.wait(ms, waiting.signal).then(this.#bite, () => undefined);
  }

  stop(): void {
    this.#waiting?.abort();
    this.#waiting = undefined;
  }
}
