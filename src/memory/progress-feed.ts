// The last state of every upload and those who watch it, in one process. The twin of src/redis; both pass
// test/contract/progress-feed.ts. Called by compose; may import core.
import { Latest } from '../core/latest.js';
import type { Clock, ProgressFeed } from '../core/ports.js';
import type { MergeProgress } from '../core/progress.js';
import { isTerminal } from '../core/progress.js';

/** Keeps unfinished states at least as long as a claim can be idle, finished ones as long as the answer UploadFinished. */
interface Options {
  readonly clock: Clock;
  readonly ttlMs: number;
}

interface Topic {
  last?: { readonly progress: MergeProgress; readonly until: number };
  readonly watchers: Set<Latest<MergeProgress>>;
}

const PUBLICATIONS_BETWEEN_SWEEPS = 1_000;

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
    const topic = this.#topic(id);
    topic.last = { progress, until: this.#options.clock.now() + this.#options.ttlMs };
    for (const watcher of topic.watchers) {
      watcher.push(progress);
      if (isTerminal(progress)) watcher.end();
    }
    this.#publications += 1;
    if (this.#publications % PUBLICATIONS_BETWEEN_SWEEPS === 0) this.#sweep();
    return Promise.resolve();
  }

  last(id: string): Promise<MergeProgress | undefined> {
    return Promise.resolve(this.#stored(this.#topics.get(id)));
  }

  forget(id: string): Promise<void> {
    const topic = this.#topics.get(id);
    if (topic !== undefined) delete topic.last;
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
    if (topic !== undefined && topic.last === undefined && topic.watchers.size === 0) this.#topics.delete(id);
  }

  #sweep(): void {
    const now = this.#options.clock.now();
    for (const [id, topic] of this.#topics) {
      if (topic.last !== undefined && topic.last.until <= now) delete topic.last;
      this.#dropIfUnused(id);
    }
  }
}
