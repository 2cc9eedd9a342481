// The Redis room: claims, progress and merge jobs that several processes share. This file is the only place where Redis clients are
// made. Its secret is how a store that is away looks from inside: every call is answered within two seconds, by what was asked for or
// by `COORDINATION_UNAVAILABLE`; nothing is queued meanwhile; reconnecting goes on for ever. Called by compose and its neighbours;
// may import core, ioredis, bullmq.
import { Redis, ReplyError } from 'ioredis';
import type { RedisOptions } from 'ioredis';
import type { Log } from '../core/ports.js';
import { Fault } from '../core/problems.js';
import { Keys } from './keys.js';
import type { Script } from './scripts.js';

/** Of one call, waiting for a connection included: with what the gateway adds, an answer comes within two seconds. */
const CALL_MS = 1_500;
/** A server that answers nothing for so long gets a new connection: the old one may lead nowhere. */
const SILENCE_MS = 3_000;
/** The same for a worker's: its blocking command is silent for up to 10 s. */
const WORKER_SILENCE_MS = 15_000;
const CONNECT_MS = 2_000;
/** Reconnecting: the first pause and the longest, ms; each is twice the one before, and random between its half and its whole. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

/** The same refusal is told again after this time at the earliest. */
const REFUSAL_MS = 60_000;

const DEFAULT_PREFIX = 'longshore';

export interface RedisConnectionOptions {
  /** `redis:`, or `rediss:` for TLS, with user, password and database number as usual. */
  readonly url: string;
  readonly log: Log;
  /** Installations that share a server differ in it. Default `longshore`. */
  readonly prefix?: string;
}

/** Connects in the background: the store may come later than the process. */
export function connectRedis(options: RedisConnectionOptions): RedisConnection {
  return new RedisConnection(options, 'calls');
}

export class RedisConnection {
  readonly keys: Keys;
  readonly #options: RedisConnectionOptions;
  readonly #client: Redis;
  /** Monotonic; undefined while the connection is ready. */
  #awaySince: number | undefined = performance.now();
  /** Calls that wait for the connection. */
  readonly #waiting = new Set<() => void>();
  readonly #refusals: Refusals;

