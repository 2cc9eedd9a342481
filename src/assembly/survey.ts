// Walking over everything that is staged on a host: what there is, what nobody has touched for long, and what crashes left behind.
import type { UploadIdentity } from '../core/file-ref.js';
import { identify } from '../core/file-ref.js';
import type { DirectoryEntry, Hashing, Host } from '../core/ports.js';
import { ProblemError, isFault } from '../core/problems.js';
import { STAGING_NAME, joinPath, parentOf, parseRemotePath } from '../core/remote-path.js';
import type { RemotePath } from '../core/remote-path.js';
import type { Manifest } from '../core/staging.js';
import { settled } from '../core/settled.js';
import { listOrNothing, mapBounded, readSmall, removeIfEmpty, removeQuietly } from './files.js';
import { MANIFEST, isGivenUpDirectory, isUploadDirectory, parseManifest } from './manifest.js';
import { around, removeGivenUp } from './removal.js';

/** Directories looked at at once. */
const LOOKS_AT_ONCE = 8;
/** What is in the making or on its way out is not touched for no longer than this while somebody is at it. */
const LEFT_BEHIND_MS = 60 * 60_000;
const PROBE_FILE = /^probe\.[0-9a-f]{16}(?:\.[abc])?$/;
/** Beside the targets: made to see whether a file can be renamed there. */
const PROBE_BESIDE = /^\.longshore-probe\.[0-9a-f]{16}$/;

export interface FoundUpload {
  readonly directory: RemotePath;
  readonly manifest: Manifest;
  readonly identity: UploadIdentity;
  readonly entries: readonly DirectoryEntry[];
  /** The newest time of it and of anything in it, on the host's clock. */
  readonly touchedAt: number;
}

export class Survey {
  readonly #host: Host;
  readonly #hashing: Hashing;
  /** The staging directories. */
  readonly #places: readonly RemotePath[];

  constructor(host: Host, hashing: Hashing, places: Iterable<RemotePath>) {
    this.#host = host;
    this.#hashing = hashing;
    this.#places = [...new Set(places)];
  }

  /** Of this host id, by our version. */
  async uploads(): Promise<readonly FoundUpload[]> {
    const directories = await this.#directories(isUploadDirectory);
    const found = await mapBounded(directories, LOOKS_AT_ONCE, (directory) => this.look(directory));
    return found.filter((upload) => upload !== undefined);
  }

  /** Undefined where no upload of ours is, or no longer. */
  async look(directory: RemotePath): Promise<FoundUpload | undefined> {
    const manifest = await readOwnVersion(this.#host, directory);
    const target = manifest === undefined ? undefined : parseRemotePath(manifest.path);
    if (manifest === undefined || target === undefined || manifest.hostId !== this.#host.profile.id) return undefined;
    const { hostId, person, hashCode } = manifest;
    const identity = identify(this.#hashing, { hostId, target, person, hashCode });
    if (!directory.endsWith(`/${identity.targetKey}/${identity.uploadKey}`)) return undefined;
    const { entries, touchedAt } = await this.#age(directory);
    return touchedAt === undefined ? undefined : { directory, manifest, identity, entries, touchedAt };
  }

  /** Removes what crashes left behind an hour ago and more. `hostNow`: epoch ms on the host's clock. */
  async tidy(hostNow: number): Promise<void> {
    const isLeft = (touchedAt: number | undefined) => touchedAt !== undefined && hostNow - touchedAt > LEFT_BEHIND_MS;
    const besides = new Set(this.#places.map(parentOf));
    for (const { identity } of await this.uploads()) besides.add(parentOf(identity.target));
    for (const directory of besides) await this.#removeFiles(directory, PROBE_BESIDE, isLeft);
    for (const place of this.#places) await this.#removeFiles(place, PROBE_FILE, isLeft);
    for (const directory of await this.#directories(isGivenUpDirectory)) {
      if (!isLeft((await this.#age(directory)).touchedAt)) continue;
      await removeGivenUp(this.#host, directory, { around: around(parentOf(directory)) });
    }
    for (const place of this.#places) await removeIfEmpty(this.#host, place);
  }

  async #removeFiles(directory: RemotePath, name: RegExp, isLeft: (touchedAt: number) => boolean): Promise<void> {
    for (const entry of await listOrNothing(this.#host, directory)) {
      if (entry.kind !== 'file' || !name.test(entry.name) || !isLeft(entry.modifiedAt)) continue;
      await removeQuietly(this.#host, joinPath(directory, entry.name));
    }
  }

  /** Two levels below the staging directories. */
  async #directories(isWanted: (name: string) => boolean): Promise<readonly RemotePath[]> {
    const targets = (await mapBounded(this.#places, LOOKS_AT_ONCE, (place) => this.#below(place, isUploadDirectory))).flat();
    return (await mapBounded(targets, LOOKS_AT_ONCE, (target) => this.#below(target, isWanted))).flat();
  }

  async #below(directory: RemotePath, isWanted: (name: string) => boolean): Promise<readonly RemotePath[]> {
    const entries = await listOrNothing(this.#host, directory);
    return entries
      .filter((entry) => entry.kind === 'directory' && isWanted(entry.name))
      .map((entry) => joinPath(directory, entry.name));
  }

  async #age(directory: RemotePath) {
    const [own, entries] = await settled([this.#host.lstat(directory), listOrNothing(this.#host, directory)]);
    const touchedAt = own === undefined ? undefined : Math.max(own.modifiedAt, ...newest(entries));
    return { entries, touchedAt };
  }
}

/** None for an empty list. Not spread over arguments, of which there can't be 100 000. */
function newest(entries: readonly DirectoryEntry[]): readonly number[] {
  let latest: number | undefined;
  for (const { modifiedAt } of entries) latest = Math.max(latest ?? modifiedAt, modifiedAt);
  return latest === undefined ? [] : [latest];
}

/** Undefined also where a staging directory isn't ours to read. */
export async function readManifest(host: Host, directory: RemotePath): Promise<Manifest | undefined> {
  try {
    const text = await readSmall(host, joinPath(directory, MANIFEST));
    return text === undefined ? undefined : parseManifest(text);
  } catch (error) {
    if (isFault(error, 'PERMISSION_DENIED')) return undefined;
    throw error;
  }
}

/** What another version staged is left alone. */
async function readOwnVersion(host: Host, directory: RemotePath): Promise<Manifest | undefined> {
  try {
    return await readManifest(host, directory);
  } catch (error) {
    if (error instanceof ProblemError) return undefined;
    throw error;
  }
}

export function stagingIn(directory: RemotePath): RemotePath {
  return joinPath(directory, STAGING_NAME);
}
