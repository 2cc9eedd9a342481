// How bytes become the file. Secret: the staging directories on the hosts, their names, and who finds them again.
// Called by core's services through the port `Assembly`; may import core.
//
//   <home>/.longshore/<target key>/<upload key>/   manifest.json · merge.json · intent.json, and as its layout has it
//                                                  data (out.<nonce>) · received, or c.<index>.… · p.… · out.<nonce>
//                                                  kept.<…>: a published file's other name, found.<nonce>: a foreign file, taken by mistake
//                                  n.<nonce>/      one in the making: it gets its name when it is whole
//                                  x.<nonce>/      one given up, on its way out
import type { UploadIdentity } from '../core/file-ref.js';
import type { Clock, Declared, Hashing, Host, Space } from '../core/ports.js';
import { ProblemError, isFault, refused } from '../core/problems.js';
import { isWithin, joinPath, parentOf, pathsBetween } from '../core/remote-path.js';
import type { RemotePath } from '../core/remote-path.js';
import type {
  Assembly,
  ExpiredUpload,
  HostPowers,
  Manifest,
  Opened,
  OtherUpload,
  Place,
  StagedSummary,
  StagedUpload,
} from '../core/staging.js';
import { canonicalRoots, everyRoot, firstRoot } from '../core/roots.js';
import { settled } from '../core/settled.js';
import { begin, clearAway } from './begin.js';
import { layoutFor } from './choose.js';
import { freshNonce, listOrNothing, mapBounded } from './files.js';
import { Homes } from './home.js';
import { BegunAgain } from './layout.js';
import { MERGE, isManifestOf, isUploadDirectory } from './manifest.js';
import type { Remembered } from './staged-upload.js';
import { HostStagedUpload, layoutOf } from './staged-upload.js';
import type { FoundUpload } from './survey.js';
import { Survey, readManifest, stagingIn } from './survey.js';

interface Options {
  readonly clock: Clock;
  readonly hashing: Hashing;
}

interface Begun {
  readonly remembered: Remembered;
  readonly isNew: boolean;
}

/** Uploads whose place and manifest are kept in memory; of others they are read again. */
const MAX_REMEMBERED = 1_000;
/** Directories looked into at once. */
const LOOKS_AT_ONCE = 8;
/** Others may begin the same, and take away what was in the way, at the same time. */
const BEGIN_TRIES = 4;

export class HostAssembly implements Assembly {
  readonly #options: Options;
  readonly #homes: Homes;
  /** Least lately used first. */
  readonly #remembered = new Map<string, Remembered>();
  readonly #making = new Map<string, Promise<Begun>>();

  constructor(options: Options) {
    this.#options = options;
    this.#homes = new Homes(options);
  }

