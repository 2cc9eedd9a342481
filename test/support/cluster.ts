// Gateways as processes of their own that share an sshd and a Redis server, and nothing else: as behind a load balancer that
// sends each request wherever it likes.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GatewayProcess } from './gateway-process.js';
import { startGatewayProcess } from './gateway-process.js';
import type { RedisServer } from './redis-server.js';
import { startRedisServer } from './redis-server.js';
import type { Sshd, SshdOptions } from './sshd.js';
import { startSshd } from './sshd.js';

export interface Cluster {
  readonly sshd: Sshd;
  readonly redis: RedisServer;
  /** What its gateways are configured with. */
  readonly configFile: string;
  /** One more gateway. */
  start(): Promise<GatewayProcess>;
  /** Ends all gateways that still run, the server and the host. */
  stop(): Promise<void>;
}

export interface ClusterOptions {
  readonly sshd?: SshdOptions;
  /** Further lines of the host's entry, such as `strategy: relay`. */
  readonly host?: readonly string[];
  /** The same host again, once for each of these strategies, by whose name it is called. */
  readonly strategies?: readonly string[];
  /** Further entries below `hosts`. */
  readonly hosts?: (sshd: Sshd) => readonly string[];
  /** Further lines at the top level, such as `limits: { … }`. */
  readonly config?: readonly string[];
}

export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const [sshd, redis] = await Promise.all([startSshd(options.sshd), startRedisServer()]);
  const directory = mkdtempSync(join(tmpdir(), 'longshore-cluster-'));
  const config = [
    'listen: { address: 127.0.0.1, port: 0 }',
    `redis: ${redis.url}`,
    ...(options.config ?? []),
    'hosts:',
    ...entry('sshd', sshd, options.host ?? []),
    ...(options.strategies ?? []).flatMap((strategy) => entry(strategy, sshd, [`strategy: ${strategy}`])),
    ...(options.hosts?.(sshd) ?? []),
  ];
  const configFile = join(directory, 'longshore.yaml');
  writeFileSync(configFile, config.join('\n'));
  const gateways = new Set<GatewayProcess>();
  return {
    sshd,
    redis,
    configFile,
    async start() {
      const gateway = await startGatewayProcess({ directory });
      gateways.add(gateway);
      return gateway;
    },
    async stop() {
      await Promise.all([...gateways].map((gateway) => gateway.stop('SIGKILL')));
      await Promise.all([sshd.stop(), redis.stop()]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Below `hosts`. */
function entry(id: string, sshd: Sshd, lines: readonly string[]): readonly string[] {
  const { address, port, username, privateKeyFile, hostKeyFingerprint, root } = sshd;
  return [
    `  - id: ${id}`,
    `    address: ${address}`,
    `    port: ${port}`,
    `    username: ${username}`,
    `    privateKeyFile: ${privateKeyFile}`,
    `    hostKeys: ["${hostKeyFingerprint}"]`,
    `    roots: [${root}]`,
    ...lines.map((line) => `    ${line}`),
  ];
}

/** Sends each next call to another of the gateways. */
export function inTurn(gateways: readonly { readonly url: string }[]): { readonly url: string } {
  let calls = 0;
  return {
    get url() {
      calls += 1;
      return gateways[calls % gateways.length]?.url ?? '';
    },
  };
}
