// What the benchmarks run against: a real sshd, and the built gateway as a process of its own in front of it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GatewayProcess } from '../test/support/gateway-process.js';
import { startGatewayProcess } from '../test/support/gateway-process.js';
import type { Sshd } from '../test/support/sshd.js';
import { startSshd } from '../test/support/sshd.js';

export interface Row {
  readonly what: string;
  readonly [figure: string]: string | number;
}

export type Benchmark = () => Promise<readonly Row[]>;

export interface Stage {
  readonly gateway: GatewayProcess;
  readonly sshd: Sshd;
  /** For the benchmark's own files. */
  readonly directory: string;
  stop(): Promise<void>;
}

/** Hosts: `sshd`, whose root is `sshd.root`, and the embedded `local`, whose root is `/`. */
export async function setStage(): Promise<Stage> {
  const sshd = await startSshd();
  const directory = mkdtempSync(join(tmpdir(), 'longshore-bench-'));
  const config = `
hosts:
  - id: sshd
    address: ${sshd.address}
    port: ${sshd.port}
    username: ${sshd.username}
    privateKeyFile: ${sshd.privateKeyFile}
    hostKeys: ["${sshd.hostKeyFingerprint}"]
    roots: [${sshd.root}]
  - id: local
    embedded: { directory: ./data, port: 0 }
`;
  writeFileSync(join(directory, 'longshore.yaml'), config);
  const gateway = await startGatewayProcess({ directory });
  return {
    gateway,
    sshd,
    directory,
    async stop() {
      await gateway.stop();
      await sshd.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = 0, high = 0] = sorted.length % 2 === 1 ? [sorted[middle], sorted[middle]] : sorted.slice(middle - 1, middle + 1);
  return (low + high) / 2;
}
