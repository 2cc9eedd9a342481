// Where a published file is when somebody swaps directories above its path, and how it is taken back from there.
import type { Clock, FileFacts, Hashing, Host } from '../core/ports.js';
import { Fault, isFault } from '../core/problems.js';
import { joinPath, nameOf, parentOf } from '../core/remote-path.js';
import type { RemotePath } from '../core/remote-path.js';
import type { Escape } from '../core/staging.js';
import { settled } from '../core/settled.js';
import { look, unlessRefused } from '../core/sight.js';
import type { Sight } from '../core/sight.js';
import { freshNonce, move } from './files.js';

/** What SFTP version 3 tells times in. */
export const SECOND_MS = 1_000;
/** How long it is looked for where a file has gone: where somebody swaps without a pause, looks seldom agree. */
const SEARCHES = 60;
const SEARCH_PAUSE_MS = 100;

/** Of a file that may be foreign: none of the names that are ever removed, whatever happens in between. */
const foundName = (nonce: string) => `found.${nonce}`;

/** Of a file, as far as two of them can be told apart. */
export type Mark = Pick<FileFacts, 'size' | 'modifiedAt'>;

/** Looks for a file as it was when it was looked at last. */
export function lookFor(host: Host, path: RemotePath, mark: Mark): Promise<Sight> {
  return look(host, path, (facts) => isMarked(facts, mark));
}

/**
 * The same for a file that has another name, `mine`: SFTP version 3 tells no inode, so the modification time is changed through one
 * name, looked at through the other, and put back.
 */
export async function lookForOther(host: Host, mine: RemotePath, path: RemotePath): Promise<Sight> {
  const before = await host.lstat(mine);
  if (before?.kind !== 'file') throw new Fault('NOT_FOUND', `${mine} is no longer there`);
  return lookForMarked(host, { mine, before, path });
}

interface Marking {
  readonly mine: RemotePath;
  readonly before: Mark;
  readonly path: RemotePath;
}

/** All at once: a host that answers out of order shows the file unsteady, at worst. */
export async function lookForMarked(host: Host, { mine, before, path }: Marking): Promise<Sight> {
  const changed = { size: before.size, modifiedAt: before.modifiedAt + SECOND_MS };
  const [marked, looked, unmarked] = await Promise.allSettled([
    host.setFacts(mine, { modifiedAt: changed.modifiedAt }),
    lookFor(host, path, changed),
    host.setFacts(mine, { modifiedAt: before.modifiedAt }),
  ]);
  if (marked.status === 'rejected') {
    if (isFault(marked.reason, 'HOST_UNSUPPORTED')) return lookFor(host, path, before);
    throw marked.reason;
  }
  if (looked.status === 'rejected') throw looked.reason;
  if (unmarked.status === 'rejected') throw unmarked.reason;
  const { facts, ...sight } = looked.value;
  return { ...sight, ...(facts && { facts: { ...facts, modifiedAt: before.modifiedAt } }) };
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
  readonly hashing: Hashing;
  /** Where it should be. */
  readonly path: RemotePath;
  readonly facts: Mark;
  /** What it is called, in a directory of ours, and where it may go back to: by then it is nobody's name, unless it is `kept`. */
  readonly output: RemotePath;
  /** Another name that it still has. */
  readonly kept?: RemotePath;
}

export interface Taken {
  readonly escape: Escape;
  /** What a foreign file that could not be put back is called beside the output. */
  readonly stranded?: string;
}

/**
 * Takes a file of ours away from where a swapped directory has led it, for as long as it takes to see where that is, within some
 * seconds. No foreign file is removed or overwritten: one that is swapped in between the look and the step is away from its name until
 * it was looked at, and put back there; or `stranded`, whole. Undefined when ours is where it should be and nowhere else that was seen.
 */
export async function takeBack(missing: Missing): Promise<Taken | undefined> {
  const { host, clock, path, facts, kept } = missing;
  for (let search = 1; ; search++) {
    const here = await lookFor(host, path, facts);
    for (const directory of here.elsewhere) {
      const taken = await unlessRefused(takeFrom(missing, joinPath(directory, nameOf(path))));
      if (taken !== undefined) return taken;
    }
    // Not by the path that is swapped: to remove it there might hit another file.
    const sight = kept === undefined ? here : await unlessRefused(lookForOther(host, kept, path));
    if (sight?.kind === 'in-place') return undefined;
    if (search === SEARCHES) return { escape: 'left' };
    await clock.sleep(SEARCH_PAUSE_MS);
  }
}

/**
 * Undefined when nothing of ours is there. The path may lead to another file with every request: what is there gets a name of ours first,
 * in one step, and is looked at where nobody swaps anything. It is in the same file system: ours came from there by a link or a rename.
 */
async function takeFrom(missing: Missing, path: RemotePath): Promise<Taken | undefined> {
  const { host, hashing, output, kept } = missing;
  if (!(await isIt(missing, path))) return undefined;
  const found = joinPath(parentOf(output), foundName(freshNonce(hashing)));
  // Asked along with it: where it most probably came from.
  const [moved, from] = await Promise.allSettled([move(host, path, found), host.realPath(parentOf(path))]);
  if (moved.status === 'rejected') throw moved.reason;
  try {
    if (await isIt(missing, found)) {
      await (kept === undefined ? move(host, found, output) : host.unlink(found));
      return { escape: 'taken-back' };
    }
    const directory = from.status === 'fulfilled' ? from.value : undefined;
    await putBack(host, found, joinPath(directory ?? parentOf(path), nameOf(path)));
    return undefined;
  } catch (error) {
    if (!isFault(error)) throw error;
    return { escape: 'left', stranded: nameOf(found) };
  }
}

async function isIt({ host, facts, kept }: Missing, path: RemotePath): Promise<boolean> {
  return kept === undefined ? isMarked(await host.lstat(path), facts) : isSameFile(host, kept, path);
}

/** Over nothing that is there by now: `ALREADY_EXISTS`. */
async function putBack(host: Host, found: RemotePath, path: RemotePath): Promise<void> {
  // To link a link would link what it leads to, on some hosts.
  const isFile = (await host.lstat(found))?.kind === 'file';
  if (!isFile || !(await isLinked(host, found, path))) return host.rename(found, path);
  await host.unlink(found);
}

/** False where links don't work, or not to a file of another owner. */
async function isLinked(host: Host, existing: RemotePath, to: RemotePath): Promise<boolean> {
  try {
    await host.link(existing, to);
    return true;
  } catch (error) {
    if (!isFault(error, 'HOST_UNSUPPORTED', 'PERMISSION_DENIED', 'FAILURE')) throw error;
    return false;
  }
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
