// How bytes become the file. Secret: the staging directories on the hosts, their names, and who finds them again.
// Called by core's services through the port `Assembly`; may import core.
//
//   <home>/.longshore/<target key>/<upload key>/   manifest.json · data · received · merge.json · intent.json
//                                  n.<nonce>/      one in the making: it gets its name when it is whole
//                                  x.<nonce>/      one given up, on its way out
import { chunkPlan } from '../core/chunks.js';
import type { UploadIdentity } from '../core/file-ref.js';
import { identify } from '../core/file-ref.js';
import type { Clock, Declared, Hashing, Host } from '../core/ports.js';
import { ProblemError, isFault, refused } from '../core/problems.js';
import { STAGING_NAME, joinPath, parseRemotePath, pathsBetween } from '../core/remote-path.js';
import type { RemotePath } from '../core/remote-path.js';
import type { Assembly, HostPowers, Manifest, OtherUpload, StagedSummary, StagedUpload } from '../core/staging.js';
import type { Target } from '../core/target.js';
import { canonicalRoots } from '../core/target.js';
import { freshNonce, inDirectories, readSmall, removeFile, removeIfEmpty, single, withFile } from './files.js';
import { Homes } from './home.js';
import { DATA, MANIFEST, MERGE, RECEIVED, isManifestOf, isUploadDirectory, parseManifest } from './manifest.js';
import { readReceived } from './received.js';
import type { Remembered } from './staged-upload.js';
import { HostStagedUpload, listOrNothing } from './staged-upload.js';

interface Options {
  readonly clock: Clock;
  readonly hashing: Hashing;
}

type Place = Pick<Target, 'root' | 'base'>;

/** Uploads whose place and received map are kept in memory; beyond that they are read again. */
const MAX_REMEMBERED = 500;
/** Directories read at once for a listing. */
const LISTING_CONCURRENCY = 8;

export class HostAssembly implements Assembly {
  readonly #options: Options;
  readonly #homes: Homes;
  readonly #remembered = new Map<string, Remembered>();

  constructor(options: Options) {
    this.#options = options;
    this.#homes = new Homes(options);
  }