  /** `role` names it in the log and in the server's list of clients. */
  constructor(options: RedisConnectionOptions, role: string) {
    this.#options = options;
    this.#refusals = new Refusals(options.log, role);
    this.keys = new Keys(options.prefix ?? DEFAULT_PREFIX);
    this.#client = new Redis(options.url, {
      ...COMMON,
      connectionName: `longshore-${role}`,
      // Nobody waits any more for what could not be sent, or was not answered, when the connection is back.
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      autoResubscribe: false,
      socketTimeout: SILENCE_MS,
      // A server that became a replica: the name may lead to the new primary by now.
      reconnectOnError: (error) => error.message.startsWith('READONLY'),
    });
    this.#client.on('ready', () => {
      this.#awaySince = undefined;
      this.#wake();
    });
    this.#client.on('close', () => (this.#awaySince ??= performance.now()));
    this.#client.on('end', () => this.#wake());
    logOutages(this.#client, options.log, role);
  }

  get isReady(): boolean {
    return this.#client.status === 'ready';
  }

  /** Whether the store answers. */
  async ping(): Promise<void> {
    await this.call((client) => client.ping());
  }

  /** A connection of its own, for what holds one up. */
  another(role: string): RedisConnection {
    return new RedisConnection(this.#options, role);
  }

  /** Calls `listener` each time the connection is there (again). Nothing that was subscribed before it still is. */
  onReady(listener: () => void): void {
    this.#client.on('ready', listener);
  }

  onMessage(listener: (channel: string, message: string) => void): void {
    this.#client.on('message', listener);
  }

  /**
   * What `work` gives, within two seconds: when the connection was just lost it waits for the next, later it rejects at once.
   * `COORDINATION_UNAVAILABLE` whatever goes wrong, errors that Redis answers with included, which are
   * also told in the log, as those of `script`. What was sent may have been done.
   */
  async call<T>(work: (client: Redis) => Promise<T>, script?: string): Promise<T> {
    const startedAt = performance.now();
    try {
      if (!this.isReady) await this.#untilReady();
      return await within(CALL_MS - (performance.now() - startedAt), work(this.#client));
    } catch (error) {
      this.#refusals.tell(error, script);
      throw unavailable(error);
    }
  }

  /** Runs a script, which is sent only when the server doesn't know it yet. */
  run(script: Script, keys: readonly string[], args: readonly (string | number | Buffer)[]): Promise<unknown> {
    return this.call(async (client) => {
      try {
        return await client.evalsha(script.sha, keys.length, ...keys, ...args);
      } catch (error) {
        if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
        return client.eval(script.lua, keys.length, ...keys, ...args);
      }
    }, script.name);
  }

  /** A client as BullMQ's workers want it: one that waits for the store as long as it takes. To be ended with `disconnectAll`. */
  openForWorker(): WorkerClient {
    const client = new WorkerClient(this.#options.url, {
      ...COMMON,
      connectionName: 'longshore-merges',
      maxRetriesPerRequest: null,
      socketTimeout: WORKER_SILENCE_MS,
    });
    logOutages(client, this.#options.log, 'merges');
    return client;
  }

  /** At once, also while the store is away. Calls under way and later ones reject. */
  close(): void {
    this.#client.disconnect();
  }

  async #untilReady(): Promise<void> {
    const patienceMs = (this.#awaySince ?? performance.now()) + CALL_MS - performance.now();
    if (patienceMs <= 0 || this.#client.status === 'end') throw new Error('not connected');
    let wake: () => void = () => undefined;
    const awoken = new Promise<void>((resolve) => (wake = resolve));
    this.#waiting.add(wake);
    try {
      await within(patienceMs, awoken);
    } finally {
      this.#waiting.delete(wake);
    }
    if (!this.isReady) throw new Error('the connection was closed');
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }
}

/** Knows the copies that BullMQ makes of it, so that they end with it. */
export class WorkerClient extends Redis {
  readonly #copies: Redis[] = [];

  override duplicate(override?: Partial<RedisOptions>): Redis {
    const copy = super.duplicate(override);
    this.#copies.push(copy);
    return copy;
  }

  disconnectAll(): void {
    for (const client of [this, ...this.#copies]) client.disconnect();
  }
}

const COMMON = {
  connectTimeout: CONNECT_MS,
  // A connection that was told to close and isn't closed by the other side.
  disconnectTimeout: CONNECT_MS,
  disableClientInfo: true,
  // Between two looks whether the server has loaded its data.
  maxLoadingRetryTime: 500,
  retryStrategy: (attempt: number) => {
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (attempt - 1), LONGEST_PAUSE_MS);
    return pauseMs / 2 + (Math.random() * pauseMs) / 2;
  },
} satisfies RedisOptions;

/** One line when an outage begins and one when it ends, however often is tried in between. */
function logOutages(client: Redis, log: Log, role: string): void {
  let isAway = false;
  const away = (error?: unknown): void => {
    if (isAway || client.status === 'end') return;
    isAway = true;
    // Its text alone: what else an error of Redis carries is the command with its arguments, a password among them.
    const reason = error instanceof Error ? error.message : 'the connection was closed';
    log.warn({ connection: role, reason }, 'redis is away');
  };
  client.on('error', away);
  client.on('close', away);
  client.on('ready', () => {
    if (isAway) log.info({ connection: role }, 'redis is back');
    isAway = false;
  });
}

/** Errors that Redis itself answers with: one line for each kind and script, and no more than one a minute. */
class Refusals {
  readonly #log: Log;
  readonly #role: string;
  /** By kind and script, both from small sets: monotonic. */
  readonly #toldAt = new Map<string, number>();

  constructor(log: Log, role: string) {
    this.#log = log;
    this.#role = role;
  }

  tell(error: unknown, script: string | undefined): void {
    if (!(error instanceof ReplyError)) return;
    const { message } = error as Error;
    // WRONGTYPE, NOPERM, OOM, …: the rest differs with each call.
    const refusal = message.split(' ', 1)[0] ?? '';
    const name = `${refusal} ${script ?? ''}`;
    const now = performance.now();
    if (now - (this.#toldAt.get(name) ?? Number.NEGATIVE_INFINITY) < REFUSAL_MS) return;
    this.#toldAt.set(name, now);
    this.#log.warn({ connection: this.#role, refusal, script, reason: message }, 'redis refuses');
  }
}

/** What `promise` gives when that comes in time. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

export function unavailable(error: unknown): Fault {
  const reason = error instanceof Error ? error.message : String(error);
  // Without the arguments of the command, which the error carries, too: they would be in every log.
  const cause = new Error(reason);
  return new Fault('COORDINATION_UNAVAILABLE', `the store of claims is not available: ${reason}`, { cause });
}
