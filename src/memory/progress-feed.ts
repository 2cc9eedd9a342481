// The last state of every upload and those who watch it, in one process. The twin of src/redis; both pass
// test/contract/progress-feed.ts. Called by compose; may import core.
import type { ChunkPlan } from '../core/chunks.js';
import { chunkLength } from '../core/chunks.js';
import { Latest } from '../core/latest.js';
import type { Clock, ProgressFeed, ReceivedTotals } from '../core/ports.js';
import type { MergePhase, MergeProgress } from '../core/progress.js';
import { isTerminal, unproved } from '../core/progress.js';

/** Keeps unfinished states at least as long as a claim can be idle, finished ones as long as the answer UploadFinished. */
interface Options {
  readonly clock: Clock;
  readonly ttlMs: number;
}

interface Topic {
  last?: { readonly progress: MergeProgress; readonly until: number };
  /** Undefined while it isn't known what is on the host. */
  received?: { readonly indexes: Set<number>; until: number };
  readonly watchers: Set<Latest<MergeProgress>>;
}

const PUBLICATIONS_BETWEEN_SWEEPS = 1_000;
/** States that give way to RECEIVING. */
const YIELDING: readonly MergePhase[] = ['RECEIVING', 'FAILED'];

export class MemoryProgressFeed implements ProgressFeed {
  readonly #options: Options;
  readonly #topics = new Map<string, Topic>();
  #publications = 0;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Uploads with a state or a watcher. */
  get size(): number {
    return this.#topics.size;
  }

  publish(id: string, progress: MergeProgress): Promise<void> {
    const phase = this.#stored(this.#topics.get(id))?.phase;
    if (!isFinal(phase, progress.phase)) this.#tell(id, progress);
    return Promise.resolve();
  }

  received(id: string, index: number, plan: ChunkPlan): Promise<ReceivedTotals | undefined> {
    const { clock, ttlMs } = this.#options;
    const topic = this.#topics.get(id);
    const received = topic?.received;
    if (topic === undefined || received === undefined || received.until <= clock.now()) return Promise.resolve(undefined);
    received.indexes.add(index);
    received.until = clock.now() + ttlMs;
    const totals = totalsOf(received.indexes, plan);
    const phase = this.#stored(topic)?.phase;
    if (phase === undefined || YIELDING.includes(phase)) {
      const state = { doneBytes: totals.bytes, totalBytes: plan.size, updatedAt: clock.now() };
      this.#tell(id, unproved({ phase: 'RECEIVING', ...state }));
    }
    return Promise.resolve(totals);
  }

  knowReceived(id: string, indexes: readonly number[], plan: ChunkPlan): Promise<ReceivedTotals> {
    const { clock, ttlMs } = this.#options;
    const topic = this.#topic(id);
    const known = topic.received !== undefined && topic.received.until > clock.now() ? topic.received.indexes : [];
    topic.received = { indexes: new Set([...known, ...indexes]), until: clock.now() + ttlMs };
    return Promise.resolve(totalsOf(topic.received.indexes, plan));
  }

  last(id: string): Promise<MergeProgress | undefined> {
    return Promise.resolve(this.#stored(this.#topics.get(id)));
  }

  forgetReceived(id: string): Promise<void> {
    const topic = this.#topics.get(id);
    if (topic !== undefined) delete topic.received;
    this.#dropIfUnused(id);
    return Promise.resolve();
  }

  forget(id: string): Promise<void> {
    const topic = this.#topics.get(id);
    if (topic !== undefined) {
      delete topic.last;
      delete topic.received;
    }
    this.#dropIfUnused(id);
    return Promise.resolve();
  }

  watch(id: string): AsyncIterable<MergeProgress> {
    const topic = this.#topic(id);
    const watcher = new Latest<MergeProgress>(() => {
      topic.watchers.delete(watcher);
      this.#dropIfUnused(id);
    });
    topic.watchers.add(watcher);
    const last = this.#stored(topic);
    if (last !== undefined) {
      watcher.push(last);
      if (isTerminal(last)) watcher.end();
    }
    return watcher;
  }

  #tell(id: string, progress: MergeProgress): void {
    const topic = this.#topic(id);
    topic.last = { progress, until: this.#options.clock.now() + this.#options.ttlMs };
    if (isTerminal(progress)) delete topic.received;
    for (const watcher of topic.watchers) {
      watcher.push(progress);
      if (isTerminal(progress)) watcher.end();
    }
    this.#publications += 1;
    if (this.#publications % PUBLICATIONS_BETWEEN_SWEEPS === 0) this.#sweep();
  }

  #stored(topic: Topic | undefined): MergeProgress | undefined {
    const last = topic?.last;
    return last !== undefined && last.until > this.#options.clock.now() ? last.progress : undefined;
  }

  #topic(id: string): Topic {
    const known = this.#topics.get(id);
    if (known !== undefined) return known;
    const topic: Topic = { watchers: new Set() };
    this.#topics.set(id, topic);
    return topic;
  }

  #dropIfUnused(id: string): void {
    const topic = this.#topics.get(id);
    if (topic === undefined || topic.last !== undefined || topic.received !== undefined || topic.watchers.size > 0) return;
    this.#topics.delete(id);
  }

  #sweep(): void {
    const now = this.#options.clock.now();
    for (const [id, topic] of this.#topics) {
      if (topic.last !== undefined && topic.last.until <= now) delete topic.last;
      if (topic.received !== undefined && topic.received.until <= now) delete topic.received;
      this.#dropIfUnused(id);
    }
  }
}

function totalsOf(indexes: ReadonlySet<number>, plan: ChunkPlan): ReceivedTotals {
  const count = indexes.size;
  const hasLast = indexes.has(plan.chunkCount);
  const lastBytes = chunkLength(plan, plan.chunkCount);
  return { count, bytes: hasLast ? (count - 1) * plan.chunkSize + lastBytes : count * plan.chunkSize };
}

/** Whether an upload that ended so stays so. */
function isFinal(stored: MergePhase | undefined, told: MergePhase): boolean {
  if (stored === 'DONE') return told !== 'DONE';
  return stored === 'ABORTED' && told !== 'ABORTED' && told !== 'DONE';
}
