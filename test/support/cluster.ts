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
  /** One more gateway. */
  start(): Promise<GatewayProcess>;
  /** Ends all gateways that still run, the server and the host. */
  stop(): Promise<void>;
}

export interface ClusterOptions {
  readonly sshd?: SshdOptions;
  /** Further lines of the host's entry, such as `strategy: relay`. */
  readonly host?: readonly string[];
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
    '  - id: sshd',
    `    address: ${sshd.address}`,
    `    port: ${sshd.port}`,
    `    username: ${sshd.username}`,
    `    privateKeyFile: ${sshd.privateKeyFile}`,
    `    hostKeys: ["${sshd.hostKeyFingerprint}"]`,
    `    roots: [${sshd.root}]`,
    ...(options.host ?? []).map((line) => `    ${line}`),
    ...(options.hosts?.(sshd) ?? []),
  ];
  writeFileSync(join(directory, 'longshore.yaml'), config.join('\n'));
  const gateways = new Set<GatewayProcess>();
  return {
    sshd,
    redis,
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
