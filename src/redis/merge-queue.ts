// Merge jobs that several processes share, on BullMQ. Its secrets: what is asked for while a job runs is kept beside it as its
// successor, and a job whose host has no place here, or isn't known here, waits aside, for this process to call back or for another to
// take. The twin of src/memory; both pass test/contract/merge-queue.ts.
import { DelayedError, Queue, WaitingError, Worker } from 'bullmq';
import type { Job } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Log, MergeJob, MergeQueue } from '../core/ports.js';
import type { RedisConnection, WorkerClient } from './connection.js';
import { within } from './connection.js';
import { Places } from './places.js';

const QUEUE = 'merges';
/** A worker that died is noticed when its lock has ended, at the next look: within 9 s, so that a merge is taken over within 15 s. */
const LOCK_MS = 6_000;
const LOOK_MS = 3_000;
/** A job that took so many processes with it is not run again. */
const CRASHES = 5;
/** How long a job waits aside before any process may take it. */
const ASIDE_MS = 5_000;
/** How long a process without a place fetches nothing when such a job comes back to it, so that another may: BullMQ wakes only one. */
const YIELD_MS = 250;
/** Between two such pauses for jobs on hosts that this process doesn't know: it has its own to run. */
const STRANGE_MS = 1_000;
/** After an error of the store, before the next job is fetched. */
const PAUSE_MS = 1_000;
/** For giving back what ran, when the queue closes. */
const CLOSE_MS = 4_000;
/** BullMQ keeps these for ever. When they lapse it begins them anew: only its settings for the stream are then its own. */
const LASTING_KEYS = ['meta', 'id', 'events'];
/** Of the time that those are kept: how soon that is renewed. */
const RENEW_AFTER = 1 / 1_000;
/** BullMQ tells what happens in a stream that nobody reads here. */
const EVENTS_KEPT = 100;

interface Options {
  readonly redis: RedisConnection;
  readonly log: Log;
  /** How long anything is kept in Redis after it was last used. */
  readonly ttlMs: number;
  /** Ids of the hosts that this process knows; undefined: all. */
  readonly hosts?: readonly string[];
  /** Merges running at once in this process: as many in each other. */
  readonly concurrency: number;
  /** Merges running at once in this process on one host. */
  readonly concurrencyPerHost: number;
}

type Work = Parameters<MergeQueue['process']>[0];
type GiveUp = Parameters<MergeQueue['process']>[1];

export class RedisMergeQueue implements MergeQueue {
  readonly #options: Options;
  /** By host. */
  readonly #places = new Map<string, Places>();
  /** By job of BullMQ: more than one when its lock ended while the store was away. */
  readonly #running = new Map<Promise<void>, string>();
  readonly #stop = new AbortController();
  #queue: Queue<MergeJob> | undefined;
  #taking: { readonly worker: Worker<MergeJob>; readonly client: WorkerClient } | undefined;
  #pause: NodeJS.Timeout | undefined;
  /** Monotonic. */
  #yieldedAt = Number.NEGATIVE_INFINITY;
  /** Monotonic. */
  #renewedAt = Number.NEGATIVE_INFINITY;
  #closed: Promise<void> | undefined;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Jobs running in this process. */
  get runningCount(): number {
    return this.#running.size;
  }

  async add(job: MergeJob): Promise<void> {
    if (this.isClosing) return;
    await this.#call(async (queue, client) => {
      const adding = queue.add('merge', job, {
        deduplication: { id: job.id, keepLastIfActive: true },
        removeOnComplete: true,
        removeOnFail: true,
      });
      await Promise.all([adding, this.#renewLasting(client)]);
    });
  }

