import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const WORKER = fileURLToPath(new URL('./merge-worker.ts', import.meta.url));

export interface KillableWorker {
  /** Resolves with the id of the first job it begins. */
  readonly began: Promise<string>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

export function startWorker(url: string, prefix: string): KillableWorker {
  const child = spawn(process.execPath, ['--import', 'tsx', WORKER, url, prefix], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stdout });
  const began = once(lines, 'line').then(([line]) => String(line));
  return {
    began,
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
