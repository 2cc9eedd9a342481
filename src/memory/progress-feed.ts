// The last state of every upload and those who watch it, in one process. The twin of src/redis; both pass
// test/contract/progress-feed.ts. Called by compose; may import core.
import type { ChunkPlan } from '../core/chunks.js';
import { chunkLength } from '../core/chunks.js';
import { Latest } from '../core/latest.js';
import type { Arriving, Asked, Clock, ProgressFeed, ReceivedTotals } from '../core/ports.js';
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
  /** The newest request, until it is answered. */
  asked?: Asked;
  /** The bytes that RECEIVING has told. */
  mostBytes: number;
  readonly watchers: Set<Latest<MergeProgress>>;
}

const PUBLICATIONS_BETWEEN_SWEEPS = 1_000;
/** States that a new request for the merge replaces. */
const IDLE: readonly MergePhase[] = ['RECEIVING', 'FAILED'];

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

  publish(id: string, progress: MergeProgress, answers?: number): Promise<void> {
    const topic = this.#topics.get(id);
    const asked = topic?.asked?.askedAt;
    const isOutdated = answers !== undefined && asked !== undefined && asked !== answers;
    if (!isOutdated && !isFinal(this.#stored(topic)?.phase, progress.phase)) this.#tell(id, progress);
    return Promise.resolve();
  }

  begin(id: string, progress: MergeProgress): Promise<void> {
    if (this.#stored(this.#topics.get(id)) === undefined) this.#tell(id, progress);
    return Promise.resolve();
  }

  ask(id: string, queued: MergeProgress, asked?: Asked): Promise<MergeProgress> {
    const stored = this.#stored(this.#topics.get(id));
    if (stored?.phase === 'DONE' || stored?.phase === 'ABORTED') return Promise.resolve(stored);
    const isIdle = stored === undefined || IDLE.includes(stored.phase);
    if (isIdle) this.#tell(id, queued);
    if (asked !== undefined) this.#topic(id).asked = asked;
    return Promise.resolve(isIdle ? queued : stored);
  }

  asked(id: string): Promise<Asked | undefined> {
    const topic = this.#topics.get(id);
    return Promise.resolve(this.#stored(topic) === undefined ? undefined : topic?.asked);
  }

  received(id: string, index: number, { plan, bytes }: Arriving): Promise<ReceivedTotals | undefined> {
    const { clock, ttlMs } = this.#options;
    const topic = this.#topics.get(id);
    const received = this.#known(topic);
    if (received === undefined) return Promise.resolve(undefined);
    received.indexes.add(index);
    received.until = clock.now() + ttlMs;
    const totals = totalsOf(received.indexes, plan);
    const phase = this.#stored(topic)?.phase;
    if (phase === undefined || phase === 'FAILED') this.#tellReceiving(id, totals.bytes + bytes, plan);
    return Promise.resolve(totals);
  }

  /** There is no other process here. */
  arriving(id: string, { plan, bytes }: Arriving): Promise<void> {
    const topic = this.#topics.get(id);
    const received = this.#known(topic);
    const phase = this.#stored(topic)?.phase ?? 'RECEIVING';
    if (received !== undefined && phase === 'RECEIVING') {
      this.#tellReceiving(id, totalsOf(received.indexes, plan).bytes + bytes, plan);
    }
    return Promise.resolve();
  }

  knowReceived(id: string, indexes: readonly number[], plan: ChunkPlan): Promise<ReceivedTotals> {
    const { clock, ttlMs } = this.#options;
    const known = this.#known(this.#topics.get(id))?.indexes ?? [];
    const received = { indexes: new Set([...known, ...indexes]), until: clock.now() + ttlMs };
    this.#topic(id).received = received;
    return Promise.resolve(totalsOf(received.indexes, plan));
  }

  last(id: string): Promise<MergeProgress | undefined> {
    return Promise.resolve(this.#stored(this.#topics.get(id)));
  }

  forgetReceived(id: string): Promise<void> {
    const topic = this.#topics.get(id);
    if (topic !== undefined) {
      delete topic.received;
      topic.mostBytes = 0;
    }
    this.#dropIfUnused(id);
    return Promise.resolve();
  }

  forget(id: string): Promise<void> {
    const topic = this.#topics.get(id);
    if (topic !== undefined) {
      delete topic.last;
      delete topic.received;
      delete topic.asked;
      topic.mostBytes = 0;
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
    if (progress.phase !== 'RECEIVING') topic.mostBytes = 0;
    if (isTerminal(progress)) {
      delete topic.received;
      delete topic.asked;
    }
    for (const watcher of topic.watchers) {
      watcher.push(progress);
      if (isTerminal(progress)) watcher.end();
    }
    this.#publications += 1;
    if (this.#publications % PUBLICATIONS_BETWEEN_SWEEPS === 0) this.#sweep();
  }

  #tellReceiving(id: string, bytes: number, plan: ChunkPlan): void {
    const topic = this.#topic(id);
    topic.mostBytes = Math.max(topic.mostBytes, Math.min(bytes, plan.size));
    const state = { doneBytes: topic.mostBytes, totalBytes: plan.size, updatedAt: this.#options.clock.now() };
    this.#tell(id, unproved({ phase: 'RECEIVING', ...state }));
  }

  /** Undefined while it isn't known what is on the host. */
  #known(topic: Topic | undefined): Topic['received'] {
    const received = topic?.received;
    return received !== undefined && received.until > this.#options.clock.now() ? received : undefined;
  }

  #stored(topic: Topic | undefined): MergeProgress | undefined {
    const last = topic?.last;
    return last !== undefined && last.until > this.#options.clock.now() ? last.progress : undefined;
  }

  #topic(id: string): Topic {
    const known = this.#topics.get(id);
    if (known !== undefined) return known;
    const topic: Topic = { watchers: new Set(), mostBytes: 0 };
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
      if (topic.last !== undefined && topic.last.until <= now) {
        delete topic.last;
        delete topic.asked;
      }
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