  async powers(host: Host, target: Place): Promise<HostPowers> {
    return (await this.#homes.of(host, target)).powers;
  }

  async hostPowers(host: Host, person: string): Promise<HostPowers & Partial<Pick<Space, 'freeBytes'>>> {
    const root = await firstRoot(host, person);
    if (root === undefined) return { capabilities: [] };
    const [{ powers }, space] = await settled([this.#homes.of(host, { root, base: root }), host.space(root)]);
    return { ...powers, ...(space && { freeBytes: space.freeBytes }) };
  }

  space(host: Host, target: Place): Promise<Space | undefined> {
    return host.space(target.base);
  }

  async find(host: Host, identity: UploadIdentity, target: Place): Promise<StagedUpload | undefined> {
    const found = await this.#look(host, identity, target);
    return found === undefined ? undefined : this.#staged(host, identity, { target, remembered: found });
  }

  async recall(host: Host, identity: UploadIdentity, target: Place): Promise<StagedUpload | undefined> {
    const known = this.#remembered.get(identity.id);
    if (known === undefined) return this.find(host, identity, target);
    return this.#staged(host, identity, { target, remembered: this.#remember(identity, known) });
  }

  async open(host: Host, identity: UploadIdentity, target: Place, declared: Declared): Promise<Opened> {
    const { remembered, isNew } = await this.#make(host, identity, target, declared);
    if (remembered.manifest.size === declared.size)
      return { staged: this.#staged(host, identity, { target, remembered }), isNew };
    const begun = remembered.manifest.size.toString();
    throw new ProblemError(refused('SIZE_MISMATCH', `this upload was begun with ${begun} bytes, not ${declared.size}`));
  }

  async others(host: Host, identity: UploadIdentity, target: Place): Promise<readonly OtherUpload[]> {
    const places = stagingPlaces(target).map((staging) => joinPath(staging, identity.targetKey));
    const lists = await settled(places.map((place) => listOrNothing(host, place)));
    const directories = places.flatMap((place, at) =>
      (lists[at] ?? [])
        .filter((entry) => isUploadDirectory(entry.name) && entry.name !== identity.uploadKey)
        .map((entry) => joinPath(place, entry.name)),
    );
    if (directories.length === 0) return [];
    const { clockOffsetMs } = (await this.#homes.of(host, target)).powers;
    const survey = new Survey(host, this.#options.hashing, []);
    const found = await mapBounded(directories, LOOKS_AT_ONCE, (directory) => survey.look(directory));
    return found
      .filter((upload) => upload !== undefined)
      .map(({ manifest, touchedAt, identity: { uploadKey } }) => {
        const { person, beganAt } = manifest;
        return { person, uploadKey, beganAt, touchedAt: touchedAt - clockOffsetMs };
      });
  }

  async list(host: Host, person: string): Promise<readonly StagedSummary[]> {
    const { survey, clockOffsetMs } = await this.#survey(host, await canonicalRoots(host, person));
    const uploads = (await survey.uploads()).filter(({ manifest }) => manifest.person === person);
    const summaries = await mapBounded(uploads, LOOKS_AT_ONCE, (upload) => this.#summarise(host, upload, clockOffsetMs ?? 0));
    return summaries.filter((summary) => summary !== undefined);
  }

  async expired(host: Host, ttlMs: number): Promise<readonly ExpiredUpload[]> {
    const roots = await everyRoot(host);
    const { survey, clockOffsetMs } = await this.#survey(host, roots);
    // Where nothing tells the host's time nothing may be written, or removed.
    if (clockOffsetMs === undefined) return [];
    const hostNow = this.#options.clock.now() + clockOffsetMs;
    return (await survey.uploads()).flatMap(({ directory, identity, touchedAt }) => {
      const base = parentOf(parentOf(parentOf(directory)));
      const root = roots.find((candidate) => isWithin(base, candidate));
      const untouchedMs = hostNow - touchedAt;
      return root === undefined || untouchedMs <= ttlMs ? [] : [{ identity, target: { root, base }, untouchedMs }];
    });
  }

  async tidy(host: Host): Promise<void> {
    const { survey, clockOffsetMs } = await this.#survey(host, await everyRoot(host));
    if (clockOffsetMs !== undefined) await survey.tidy(this.#options.clock.now() + clockOffsetMs);
  }

  async #survey(host: Host, roots: readonly RemotePath[]) {
    const clockOffsetMs = await this.#homes.clockOffsetMs(
      host,
      roots.map((root) => ({ root, base: root })),
    );
    const places = [...roots.map(stagingIn), ...(await this.#homes.known(host))];
    return { survey: new Survey(host, this.#options.hashing, places), clockOffsetMs };
  }

  async #look(host: Host, identity: UploadIdentity, target: Place): Promise<Remembered | undefined> {
    const directories = stagingPlaces(target).map((staging) => joinPath(staging, identity.targetKey, identity.uploadKey));
    const found = await settled(directories.map((directory) => readManifest(host, directory)));
    for (const [at, directory] of directories.entries()) {
      const manifest = found[at];
      if (manifest !== undefined && isManifestOf(manifest, identity)) return this.#remember(identity, { directory, manifest });
    }
    this.#remembered.delete(identity.id);
    return undefined;
  }

  /** Calls of this process that come at once begin it once; it is new to the first of them. */
  async #make(host: Host, identity: UploadIdentity, target: Place, declared: Declared): Promise<Begun> {
    const underWay = this.#making.get(identity.id);
    if (underWay !== undefined) return { ...(await underWay), isNew: false };
    const making = this.#begin(host, identity, target, declared);
    this.#making.set(identity.id, making);
    const forget = () => this.#making.delete(identity.id);
    making.then(forget, forget);
    return making;
  }

  async #begin(host: Host, identity: UploadIdentity, target: Place, declared: Declared): Promise<Begun> {
    const home = await this.#homes.of(host, target);
    if (home.powers.strategy === undefined) throw new ProblemError(refused('HOST_UNSUPPORTED', NO_STRATEGY));
    const { hostId, target: path, person, hashCode } = identity;
    const manifest: Manifest = {
      version: 1,
      hostId,
      path,
      person,
      hashCode,
      size: declared.size,
      chunkSize: declared.chunkSize,
      layout: layoutFor(home.powers.strategy),
      nonce: freshNonce(this.#options.hashing),
      beganAt: this.#options.clock.now(),
    };
    const directory = joinPath(home.staging, identity.targetKey, identity.uploadKey);
    const beginning = { ...this.#options, host, identity, manifest, directory };
    for (let attempt = 1; attempt <= BEGIN_TRIES; attempt++) {
      if (await begin(beginning)) return { remembered: this.#remember(identity, { directory, manifest }), isNew: true };
      const found = await this.#look(host, identity, target);
      if (found !== undefined) return { remembered: found, isNew: false };
      if (!(await clearAway(beginning))) break;
    }
    throw new ProblemError(refused('PERMISSION_DENIED', 'something that is not ours stands where this upload would be staged'));
  }

  async #summarise(host: Host, upload: FoundUpload, clockOffsetMs: number): Promise<StagedSummary | undefined> {
    const { directory, manifest, identity, entries, touchedAt } = upload;
    const layout = layoutOf({ ...this.#options, host, directory, uploadId: identity.id, memory: {} }, manifest);
    try {
      const { uploadedBytes } = await layout.received(entries);
      return {
        id: identity.id,
        manifest,
        uploadedBytes,
        phase: entries.some((entry) => entry.name === MERGE) ? 'QUEUED' : 'RECEIVING',
        touchedAt: Math.max(manifest.beganAt, touchedAt - clockOffsetMs),
        key: `${identity.hostId} ${identity.id}`,
      };
    } catch (error) {
      // Finished or given up while we looked.
      if (isFault(error, 'NOT_FOUND') || error instanceof BegunAgain) return undefined;
      throw error;
    }
  }

  #remember(identity: UploadIdentity, remembered: Remembered): Remembered {
    const known = this.#remembered.get(identity.id);
    const isSame = known?.directory === remembered.directory && known.manifest.nonce === remembered.manifest.nonce;
    const kept = isSame ? known : remembered;
    this.#remembered.delete(identity.id);
    this.#remembered.set(identity.id, kept);
    const oldest = this.#remembered.keys().next().value;
    if (this.#remembered.size > MAX_REMEMBERED && oldest !== undefined) this.#remembered.delete(oldest);
    return kept;
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
  return pathsBetween(target.root, target.base).map(stagingIn);
}
