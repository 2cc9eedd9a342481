// Hashing in a worker, as far as that is the same on every platform: when one is started and ended, what it owes, and what is hashed on
// the caller's own thread all the same.

import type { ChunkSpan } from './chunks.js';
import { SourceChangedError } from './errors.js';
import type { HashReply, HashRequest } from './hash-messages.js';
import type { Hashing, HashPass, UploadSource } from './platform.js';

/** A worker that runs `hashService`, as its platform has it. */
export interface HashWorker<Content> {
  say(request: HashRequest<Content>): void;
  /** At once. */
  end(): void;
  /** Where a worker keeps a program from ending: called when it owes answers, and when it owes none. It is started as if it owed one. */
  ref?(): void;
  unref?(): void;
}

export interface HashWorkerListeners {
  readonly onReply: (reply: HashReply) => void;
  /** It couldn't be loaded, it failed, or it ended by itself. */
  readonly onFailure: (message: string) => void;
}

export interface HashWorkersOptions<Content> {
  /** Throws where none may run. Listeners are called later than this returns. */
  readonly start: (listeners: HashWorkerListeners) => HashWorker<Content>;
  /** Calls `work` after so long, unless the function it returned was called before; keeps no program from ending. */
  readonly later: (work: () => void, ms: number) => () => void;
}

export interface OffThreadOptions<Content> {
  readonly workers: HashWorkers<Content>;
  /** On this thread: what has nothing to show, what no worker runs for, and what a worker fails at from its very beginning. */
  readonly here: Hashing;
  /** What a worker can read the source by when so many bytes of it are to be hashed; `undefined`: nothing, or it isn't worth it. */
  readonly show: (source: UploadSource, bytes: number) => Promise<Content> | Content | undefined;
}

/** A worker that hasn't said a word by then doesn't run. */
const START_WITHIN_MS = 5_000;
/** A worker nobody needs is ended after so long: starting one takes tens of ms, keeping one some MiB. */
const IDLE_MS = 5_000;

