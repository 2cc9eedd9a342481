// CPU time of processes, seconds: what a machine has to spend, whatever else runs on it.
import { readFileSync, readdirSync } from 'node:fs';

/** Linux's USER_HZ, whatever the kernel's own. */
const TICKS_PER_SECOND = 100;

interface Stat {
  readonly pid: number;
  readonly parent: number;
  /** Its own. */
  readonly ownSeconds: number;
  /** Of those children that it has waited for, and that have waited for theirs. */
  readonly waitedSeconds: number;
}

/** Of a process and all that it has started, living or ended. */
export function cpuSeconds(root: number): number {
  const all = readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [statOf(Number(name))] : []));
  const stats = all.filter((stat) => stat !== undefined);
  const sum = (pid: number): number => {
    const { ownSeconds = 0, waitedSeconds = 0 } = stats.find((stat) => stat.pid === pid) ?? {};
    const children = stats.filter(({ parent }) => parent === pid);
    return ownSeconds + waitedSeconds + children.reduce((total, child) => total + sum(child.pid), 0);
  };
  return sum(root);
}

/** Of all that this process has started and that has ended. */
export function endedChildrenCpuSeconds(): number {
  return statOf(process.pid)?.waitedSeconds ?? 0;
}

/** How often they are looked at: what a process spends after the last look before it ends isn't seen. */
const LOOK_MS = 50;

/**
 * Watches processes that come and go, and that nobody need wait for: OpenSSH's sessions leave without their time being told to the
 * listener. Gives the function that ends it, with what they have spent meanwhile.
 */
export function watchCpu(pidsNow: () => readonly number[]): () => number {
  const before = new Map<number, number>();
  const last = new Map<number, number>();
  const look = (seen: Map<number, number>) => {
    for (const pid of pidsNow()) {
      const stat = statOf(pid);
      if (stat !== undefined) seen.set(pid, stat.ownSeconds);
    }
  };
  look(before);
  const looking = setInterval(() => look(last), LOOK_MS);
  return () => {
    clearInterval(looking);
    look(last);
    return [...last].reduce((sum, [pid, seconds]) => sum + seconds - (before.get(pid) ?? 0), 0);
  };
}

/** Undefined when it has ended. */
function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    // proc(5) counts from one, and the third is the first here: utime, stime, cutime, cstime are the fields 14 to 17.
    const [utime = 0, stime = 0, cutime = 0, cstime = 0] = fields
      .slice(11, 15)
      .map((field) => Number(field) / TICKS_PER_SECOND);
    return { pid, parent: Number(fields[1]), ownSeconds: utime + stime, waitedSeconds: cutime + cstime };
  } catch {
    return undefined;
  }
}
