// A real redis-server on a free loopback port, without persistence; nothing of it remains after `stop`. Its clock can be moved on:
// libfaketime stands between it and the machine's.
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from './port.js';

const ADDRESS = '127.0.0.1';
/** Between the choice of a free port and the server's bind another process may take it. */
const START_ATTEMPTS = 5;
/** Debian's package libfaketime, for threaded programs; the directory between is the machine's architecture. */
const FAKETIME = readdirSync('/usr/lib')
  .map((directory) => `/usr/lib/${directory}/faketime/libfaketimeMT.so.1`)
  .find((file) => existsSync(file));
/**
 * Part of glibc. Before it, because Debian's Redis allocates with jemalloc, which asks for the time before libfaketime, which
 * allocates, has begun: neither gets anywhere. With this one in front malloc is glibc's own.
 */
const GLIBC_MALLOC = 'libc_malloc_debug.so.0';

export interface RedisServerOptions {
  readonly password?: string;
  /** Further arguments, as in redis.conf. */
  readonly args?: readonly string[];
}

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** Moves its clock on. */
  advance(ms: number): void;
  /** Ends it and starts it again on the same port: empty, or with what it saved. Resolves when it takes calls. */
  restart(options?: { readonly keepingData: true }): Promise<void>;
  /** Freezes it (SIGSTOP): connections stay and are taken, and nothing is answered. */
  pause(): void;
  resume(): void;
  /** Ends it at once (SIGKILL); `restart` starts it again. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export async function startRedisServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-redis-'));
  const clock = new MovableClock(directory);
  const launch = (port: number) => launchServer({ ...options, port, directory, clock });
  const { port, ...started } = await firstFree(launch);
  let { child } = started;
  const signal = (name: NodeJS.Signals): void => void child.kill(name);
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    signal('SIGKILL');
    await exited;
  };
  // A test run that ends without `stop` takes its server along.
  const onExit = (): void => signal('SIGKILL');
  process.once('exit', onExit);
  return {
    url: `redis://${options.password === undefined ? '' : `:${options.password}@`}${ADDRESS}:${port}`,
    port,
    advance: (ms) => clock.advance(ms),
    async restart(how) {
      await kill();
      if (how === undefined) rmSync(join(directory, 'dump.rdb'), { force: true });
      child = await launch(port);
    },
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    kill,
    async stop() {
      await kill();
      process.off('exit', onExit);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A file from which libfaketime reads, at each question, by how much the clock is ahead. */
class MovableClock {
  readonly #file: string;
  #aheadMs = 0;

  constructor(directory: string) {
    this.#file = join(directory, 'faketime');
    this.advance(0);
  }

  get env(): Record<string, string> {
    if (FAKETIME === undefined) throw new Error('libfaketime is not installed: apt-get install libfaketime');
    return {
      LD_PRELOAD: `${GLIBC_MALLOC}:${FAKETIME}`,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
  }

  advance(ms: number): void {
    this.#aheadMs += ms;
    // Replaced as a whole: half a number would be another time.
    writeFileSync(`${this.#file}.new`, `+${(this.#aheadMs / 1_000).toFixed(3)}\n`);
    renameSync(`${this.#file}.new`, this.#file);
  }
}

interface Launch extends RedisServerOptions {
  readonly port: number;
  readonly directory: string;
  readonly clock: MovableClock;
}

async function firstFree(launch: (port: number) => Promise<ChildProcess>): Promise<{ port: number; child: ChildProcess }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    try {
      return { port, child: await launch(port) };
    } catch (error) {
      if (attempt === START_ATTEMPTS) throw error;
    }
  }
}

/** Resolves when it accepts connections. */
async function launchServer(options: Launch): Promise<ChildProcess> {
  const { port, directory, clock, password, args = [] } = options;
  const secret = password === undefined ? [] : ['--requirepass', password];
  const child = spawn(
    'redis-server',
    [...['--port', `${port}`, '--bind', ADDRESS, '--save', '', '--appendonly', 'no', '--dir', directory], ...secret, ...args],
    { env: { PATH: process.env['PATH'] ?? '', ...clock.env }, stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const told: string[] = [];
  const lines = createInterface({ input: child.stdout });
  await new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      told.push(line);
      if (line.includes('Ready to accept connections')) resolve();
    });
    lines.once('close', () => reject(new Error(`redis-server did not start:\n${told.join('\n')}`)));
    child.once('error', reject);
  });
  // Read on, so that the pipe never fills.
  lines.removeAllListeners('line').on('line', () => undefined);
  return child;
}
