// Hashing off the page's thread, and on it where that can't be.

import type { ChunkSpan } from '../chunks.js';
import { NetworkError, SourceChangedError } from '../errors.js';
import { hashingOf } from '../hashing.js';
import type { Hash, Hashing, HashPass, UploadSource } from '../platform.js';
import type { HashReply, HashRequest } from './hash-messages.js';

export interface HashingOptions {
  /**
   * Starts the worker where `new Worker(new URL('./hash-worker.js', import.meta.url), { type: 'module' })` isn't the way: another place,
   * a bundler that doesn't know the idiom. Has to run this package's `longshore/client/hash-worker`.
   */
  readonly hashWorker?: (() => Worker) | undefined;
}

/** A worker that hasn't said a word by then doesn't run; the page's own thread hashes instead. */
const START_WITHIN_MS = 5_000;
/** A worker nobody needs is ended after so long: starting one takes tens of ms, keeping one some MiB. */
const IDLE_MS = 5_000;

/** One worker for all that is hashed at the same time, started when it is needed. Sources that aren't Blobs are hashed on this thread. */
export function browserHashing({ hashWorker = startWorker }: HashingOptions = {}): Hashing {
  const workers = new WorkerKeeper(hashWorker);
  // Where not even this can be loaded it wasn't a policy that kept the worker from starting.
  const here = hashingOf(onThisThread(() => workers.forget()));
  return {
    async digest(source, spans, signal) {
      const blob = source.blob?.(0, source.size);
      const worker = blob === undefined ? undefined : await workers.borrow();
      if (blob === undefined || worker === undefined) return await here.digest(source, spans, signal);
      try {
        return await worker.digest({ blob, spans, name: source.name }, signal);
      } finally {
        workers.giveBack();
      }
    },
    pass: (source, signal) => new OffThreadPass({ workers, here, source, signal }),
  };
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

interface PassOptions {
  readonly workers: WorkerKeeper;
  readonly here: Hashing;
  readonly source: UploadSource;
  readonly signal: AbortSignal;
}

class OffThreadPass implements HashPass {
  readonly #options: PassOptions;
  #pass: Promise<HashPass> | undefined;
  #hasEnded = false;

  constructor(options: PassOptions) {
    this.#options = options;
  }

  async chunk(span: ChunkSpan): Promise<string> {
    try {
      return await (await this.#begun()).chunk(span);
    } catch (error) {
      // Only before the first chunk can the code that hashes be wanting: the pass begins anew, perhaps in a worker.
      if (error instanceof NetworkError) this.#pass = undefined;
      throw error;
    }
  }

  async whole(): Promise<string> {
    return await (await this.#begun()).whole();
  }

  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    // A pass that failed to begin has nothing to end.
    this.#pass?.then(
      (pass) => pass.end(),
      () => undefined,
    );
  }

  #begun(): Promise<HashPass> {
    return (this.#pass ??= this.#begin());
  }

  async #begin(): Promise<HashPass> {
    const { workers, here, source, signal } = this.#options;
    const blob = source.blob?.(0, source.size);
    const worker = blob === undefined ? undefined : await workers.borrow();
    if (blob === undefined || worker === undefined) return here.pass(source, signal);
    const pass = worker.pass({ blob, name: source.name }, signal);
    return {
      ...pass,
      end: () => {
        pass.end();
        workers.giveBack();
      },
    };
  }
}

/** Starts the worker when somebody needs it and ends it when nobody has for a while. */
class WorkerKeeper {
  readonly #start: () => Worker;
  #line: Promise<WorkerLine | undefined> | undefined;
  #borrowers = 0;
  #idle: ReturnType<typeof setTimeout> | undefined;

  constructor(start: () => Worker) {
    this.#start = start;
  }

