// A browser's answer to what the client needs.

import type { Hashing, Network, Platform } from '../platform.js';
import { send } from './http.js';

/** Of six connections to a host (HTTP/1.1). */
const EVENT_STREAMS = 1;

/** Without `hashing` for programs that upload nothing: using it then throws. */
export function browserPlatform(hashing: Hashing = NO_HASHING): Platform {
  return {
    hashing,
    send,
    webSocket: globalThis.WebSocket,
    eventStreams: EVENT_STREAMS,
    now: () => performance.now(),
    wait,
    random: () => Math.random(),
    network,
  };
}

const NO_HASHING: Hashing = {
  digest: () => Promise.reject(new Error('this platform was made without hashing')),
  pass: () => {
    throw new Error('this platform was made without hashing');
  },
};

const network: Network = {
  isOnline: () => navigator.onLine,
  onOnline: (listener) => {
    globalThis.addEventListener('online', listener);
    return () => globalThis.removeEventListener('online', listener);
  },
};

async function wait(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      if (signal.aborted) reject(signal.reason as Error);
      else resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}
