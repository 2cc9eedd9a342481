// The connections to one host: made when needed, shared by everybody, given up when idle. One serves all but open files; files go to
// whichever has the least work, and stay there.
import { Fault, isFault } from '../core/problems.js';
import { settled } from '../core/settled.js';
import { Breaker } from './breaker.js';
import { type Lease, leastBusy } from './bulk-channels.js';
import type { Channel } from './channel.js';
import type { SshHostOptions } from './client-config.js';
import { Connection } from './connection.js';
import { Growth } from './growth.js';
import type { Context } from './limits.js';
import { abortable, after, every } from './timers.js';

/** What one caller has of the host, for the length of one `use`. */
export interface Loan {
  /** For whom. */
  readonly person: string | undefined;
  readonly connection: Connection;
  /** A channel for an open file, maybe of another connection, which lives until it is released or `use` ends. */
  readonly lendBulk: () => Promise<Lease>;
  /** A channel for the length of `work`, for what nobody else should wait for. */
  readonly withOwnChannel: <T>(work: (channel: Channel) => Promise<T>) => Promise<T>;
}

interface Member {
  readonly connection: Connection;
  /** Callers, and open files. */
  users: number;
  files: number;
  cancelIdle: () => void;
}

/** What there is of one host's connections now. */
export interface PoolCounts {
  readonly connections: number;
  /** SFTP sessions. */
  readonly channels: number;
  /** The last attempt to connect failed, and none has succeeded since. */
  readonly isAway: boolean;
}

export class ConnectionPool {
  readonly #host: SshHostOptions;
  readonly #context: Context;
  readonly #breaker: Breaker;
  readonly #growth: Growth;
  /** Those that have not ended; retired ones stay until their last user leaves. */
  readonly #members = new Set<Member>();
  /** Beside the members: each for one piece of work alone. */
  readonly #apart = new Set<Connection>();
  #connecting: Promise<Member> | undefined;
  #growing: Promise<void> | undefined;
  #files = 0;
  #stopLooking: (() => void) | undefined;
  /** Aborts, with a fault, when the pool is closed. */
  readonly #closed = new AbortController();

  constructor(host: SshHostOptions, context: Context) {
    this.#host = host;
    this.#context = context;
    this.#breaker = new Breaker(context);
    this.#growth = new Growth(context.limits.maxConnections);
  }

  /**
   * Lends the host for the length of `work`. Where there is no connection, callers share one attempt to make it. After a failed one they
   * get its fault: at once while a pause lasts, and then when the next attempt takes longer than `probePatienceMs`.
   */
  async use<T>(work: (loan: Loan) => Promise<T>, person?: string): Promise<T> {
    const member = this.#living()[0] ?? (await this.#connect());
    const leave = this.#enter(member);
    const leases = new Set<Lease>();
    const lendBulk = async (): Promise<Lease> => {
      const lease = await this.#lendFile(person, () => leases.delete(lease));
      leases.add(lease);
      return lease;
    };
    try {
      return await work({
        person,
        connection: member.connection,
        lendBulk,
        withOwnChannel: (use) => this.#withOwnChannel(use),
      });
    } finally {
      for (const lease of leases) lease.release();
      leave();
    }
  }