  /** `undefined`: none can run here; there is nothing to give back then. */
  async borrow(): Promise<WorkerLine | undefined> {
    clearTimeout(this.#idle);
    this.#borrowers += 1;
    const line = await (this.#line ??= WorkerLine.open(this.#start));
    if (line === undefined) {
      this.#borrowers -= 1;
    } else if (line.isBroken) {
      this.#line = undefined;
      this.#borrowers -= 1;
      return await this.borrow();
    }
    return line;
  }

  /** The next one who wants a worker starts one, although the last couldn't be started. */
  forget(): void {
    const line = this.#line;
    void line?.then((open) => {
      if (open === undefined && this.#line === line) this.#line = undefined;
    });
  }

  giveBack(): void {
    this.#borrowers -= 1;
    if (this.#borrowers > 0) return;
    const line = this.#line;
    this.#idle = setTimeout(() => {
      this.#line = undefined;
      void line?.then((open) => open?.close());
    }, IDLE_MS);
  }
}

interface Asked {
  readonly name: string;
  readonly resolve: (digest: string) => void;
  readonly reject: (reason: Error) => void;
}

/** A running worker, and the answers that it owes. */
class WorkerLine {
  readonly #worker: Worker;
  readonly #asked = new Map<number, Asked>();
  #lastId = 0;
  #isBroken = false;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<HashReply>) => this.#hear(data);
    worker.onerror = ({ message }) => this.#break(new Error(`the hashing worker failed: ${message}`));
  }

  /** `undefined` where a worker can't run: forbidden by a policy, not found, of another origin. */
  static async open(start: () => Worker): Promise<WorkerLine | undefined> {
    let worker: Worker;
    try {
      worker = start();
    } catch {
      return undefined; // That it may not be started is the answer.
    }
    const runs = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), START_WITHIN_MS);
      const settle = (isRunning: boolean) => () => {
        clearTimeout(timer);
        resolve(isRunning);
      };
      worker.onmessage = settle(true);
      worker.onerror = settle(false);
    });
    if (runs) return new WorkerLine(worker);
    worker.terminate();
    return undefined;
  }

  get isBroken(): boolean {
    return this.#isBroken;
  }

  async digest(
    { blob, spans, name }: { readonly blob: Blob; readonly spans: readonly ChunkSpan[]; readonly name: string },
    signal: AbortSignal,
  ): Promise<string> {
    return await this.#ask((id) => ({ kind: 'digest', id, blob, spans }), name, signal);
  }

  pass({ blob, name }: { readonly blob: Blob; readonly name: string }, signal: AbortSignal): HashPass {
    const pass = (this.#lastId += 1);
    this.#say({ kind: 'begin', pass, blob });
    return {
      chunk: (span) => this.#ask((id) => ({ kind: 'chunk', id, pass, span }), name, signal),
      whole: () => this.#ask((id) => ({ kind: 'whole', id, pass }), name, signal),
      end: () => this.#say({ kind: 'end', pass }),
    };
  }

  close(): void {
    this.#break(new Error('the hashing worker was ended'));
  }

  async #ask(request: (id: number) => HashRequest, name: string, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const id = (this.#lastId += 1);
    let forget: (() => void) | undefined;
    try {
      return await new Promise<string>((resolve, reject) => {
        forget = () => {
          this.#say({ kind: 'end', pass: id });
          reject(signal.reason as Error);
        };
        signal.addEventListener('abort', forget);
        this.#asked.set(id, { name, resolve, reject });
        if (this.#isBroken) reject(new Error('the hashing worker has ended'));
        else this.#say(request(id));
      });
    } finally {
      this.#asked.delete(id);
      if (forget !== undefined) signal.removeEventListener('abort', forget);
    }
  }

  #say(request: HashRequest): void {
    this.#worker.postMessage(request);
  }

  #hear(reply: HashReply): void {
    if (reply.kind === 'ready') return;
    const asked = this.#asked.get(reply.id);
    if (asked === undefined) return; // Nobody wants it any more.
    if (reply.kind === 'digest') asked.resolve(reply.digest);
    else if (reply.sourceChanged)
      asked.reject(new SourceChangedError(`${asked.name} was changed or removed since it was chosen`));
    else asked.reject(new Error(`${asked.name} could not be hashed: ${reply.message}`));
  }

  #break(reason: Error): void {
    this.#isBroken = true;
    this.#worker.terminate();
    for (const { reject } of this.#asked.values()) reject(reason);
  }
}
