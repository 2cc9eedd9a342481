// Merge progress as it happens: over a WebSocket, or as server-sent events where there is none or a proxy forbids it.

import { createClient } from 'graphql-ws';
import { GatewayError, NetworkError } from './errors.js';
import { MERGE_PROGRESS, type FileRef, type MergeProgress } from './operations.js';
import type { Platform } from './platform.js';
import { isRecord, type Transport } from './transport.js';

export interface MergeFeedOptions {
  readonly endpoint: string;
  readonly transport: Transport;
  readonly platform: Platform;
  readonly file: FileRef;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: MergeProgress) => void;
}

/** A connection that is dead without saying so is noticed after at most the sum of both. */
const PING_EVERY_MS = 10_000;
const PONG_WITHIN_MS = 10_000;

export function isTerminal({ phase }: MergeProgress): boolean {
  return phase === 'DONE' || phase === 'FAILED' || phase === 'ABORTED';
}

/** Resolves when the gateway ends the subscription; rejects with `NetworkError`, `GatewayError`, or the signal's reason. */
export async function watchByWebSocket(options: MergeFeedOptions): Promise<void> {
  const { endpoint, transport, platform, file, signal, onProgress } = options;
  signal.throwIfAborted();
  const watchdog = new Watchdog(platform, () => client.terminate());
  const client = createClient({
    url: endpoint.replace(/^http/, 'ws'),
    webSocketImpl: platform.webSocket,
    connectionParams: async () => await transport.connectionParams(),
    // Repeating is the caller's: it first makes sure that the merge is still wanted and known.
    retryAttempts: 0,
    keepAlive: PING_EVERY_MS,
    on: {
      ping: (received) => {
        if (!received) watchdog.start();
      },
      pong: () => watchdog.stop(),
    },
  });
  let unsubscribe: (() => void) | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      unsubscribe = client.subscribe(
        { query: MERGE_PROGRESS, variables: { file } },
        {
          next: ({ data, errors }) => {
            if (errors === undefined) onProgress(mergeProgressOf(data));
            else reject(subscriptionError(errors));
          },
          error: (error) => reject(subscriptionError(error)),
          complete: resolve,
        },
      );
    });
  } finally {
    watchdog.stop();
    unsubscribe?.();
    await client.dispose();
  }
}

/** The same as server-sent events. */
export async function watchByEvents({ transport, file, signal, onProgress }: MergeFeedOptions): Promise<void> {
  await transport.stream(MERGE_PROGRESS, { file }, (data) => onProgress(mergeProgressOf(data)), signal);
}

function mergeProgressOf(data: unknown): MergeProgress {
  const progress = isRecord(data) ? data['mergeProgress'] : undefined;
  if (isRecord(progress) && typeof progress['phase'] === 'string') return progress as unknown as MergeProgress;
  throw new GatewayError('NOT_UNDERSTOOD', 'the gateway sent merge progress without a phase', { retryable: false });
}

/** graphql-ws reports GraphQL errors as an array, and a lost connection as whatever the socket's event was. */
function subscriptionError(error: unknown): Error {
  if (!Array.isArray(error)) {
    const reason = isRecord(error) && typeof error['reason'] === 'string' ? error['reason'] : '';
    return new NetworkError(`the WebSocket was lost${reason === '' ? '' : `: ${reason}`}`, error);
  }
  const first: unknown = error[0];
  const facts = isRecord(first) ? first : {};
  const extensions = isRecord(facts['extensions']) ? facts['extensions'] : {};
  const code = typeof extensions['code'] === 'string' ? extensions['code'] : 'GRAPHQL_ERROR';
  return new GatewayError(code, String(facts['message']), { retryable: code === 'INTERNAL_SERVER_ERROR' });
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

  start(): void {
    this.stop();
    const waiting = (this.#waiting = new AbortController());
    // Rejects only by `stop`.
    this.#platform.wait(PONG_WITHIN_MS, waiting.signal).then(this.#bite, () => undefined);
  }

  stop(): void {
    this.#waiting?.abort();
    this.#waiting = undefined;
  }
}
