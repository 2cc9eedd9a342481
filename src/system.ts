// Clock, randomness, hashing and log of this process, for core's ports.
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import type { Clock, Hashing, Log } from './core/ports.js';

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }),
};

export const nodeHashing: Hashing = {
  start(algorithm) {
    const hash = createHash(algorithm);
    return {
      update: (piece) => void hash.update(piece),
      digest: () => hash.digest('hex'),
    };
  },
  sha256: (data) => createHash('sha256').update(data).digest('hex'),
  nonce: (bytes) => randomBytes(bytes).toString('hex'),
};

/** Lines of JSON on standard error, so that standard output is free for what a person asked for. */
export function createLog(level: string): Log {
  const options = { level, base: null, serializers: { error: pino.stdSerializers.errWithCause } };
  return pino(options, pino.destination({ dest: 2, sync: false }));
}