  async remove(id: string): Promise<void> {
    await this.#call(async (queue, client) => {
      // First what was asked for while it runs: its end would make a waiting job of that.
      await client.del(this.#againKey(id));
      const waiting = await queue.getDeduplicationJobId(id);
      if (waiting !== null) await queue.remove(waiting);
    });
  }

  has(id: string): Promise<boolean> {
    return this.#call(async (queue) => (await queue.getDeduplicationJobId(id)) !== null);
  }

  /** Of all processes with the same store. */
  async counts(): Promise<{ readonly waiting: number; readonly running: number }> {
    const { active = 0, ...waiting } = await this.#call((queue) => queue.getJobCounts('active', 'wait', 'delayed'));
    return { waiting: (waiting['wait'] ?? 0) + (waiting['delayed'] ?? 0), running: active };
  }

  process(work: Work, giveUp: GiveUp): void {
    const { redis, concurrency } = this.#options;
    const client = redis.openForWorker();
    const worker = new Worker<MergeJob>(QUEUE, (job, token) => this.#take(work, job, token), {
      connection: client,
      prefix: redis.keys.prefix,
      skipVersionCheck: true,
      concurrency,
      lockDuration: LOCK_MS,
      stalledInterval: LOOK_MS,
      maxStalledCount: CRASHES - 1,
      runRetryDelay: PAUSE_MS,
    });
    worker.on('error', (error) => this.#pauseAfter(error));
    // Work that rejects is a job that ended; this is what BullMQ itself gives up.
    worker.on('failed', (job) => void this.#giveUp(job, giveUp));
    worker.on('lockRenewalFailed', (ids) => ids.forEach((id) => void this.#forgetStalls(id)));
    this.#taking = { worker, client };
  }

  /** Within 5 s of the end of what runs, also while the store is away. What ran goes on in another process. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#stop.abort(new Error('the merge queue is closing'));
    clearTimeout(this.#pause);
    const closing = this.#taking?.worker.close();
    await Promise.allSettled(this.#running.keys());
    // What can't be given back stalls, and is taken over all the same.
    if (closing !== undefined) await within(CLOSE_MS, closing).catch(() => undefined);
    this.#taking?.client.disconnectAll();
    await this.#queue?.close();
  }

  /** Whether `close` was called. */
  get isClosing(): boolean {
    return this.#stop.signal.aborted;
  }

  async #renewLasting(client: Redis): Promise<void> {
    const { redis, ttlMs } = this.#options;
    const now = performance.now();
    if (now - this.#renewedAt < ttlMs * RENEW_AFTER) return;
    this.#renewedAt = now;
    await Promise.all(LASTING_KEYS.map((key) => client.pexpire(`${redis.keys.prefix}:${QUEUE}:${key}`, ttlMs)));
  }

  /** Where BullMQ keeps that a job was asked for while it runs. */
  #againKey(id: string): string {
    return `${this.#options.redis.keys.prefix}:${QUEUE}:dn:${id}`;
  }

  #call<T>(work: (queue: Queue<MergeJob>, client: Redis) => Promise<T>): Promise<T> {
    return this.#options.redis.call((client) => work(this.#queueOn(client), client));
  }

  #queueOn(client: Redis): Queue<MergeJob> {
    if (this.#queue !== undefined) return this.#queue;
    this.#queue = new Queue<MergeJob>(QUEUE, {
      connection: client,
      prefix: this.#options.redis.keys.prefix,
      skipVersionCheck: true,
      streams: { events: { maxLen: EVENTS_KEPT } },
    });
    // They are the connection's, which tells them.
    this.#queue.on('error', () => undefined);
    return this.#queue;
  }

  async #take(work: Work, taken: Job<MergeJob>, token: string | undefined): Promise<void> {
    const job = taken.data;
    if (this.isClosing) return giveBack(taken, token);
    if (this.#options.hosts?.includes(job.hostId) === false) return this.#leaveToOthers(taken, token);
    const places = this.#placesOn(job.hostId);
    if (!(await places.take(taken))) return this.#putAside(places, taken, token);
    if (this.#isRunning(taken.id)) await this.#forgetStalls(taken.id);
    const run = this.#run(work, job);
    this.#running.set(run, taken.id ?? '');
    try {
      await run;
    } finally {
      this.#running.delete(run);
      places.free();
    }
    if (this.#stop.signal.aborted) return giveBack(taken, token);
    await places.callNext();
    // They may have lapsed while it ran.
    await this.#call((_, client) => this.#renewLasting(client)).catch(() => undefined);
  }

  /** To one that waits for jobs at once; when there is none it comes back, and has to wait. */
  async #leaveToOthers(taken: Job<MergeJob>, token: string | undefined): Promise<never> {
    await this.#taking?.client.del(this.#againKey(taken.data.id));
    // Each time: of all processes that wait for one, Redis wakes the one that has waited longest, which is this one again.
    if (this.#yield(STRANGE_MS)) return giveBack(taken, token);
    await taken.moveToDelayed(Date.now() + Math.min(YIELD_MS * 2 ** taken.attemptsStarted, ASIDE_MS), token);
    throw new DelayedError();
  }

  async #putAside(places: Places, taken: Job<MergeJob>, token: string | undefined): Promise<never> {
    // It hasn't begun, so whoever asked for it meanwhile asked for this run.
    await this.#taking?.client.del(this.#againKey(taken.data.id));
    // One that comes back waited in vain.
    if (taken.attemptsStarted > 1 && this.#yield(ASIDE_MS)) return giveBack(taken, token);
    await taken.moveToDelayed(Date.now() + ASIDE_MS, token);
    // Also what came in between; from now on it counts as waiting.
    await this.#taking?.client.del(this.#againKey(taken.data.id));
    // A place may have become free meanwhile.
    await places.callNext();
    throw new DelayedError();
  }

  #placesOn(hostId: string): Places {
    const places = this.#places.get(hostId) ?? new Places(this.#options.concurrencyPerHost);
    this.#places.set(hostId, places);
    return places;
  }

  async #run(work: Work, job: MergeJob): Promise<void> {
    try {
      await work(job, this.#stop.signal);
    } catch (error) {
      this.#options.log.error({ host: job.hostId, upload: job.id, err: error }, 'merge job failed');
    }
  }

  #isRunning(id: string | undefined): boolean {
    return [...this.#running.values()].includes(id ?? '');
  }

  /** Of a job that still runs here: its lock ended because the store was away, and no process died over it. */
  async #forgetStalls(id: string | undefined): Promise<void> {
    const { redis } = this.#options;
    // BullMQ's count, and its decision to give up. That the store is away again is told where the connection is made.
    const forgotten = redis.call((client) => client.hdel(`${redis.keys.prefix}:${QUEUE}:${id}`, 'stc', 'defa'));
    await forgotten.catch(() => undefined);
  }

  async #giveUp(failed: Job<MergeJob> | undefined, giveUp: GiveUp): Promise<void> {
    const { log } = this.#options;
    // One that still runs here tells its own end.
    if (failed === undefined || this.#isRunning(failed.id)) return;
    const job = failed.data;
    log.error({ host: job.hostId, upload: job.id, crashes: CRASHES }, 'merge job given up: every process that ran it died');
    try {
      await giveUp(job, this.#stop.signal);
    } catch (error) {
      log.error({ host: job.hostId, upload: job.id, err: error }, 'the end of a merge could not be told');
    }
  }

  /** Whether another process is to have a go first at a job: once for all that come (back) together. */
  #yield(leastIntervalMs: number): boolean {
    const now = performance.now();
    if (now - this.#yieldedAt < leastIntervalMs) return false;
    this.#yieldedAt = now;
    this.#pauseFor(YIELD_MS);
    return true;
  }

  /** BullMQ fetches again at once after an answer like OOM or READONLY: without a pause, as often as a core can. */
  #pauseAfter(error: Error): void {
    if (this.isClosing || isOfConnection(error) || this.#pause !== undefined) return;
    this.#options.log.warn({ reason: error.message }, 'merge queue pauses');
    this.#pauseFor(PAUSE_MS);
  }

  /** What runs goes on. */
  #pauseFor(ms: number): void {
    const worker = this.#taking?.worker;
    if (worker === undefined || this.#pause !== undefined) return;
    void worker.pause(true);
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      void worker.resume();
    }, ms);
  }
}

/** For another process to take, before all that wait. */
async function giveBack(job: Job<MergeJob>, token: string | undefined): Promise<never> {
  await job.moveToWait(token);
  throw new WaitingError();
}

/** Those are told where the connection is made. */
function isOfConnection(error: Error): boolean {
  return 'syscall' in error || /connect|socket|closed/i.test(error.message);
}
