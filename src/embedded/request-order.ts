// In which order the requests of one session run. draft-ietf-secsh-filexfer-02 section 6.1: the results are those of one request
// after the other, but reads and writes that don't overlap may run side by side. That is all the parallelism there is: any other
// request waits until those before it have ended, and those after it wait for it, as in OpenSSH's single-threaded server.

/** The bytes of a file that a request reads or writes. */
export interface Span {
  readonly access: 'read' | 'write';
  /** Same text = same file. */
  readonly file: string;
  readonly from: number;
  /** Not included. */
  readonly to: number;
}

export interface QueuedRequest {
  /** undefined: must run alone. */
  readonly span: Span | undefined;
  /** Held in memory until it has run. */
  readonly lengthBytes: number;
  /** Must not reject. */
  readonly run: () => Promise<void>;
}

/** As many as Node's thread pool has threads by default, doubled, so that one is always waiting for a free thread. */
const MAX_RUNNING = 8;
/** What one session may have waiting: two SSH windows and, for requests without data, a pipeline of OpenSSH's sftp four times over. */
const MAX_HELD_BYTES = 4 * 1024 * 1024;
const MAX_HELD_REQUESTS = 256;

export class RequestOrder {
  readonly #waiting: QueuedRequest[] = [];
  readonly #running = new Set<QueuedRequest>();
  readonly #onChange: () => void;
  readonly #onIdle: (() => void)[] = [];
  #heldBytes = 0;

  /** `onChange` is called whenever a request has ended. */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Whether no more should be taken from the client now. */
  get isFull(): boolean {
    return this.#heldBytes >= MAX_HELD_BYTES || this.#waiting.length >= MAX_HELD_REQUESTS;
  }

  /** Resolves when nothing runs or waits. */
  idle(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  add(request: QueuedRequest): void {
    this.#heldBytes += request.lengthBytes;
    this.#waiting.push(request);
    this.#start();
  }

  /** Forgets what has not begun. */
  dropWaiting(): void {
    for (const request of this.#waiting.splice(0)) this.#heldBytes -= request.lengthBytes;
  }

  #start(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#mayRun(next); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#running.add(next);
      void this.#run(next);
    }
  }

  async #run(request: QueuedRequest): Promise<void> {
    try {
      await request.run();
    } finally {
      this.#running.delete(request);
      this.#heldBytes -= request.lengthBytes;
      this.#start();
      this.#onChange();
      if (this.#isIdle) for (const resolve of this.#onIdle.splice(0)) resolve();
    }
  }

  get #isIdle(): boolean {
    return this.#running.size === 0 && this.#waiting.length === 0;
  }

  #mayRun(request: QueuedRequest): boolean {
    if (this.#running.size >= MAX_RUNNING) return false;
    for (const other of this.#running) if (conflict(request.span, other.span)) return false;
    return true;
  }
}

function conflict(one: Span | undefined, other: Span | undefined): boolean {
  if (one === undefined || other === undefined) return true;
  if (one.file !== other.file || (one.access === 'read' && other.access === 'read')) return false;
  return one.from < other.to && other.from < one.to;
}
