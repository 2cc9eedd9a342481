// What the benchmarks run against: a real sshd, and the built gateway as a process of its own in front of it.
import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { GatewayProcess } from '../test/support/gateway-process.js';
import { startGatewayProcess } from '../test/support/gateway-process.js';
import type { Sshd } from '../test/support/sshd.js';
import { startSshd } from '../test/support/sshd.js';

export interface Row {
  readonly what: string;
  readonly [figure: string]: string | number;
}

export type Benchmark = () => Promise<readonly Row[]>;

export interface StageOptions {
  /** To the hosts' machine, ms; default 0: no proxy between. */
  readonly roundTripMs?: number;
  /** Hosts on that machine: `sshd`, `sshd2` …; default 1. */
  readonly hosts?: number;
}

export interface Stage {
  readonly gateway: GatewayProcess;
  readonly sshd: Sshd;
  /** Where the sshd is reached, at the distance of the stage. */
  readonly port: number;
  /** A tus server, as far away. */
  readonly tus: { readonly url: string; readonly directory: string };
  /** For the benchmark's own files. */
  readonly directory: string;
  stop(): Promise<void>;
}

/** Hosts: `sshd`, whose root is `sshd.root`, and the embedded `local`, whose root is `/`. */
export async function setStage({ roundTripMs = 0, hosts = 1 }: StageOptions = {}): Promise<Stage> {
  const sshd = await startSshd();
  const directory = mkdtempSync(join(tmpdir(), 'longshore-bench-'));
  const tusDirectory = join(directory, 'tus');
  mkdirSync(tusDirectory);
  const tusServer = await helper('tus-server.mjs', [tusDirectory]);
  const children = [tusServer.child];
  const farOf = async (port: number): Promise<number> => {
    if (roundTripMs === 0) return port;
    const far = await helper('far.mjs', [`${port}`, `${roundTripMs}`]);
    children.push(far.child);
    return far.port;
  };
  const port = await farOf(sshd.port);
  const tusPort = await farOf(tusServer.port);
  const ids = Array.from({ length: hosts }, (_, at) => (at === 0 ? 'sshd' : `sshd${at + 1}`));
  const config = `
hosts:
${ids.map((id) => sshHost(id, sshd, port)).join('')}
  - id: local
    embedded: { directory: ./data, port: 0 }
`;
  writeFileSync(join(directory, 'longshore.yaml'), config);
  const gateway = await startGatewayProcess({ directory });
  return {
    gateway,
    sshd,
    port,
    tus: { url: `http://127.0.0.1:${tusPort}/files`, directory: tusDirectory },
    directory,
    async stop() {
      await gateway.stop();
      for (const child of children) child.disconnect();
      await sshd.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function sshHost(id: string, sshd: Sshd, port: number): string {
  return `
  - id: ${id}
    address: ${sshd.address}
    port: ${port}
    username: ${sshd.username}
    privateKeyFile: ${sshd.privateKeyFile}
    hostKeys: ["${sshd.hostKeyFingerprint}"]
    roots: [${sshd.root}]
`;
}

/** A process of its own that tells its port. */
async function helper(name: string, args: readonly string[]): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const child = fork(fileURLToPath(new URL(name, import.meta.url)), args, { execArgv: [] });
  const [port] = (await once(child, 'message')) as [number];
  return { child, port };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = 0, high = 0] = sorted.length % 2 === 1 ? [sorted[middle], sorted[middle]] : sorted.slice(middle - 1, middle + 1);
  return (low + high) / 2;
}
