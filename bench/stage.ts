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
import { OutsideClient } from '../test/support/outside-client.js';
import { startProxy } from '../test/support/proxy.js';
import type { Sshd } from '../test/support/sshd.js';
import { startSshd } from '../test/support/sshd.js';
import type { Vitals } from './vitals.js';
import { watchVitals, watched } from './vitals.js';

export interface Row {
  readonly what: string;
  readonly [figure: string]: string | number;
}

export type Benchmark = () => Promise<readonly Row[]>;

export interface StageOptions {
  /** To the hosts' machine, ms; default 0: no proxy between. */
  readonly roundTripMs?: number;
  /** What that machine takes, if it isn't as much as comes. Not together with a round trip. */
  readonly bytesPerSecond?: number;
  /** Hosts on that machine: `sshd`, `sshd2` …; default 1. */
  readonly hosts?: number;
  /** Further keys of each of them, such as `strategy`. */
  readonly host?: Readonly<Record<string, string>>;
  readonly limits?: Readonly<Record<string, number>>;
}

export interface Stage {
  readonly gateway: GatewayProcess;
  /** What the gateway holds when all is loaded and nothing is asked. */
  readonly idleBytes: number;
  readonly sshd: Sshd;
  /** Where the sshd is reached, at the distance of the stage. */
  readonly port: number;
  /** A tus server, as far away. */
  readonly tus: { readonly url: string; readonly directory: string };
  /** The port of a server, as far away, that takes all that comes and answers when it was all. */
  readonly sink: number;
  /** For the benchmark's own files. */
  readonly directory: string;
  /** Watches the gateway until the function that it gives is called. */
  watch(): Promise<() => Promise<Vitals>>;
  stop(): Promise<void>;
}

/** Hosts: `sshd`, whose root is `sshd.root`, and the embedded `local`, whose root is `/`. The gateway has served a file already. */
export async function setStage(options: StageOptions = {}): Promise<Stage> {
  const { roundTripMs = 0, bytesPerSecond, hosts = 1 } = options;
  const sshd = await startSshd();
  const directory = mkdtempSync(join(tmpdir(), 'longshore-bench-'));
  const tusDirectory = join(directory, 'tus');
  mkdirSync(tusDirectory);
  const [tusServer, sinkServer] = [await helper('tus-server.mjs', [tusDirectory]), await helper('sink.mjs', [])];
  const children = [tusServer.child, sinkServer.child];
  const farOf = async (port: number): Promise<number> => {
    if (roundTripMs === 0) return port;
    const far = await helper('far.mjs', [`${port}`, `${roundTripMs}`]);
    children.push(far.child);
    return far.port;
  };
  const narrow = bytesPerSecond === undefined ? undefined : await startProxy(sshd, { bytesPerSecond });
  const port = narrow?.port ?? (await farOf(sshd.port));
  const tusPort = await farOf(tusServer.port);
  const ids = Array.from({ length: hosts }, (_, at) => (at === 0 ? 'sshd' : `sshd${at + 1}`));
  const local = { id: 'local', embedded: { directory: './data', port: 0 } };
  const all = [...ids.map((id) => ({ ...sshHost(id, sshd, port), ...options.host })), local];
  // JSON is YAML.
  writeFileSync(join(directory, 'longshore.yaml'), JSON.stringify({ hosts: all, limits: options.limits ?? {} }));
  const gateway = await startGatewayProcess(watched(directory));
  const client = new OutsideClient(gateway);
  for (const hostId of [...ids, 'local']) {
    const fullPath = hostId === 'local' ? '/first' : `${sshd.root}/first-${hostId}`;
    await client.put({ hostId, fullPath, hashCode: 'first' }, Buffer.alloc(100_000));
  }
  return {
    gateway,
    idleBytes: gateway.residentBytes().now,
    sshd,
    port,
    tus: { url: `http://127.0.0.1:${tusPort}/files`, directory: tusDirectory },
    sink: await farOf(sinkServer.port),
    directory,
    watch: () => watchVitals(directory),
    async stop() {
      await endOf(gateway);
      for (const child of children) child.disconnect();
      await narrow?.stop();
      await sshd.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

const PATIENCE_MS = 5_000;

/** It lets what is under way finish, for which a narrow line leaves no time. */
async function endOf(gateway: GatewayProcess): Promise<void> {
  const kill = setTimeout(() => void gateway.stop('SIGKILL'), PATIENCE_MS);
  await gateway.stop();
  clearTimeout(kill);
}

function sshHost(id: string, sshd: Sshd, port: number) {
  const { address, username, privateKeyFile, hostKeyFingerprint, root } = sshd;
  return { id, address, port, username, privateKeyFile, hostKeys: [hostKeyFingerprint], roots: [root] };
}

/** A process of its own that tells its port. */
async function helper(name: string, args: readonly string[]): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const child = fork(fileURLToPath(new URL(name, import.meta.url)), args, { execArgv: [] });
  const [port] = (await once(child, 'message')) as [number];
  return { child, port };
}
