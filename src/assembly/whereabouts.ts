// Whether a published file is where it was meant to be. SFTP names files by whole paths alone: whoever may rename directories above a
// target may put a link in the place of one between any two requests. A server answers requests in order, so a handful sent at once are
// looks at many instants for one round trip; one who swaps back and forth is caught by nearly all of them.
import type { Clock, FileFacts, Host } from '../core/ports.js';
import { Fault, isFault } from '../core/problems.js';
import { joinPath, nameOf, parentOf } from '../core/remote-path.js';
import type { RemotePath } from '../core/remote-path.js';
import type { Escape } from '../core/staging.js';
import { settled } from './files.js';

/** Somebody who swaps with every other request comes through all of them once in 2^16 times. */
const LOOKS = 8;
const SECOND_MS = 1_000;
/** How long it is looked for where a file has gone that isn't where it should be. */
const SEARCHES = 20;
const SEARCH_PAUSE_MS = 100;

export interface Sight {
  /** In every look the directory was where it should be, and so was the file that was wanted. */
  readonly isSteady: boolean;
  /** Where the directory led instead. */
  readonly elsewhere: readonly RemotePath[];
}

/** Of a file, as far as two of them can be told apart. */
export type Mark = Pick<FileFacts, 'size' | 'modifiedAt'>;

/** Looks at a canonical path again and again; at the file there, too, when one is wanted. */
export async function look(host: Host, path: RemotePath, wanted?: Mark): Promise<Sight> {
  const parent = parentOf(path);
  const whereParent = () => unlessRefused(host.realPath(parent));
  const whatIsThere = async () => wanted && unlessRefused(host.lstat(path));
  const looks = Array.from({ length: LOOKS }, () => settled([whereParent(), whatIsThere()]));
  const [last, ...seen] = await settled([whereParent(), ...looks]);
  const parents = [last, ...seen.map(([where]) => where)];
  const files = wanted === undefined ? [] : seen.map(([, facts]) => facts);
  return {
    isSteady: parents.every((where) => where === parent) && files.every((facts) => isMarked(facts, wanted)),
    elsewhere: [...new Set(parents)].filter((where) => where !== undefined && where !== parent) as readonly RemotePath[],
  };
}

/**
 * The same for a file that has another name, `mine`: SFTP version 3 tells no inode, so the modification time is changed through one
 * name, looked at through the other, and put back.
 */
export async function lookForOther(host: Host, mine: RemotePath, path: RemotePath): Promise<Sight> {
  const before = await host.lstat(mine);
  if (before?.kind !== 'file') throw new Fault('NOT_FOUND', `${mine} is no longer there`);
  const changed = { size: before.size, modifiedAt: before.modifiedAt + SECOND_MS };
  try {
    await host.setFacts(mine, { modifiedAt: changed.modifiedAt });
  } catch (error) {
    if (!isFault(error, 'HOST_UNSUPPORTED')) throw error;
    return look(host, path, before);
  }
  try {
    return await look(host, path, changed);
  } finally {
    await host.setFacts(mine, { modifiedAt: before.modifiedAt });
  }
}

/** Whether two names are one file. Both are files of ours, or the answer is no. */
export async function isSameFile(host: Host, mine: RemotePath, other: RemotePath): Promise<boolean> {
  const [before, there] = await settled([host.lstat(mine), host.lstat(other)]);
  if (before?.kind !== 'file' || !isMarked(there, before) || before.mode !== there?.mode) return false;
  await host.setFacts(mine, { modifiedAt: before.modifiedAt + SECOND_MS });
  try {
    return (await host.lstat(other))?.modifiedAt === before.modifiedAt + SECOND_MS;
  } finally {
    await host.setFacts(mine, { modifiedAt: before.modifiedAt });
  }
}

export interface Missing {
  readonly host: Host;
  readonly clock: Clock;
  /** Where it should be. */
  readonly path: RemotePath;
  readonly facts: Mark;
  /** What it is called, in a directory of ours, and where it may go back to: by then it is nobody's name, unless it is `kept`. */
  readonly output: RemotePath;
  /** Another name that it still has. */
  readonly kept?: RemotePath;
}

/**
 * Takes a file of ours away from where a swapped directory has led it, for as long as it takes to see where that is, within some
 * seconds. A foreign file is never touched. Undefined when it is where it should be and nowhere else that was seen.
 */
export async function takeBack(missing: Missing): Promise<Escape | undefined> {
  const { host, clock, path, facts, kept } = missing;
  for (let search = 1; ; search++) {
    const { isSteady, elsewhere } = await look(host, path, facts);
    for (const directory of elsewhere) {
      if ((await unlessRefused(takeFrom(missing, joinPath(directory, nameOf(path))))) === true) return 'taken-back';
    }
    // Not by the path that is swapped: to remove it there might hit another file.
    const isThere = kept === undefined ? isSteady : await unlessRefused(isSameFile(host, kept, path));
    if (isThere === true) return undefined;
    if (search === SEARCHES) return 'left';
    await clock.sleep(SEARCH_PAUSE_MS);
  }
}

async function takeFrom({ host, facts, output, kept }: Missing, path: RemotePath): Promise<boolean> {
  if (kept !== undefined) {
    if (!(await isSameFile(host, kept, path))) return false;
    await host.unlink(path);
    return true;
  }
  if (!isMarked(await host.lstat(path), facts)) return false;
  await host.rename(path, output);
  if (isMarked(await host.lstat(output), facts)) return true;
  await host.rename(output, path);
  return false;
}

/** What the host's clock and ours may be apart, with its whole seconds. */
const CLOCK_SLACK_MS = 2_000;

/**
 * Removes directories that were made for a path and went where a swapped directory led: those that were made `since` (on the host's
 * clock) and hold nothing. What fails is left: the file itself was not published.
 */
export async function removeStrays(
  host: Host,
  { made, since }: { readonly made: readonly RemotePath[]; readonly since: number },
): Promise<void> {
  try {
    for (const path of [...made].reverse()) {
      const { elsewhere } = await look(host, path);
      for (const directory of elsewhere) await unlessRefused(removeStray(host, joinPath(directory, nameOf(path)), since));
    }
  } catch (error) {
    if (!isFault(error)) throw error;
  }
}

async function removeStray(host: Host, path: RemotePath, since: number): Promise<void> {
  const facts = await host.lstat(path);
  if (facts?.kind !== 'directory' || facts.modifiedAt < since - CLOCK_SLACK_MS) return;
  await host.removeDirectory(path);
}

function isMarked(facts: FileFacts | undefined, mark: Mark | undefined): boolean {
  return facts?.kind === 'file' && facts.size === mark?.size && facts.modifiedAt === mark.modifiedAt;
}

/** Undefined for what can't be looked at, or leads nowhere: a swapped path may be anything. Not for a host that is away. */
async function unlessRefused<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (!isFault(error) || isFault(error, 'HOST_UNREACHABLE', 'HOST_BUSY')) throw error;
    return undefined;
  }
}
