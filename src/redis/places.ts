// Who among the merges on one host may run in this process, and who waits for it, and where.
import type { Job } from 'bullmq';
import type { MergeJob } from '../core/ports.js';

/** How long a job waits for a place on its host before it goes aside: small files are merged in less, and going aside takes a dozen commands. */
const PATIENCE_MS = 1_000;
/** How long a place is kept for a job that was called: another process may have taken it. */
const KEPT_MS = 1_000;

/** The places that merges have on one host in this process, and the jobs that wait aside for them: first come, first called. */
export class Places {
  readonly #count: number;
  #taken = 0;
  readonly #aside = new Map<string, Job<MergeJob>>();
  /** Jobs that have a little patience: each takes over a place. */
  readonly #waiting = new Set<() => void>();
  /** Places kept for jobs that were called: monotonic times until which. */
  readonly #kept = new Map<string, number>();

  constructor(count: number) {
    this.#count = count;
  }

  /** Whether there was one, or soon is; if not, the job is to wait aside. */
  async take(job: Job<MergeJob>): Promise<boolean> {
    const id = job.id ?? '';
    this.#kept.delete(id);
    if (this.#isFree()) this.#taken += 1;
    // Those that wait aside came first.
    else if (this.#aside.size > 0 || !(await this.#handedOver())) {
      this.#aside.set(id, job);
      return false;
    }
    this.#aside.delete(id);
    return true;
  }

  free(): void {
    const [first] = this.#waiting;
    if (first === undefined) this.#taken -= 1;
    else first();
  }

  /** Whether one that becomes free was handed over in time. */
  #handedOver(): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (isOurs: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(hand);
        resolve(isOurs);
      };
      const hand = (): void => end(true);
      const timer = setTimeout(() => end(false), PATIENCE_MS);
      this.#waiting.add(hand);
    });
  }

  /** Calls the first that still waits aside, if there is a place. */
  async callNext(): Promise<void> {
    for (const [id, job] of this.#aside) {
      if (!this.#isFree()) return;
      this.#aside.delete(id);
      this.#kept.set(id, performance.now() + KEPT_MS);
      try {
        return await job.promote();
      } catch {
        this.#kept.delete(id); // Another process took it, or it was removed.
      }
    }
  }

  #isFree(): boolean {
    const now = performance.now();
    for (const [id, until] of this.#kept) if (until < now) this.#kept.delete(id);
    return this.#taken + this.#kept.size < this.#count;
  }
}