  get counts(): PoolCounts {
    const connections = [...[...this.#members].map(({ connection }) => connection), ...this.#apart];
    const channels = connections.reduce((sum, { channelCount }) => sum + channelCount, 0);
    return { connections: connections.length, channels, isAway: this.#breaker.fault !== undefined };
  }

  /** Ends all connections and lets no new one be made. */
  async close(): Promise<void> {
    this.#closed.abort(new Fault('HOST_UNREACHABLE', 'the connections are closed'));
    this.#stopLooking?.();
    await this.#connecting?.catch(() => {
      // Whoever waits for it is told.
    });
    await this.#growing;
    await Promise.all([
      ...[...this.#members].map((member) => this.#dismiss(member)),
      ...[...this.#apart].map((connection) => connection.close()),
    ]);
  }

  /** The oldest first, so that with less work the others become idle. */
  #living(): readonly Member[] {
    return [...this.#members].filter((member) => !member.connection.isRetired);
  }

  async #lendFile(person: string | undefined, onRelease: () => void): Promise<Lease> {
    const member = this.#leastBusy() ?? (await this.#connect());
    const leave = this.#enter(member);
    member.files += 1;
    this.#files += 1;
    this.#stopLooking ??= every(this.#context.clock, this.#context.limits.growthLookMs, () => this.#look());
    const giveBack = once(() => {
      member.files -= 1;
      this.#files -= 1;
      if (this.#files === 0) this.#endLooking();
      leave();
    });
    try {
      const { channel, release } = await member.connection.lendBulk(person);
      const end = once(() => {
        release();
        giveBack();
        onRelease();
      });
      return { channel, release: end };
    } catch (error) {
      giveBack();
      throw error;
    }
  }

  async #withOwnChannel<T>(work: (channel: Channel) => Promise<T>): Promise<T> {
    const member = this.#leastBusy() ?? (await this.#connect());
    const leave = this.#enter(member);
    try {
      const channel = await member.connection.openChannel().catch((error: unknown) => {
        if (!isFault(error, 'HOST_BUSY')) throw error;
      });
      // sshd's MaxSessions is reached; any connection has one.
      if (channel === undefined) return await this.#apartFromMembers(async (connection) => work(await connection.control()));
      try {
        return await work(channel);
      } finally {
        channel.end(new Fault('HOST_UNREACHABLE', 'the session was ended by us'));
      }
    } finally {
      leave();
    }
  }

  async #apartFromMembers<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    this.#closed.signal.throwIfAborted();
    const connection = await this.#open();
    this.#apart.add(connection);
    try {
      return await work(connection);
    } finally {
      this.#apart.delete(connection);
      await connection.close();
    }
  }

  /** At once, so that whoever asks next finds this one counted. */
  #leastBusy(): Member | undefined {
    const work = ({ connection, files }: Member) => ({ foreign: 0, writers: connection.load.writers, files });
    // Files are dealt out by chance among equals, but connections by age.
    return leastBusy(this.#living(), work, () => 0);
  }

  #look(): void {
    if (this.#connecting !== undefined || this.#growing !== undefined) return;
    const living = this.#living();
    const { clock } = this.#context;
    const loads = living.map(({ connection }) => connection.load);
    const more = living.length === 0 ? 0 : this.#growth.look(clock.monotonic(), loads);
    if (more > 0) {
      this.#growing = this.#grow(more).finally(() => {
        this.#growing = undefined;
      });
    }
  }

  /** Never rejects. All at once, which is no more than there are already: sshd drops some of many handshakes (MaxStartups, 10). */
  async #grow(more: number): Promise<void> {
    const attempts = Array.from({ length: more }, async () => this.#admit(await this.#open()));
    await settled(attempts).catch(() => this.#growth.refused(this.#context.clock.monotonic()));
  }

  #endLooking(): void {
    this.#stopLooking?.();
    this.#stopLooking = undefined;
  }

  async #connect(): Promise<Member> {
    const { signal } = this.#closed;
    signal.throwIfAborted();
    const { fault } = this.#breaker;
    if (fault === undefined) return this.#attempt();
    if (!this.#breaker.mayTry) throw fault;
    const { clock, limits } = this.#context;
    const late = new AbortController();
    const cancel = after(clock, limits.probePatienceMs, () => late.abort(fault));
    try {
      return await abortable(this.#attempt(), late.signal);
    } finally {
      cancel();
    }
  }

  /** The one that is under way, or a new one. */
  #attempt(): Promise<Member> {
    this.#connecting ??= this.#open()
      .then((connection) => this.#admit(connection))
      .finally(() => {
        this.#connecting = undefined;
      });
    return this.#connecting;
  }

  async #open(): Promise<Connection> {
    const { log } = this.#context;
    const host = this.#host.profile.id;
    try {
      const connection = await Connection.open(this.#host, this.#context, this.#closed.signal);
      this.#breaker.succeeded();
      log.info({ host, connections: this.#members.size + this.#apart.size + 1 }, 'host connected');
      return connection;
    } catch (error) {
      // One that is wanted beside others says nothing of those.
      const isExtra = this.#living().length > 0;
      if (isFault(error)) {
        const attempts = isExtra ? 1 : this.#breaker.failed(error);
        log.warn({ host, code: error.code, error: error.message, attempts, isExtra }, 'host did not connect');
      }
      throw error;
    }
  }

  #admit(connection: Connection): Member {
    const member: Member = { connection, users: 0, files: 0, cancelIdle: () => undefined };
    this.#members.add(member);
    const onEnd = (): void => {
      this.#members.delete(member);
      member.cancelIdle();
      this.#context.log.info({ host: this.#host.profile.id, reason: String(connection.ended.reason) }, 'host disconnected');
    };
    connection.ended.addEventListener('abort', onEnd, { once: true });
    this.#rest(member);
    return member;
  }

  /** Keeps the connection from being idle until what it returns is called. */
  #enter(member: Member): () => void {
    member.users += 1;
    member.cancelIdle();
    return () => {
      member.users -= 1;
      if (member.users === 0) this.#rest(member);
    };
  }

  #rest(member: Member): void {
    if (member.connection.isRetired) {
      void this.#dismiss(member);
      return;
    }
    const { clock, limits } = this.#context;
    member.cancelIdle = after(clock, limits.idleTimeoutMs, () => void this.#dismiss(member));
  }

  /** Never rejects. */
  async #dismiss(member: Member): Promise<void> {
    member.cancelIdle();
    await member.connection.close();
  }
}

function once(action: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    action();
  };
}
