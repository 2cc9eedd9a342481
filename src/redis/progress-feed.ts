// The last state of every upload and those who watch it, across processes. Secret: a state is stored and told by one script, and has
// a number that never goes back. The twin of src/memory; both pass test/contract/progress-feed.ts.
import type { ChunkPlan } from '../core/chunks.js';
import { chunkLength } from '../core/chunks.js';
import { prepared } from '../core/latest.js';
import type { ProgressFeed, ReceivedTotals } from '../core/ports.js';
import type { MergeProgress } from '../core/progress.js';
import { isTerminal } from '../core/progress.js';
import type { RedisConnection } from './connection.js';
import { unavailable } from './connection.js';
import { loadScript } from './scripts.js';
import { Watching, readState } from './watching.js';

interface Options {
  readonly redis: RedisConnection;
  /** How long states stay: unfinished ones at least as long as a claim can be idle, finished ones as long as the answer UploadFinished. */
  readonly ttlMs: number;
}

export class RedisProgressFeed implements ProgressFeed {
  readonly #redis: RedisConnection;
  readonly #ttlMs: number;
  readonly #watching: Watching;
  readonly #publish = loadScript('progress-record', 'publish');
  readonly #received = loadScript('progress-record', 'received');
  readonly #knowReceived = loadScript('know-received');

  constructor(options: Options) {
    this.#redis = options.redis;
    this.#ttlMs = Math.ceil(options.ttlMs);
    this.#watching = new Watching(options.redis);
  }

  /** Uploads that are watched through this feed. */
  get size(): number {
    return this.#watching.size;
  }

  async publish(id: string, progress: MergeProgress): Promise<void> {
    const args = [progress.phase, JSON.stringify(progress), isTerminal(progress) ? '1' : ''];
    await this.#redis.run(this.#publish, this.#stateKeys(id), [this.#ttlMs, this.#redis.keys.told(id), ...args]);
  }

  async received(id: string, index: number, plan: ChunkPlan): Promise<ReceivedTotals | undefined> {
    const args = [index, plan.size, plan.chunkSize, plan.chunkCount, chunkLength(plan, plan.chunkCount)];
    const reply = await this.#redis.run(this.#received, this.#stateKeys(id), [this.#ttlMs, this.#redis.keys.told(id), ...args]);
    return reply === null ? undefined : totals(reply);
  }

  async knowReceived(id: string, indexes: readonly number[], plan: ChunkPlan): Promise<ReceivedTotals> {
    const keys = [this.#redis.keys.received(id), this.#redis.keys.found(id)];
    const args = [bitmap(indexes, plan), plan.chunkSize, plan.chunkCount, chunkLength(plan, plan.chunkCount)];
    return totals(await this.#redis.run(this.#knowReceived, keys, [this.#ttlMs, ...args]));
  }

  async last(id: string): Promise<MergeProgress | undefined> {
    return (await readState(this.#redis, id))?.progress;
  }

  async forgetReceived(id: string): Promise<void> {
    await this.#redis.call((client) => client.del(this.#redis.keys.received(id)));
  }

  async forget(id: string): Promise<void> {
    await this.#redis.call((client) => client.del(...this.#stateKeys(id)));
  }

  watch(id: string): AsyncIterable<MergeProgress> {
    return prepared(() => this.#watching.join(id));
  }

  /** Ends every watcher. */
  close(): void {
    this.#watching.close();
  }

  #stateKeys(id: string): readonly [string, string] {
    return [this.#redis.keys.progress(id), this.#redis.keys.received(id)];
  }
}

/** As Redis counts bits: from the highest of the first byte. Bit 0 says that this is known. */
function bitmap(indexes: readonly number[], plan: ChunkPlan): Buffer {
  const bytes = Buffer.alloc(Math.floor(plan.chunkCount / 8) + 1);
  for (const index of [0, ...indexes]) {
    const at = index >> 3;
    bytes[at] = (bytes[at] ?? 0) | (0x80 >> (index & 7));
  }
  return bytes;
}

function totals(reply: unknown): ReceivedTotals {
  if (!Array.isArray(reply)) throw unavailable(new Error('unexpected answer'));
  const [count, bytes] = reply.map(Number);
  return { count: count ?? 0, bytes: bytes ?? 0 };
}
