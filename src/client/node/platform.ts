// Node's answer to what the client needs.

import { createHash } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { hashingOf } from '../hashing.js';
import type { Hash, Platform } from '../platform.js';
import { createSend } from './http.js';

/**
 * `webSocket` is a WebSocket constructor for merge progress, `ws` for example. Default: Node's own, which there is from
 * version 22; without any, progress comes as server-sent events.
 */
export function nodePlatform({ webSocket }: { readonly webSocket?: unknown } = {}): Platform {
  return {
    hashing: hashingOf(sha256),
    send: createSend(),
    webSocket: webSocket ?? ('WebSocket' in globalThis ? globalThis.WebSocket : undefined),
    now: () => performance.now(),
    wait,
    random: Math.random,
  };
}

function sha256(): Hash {
  const hash = createHash('sha256');
  return {
    update: (piece) => void hash.update(piece),
    digest: () => hash.digest('hex'),
  };
}

async function wait(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted(); // The reason itself, not Node's AbortError around it.
    throw error;
  }
}
