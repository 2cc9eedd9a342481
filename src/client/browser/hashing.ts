// Hashing off the page's thread, and on it where that can't be.

import { NetworkError } from '../errors.js';
import type { HashReply } from '../hash-messages.js';
import { hashingOf } from '../hashing.js';
import { HashWorkers, offThread, type HashWorker, type HashWorkerListeners } from '../off-thread.js';
import type { Hash, Hashing } from '../platform.js';

export interface HashingOptions {
  /**
   * Starts the worker where `new Worker(new URL('./hash-worker.js', import.meta.url), { type: 'module' })` isn't the way: another place,
   * a bundler that doesn't know the idiom. Has to run this package's `longshore/client/hash-worker`.
   */
  readonly hashWorker?: (() => Worker) | undefined;
}

/** One worker for all that is hashed at the same time, started when it is needed. Sources that aren't Blobs are hashed on this thread. */
export function browserHashing({ hashWorker = startWorker }: HashingOptions = {}): Hashing {
  const workers = new HashWorkers<Blob>({ start: (listeners) => tamed(hashWorker(), listeners), later });
  // Where not even this can be loaded it wasn't a policy that kept the worker from starting.
  const here = hashingOf(onThisThread(() => workers.forget()));
  return offThread({ workers, here, show: (source) => source.blob?.(0, source.size) });
}

/** Loaded only where it is needed: most pages never hash on their own thread. Without a way out it can't be, as yet. */
function onThisThread(onFailure: () => void): () => Promise<Hash> {
  let make: (() => Promise<Hash>) | undefined;
  return async () => {
    make ??= await import('./sha256.js').then(
      ({ sha256Maker }) => sha256Maker(),
      (error: unknown) => {
        onFailure();
        throw new NetworkError('the code that hashes could not be loaded', error);
      },
    );
    return await make();
  };
}

function startWorker(): Worker {
  return new Worker(new URL('./hash-worker.js', import.meta.url), { type: 'module' });
}

function tamed(worker: Worker, { onReply, onFailure }: HashWorkerListeners): HashWorker<Blob> {
  worker.onmessage = ({ data }: MessageEvent<HashReply>) => onReply(data);
  worker.onerror = ({ message }) => onFailure(message);
  return {
    say: (request) => worker.postMessage(request),
    end: () => worker.terminate(),
  };
}

function later(work: () => void, ms: number): () => void {
  const timer = setTimeout(work, ms);
  return () => clearTimeout(timer);
}
