// Directories of programs to put on a host's PATH, so that its `sh` and its tools are others than this machine's.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

export const SHELLS = ['dash', 'bash', 'busybox', 'dash without setsid'] as const;
export type Shell = (typeof SHELLS)[number];

const PLACES = ['/usr/bin', '/bin'];

/** Makes `<directory>/<shell>` and gives the line of sshd_config that makes sessions use it. */
export function pathOf(shell: Shell, directory: string): string {
  const path = join(directory, shell.replaceAll(' ', '-'));
  mkdirSync(path);
  if (shell === 'busybox') {
    // Nothing but BusyBox: a script that needs more fails.
    for (const name of execFileSync('busybox', ['--list'], { encoding: 'utf8' }).split('\n')) {
      if (name !== '') symlinkSync(find('busybox'), join(path, name));
    }
    return `SetEnv PATH=${path}`;
  }
  for (const place of PLACES) {
    for (const name of readdirSync(place)) {
      const isLeftOut = name === 'sh' || (name === 'setsid' && shell.endsWith('without setsid'));
      if (!isLeftOut && !existsSync(join(path, name))) symlinkOnce(join(place, name), join(path, name));
    }
  }
  symlinkSync(find(shell.split(' ')[0] ?? shell), join(path, 'sh'));
  return `SetEnv PATH=${path}`;
}

function symlinkOnce(target: string, path: string): void {
  try {
    symlinkSync(target, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function find(program: string): string {
  const place = PLACES.find((each) => existsSync(join(each, program)));
  if (place === undefined) throw new Error(`${program} is not installed`);
  return join(place, program);
}
