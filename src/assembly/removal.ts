// Removing what is ours on a host: exact names, never recursively. Foreign files stay, and keep the directory they are in.
import type { DirectoryEntry, Host } from '../core/ports.js';
import { isFault } from '../core/problems.js';
import { joinPath, parentOf } from '../core/remote-path.js';
import type { RemotePath } from '../core/remote-path.js';
import { settled } from '../core/settled.js';
import { listOrNothing, mapBounded, removeFile, removeIfEmpty } from './files.js';
import { endJobs, jobsAmong } from './host-job.js';
import { INTENT, MANIFEST, isOurs } from './manifest.js';

/** At a round trip of 100 ms, 100 000 chunk files one after the other would take hours, and so about a minute. */
export const REMOVED_AT_ONCE = 128;

/** Takes a directory out of everybody's reach, in one step, and tells what is in it. Undefined when there is none. */
export async function setAside(
  host: Host,
  directory: RemotePath,
  aside: RemotePath,
): Promise<readonly DirectoryEntry[] | undefined> {
  const [renamed, listed] = await Promise.allSettled([host.rename(directory, aside), host.list(aside)]);
  if (renamed.status === 'rejected') {
    if (isFault(renamed.reason, 'NOT_FOUND')) return undefined;
    throw renamed.reason;
  }
  if (listed.status === 'fulfilled') return listed.value;
  if ((await host.lstat(aside))?.kind === 'directory') return host.list(aside);
  // Something else had its name, and has it again.
  await host.rename(aside, directory);
  return undefined;
}

/** `listed`: what is in it; `around`: directories above it, the innermost first, that go with it when nothing else is in them. */
interface GivenUp {
  readonly listed?: readonly DirectoryEntry[];
  readonly around?: readonly RemotePath[];
}

/**
 * Empties and removes a directory that nobody uses any more. What tells what it was goes last, for whoever goes on after a crash: the
 * host does in their order what is asked for together.
 */
export async function removeGivenUp(host: Host, directory: RemotePath, { listed, around = [] }: GivenUp = {}): Promise<void> {
  const entries = listed ?? (await listOrNothing(host, directory));
  await endJobs(host, directory, jobsAmong(entries)).catch(ignoreRefusal);
  const ours = entries.filter((entry) => entry.kind !== 'directory' && isOurs(entry.name));
  const paths = ours.map(({ name }) => joinPath(directory, name));
  const last = [MANIFEST, INTENT].map((name) => joinPath(directory, name)).filter((path) => paths.includes(path));
  const first = paths.filter((path) => !last.includes(path));
  const remove = (path: RemotePath) => removeFile(host, path);
  await mapBounded(first.slice(REMOVED_AT_ONCE), REMOVED_AT_ONCE, remove);
  await settled([
    ...[...first.slice(0, REMOVED_AT_ONCE), ...last].map(remove),
    ...[directory, ...around].map((path) => removeIfEmpty(host, path)),
  ]);
}

/** Where commands are no longer run there is nobody to end a job; it ends when it finds its files gone. */
export function ignoreRefusal(error: unknown): void {
  if (!isFault(error, 'HOST_UNSUPPORTED', 'FAILURE')) throw error;
}

/** A target's directory, and the staging directory above it: they go where nothing is left in them. */
export function around(targetDirectory: RemotePath): readonly RemotePath[] {
  return [targetDirectory, parentOf(targetDirectory)];
}

export async function removeEmptied(host: Host, targetDirectory: RemotePath): Promise<void> {
  await settled(around(targetDirectory).map((path) => removeIfEmpty(host, path)));
}
