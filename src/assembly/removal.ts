// Removing what is ours on a host: exact names, never recursively. Foreign files stay, and keep the directory they are in.
import type { Host } from '../core/ports.js';
import { isFault } from '../core/problems.js';
import { joinPath, parentOf } from '../core/remote-path.js';
import type { RemotePath } from '../core/remote-path.js';
import { settled } from '../core/settled.js';
import { listOrNothing, mapBounded, removeFile, removeIfEmpty } from './files.js';
import { endJobs, jobsAmong } from './host-job.js';
import { INTENT, MANIFEST, isOurs } from './manifest.js';

/** At a round trip of 100 ms, 100 000 chunk files one after the other would take hours, and so about a minute. */
export const REMOVED_AT_ONCE = 128;

/** Takes a directory out of everybody's reach, in one step. False when there is none. */
export async function setAside(host: Host, directory: RemotePath, aside: RemotePath): Promise<boolean> {
  if ((await host.lstat(directory))?.kind !== 'directory') return false;
  try {
    await host.rename(directory, aside);
    return true;
  } catch (error) {
    if (isFault(error, 'NOT_FOUND')) return false;
    throw error;
  }
}

/** Empties and removes a directory that nobody uses any more. What tells what it was goes last, for whoever goes on after a crash. */
export async function removeGivenUp(host: Host, directory: RemotePath): Promise<void> {
  const entries = await listOrNothing(host, directory);
  await endJobs(host, directory, jobsAmong(entries)).catch(ignoreRefusal);
  const ours = entries.filter((entry) => entry.kind !== 'directory' && isOurs(entry.name));
  const paths = ours.map(({ name }) => joinPath(directory, name));
  const last = [MANIFEST, INTENT].map((name) => joinPath(directory, name)).filter((path) => paths.includes(path));
  const first = paths.filter((path) => !last.includes(path));
  await mapBounded(first, REMOVED_AT_ONCE, (path) => removeFile(host, path));
  await settled([...last.map((path) => removeFile(host, path)), removeIfEmpty(host, directory)]);
}

/** Where commands are no longer run there is nobody to end a job; it ends when it finds its files gone. */
export function ignoreRefusal(error: unknown): void {
  if (!isFault(error, 'HOST_UNSUPPORTED', 'FAILURE')) throw error;
}

/** Removes a target's directory, and the staging directory above it, where nothing is left in them. */
export async function removeEmptied(host: Host, targetDirectory: RemotePath): Promise<void> {
  await settled([removeIfEmpty(host, targetDirectory), removeIfEmpty(host, parentOf(targetDirectory))]);
}
