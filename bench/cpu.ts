// CPU time of processes, seconds: what a machine has to spend, whatever else runs on it.
import { readFileSync, readdirSync } from 'node:fs';

/** Linux's USER_HZ, whatever the kernel's own. */
const TICKS_PER_SECOND = 100;

interface Stat {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  /** Its own, and of those children that it has waited for. */
  readonly seconds: number;
}

/** Of a process and all that it has started, living or ended. */
export function cpuSeconds(root: number): number {
  const all = readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [statOf(Number(name))] : []));
  const stats = all.filter((stat) => stat !== undefined);
  const sum = (pid: number): number =>
    stats.filter(({ parent }) => parent === pid).reduce((total, child) => total + sum(child.pid), 0) +
    (stats.find((stat) => stat.pid === pid)?.seconds ?? 0);
  return sum(root);
}

/** Undefined when it has ended. */
function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const name = text.slice(text.indexOf('(') + 1, text.lastIndexOf(')'));
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    // utime, stime, cutime, cstime: the fields 14 to 17, of which the third is the first here.
    const ticks = fields.slice(11, 15).reduce((total, field) => total + Number(field), 0);
    return { pid, parent: Number(fields[1]), name, seconds: ticks / TICKS_PER_SECOND };
  } catch {
    return undefined;
  }
}
