// Making an upload's directory: built whole under a passing name and renamed, so that it is there with everything in it, or not at all.
import type { UploadIdentity } from '../core/file-ref.js';
import type { Clock, Hashing, Host } from '../core/ports.js';
import { isFault } from '../core/problems.js';
import { joinPath, parentOf } from '../core/remote-path.js';
import type { RemotePath } from '../core/remote-path.js';
import type { Manifest } from '../core/staging.js';
import { settled } from '../core/settled.js';
import { freshNonce, inDirectories } from './files.js';
import { MANIFEST, isManifestOf } from './manifest.js';
import { around, removeGivenUp, setAside } from './removal.js';
import { layoutOf } from './staged-upload.js';
import { readManifest } from './survey.js';

export interface Beginning {
  readonly host: Host;
  readonly clock: Clock;
  readonly hashing: Hashing;
  readonly identity: UploadIdentity;
  readonly manifest: Manifest;
  /** Where it is to be: `<staging>/<target key>/<upload key>`. */
  readonly directory: RemotePath;
}

/** False when something is there already: another call made it first. */
export async function begin(beginning: Beginning): Promise<boolean> {
  const { host, directory, manifest } = beginning;
  const targetDirectory = parentOf(directory);
  const draft = joinPath(targetDirectory, `n.${manifest.nonce}`);
  return inDirectories(host, [parentOf(targetDirectory), targetDirectory, draft], async () => {
    try {
      await fill(beginning, draft);
      await host.rename(draft, directory);
      return true;
    } catch (error) {
      await leave(host, draft).catch(() => undefined); // What went wrong is the news; what is left is tidied up later.
      // A directory that isn't empty is never replaced.
      if (isFault(error, 'ALREADY_EXISTS', 'FAILURE') && (await host.lstat(directory)) !== undefined) return false;
      throw error;
    }
  });
}

/** An abort that came meanwhile could not remove the directories around the draft. */
async function leave(host: Host, draft: RemotePath): Promise<void> {
  await removeGivenUp(host, draft, { around: around(parentOf(draft)) });
}

async function fill({ host, clock, hashing, identity, manifest }: Beginning, draft: RemotePath): Promise<void> {
  const text = new TextEncoder().encode(`${JSON.stringify(manifest, undefined, 2)}\n`);
  await settled([
    layoutOf({ host, clock, hashing, directory: draft, uploadId: identity.id, memory: {} }, manifest).make(),
    host.makeFile(joinPath(draft, MANIFEST), text),
  ]);
}

/**
 * Makes way where a directory's name says that it is ours and nothing in it does any more: somebody has edited or removed its
 * manifest. What is foreign in it stays. False when what is there is no directory.
 */
export async function clearAway({ host, hashing, identity, directory }: Beginning): Promise<boolean> {
  const aside = joinPath(parentOf(directory), `x.${freshNonce(hashing)}`);
  if ((await setAside(host, directory, aside)) === undefined) return (await host.lstat(directory)) === undefined;
  const manifest = await readManifest(host, aside);
  if (manifest !== undefined && isManifestOf(manifest, identity) && (await movesBack(host, aside, directory))) return true;
  await removeGivenUp(host, aside);
  return true;
}

/** A neighbour was quicker, and this is what it made. */
async function movesBack(host: Host, aside: RemotePath, directory: RemotePath): Promise<boolean> {
  try {
    await host.rename(aside, directory);
    return true;
  } catch (error) {
    if (!isFault(error, 'ALREADY_EXISTS', 'FAILURE')) throw error;
    return false; // And another one quicker still: its own is there by now.
  }
}
