// A server of the zoo that is a program: started in the foreground, waited for, its sessions and itself killed.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './port.js';

/** Between the choice of a free port and the program's bind another process may take it. */
const START_ATTEMPTS = 5;
const START_LIMIT_MS = 10_000;
const LOOK_EVERY_MS = 20;
/** Administrators' programs are not on every PATH. */
const SEARCH_PATH = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;

export interface ZooProgram {
  readonly port: number;
  /** Kills the processes that it has started, one for each session; where it has none, itself, and starts it again on its port. */
  killSessions(): Promise<void>;
  stop(): Promise<void>;
}

export interface ProgramOptions {
  readonly command: string;
  readonly args: (port: number) => readonly string[];
  /** Whom it runs as; default ourselves. */
  readonly account?: { readonly uid: number; readonly gid: number };
  readonly env?: Readonly<Record<string, string>>;
  /** What serves a session. */
  readonly sessions: 'processes' | 'itself';
}

/** Resolves when it takes connections. */
export async function startProgram(options: ProgramOptions): Promise<ZooProgram> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    try {
      return supervised(options, port, await started(options, port));
    } catch (error) {
      if (attempt === START_ATTEMPTS) throw error;
    }
  }
}

interface Running {
  readonly pid: number;
  kill(): Promise<void>;
}

function supervised(options: ProgramOptions, port: number, first: Running): ZooProgram {
  let running = first;
  return {
    port,
    async killSessions() {
      if (options.sessions === 'processes') return killChildren(running.pid);
      await running.kill();
      running = await started(options, port);
    },
    async stop() {
      killChildren(running.pid);
      await running.kill();
    },
  };
}

async function started({ command, args, account, env }: ProgramOptions, port: number): Promise<Running> {
  const child = spawn(command, args(port), {
    ...account,
    cwd: '/',
    env: { PATH: SEARCH_PATH, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const told: string[] = [];
  child.stderr.on('data', (text: Buffer) => told.push(text.toString()));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command} did not start`);
  // A test run that ends without `stop` takes its servers along.
  const onExit = (): void => void child.kill('SIGKILL');
  process.once('exit', onExit);
  const kill = async (): Promise<void> => {
    process.off('exit', onExit);
    child.kill('SIGKILL');
    await exited;
  };
  const until = performance.now() + START_LIMIT_MS;
  while (!(await answers(port))) {
    if (child.exitCode !== null || performance.now() > until) {
      await kill();
      throw new Error(`${command} did not start:\n${told.join('')}`);
    }
    await sleep(LOOK_EVERY_MS);
  }
  return { pid, kill };
}

/** Whether an SSH server says its first word there. */
async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    const [greeting] = (await once(socket, 'data')) as [Buffer];
    return greeting.toString().startsWith('SSH-');
  } catch {
    return false; // Nobody listens yet.
  } finally {
    socket.destroy();
  }
}

function killChildren(pid: number): void {
  const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', `${pid}`], { encoding: 'utf8' });
  for (const child of stdout.split('\n').map(Number).filter(Boolean)) {
    try {
      process.kill(child, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}

export interface ZooKey {
  readonly file: string;
  /** Its public half, as authorized_keys has it. */
  readonly publicKey: string;
  /** As `ssh-keygen -l` prints it. */
  readonly fingerprint: string;
}

export function makeZooKey(directory: string, name: string): ZooKey {
  const file = join(directory, name);
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', file]);
  const told = execFileSync('ssh-keygen', ['-l', '-f', `${file}.pub`], { encoding: 'utf8' });
  return { file, publicKey: readFileSync(`${file}.pub`, 'utf8'), fingerprint: told.split(' ')[1] ?? '' };
}
