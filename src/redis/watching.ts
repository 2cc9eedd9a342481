// Everybody in this process who watches an upload, over one connection. An upload's channel is subscribed while somebody watches it,
// and the stored state is read after the subscription is there, so that nothing told in between is missed. After an outage both are
// done again for all.
import { Latest } from '../core/latest.js';
import type { MergeProgress } from '../core/progress.js';
import { isTerminal } from '../core/progress.js';
import type { RedisConnection } from './connection.js';
import { unavailable } from './connection.js';

/** A connection that leads nowhere is found out by asking; an answer that doesn't come ends it, and the next catches up. */
const HEARTBEAT_MS = 5_000;
/** Channels subscribed, or states read, with one round trip. */
const BATCH = 200;

/** A state with its number in the order of all states of its upload. */
interface Told {
  readonly seq: number;
  readonly progress: MergeProgress;
}

interface Topic {
  readonly watchers: Set<Watcher>;
  readonly subscribed: Promise<unknown>;
}

export class Watching {
  readonly #redis: RedisConnection;
  readonly #subscriber: RedisConnection;
  readonly #topics = new Map<string, Topic>();
  readonly #channelPrefix: string;
  #heartbeat: NodeJS.Timeout | undefined;
  #isBehind = false;

  constructor(redis: RedisConnection) {
    this.#redis = redis;
    this.#subscriber = redis.another('watching');
    this.#channelPrefix = redis.keys.told('');
    this.#subscriber.onReady(() => void this.#catchUp());
    this.#subscriber.onMessage((channel, message) => this.#pass(channel, message));
  }

  /** Uploads that are watched. */
  get size(): number {
    return this.#topics.size;
  }

  /** `COORDINATION_UNAVAILABLE` when the store is away. */
  async join(id: string): Promise<AsyncIterable<MergeProgress>> {
    const topic = this.#topics.get(id) ?? this.#open(id);
    const watcher = new Watcher(() => this.#leave(id, topic, watcher));
    topic.watchers.add(watcher);
    try {
      await topic.subscribed;
      watcher.offer(await readState(this.#redis, id));
      return watcher.states;
    } catch (error) {
      watcher.states.end();
      throw error;
    }
  }

  close(): void {
    for (const topic of this.#topics.values()) for (const watcher of topic.watchers) watcher.states.end();
    this.#subscriber.close();
  }

  #open(id: string): Topic {
    const subscribed = this.#subscriber.call((client) => client.subscribe(this.#channel(id)));
    const topic = { watchers: new Set<Watcher>(), subscribed };
    this.#topics.set(id, topic);
    this.#heartbeat ??= setInterval(() => void this.#beat(), HEARTBEAT_MS).unref();
    return topic;
  }

  #leave(id: string, topic: Topic, watcher: Watcher): void {
    topic.watchers.delete(watcher);
    if (topic.watchers.size > 0 || this.#topics.get(id) !== topic) return;
    this.#topics.delete(id);
    if (this.#topics.size === 0) {
      clearInterval(this.#heartbeat);
      this.#heartbeat = undefined;
    }
    // While it is away there is nothing to end: the next connection begins without subscriptions.
    if (this.#subscriber.isReady) {
      this.#subscriber.call((client) => client.unsubscribe(this.#channel(id))).catch(() => undefined);
    }
  }

  #pass(channel: string, message: string): void {
    const topic = this.#topics.get(channel.slice(this.#channelPrefix.length));
    const space = message.indexOf(' ');
    const told = parse(message.slice(0, space), message.slice(space + 1));
    for (const watcher of topic?.watchers ?? []) watcher.offer(told);
  }

  async #beat(): Promise<void> {
    if (this.#isBehind) return this.#catchUp();
    // That no answer comes is for the connection to act on.
    await this.#subscriber.ping().catch(() => undefined);
  }

  async #catchUp(): Promise<void> {
    const ids = [...this.#topics.keys()];
    try {
      for (let at = 0; at < ids.length; at += BATCH) {
        const some = ids.slice(at, at + BATCH).filter((id) => this.#topics.has(id));
        if (some.length === 0) continue;
        await this.#subscriber.call((client) => client.subscribe(...some.map((id) => this.#channel(id))));
        await Promise.all(some.map((id) => this.#reread(id)));
      }
      this.#isBehind = false;
    } catch {
      this.#isBehind = true; // The next heartbeat tries again, or the next connection.
    }
  }

  async #reread(id: string): Promise<void> {
    const told = await readState(this.#redis, id);
    for (const watcher of this.#topics.get(id)?.watchers ?? []) watcher.offer(told);
  }

  #channel(id: string): string {
    return `${this.#channelPrefix}${id}`;
  }
}

class Watcher {
  readonly states: Latest<MergeProgress>;
  #seq = 0;

  constructor(onClose: () => void) {
    this.states = new Latest(onClose);
  }

  /** Passes on what is newer than all before. */
  offer(told: Told | undefined): void {
    if (told === undefined || told.seq <= this.#seq) return;
    this.#seq = told.seq;
    this.states.push(told.progress);
    if (isTerminal(told.progress)) this.states.end();
  }
}

/** The last state that is stored. */
export async function readState(redis: RedisConnection, id: string): Promise<Told | undefined> {
  const [seq, state] = await redis.call((client) => client.hmget(redis.keys.progress(id), 'seq', 'state'));
  if (typeof seq !== 'string' || typeof state !== 'string') return undefined;
  const told = parse(seq, state);
  if (told === undefined) throw unavailable(new Error('unreadable state'));
  return told;
}

/** A state as a script answers with it. */
export function stateOf(reply: unknown): MergeProgress {
  const told = typeof reply === 'string' ? parse('0', reply) : undefined;
  if (told === undefined) throw unavailable(new Error('unreadable state'));
  return told.progress;
}

/** Written by our scripts alone, so its form is known; undefined when it is something else after all. */
function parse(seq: string, state: string): Told | undefined {
  try {
    return { seq: Number(seq), progress: JSON.parse(state) as MergeProgress };
  } catch {
    return undefined;
  }
}
