// An SFTP server that is stopped at one system call: killed there, or held before or after it. By strace's injection, so that the step
// is the host's own and nothing of ours stands in its place.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where a session is stopped. */
export interface Step {
  /** strace's names, such as `rename,renameat2`. */
  readonly calls: string;
  /** Only calls about this path. */
  readonly path?: string;
  /** Which of them, from 1. */
  readonly when: number;
}

/** killed: at the call, which isn't done. before, after: held for `HELD_MS`, the call not done yet, or done and not answered. */
export type How = 'killed' | 'before' | 'after';

const HELD_MS = 4_000;
/** Looks at a process in a row that show it held: a call that is merely traced stops for microseconds. */
const LOOKS = 8;
const LOOK_MS = 15;

export interface Sabotage {
  /** For `SshdOptions.sftpCommand`. The login has to be ours as root: sftp-server lets nobody else look into it (PR_SET_DUMPABLE). */
  readonly command: string;
  /** Sessions begun from now on are stopped at `step`. */
  arm(step: Step, how: How): void;
  disarm(): void;
  /** Resolves when a session was stopped; rejects after `limitMs`. */
  struck(limitMs: number): Promise<void>;
}

export function sabotage(directory: string, sftpServer: string): Sabotage {
  mkdirSync(directory, { recursive: true });
  const injection = join(directory, 'injection');
  const command = join(directory, 'sftp-server');
  const script = `#!/bin/sh
[ -r ${injection} ] || exec ${sftpServer}
exec strace -f -qq -o ${directory}/trace.$$ $(cat ${injection}) ${sftpServer}
`;
  writeFileSync(command, script, { mode: 0o755 });
  return {
    command,
    arm({ calls, path, when }, how) {
      const act = { killed: 'signal=KILL', before: `delay_enter=${HELD_MS}000`, after: `delay_exit=${HELD_MS}000` }[how];
      const only = path === undefined ? '' : `-P ${path} `;
      writeFileSync(injection, `${only}-e trace=${calls} -e inject=${calls}:${act}:when=${when}`, {
        mode: 0o644,
      });
    },
    disarm: () => rmSync(injection, { force: true }),
    async struck(limitMs) {
      const until = performance.now() + limitMs;
      while (performance.now() < until) {
        if (wasKilled(directory) || (await isHeld(directory))) return;
        await sleep(LOOK_MS);
      }
      throw new Error('no session came to that step');
    },
  };
}

function traces(directory: string): readonly string[] {
  return readdirSync(directory).filter((name) => name.startsWith('trace.'));
}

function wasKilled(directory: string): boolean {
  return traces(directory).some((name) => readFileSync(join(directory, name), 'utf8').includes('+++ killed by SIGKILL +++'));
}

async function isHeld(directory: string): Promise<boolean> {
  let held = tracees(directory).filter(isInTracingStop);
  for (let look = 1; look < LOOKS && held.length > 0; look++) {
    await sleep(LOOK_MS);
    held = held.filter(isInTracingStop);
  }
  return held.length > 0;
}

/** The servers under strace: each trace is named by strace's own pid. */
function tracees(directory: string): readonly string[] {
  return traces(directory).flatMap((name) => {
    const children = `/proc/${name.slice('trace.'.length)}/task/${name.slice('trace.'.length)}/children`;
    try {
      return existsSync(children) ? readFileSync(children, 'utf8').split(' ').filter(Boolean) : [];
    } catch {
      return []; // It has ended.
    }
  });
}

function isInTracingStop(pid: string): boolean {
  try {
    return /^State:\s+t /m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false; // It has ended.
  }
}
