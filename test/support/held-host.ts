// A host that stops where a test wants it to, and goes on when it is let: its programs, and its SFTP server when it copies by itself.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pathOf } from './shells.js';
import type { SshdOptions } from './sshd.js';

const SFTP_SERVER = '/usr/lib/openssh/sftp-server';
const BETWEEN = fileURLToPath(new URL('./sftp-between.mjs', import.meta.url));

/**
 * - cat: after the first of the chunk files that it was given
 * - openssl: before it hashes a byte
 * - copy-data: a session's copies, after five
 * - no copy-data: not held, but refused, though it is offered
 */
export type Step = 'cat' | 'openssl' | 'copy-data' | 'no copy-data';

export interface HeldHost {
  readonly options: Pick<SshdOptions, 'config' | 'sftpCommand'>;
  /** For what comes to that step from now on. */
  hold(step: Step): void;
  letGo(step: Step): void;
  /** Takes a program away, and brings it back. */
  remove(program: string): void;
  bringBack(program: string): void;
  /** How many copies the SFTP servers were asked for while that step was held. */
  copies(): number;
  stop(): void;
}

export function heldHost(): HeldHost {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-held-'));
  chmodSync(directory, 0o755);
  const holds = join(directory, 'holds');
  mkdirSync(holds);
  // sshd's account counts the copies there.
  chmodSync(holds, 0o777);
  const path = pathOf('dash', directory);
  const programs = join(directory, 'dash');
  const program = (name: string, lines: readonly string[]): string => {
    const file = join(programs, name);
    rmSync(file, { force: true });
    writeFileSync(file, ['#!/bin/sh', ...lines, ''].join('\n'), { mode: 0o755 });
    return file;
  };
  const whileHeld = (step: Step) => `while [ -e '${join(holds, step)}' ]; do sleep 0.02; done`;
  program('cat', [
    'case $1 in c.*) ;; *) exec /usr/bin/cat "$@" ;; esac',
    '/usr/bin/cat "$1" || exit',
    'shift',
    '[ $# -gt 0 ] || exit 0',
    whileHeld('cat'),
    'exec /usr/bin/cat "$@"',
  ]);
  program('openssl', [whileHeld('openssl'), 'exec /usr/bin/openssl "$@"']);
  // Sessions in which nothing is copied are what they always are.
  const isNeeded = `[ -e '${join(holds, 'copy-data')}' ] || [ -e '${join(holds, 'no copy-data')}' ]`;
  const sftpCommand = program('sftp-server', [
    `if ${isNeeded}; then exec '${process.execPath}' '${BETWEEN}' '${SFTP_SERVER}' '${holds}'; fi`,
    `exec '${SFTP_SERVER}'`,
  ]);
  return {
    // Its parent is sshd then, and no shell that waits for it, so that it sees the session end.
    options: { config: [path], sftpCommand: `exec ${sftpCommand}` },
    hold: (step) => writeFileSync(join(holds, step), ''),
    letGo: (step) => rmSync(join(holds, step), { force: true }),
    remove: (name) => rmSync(join(programs, name)),
    bringBack: (name) => symlinkSync(join('/usr/bin', name), join(programs, name)),
    copies: () => (existsSync(join(holds, 'copied')) ? readFileSync(join(holds, 'copied')).length : 0),
    stop: () => rmSync(directory, { recursive: true, force: true }),
  };
}

export interface AtWork {
  readonly pid: number;
  readonly command: string;
}

/** Processes whose working directory is in `directory` (Linux): jobs, and the shells that follow them. */
export function atWork(directory: string): readonly AtWork[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    try {
      const place = readlinkSync(`/proc/${pid}/cwd`);
      if (place !== directory && !place.startsWith(`${directory}/`)) return [];
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      return [{ pid: Number(pid), command }];
    } catch {
      return []; // It has ended.
    }
  });
}

/** Ends them: what a test that failed has left at work is nobody's child any more. */
export function endWork(directory: string): void {
  for (const { pid } of atWork(directory)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}