export function offThread<Content>(options: OffThreadOptions<Content>): Hashing {
  const { workers, here, show } = options;
  return {
    async digest(source, spans, signal) {
      const bytes = spans.reduce((sum, { length }) => sum + length, 0);
      const content = await show(source, bytes);
      const worker = content === undefined ? undefined : await workers.borrow();
      if (content === undefined || worker === undefined) return await here.digest(source, spans, signal);
      try {
        return await worker.digest({ content, spans, name: source.name }, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (await isChanged(source, error)) throw error;
        return await here.digest(source, spans, signal);
      } finally {
        workers.giveBack();
      }
    },
    pass: (source, signal) => new OffThreadPass({ ...options, source, signal }),
  };
}

/**
 * Whether that is why a worker failed. Otherwise it is tried here, which succeeds or says in its own words what is wrong: what is open here is
 * still the same file when its name leads elsewhere.
 */
async function isChanged(source: UploadSource, error: unknown): Promise<boolean> {
  return error instanceof SourceChangedError && (await source.hasChanged());
}

interface PassOptions<Content> extends OffThreadOptions<Content> {
  readonly source: UploadSource;
  readonly signal: AbortSignal;
}

interface BegunPass {
  readonly pass: HashPass;
  readonly isHere: boolean;
}

class OffThreadPass<Content> implements HashPass {
  readonly #options: PassOptions<Content>;
  #begun: Promise<BegunPass> | undefined;
  /** Whether any chunk was hashed: until then it can begin anew. */
  #hasHashed = false;
  #hasEnded = false;

  constructor(options: PassOptions<Content>) {
    this.#options = options;
  }

  async chunk(span: ChunkSpan): Promise<string> {
    const { pass, isHere } = await (this.#begun ??= this.#begin());
    try {
      const digest = await pass.chunk(span);
      this.#hasHashed = true;
      return digest;
    } catch (error) {
      const { here, source, signal } = this.#options;
      if (this.#hasHashed || signal.aborted || (await isChanged(source, error)) || this.#hasEnded) throw error;
      pass.end();
      // The code that hashes here couldn't be loaded: a worker may run by the time that this is asked for again.
      this.#begun = isHere ? undefined : Promise.resolve({ pass: here.pass(source, signal), isHere: true });
      if (isHere) throw error;
      return await this.chunk(span);
    }
  }

  async whole(): Promise<string> {
    return await (await (this.#begun ??= this.#begin())).pass.whole();
  }

  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    // A pass that failed to begin has nothing to end.
    this.#begun?.then(
      ({ pass }) => pass.end(),
      () => undefined,
    );
  }

  async #begin(): Promise<BegunPass> {
    const { workers, here, show, source, signal } = this.#options;
    const content = await show(source, source.size);
    const worker = content === undefined ? undefined : await workers.borrow();
    if (content === undefined || worker === undefined) return { pass: here.pass(source, signal), isHere: true };
    const pass = worker.pass({ content, name: source.name }, signal);
    const end = () => {
      pass.end();
      workers.giveBack();
    };
    return { pass: { ...pass, end }, isHere: false };
  }
}

/** One worker for all that is hashed at the same time: started when somebody needs it, ended when nobody has for a while. */
export class HashWorkers<Content> {
  readonly #options: HashWorkersOptions<Content>;
  #line: Promise<WorkerLine<Content> | undefined> | undefined;
  #borrowers = 0;
  #keep: (() => void) | undefined;

  constructor(options: HashWorkersOptions<Content>) {
    this.#options = options;
  }

  /** `undefined`: none can run here; there is nothing to give back then. */
  async borrow(): Promise<WorkerLine<Content> | undefined> {
    this.#keep?.();
    this.#borrowers += 1;
    const opening = (this.#line ??= WorkerLine.open(this.#options));
    const line = await opening;
    if (line !== undefined && !line.isBroken) return line;
    this.#borrowers -= 1;
    if (line === undefined) return undefined;
    if (this.#line === opening) this.#line = undefined;
    return await this.borrow();
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
    this.#keep = this.#options.later(() => {
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
class WorkerLine<Content> {
  readonly #worker: HashWorker<Content>;
  readonly #asked = new Map<number, Asked>();
  #settleStart: (runs: boolean) => void = () => undefined;
  #lastId = 0;
  #isBroken = false;

  private constructor(start: HashWorkersOptions<Content>['start']) {
    this.#worker = start({
      onReply: (reply) => this.#hear(reply),
      onFailure: (message) => this.#break(new Error(`the hashing worker failed: ${message}`)),
    });
  }

  /** `undefined` where a worker can't run: forbidden by a policy, not found, of another origin. */
  static async open<Content>({ start, later }: HashWorkersOptions<Content>): Promise<WorkerLine<Content> | undefined> {
    let line: WorkerLine<Content>;
    try {
      line = new WorkerLine(start);
    } catch {
      return undefined; // That it may not be started is the answer.
    }
    const runs = await new Promise<boolean>((resolve) => {
      const giveUp = later(() => resolve(false), START_WITHIN_MS);
      line.#settleStart = (isRunning) => {
        giveUp();
        resolve(isRunning);
      };
    });
    if (runs) return line;
    line.close();
    return undefined;
  }

  get isBroken(): boolean {
    return this.#isBroken;
  }

  async digest({ content, spans, name }: DigestOf<Content>, signal: AbortSignal): Promise<string> {
    return await this.#ask((id) => ({ kind: 'digest', id, content, spans }), name, signal);
  }

  pass({ content, name }: Named<Content>, signal: AbortSignal): HashPass {
    const pass = (this.#lastId += 1);
    this.#worker.say({ kind: 'begin', pass, content });
    return {
      chunk: (span) => this.#ask((id) => ({ kind: 'chunk', id, pass, span }), name, signal),
      whole: () => this.#ask((id) => ({ kind: 'whole', id, pass }), name, signal),
      end: () => this.#worker.say({ kind: 'end', pass }),
    };
  }

  close(): void {
    this.#break(new Error('the hashing worker was ended'));
  }

  async #ask(request: (id: number) => HashRequest<Content>, name: string, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const id = (this.#lastId += 1);
    let forget: (() => void) | undefined;
    try {
      return await new Promise<string>((resolve, reject) => {
        forget = () => {
          this.#worker.say({ kind: 'end', pass: id });
          reject(signal.reason as Error);
        };
        signal.addEventListener('abort', forget);
        if (this.#asked.size === 0) this.#worker.ref?.();
        this.#asked.set(id, { name, resolve, reject });
        if (this.#isBroken) reject(new Error('the hashing worker has ended'));
        else this.#worker.say(request(id));
      });
    } finally {
      this.#asked.delete(id);
      if (this.#asked.size === 0) this.#worker.unref?.();
      if (forget !== undefined) signal.removeEventListener('abort', forget);
    }
  }

  #hear(reply: HashReply): void {
    if (reply.kind === 'ready') {
      this.#worker.unref?.();
      this.#settleStart(true);
      return;
    }
    const asked = this.#asked.get(reply.id);
    if (asked === undefined) return; // Nobody wants it any more.
    if (reply.kind === 'digest') asked.resolve(reply.digest);
    else asked.reject(failure(reply, asked.name));
  }

  #break(reason: Error): void {
    this.#isBroken = true;
    this.#settleStart(false);
    this.#worker.end();
    for (const { reject } of this.#asked.values()) reject(reason);
  }
}

interface Named<Content> {
  readonly content: Content;
  readonly name: string;
}

interface DigestOf<Content> extends Named<Content> {
  readonly spans: readonly ChunkSpan[];
}

function failure({ sourceChanged, message, code }: HashReply & { readonly kind: 'failure' }, name: string): Error {
  if (sourceChanged) return new SourceChangedError(`${name} was changed or removed since it was chosen`);
  const error = new Error(`${name} could not be hashed: ${message}`);
  return code === undefined ? error : Object.assign(error, { code });
}
