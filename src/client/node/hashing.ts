// Hashing files off the main thread. Where no worker runs (its file isn't beside this one, the permission model forbids it) and for
// sources that aren't files, on it.

import { Worker } from 'node:worker_threads';
import type { HashReply } from '../hash-messages.js';
import { hashingOf } from '../hashing.js';
import { HashWorkers, offThread, type HashWorker, type HashWorkerListeners } from '../off-thread.js';
import type { Hashing, UploadSource } from '../platform.js';
import { FileSource, type FileFacts } from './file-source.js';
import { sha256 } from './sha256.js';

/** Starting a worker takes about as long as hashing so much does; less isn't worth opening the file twice. */
const WORTHWHILE_BYTES = 16 * 1024 * 1024;

/** One worker for all that is hashed at the same time, started when it is needed. */
export function nodeHashing(): Hashing {
  return offThread({ workers: new HashWorkers<FileFacts>({ start, later }), here: hashingOf(sha256), show });
}

function show(source: UploadSource, bytes: number): Promise<FileFacts> | undefined {
  return source instanceof FileSource && bytes >= WORTHWHILE_BYTES ? source.facts() : undefined;
}

function start({ onReply, onFailure }: HashWorkerListeners): HashWorker<FileFacts> {
  // What the program was started with (loaders, inspectors) is for its own code.
  const worker = new Worker(new URL('./hash-worker.js', import.meta.url), { execArgv: [], name: 'longshore hashing' });
  worker.on('message', (reply: HashReply) => onReply(reply));
  worker.on('error', ({ message }) => onFailure(message));
  worker.on('exit', (code) => onFailure(`it ended with ${code}`));
  return {
    say: (request) => worker.postMessage(request),
    end: () => void worker.terminate(),
    ref: () => worker.ref(),
    unref: () => worker.unref(),
  };
}

function later(work: () => void, ms: number): () => void {
  const timer = setTimeout(work, ms).unref();
  return () => clearTimeout(timer);
}
