// Node's answer to what the client needs.

import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Platform } from '../platform.js';
import { nodeHashing } from './hashing.js';
import { createSend } from './http.js';
import { Throttle } from './throttle.js';

export interface NodePlatformOptions {
  /**
   * A WebSocket constructor for merge progress, that of `ws` for example. Default: Node's own, which there is from version 22; without
   * any, progress comes as server-sent events.
   */
  readonly webSocket?: unknown;
  /** What leaves in request bodies, of all uploads together, at most; within a second hardly more. Default: as much as the line takes. */
  readonly maxBytesPerSecond?: number | undefined;
}

/** Connections, limit and hashing worker are shared by all who use it. */
export function nodePlatform({ webSocket, maxBytesPerSecond }: NodePlatformOptions = {}): Platform {
  return {
    hashing: nodeHashing(),
    send: createSend(maxBytesPerSecond === undefined ? undefined : new Throttle(maxBytesPerSecond)),
    webSocket: webSocket ?? ('WebSocket' in globalThis ? globalThis.WebSocket : undefined),
    eventStreams: Infinity, // Connections cost next to nothing here.
    now: () => performance.now(),
    wait,
    random: Math.random,
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
