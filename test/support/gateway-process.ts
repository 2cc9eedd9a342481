// The built gateway as a process of its own, as operators run it.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';
import { once } from 'node:events';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

export interface GatewayProcess {
  readonly url: string;
  readonly pid: number;
  /** Bytes of memory it holds now, and the most it ever held since the last `resetPeak` (Linux). */
  residentBytes(): { readonly now: number; readonly peak: number };
  /** The lines of its log so far. */
  log(): readonly string[];
  /** Sends the signal and resolves with the exit code when it is gone; null when the signal ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export interface GatewayProcessOptions {
  /** Its working directory: `./data` and `./longshore.yaml` are there. */
  readonly directory: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly nodeOptions?: readonly string[];
}

export async function startGatewayProcess(options: GatewayProcessOptions): Promise<GatewayProcess> {
  const { directory, env = {}, nodeOptions = [] } = options;
  const child = spawn(process.execPath, [...nodeOptions, MAIN], {
    cwd: directory,
    env: { PATH: process.env['PATH'] ?? '', PORT: '0', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const { pid } = child;
  if (pid === undefined) throw new Error('the gateway did not start');
  const told: string[] = [];
  const url = await Promise.race([
    listeningUrl(child.stderr, told),
    exited.then(([code]) => {
      throw new Error(`the gateway ended with ${code} before it listened`);
    }),
  ]);
  return {
    url,
    pid,
    log: () => [...told],
    residentBytes: () => residentBytes(pid),
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      const [code] = await exited;
      return code;
    },
  };
}

async function listeningUrl(stderr: NodeJS.ReadableStream, told: string[]): Promise<string> {
  const lines = createInterface({ input: stderr });
  return new Promise((resolve, reject) => {
    lines.on('line', (line) => {
      told.push(line);
      const url = /"url":"(https?:[^"]+)".*"msg":"listening"/.exec(line)?.[1];
      if (url !== undefined) resolve(url);
    });
    lines.once('close', () => reject(new Error(told.join('\n'))));
  });
}

const KIB = 1_024;

function residentBytes(pid: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string) => Number(new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(status)?.[1]) * KIB;
  return { now: field('VmRSS'), peak: field('VmHWM') };
}
