// Small files and directories of ours on a host, done so that a crash in between leaves either the old state or the new.
import type { DirectoryEntry, Hashing, Host, OpenFile, OpenFiles } from '../core/ports.js';
import { Fault, isFault } from '../core/problems.js';
import { joinPath } from '../core/remote-path.js';
import type { RemotePath } from '../core/remote-path.js';
import { settled } from '../core/settled.js';

/** Nothing of ours but the received map is larger. */
const MAX_SMALL_FILE_BYTES = 64 * 1024;
const NONCE_BYTES = 8;
const PRIVATE_DIRECTORY = 0o700;

export function freshNonce(hashing: Hashing): string {
  return hashing.nonce(NONCE_BYTES);
}

/** `work` over all items, with at most `atOnce` under way. */
export async function mapBounded<T, R>(items: readonly T[], atOnce: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results = new Array<R>(items.length);
  const queue = items.entries();
  const worker = async () => {
    for (const [at, item] of queue) results[at] = await work(item);
  };
  await settled(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  return results;
}

/**
 * Opens a file that we made. `NOT_FOUND` when something else has taken its place: a link would lead us elsewhere. To open a FIFO for
 * reading alone would hold the whole session up; for writing, too, it does not, so the look goes beside.
 */
export async function openOurs(host: Host, path: RemotePath, mode: 'read' | 'write'): Promise<OpenFile> {
  try {
    const [file] = await openAllOurs(host, [path]);
    return file;
  } catch (error) {
    // Some hosts take no writes to a file that is there.
    if (mode === 'write' || !isFault(error, 'FAILURE', 'PERMISSION_DENIED', 'HOST_UNSUPPORTED')) throw error;
  }
  await checkRegular(host, path);
  return host.open(path, mode);
}

/** For reading and writing, in this order; all of them, or none. */
export async function openAllOurs<const Paths extends readonly RemotePath[]>(
  host: Host,
  paths: Paths,
): Promise<OpenFiles<Paths>> {
  const looks = settled(paths.map((path) => checkRegular(host, path)));
  const [look, opening] = await Promise.allSettled([looks, host.openAll(paths, 'write')]);
  if (look.status === 'fulfilled' && opening.status === 'fulfilled') return opening.value;
  if (opening.status === 'fulfilled') for (const file of opening.value as readonly OpenFile[]) void file.close();
  throw look.status === 'rejected' ? look.reason : (opening as PromiseRejectedResult).reason;
}

async function checkRegular(host: Host, path: RemotePath): Promise<void> {
  if ((await host.lstat(path))?.kind !== 'file') throw new Fault('NOT_FOUND', `${path} is no file of ours any more`);
}

export async function listOrNothing(host: Host, path: RemotePath): Promise<readonly DirectoryEntry[]> {
  try {
    return await host.list(path);
  } catch (error) {
    if (isFault(error, 'NOT_FOUND', 'PERMISSION_DENIED')) return [];
    throw error;
  }
}

/** A file without bytes. */
export async function makeEmpty(host: Host, path: RemotePath, mode: 'create' | 'create-private'): Promise<void> {
  void (await host.open(path, mode)).close();
}

/** Closes whatever happens; nobody waits for that, since no answer to it would change anything. */
export async function withFile<T>(opening: Promise<OpenFile> | OpenFile, work: (file: OpenFile) => Promise<T>): Promise<T> {
  const file = await opening;
  try {
    return await work(file);
  } finally {
    void file.close();
  }
}

/** One piece, for writing what is in memory. */
export async function* single(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  await Promise.resolve();
  yield bytes;
}

/** Undefined when there is none, or when something else has taken its place. */
export async function readSmall(host: Host, path: RemotePath): Promise<string | undefined> {
  const bytes = await host.readFile(path, MAX_SMALL_FILE_BYTES);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

/** Puts this text at `path`, over what was there, whole; durable where the host is to be strict. */
export async function replaceSmall(host: Host, hashing: Hashing, file: SmallFile): Promise<void> {
  const draft = await writeDraft(host, hashing, file);
  const path = joinPath(file.directory, file.name);
  const isStrict = host.profile.durability === 'strict';
  if (host.offers.posixRename) {
    // The directory is opened meanwhile, which takes a round trip, and synced after.
    await settled([host.replace(draft, path), isStrict ? host.syncDirectory(file.directory) : Promise.resolve()]);
  } else {
    await removeFile(host, path);
    await host.rename(draft, path);
    if (isStrict) await host.syncDirectory(file.directory);
  }
}

export interface SmallFile {
  readonly directory: RemotePath;
  readonly name: string;
  readonly text: string;
}

async function writeDraft(host: Host, hashing: Hashing, file: SmallFile): Promise<RemotePath> {
  const draft = joinPath(file.directory, `${file.name}.${freshNonce(hashing)}`);
  await host.makeFile(draft, new TextEncoder().encode(file.text));
  return draft;
}

/** Gives a file another name of ours, over what may be there where the host can. */
export async function move(host: Host, from: RemotePath, to: RemotePath): Promise<void> {
  await (host.offers.posixRename ? host.replace(from, to) : host.rename(from, to));
}

/** Nothing there is as good as removed. */
export async function removeFile(host: Host, path: RemotePath): Promise<void> {
  try {
    await host.unlink(path);
  } catch (error) {
    if (!isFault(error, 'NOT_FOUND')) throw error;
  }
}

/** For what is cleaned in passing: whoever comes later finds it again. */
export async function removeQuietly(host: Host, path: RemotePath): Promise<void> {
  try {
    await removeFile(host, path);
  } catch (error) {
    if (!isFault(error)) throw error;
  }
}

/** Leaves a directory that holds anything; nothing there is as good as removed. */
export async function removeIfEmpty(host: Host, path: RemotePath): Promise<void> {
  try {
    await host.removeDirectory(path);
  } catch (error) {
    // FAILURE is SFTP's answer to "not empty"; some servers say ALREADY_EXISTS or PERMISSION_DENIED.
    if (!isFault(error, 'NOT_FOUND', 'FAILURE', 'ALREADY_EXISTS', 'PERMISSION_DENIED')) throw error;
  }
}

/** A neighbour who cleans may remove an empty directory between its making and its use; then it is made again. */
const TRIES = 8;

/** Does `work` inside private directories that exist, the outermost first, as far as anything on a shared host stays. */
export async function inDirectories<T>(host: Host, paths: readonly RemotePath[], work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      await makePrivateDirectories(host, paths);
    } catch (error) {
      // FAILURE: it was there, and gone when the adapter looked why it could not be made.
      if (attempt === TRIES || !isFault(error, 'NOT_FOUND', 'FAILURE')) throw error;
      continue;
    }
    try {
      return await work();
    } catch (error) {
      if (attempt === TRIES || !isFault(error, 'NOT_FOUND')) throw error;
    }
  }
}

async function makePrivateDirectories(host: Host, paths: readonly RemotePath[]): Promise<void> {
  const make = async (path: RemotePath) => {
    try {
      await host.makeDirectory(path, PRIVATE_DIRECTORY);
    } catch (error) {
      if (!isFault(error, 'ALREADY_EXISTS')) throw error;
    }
  };
  await settled(paths.map(make));
}