  async powers(host: Host, target: Target): Promise<HostPowers> {
    return (await this.#homes.of(host, target)).powers;
  }

  async hostPowers(host: Host): Promise<HostPowers> {
    const [root] = await canonicalRoots(host);
    if (root === undefined) return { capabilities: [] };
    return (await this.#homes.of(host, { root, base: root })).powers;
  }

  async freeBytes(host: Host, target: Place): Promise<number | undefined> {
    return (await host.space(target.base))?.freeBytes;
  }

  async find(host: Host, identity: UploadIdentity, target: Place): Promise<StagedUpload | undefined> {
    const known = this.#remembered.get(identity.id);
    if (known !== undefined) return this.#staged(host, identity, { target, remembered: known });
    const directories = stagingPlaces(target).map((staging) => joinPath(staging, identity.targetKey, identity.uploadKey));
    const found = await Promise.all(directories.map((directory) => readManifest(host, directory)));
    for (const [at, manifest] of found.entries()) {
      const directory = directories[at];
      if (directory === undefined || manifest === undefined || !isManifestOf(manifest, identity)) continue;
      return this.#staged(host, identity, { target, remembered: this.#remember(identity, { directory, manifest }) });
    }
    return undefined;
  }

  async open(host: Host, identity: UploadIdentity, target: Place, declared: Declared): Promise<StagedUpload> {
    const found = (await this.find(host, identity, target)) ?? (await this.#make(host, identity, target, declared));
    if (found.manifest.size === declared.size) return found;
    const begun = found.manifest.size.toString();
    throw new ProblemError(refused('SIZE_MISMATCH', `this upload was begun with ${begun} bytes, not ${declared.size}`));
  }

  async others(host: Host, identity: UploadIdentity, target: Place): Promise<readonly OtherUpload[]> {
    const places = stagingPlaces(target).map((staging) => joinPath(staging, identity.targetKey));
    const lists = await Promise.all(places.map((place) => listOrNothing(host, place)));
    const directories = lists.flatMap((list, at) => {
      const place = places[at];
      return place === undefined
        ? []
        : list.filter((entry) => isUploadDirectory(entry.name)).map((entry) => joinPath(place, entry.name));
    });
    const mine = directories.filter((directory) => !directory.endsWith(`/${identity.uploadKey}`));
    if (mine.length === 0) return [];
    const { powers } = await this.#homes.of(host, target);
    const found = await Promise.all(mine.map((directory) => this.#lookAt(host, directory, powers.clockOffsetMs)));
    return found.filter((other) => other !== undefined);
  }

  async list(host: Host, person: string): Promise<readonly StagedSummary[]> {
    const places = new Set([
      ...(await canonicalRoots(host)).map((root) => joinPath(root, STAGING_NAME)),
      ...(await this.#homes.known(host)),
    ]);
    const directories: RemotePath[] = [];
    for (const place of places) {
      const targets = (await listOrNothing(host, place)).filter((entry) => isUploadDirectory(entry.name));
      const uploads = await mapBounded(targets, (entry) => listOrNothing(host, joinPath(place, entry.name)));
      for (const [at, entries] of uploads.entries()) {
        const name = targets[at]?.name ?? '';
        directories.push(
          ...entries.filter((entry) => isUploadDirectory(entry.name)).map((entry) => joinPath(place, name, entry.name)),
        );
      }
    }
    const summaries = await mapBounded(directories, (directory) => this.#summarise(host, directory, person));
    return summaries.filter((summary) => summary !== undefined);
  }

  /** Built whole under a nonce and renamed, so that an upload's directory is there with everything in it, or not at all. */
  async #make(host: Host, identity: UploadIdentity, target: Place, declared: Declared): Promise<StagedUpload> {
    const home = await this.#homes.of(host, target);
    if (home.powers.strategy === undefined) throw new ProblemError(refused('HOST_UNSUPPORTED', NO_STRATEGY));
    const manifest: Manifest = {
      version: 1,
      hostId: identity.hostId,
      path: identity.target,
      person: identity.person,
      hashCode: identity.hashCode,
      size: declared.size,
      chunkSize: declared.chunkSize,
      layout: 'in-place',
      beganAt: this.#options.clock.now(),
    };
    const targetDirectory = joinPath(home.staging, identity.targetKey);
    const directory = joinPath(targetDirectory, identity.uploadKey);
    const outcome = await inDirectories(host, [home.staging, targetDirectory], () => this.#build(host, directory, manifest));
    if (outcome === 'made')
      return this.#staged(host, identity, { target, remembered: this.#remember(identity, { directory, manifest }) });
    const found = await this.find(host, identity, target);
    if (found !== undefined) return found;
    throw new ProblemError(refused('PERMISSION_DENIED', 'something that is not ours stands where this upload would be staged'));
  }

  async #build(host: Host, directory: RemotePath, manifest: Manifest): Promise<'made' | 'kept'> {
    const draft = joinPath(
      directory.slice(0, directory.lastIndexOf('/')) as RemotePath,
      `n.${freshNonce(this.#options.hashing)}`,
    );
    await host.makeDirectory(draft, 0o700);
    const text = new TextEncoder().encode(`${JSON.stringify(manifest, undefined, 2)}\n`);
    await Promise.all([
      withFile(host.open(joinPath(draft, DATA), 'create'), () => Promise.resolve()),
      withFile(host.open(joinPath(draft, RECEIVED), 'create-private'), () => Promise.resolve()),
      withFile(host.open(joinPath(draft, MANIFEST), 'create-private'), async (file) => {
        await file.write(0, single(text), { signal: new AbortController().signal });
        await file.sync();
      }),
    ]);
    try {
      await host.rename(draft, directory);
      return 'made';
    } catch (error) {
      // Another call made it first: a directory that isn't empty is never replaced.
      if (!isFault(error, 'ALREADY_EXISTS', 'FAILURE')) throw error;
      await Promise.all([DATA, RECEIVED, MANIFEST].map((name) => removeFile(host, joinPath(draft, name))));
      await removeIfEmpty(host, draft);
      return 'kept';
    }
  }

  async #lookAt(host: Host, directory: RemotePath, clockOffsetMs: number): Promise<OtherUpload | undefined> {
    const [manifest, entries] = await Promise.all([readOwnVersion(host, directory), listOrNothing(host, directory)]);
    if (manifest === undefined) return undefined;
    const { uploadKey } = this.#identityOf(manifest) ?? {};
    const newest = Math.max(0, ...entries.map((entry) => entry.modifiedAt));
    if (uploadKey === undefined) return undefined;
    return { person: manifest.person, uploadKey, beganAt: manifest.beganAt, touchedAt: newest - clockOffsetMs };
  }

  async #summarise(host: Host, directory: RemotePath, person: string): Promise<StagedSummary | undefined> {
    const manifest = await readOwnVersion(host, directory);
    const identity = manifest === undefined ? undefined : this.#identityOf(manifest);
    if (manifest?.person !== person || identity === undefined) return undefined;
    if (!directory.endsWith(`/${identity.targetKey}/${identity.uploadKey}`)) return undefined;
    const plan = chunkPlan(manifest.size, manifest.chunkSize);
    try {
      const [received, entries] = await Promise.all([
        withFile(host.open(joinPath(directory, RECEIVED), 'read'), (file) => readReceived(file, identity.id, plan)),
        host.list(directory),
      ]);
      return {
        id: identity.id,
        manifest,
        uploadedBytes: received.uploadedBytes,
        phase: entries.some((entry) => entry.name === MERGE) ? 'QUEUED' : 'RECEIVING',
        touchedAt: Math.max(manifest.beganAt, ...entries.map((entry) => entry.modifiedAt)),
        key: `${identity.hostId} ${identity.id}`,
      };
    } catch (error) {
      // Finished or given up while we looked.
      if (isFault(error, 'NOT_FOUND')) return undefined;
      throw error;
    }
  }

  #identityOf(manifest: Manifest): UploadIdentity | undefined {
    const target = parseRemotePath(manifest.path);
    return target === undefined ? undefined : identify(this.#options.hashing, { ...manifest, target });
  }

  #remember(identity: UploadIdentity, remembered: Remembered): Remembered {
    this.#remembered.set(identity.id, remembered);
    const oldest = this.#remembered.keys().next().value;
    if (this.#remembered.size > MAX_REMEMBERED && oldest !== undefined) this.#remembered.delete(oldest);
    return remembered;
  }

  #staged(
    host: Host,
    identity: UploadIdentity,
    place: { readonly target: Place; readonly remembered: Remembered },
  ): StagedUpload {
    return new HostStagedUpload({
      ...this.#options,
      host,
      identity,
      remembered: place.remembered,
      powers: async () => (await this.#homes.of(host, place.target)).powers,
      forget: () => this.#remembered.delete(identity.id),
    });
  }
}

const NO_STRATEGY = 'this host has no way to receive chunks and publish a file atomically that Longshore can use';

function stagingPlaces(target: Place): readonly RemotePath[] {
  return pathsBetween(target.root, target.base).map((directory) => joinPath(directory, STAGING_NAME));
}

/** Undefined also where a staging directory isn't ours to read. */
async function readManifest(host: Host, directory: RemotePath): Promise<Manifest | undefined> {
  try {
    const text = await readSmall(host, joinPath(directory, MANIFEST));
    return text === undefined ? undefined : parseManifest(text);
  } catch (error) {
    if (isFault(error, 'PERMISSION_DENIED')) return undefined;
    throw error;
  }
}

/** For lists: what another version staged is left alone. */
async function readOwnVersion(host: Host, directory: RemotePath): Promise<Manifest | undefined> {
  try {
    return await readManifest(host, directory);
  } catch (error) {
    if (error instanceof ProblemError) return undefined;
    throw error;
  }
}

/** Like Promise.all over `work`, with at most `LISTING_CONCURRENCY` under way. */
async function mapBounded<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += LISTING_CONCURRENCY) {
    results.push(...(await Promise.all(items.slice(at, at + LISTING_CONCURRENCY).map(work))));
  }
  return results;
}
