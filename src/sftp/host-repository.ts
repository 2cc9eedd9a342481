// The room of SSH hosts. Its secret: ssh2, and how one gets from a host's name to bytes on its disk and notices in time when one
// doesn't. Compose makes the repository; core and assembly call it by its role. It may import core, ssh2 and node:* alone.
//
//   connection-pool (breaker, growth) → connection → channel (an SFTP session) → sftp-client       who talks to whom
//   requests, answers, attributes, space, wire                            SFTP version 3 in bytes
//   ssh-host, open-file, command                                          the roles, as requests on those
import type { Clock, Host, HostProfile, HostRepository, Log } from '../core/ports.js';
import { Fault } from '../core/problems.js';
import type { SshHostOptions } from './client-config.js';
import { ConnectionPool, type PoolCounts } from './connection-pool.js';
import { expectHostKeys } from './host-keys.js';
import { DEFAULT_LIMITS, type Context, type SftpLimits } from './limits.js';
import { CommonBound } from './send-window.js';
import { SshHost } from './ssh-host.js';

export type { Authentication, SshHostOptions } from './client-config.js';
export type { SftpLimits } from './limits.js';

export interface HostRepositoryOptions {
  /** In the order in which they are to be shown. */
  readonly hosts: readonly SshHostOptions[];
  readonly clock: Clock;
  readonly log: Log;
  /** Those that differ from `DEFAULT_LIMITS`. */
  readonly limits?: Partial<SftpLimits>;
  /** 0 ≤ value < 1; default Math.random. */
  readonly random?: () => number;
  /** Told of bytes that reads have brought, so that their garbage can be collected in time. Default: nobody is. */
  readonly onBytesRead?: (bytes: number) => void;
}

export interface SshHosts extends HostRepository {
  /** What there is now of the connections to each host. */
  counts(): readonly (PoolCounts & { readonly host: string })[];
}

/** Connects to nobody yet. Throws on a host without a usable host key, and on an id that is there twice. */
export function createHostRepository(options: HostRepositoryOptions): SshHosts {
  return new SshHostRepository(options);
}

class SshHostRepository implements SshHosts {
  readonly profiles: readonly HostProfile[];
  readonly #hosts = new Map<
    string,
    { readonly profile: HostProfile; readonly pool: ConnectionPool; readonly context: Context }
  >();

  constructor(options: HostRepositoryOptions) {
    const { hosts, clock, log, limits, random = Math.random, onBytesRead = () => undefined } = options;
    this.profiles = hosts.map((host) => host.profile);
    const common = { ...DEFAULT_LIMITS, ...limits };
    const shared = { clock, log, random, onBytesRead, writeBound: new CommonBound(common.writesUnderWayBytes) };
    for (const host of hosts) {
      const { profile, writeWindowBytes } = host;
      if (this.#hosts.has(profile.id)) throw new Error(`two hosts have the id ${profile.id}`);
      // The connection asks for them again; here it is about a mistake in the configuration, which shows at the start.
      expectHostKeys(host);
      const own = writeWindowBytes === undefined ? {} : { writeWindowBytes };
      const context = { ...shared, limits: { ...common, ...own } };
      this.#hosts.set(profile.id, { profile, context, pool: new ConnectionPool(host, context) });
    }
  }

  async use<T>(hostId: string, work: (host: Host) => Promise<T>, person?: string): Promise<T> {
    const host = this.#hosts.get(hostId);
    if (host === undefined) throw new Fault('HOST_UNKNOWN', `no host has the id ${JSON.stringify(hostId)}`);
    return host.pool.use(async (loan) => {
      const { offers } = (await loan.connection.control()).capabilities;
      return work(new SshHost(host.profile, offers, loan, host.context));
    }, person);
  }

  counts(): readonly (PoolCounts & { readonly host: string })[] {
    return [...this.#hosts].map(([host, { pool }]) => ({ host, ...pool.counts }));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#hosts.values()].map(({ pool }) => pool.close()));
  }
}
