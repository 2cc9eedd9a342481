// Merge jobs in one process: first come, first served, with a bound in all and for each host, so that a slow host can't take every
// place. Jobs are lost with the process; `merge.json` on the host brings them back. Called by compose; may import core.
import type { Log, MergeJob, MergeQueue } from '../core/ports.js';

interface Options {
  readonly log: Log;
  /** Merges running at once in all. */
  readonly concurrency: number;
  /** Merges running at once on one host. */
  readonly concurrencyPerHost: number;
}

type Work = (job: MergeJob, signal: AbortSignal) => Promise<void>;

export class MemoryMergeQueue implements MergeQueue {
  readonly #options: Options;
  readonly #waiting = new Map<string, MergeJob>();
  readonly #running = new Map<string, { readonly job: MergeJob; readonly done: Promise<void> }>();
  readonly #stop = new AbortController();
  #work: Work | undefined;

  constructor(options: Options) {
    this.#options = options;
  }

  add(job: MergeJob): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.resolve();
    this.#waiting.set(job.id, job);
    this.#startNext();
    return Promise.resolve();
  }

  remove(id: string): Promise<void> {
    this.#waiting.delete(id);
    return Promise.resolve();
  }

  has(id: string): Promise<boolean> {
    return Promise.resolve(this.#waiting.has(id) || this.#running.has(id));
  }

  counts(): Promise<{ readonly waiting: number; readonly running: number }> {
    return Promise.resolve({ waiting: this.#waiting.size, running: this.#running.size });
  }

  /** Nothing outlives this process, so nothing is given up. */
  process(work: Work): void {
    this.#work = work;
    this.#startNext();
  }

  async close(): Promise<void> {
    this.#waiting.clear();
    this.#stop.abort(new Error('the merge queue is closing'));
    await Promise.all([...this.#running.values()].map((run) => run.done));
  }

  #startNext(): void {
    const work = this.#work;
    if (work === undefined || this.#stop.signal.aborted) return;
    for (const job of this.#waiting.values()) {
      if (this.#running.size >= this.#options.concurrency) return;
      if (this.#running.has(job.id) || this.#runningOn(job.hostId) >= this.#options.concurrencyPerHost) continue;
      this.#waiting.delete(job.id);
      this.#running.set(job.id, { job, done: this.#run(work, job) });
    }
  }

  #runningOn(hostId: string): number {
    return [...this.#running.values()].filter((run) => run.job.hostId === hostId).length;
  }

  async #run(work: Work, job: MergeJob): Promise<void> {
    // Not before `running` knows it: a job that ends at once must still find its place to give up.
    await Promise.resolve();
    try {
      await work(job, this.#stop.signal);
    } catch (error) {
      this.#options.log.error({ host: job.hostId, upload: job.id, err: error }, 'merge job failed');
    } finally {
      this.#running.delete(job.id);
      this.#startNext();
    }
  }
}
