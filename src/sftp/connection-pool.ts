// The connections to one host: made when first needed, shared by everybody, given up when idle. For now there is one; what grows
// with the work (design §6: long links) grows here.
import { Fault, isFault } from '../core/problems.js';
import type { SshHostOptions } from './client-config.js';
import { Connection } from './connection.js';
import type { Context } from './limits.js';
import { after } from './timers.js';

interface Member {
  readonly connection: Connection;
  users: number;
  cancelIdle: () => void;
}

interface Failure {
  readonly fault: Fault;
  /** How many in a row. */
  readonly count: number;
  /** Monotonic ms; until then nobody tries again. */
  readonly until: number;
}

export class ConnectionPool {
  readonly #host: SshHostOptions;
  readonly #context: Context;
  /** Those that have not ended; retired ones stay until their last user leaves. */
  readonly #members = new Set<Member>();
  #connecting: Promise<Member> | undefined;
  #failure: Failure | undefined;
  /** Aborts, with a fault, when the pool is closed. */
  readonly #closed = new AbortController();

  constructor(host: SshHostOptions, context: Context) {
    this.#host = host;
    this.#context = context;
  }

  /**
   * Lends a living connection for the length of `work`. Callers share one attempt to connect; while the pause after a failed one
   * lasts, its fault is the answer at once: sshd punishes hasty clients (MaxStartups, PerSourcePenalties).
   */
  async use<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const member = this.#living() ?? (await this.#connect());
    member.users += 1;
    member.cancelIdle();
    try {
      return await work(member.connection);
    } finally {
      member.users -= 1;
      if (member.users === 0) this.#rest(member);
    }
  }

  /** Ends all connections and lets no new one be made. */
  async close(): Promise<void> {
    this.#closed.abort(new Fault('HOST_UNREACHABLE', 'the connections are closed'));
    await this.#connecting?.catch(() => {
      // Whoever waits for it is told.
    });
    await Promise.all([...this.#members].map((member) => this.#dismiss(member)));
  }

  #living(): Member | undefined {
    for (const member of this.#members) if (!member.connection.isRetired) return member;
    return undefined;
  }

  #connect(): Promise<Member> {
    const { signal } = this.#closed;
    if (signal.aborted) return Promise.reject(signal.reason as Fault);
    const failure = this.#failure;
    if (failure !== undefined && this.#context.clock.monotonic() < failure.until) return Promise.reject(failure.fault);
    this.#connecting ??= this.#attempt().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #attempt(): Promise<Member> {
    const { log } = this.#context;
    const host = this.#host.profile.id;
    try {
      const connection = await Connection.open(this.#host, this.#context, this.#closed.signal);
      this.#failure = undefined;
      log.info({ host }, 'host connected');
      return this.#admit(connection);
    } catch (error) {
      if (isFault(error)) {
        this.#failure = this.#nextFailure(error);
        log.warn({ host, code: error.code, error: error.message, attempts: this.#failure.count }, 'host did not connect');
      }
      throw error;
    }
  }

  #admit(connection: Connection): Member {
    const member: Member = { connection, users: 0, cancelIdle: () => undefined };
    this.#members.add(member);
    const onEnd = (): void => {
      this.#members.delete(member);
      member.cancelIdle();
      this.#context.log.info({ host: this.#host.profile.id, reason: String(connection.ended.reason) }, 'host disconnected');
    };
    connection.ended.addEventListener('abort', onEnd, { once: true });
    return member;
  }

  /** Exponential, with as much jitter again so that many gateways don't knock in step. */
  #nextFailure(fault: Fault): Failure {
    const { clock, limits, random } = this.#context;
    const count = (this.#failure?.count ?? 0) + 1;
    const pauseMs = Math.min(limits.maxBackOffMs, limits.backOffMs * 2 ** (count - 1));
    return { fault, count, until: clock.monotonic() + pauseMs * (0.5 + random() / 2) };
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
