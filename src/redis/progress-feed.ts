// The last state of every upload and those who watch it, across processes. Secret: a state is stored and told by one script, and has
// a number that never goes back. The twin of src/memory; both pass test/contract/progress-feed.ts.
import { randomUUID } from 'node:crypto';
import type { ChunkPlan } from '../core/chunks.js';
import { chunkLength } from '../core/chunks.js';
import { prepared } from '../core/latest.js';
import type { Arriving, Asked, ProgressFeed, ReceivedTotals } from '../core/ports.js';
import { ARRIVING_MS } from '../core/merge-ports.js';
import type { MergeProgress } from '../core/progress.js';
import { isTerminal } from '../core/progress.js';
import type { RedisConnection } from './connection.js';
import { unavailable } from './connection.js';
import { loadScript } from './scripts.js';
import type { Script } from './scripts.js';
import { Watching, readState, stateOf } from './watching.js';

interface Options {
  readonly redis: RedisConnection;
  /** How long states stay: unfinished ones at least as long as a claim can be idle, finished ones as long as the answer UploadFinished. */
  readonly ttlMs: number;
}

export class RedisProgressFeed implements ProgressFeed {
  readonly #redis: RedisConnection;
  readonly #ttlMs: number;
  readonly #watching: Watching;
  /** Of this process, among those whose arriving chunks are counted together. */
  readonly #process = randomUUID();
  readonly #publish = loadScript('progress-record', 'publish');
  readonly #ask = loadScript('progress-record', 'ask');
  readonly #received = loadScript('progress-record', 'receiving-record', 'received');
  readonly #arriving = loadScript('progress-record', 'receiving-record', 'arriving');
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

  async publish(id: string, progress: MergeProgress, answers?: number): Promise<void> {
    await this.#tell(id, progress, [answers ?? '', '']);
  }

  async begin(id: string, progress: MergeProgress): Promise<void> {
    await this.#tell(id, progress, ['', '1']);
  }

  async ask(id: string, queued: MergeProgress, asked?: Asked): Promise<MergeProgress> {
    const request = asked === undefined ? '' : `${asked.askedAt} ${asked.text}`;
    return stateOf(await this.#run(this.#ask, id, [JSON.stringify(queued), request]));
  }

  async asked(id: string): Promise<Asked | undefined> {
    const value = await this.#redis.call((client) => client.hget(this.#redis.keys.progress(id), 'asked'));
    if (value === null) return undefined;
    const space = value.indexOf(' ');
    return { askedAt: Number(value.slice(0, space)), text: value.slice(space + 1) };
  }

  async received(id: string, index: number, arriving: Arriving): Promise<ReceivedTotals | undefined> {
    const reply = await this.#run(this.#received, id, [...this.#arrivingArgs(arriving), index]);
    return reply === null ? undefined : totals(reply);
  }

  async arriving(id: string, arriving: Arriving): Promise<void> {
    await this.#run(this.#arriving, id, this.#arrivingArgs(arriving));
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
    const { progress, received } = this.#names(id);
    await this.#redis.call((client) => client.multi().del(received).hdel(progress, 'most').exec());
  }

  async forget(id: string): Promise<void> {
    const { progress, received } = this.#names(id);
    await this.#redis.call((client) => client.del(progress, received));
  }

  watch(id: string): AsyncIterable<MergeProgress> {
    return prepared(() => this.#watching.join(id));
  }

  /** Ends every watcher. */
  close(): void {
    this.#watching.close();
  }

  async #tell(id: string, progress: MergeProgress, conditions: readonly (string | number)[]): Promise<void> {
    const state = [progress.phase, JSON.stringify(progress), isTerminal(progress) ? '1' : ''];
    await this.#run(this.#publish, id, [...state, ...conditions]);
  }

  /** A script that is preceded by progress-record.lua. */
  #run(script: Script, id: string, args: readonly (string | number)[]): Promise<unknown> {
    const { progress, received, told } = this.#names(id);
    return this.#redis.run(script, [progress, received], [this.#ttlMs, told, ...args]);
  }

  #arrivingArgs({ bytes, plan }: Arriving): readonly (string | number)[] {
    const { size, chunkSize, chunkCount } = plan;
    return [this.#process, bytes, ARRIVING_MS, size, chunkSize, chunkCount, chunkLength(plan, chunkCount)];
  }

  #names(id: string) {
    const { keys } = this.#redis;
    return { progress: keys.progress(id), received: keys.received(id), told: keys.told(id) };
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
