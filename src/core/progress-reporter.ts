// One merge's progress on its way to the viewers: at most five states of a phase a second, a rate worth reading, and no step back.
import type { Clock, ProgressFeed } from './ports.js';
import type { MergePhase, MergeProgress, MergeStrategy } from './progress.js';
import { percentOf } from './progress.js';
import { Rate } from './rate.js';

const LEAST_INTERVAL_MS = 200;

interface Options {
  readonly feed: ProgressFeed;
  readonly clock: Clock;
  readonly id: string;
}

export class ProgressReporter {
  /** Shown with each state, once it is known. */
  strategy: MergeStrategy | undefined;
  /** `askedAt` of the request that is being answered, once it is known. */
  answers: number | undefined;
  readonly #options: Options;
  #phase: MergePhase = 'QUEUED';
  #doneBytes = 0;
  #toldAt = Number.NEGATIVE_INFINITY;
  /** When the phase was first heard of, monotonic. */
  #phaseAt: number | undefined;
  readonly #tookMs: Partial<Record<MergePhase, number>> = {};
  readonly #startedAt: number;
  readonly #rate = new Rate();
  /** The newest state that waits while one is being told: a slow store gets fewer, not a queue. */
  #unsaid: MergeProgress | undefined;
  #telling: Promise<void> | undefined;

  constructor(options: Options) {
    this.#options = options;
    this.#startedAt = options.clock.now();
  }

  /** Where a run before this one was when its process died: viewers have seen that, and see no less in the same phase. */
  goOnFrom({ phase, doneBytes }: Pick<MergeProgress, 'phase' | 'doneBytes'>): void {
    this.#phase = phase;
    this.#doneBytes = doneBytes;
  }

  /** As often as the work likes; most calls tell nobody. */
  readonly report = (phase: MergePhase, doneBytes: number, totalBytes: number): void => {
    const now = this.#options.clock.monotonic();
    const isNewPhase = phase !== this.#phase;
    this.#phaseAt ??= now;
    if (isNewPhase) {
      this.#leave(now);
      this.#phase = phase;
      this.#doneBytes = 0;
    }
    this.#doneBytes = Math.max(this.#doneBytes, Math.min(doneBytes, totalBytes));
    if (!isNewPhase && now - this.#toldAt < LEAST_INTERVAL_MS) return;
    if (isNewPhase) this.#rate.restart(this.#doneBytes, now);
    else this.#rate.measure(this.#doneBytes, now);
    this.#toldAt = now;
    this.#unsaid = this.#state(totalBytes);
    this.#telling ??= this.#tell();
  };

  /** How long it waited and was in each phase of this run, the present one until now, whole ms: `verifyingMs` and so on. */
  times(): Readonly<Record<string, number>> {
    this.#leave(this.#options.clock.monotonic());
    const times = Object.entries(this.#tookMs).map(([phase, ms]) => [`${phase.toLowerCase()}Ms`, Math.round(ms)] as const);
    const queuedMs = this.answers === undefined ? {} : { queuedMs: Math.max(0, this.#startedAt - this.answers) };
    return { ...queuedMs, ...Object.fromEntries<number>(times) };
  }

  /** Resolves when everything reported so far is told. */
  async settled(): Promise<void> {
    await this.#telling;
  }

  /** The terminal state, after all others; a newer request keeps all but `DONE` from being told. */
  async end(progress: MergeProgress): Promise<void> {
    await this.settled();
    await this.#options.feed.publish(this.#options.id, progress, progress.phase === 'DONE' ? undefined : this.answers);
  }

  #leave(now: number): void {
    if (this.#phaseAt === undefined) return;
    if (this.#phase !== 'QUEUED') this.#tookMs[this.#phase] = (this.#tookMs[this.#phase] ?? 0) + now - this.#phaseAt;
    this.#phaseAt = now;
  }

  #state(totalBytes: number): MergeProgress {
    const { strategy } = this;
    // A phase may turn out smaller than it was: the second of two hashes is wrong, and chunk by chunk is only once the bytes.
    const doneBytes = Math.min(this.#doneBytes, totalBytes);
    return {
      phase: this.#phase,
      doneBytes,
      totalBytes,
      percent: percentOf(doneBytes, totalBytes),
      ...this.#rate.of({ doneBytes, totalBytes }),
      ...(strategy && { strategy }),
      proved: false,
      updatedAt: this.#options.clock.now(),
    };
  }

  /** A failed publication is for the next to make up. */
  async #tell(): Promise<void> {
    const { feed, id } = this.#options;
    for (let state = this.#unsaid; state !== undefined; state = this.#unsaid) {
      this.#unsaid = undefined;
      await feed.publish(id, state).catch(() => undefined);
    }
    this.#telling = undefined;
  }
}
