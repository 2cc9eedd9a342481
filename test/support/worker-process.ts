// The built `longshore worker` as a process of its own, as operators run it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { deferred } from './manual-clock.js';

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface WorkerProcess {
  readonly pid: number;
  /** Its log so far. */
  readonly log: readonly Readonly<Record<string, unknown>>[];
  /** Resolves when it works; rejects when it ended before that. */
  readonly working: Promise<void>;
  /** Resolves when it is gone, with its exit code and all that is no log. */
  readonly ended: Promise<{ readonly code: number | null; readonly stderr: string }>;
  /** Sends the signal and resolves with the exit code when it is gone; null when the signal ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Its working directory is that of the configuration file. */
export function startWorkerProcess(configFile: string): WorkerProcess {
  const child = spawn(process.execPath, [CLI, 'worker', '--config', configFile], {
    cwd: dirname(configFile),
    env: { PATH: process.env['PATH'] ?? '' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (child.pid === undefined) throw new Error('the worker did not start');
  const log: Record<string, unknown>[] = [];
  const other: string[] = [];
  const working = deferred();
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (!line.startsWith('{')) return void other.push(line);
    const entry = JSON.parse(line) as Record<string, unknown>;
    log.push(entry);
    if (entry['msg'] === 'working') working.resolve();
  });
  const ended = (once(child, 'close') as Promise<[number | null]>).then(([code]) => {
    working.reject(new Error(`the worker ended with ${code}: ${other.join('\n')}`));
    return { code, stderr: other.join('\n') };
  });
  // Who doesn't wait for it looks at its end.
  working.promise.catch(() => undefined);
  return {
    pid: child.pid,
    log,
    working: working.promise,
    ended,
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      return (await ended).code;
    },
  };
}
