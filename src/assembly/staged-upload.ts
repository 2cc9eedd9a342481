// One upload's staging directory, for the length of one use of its host.
import type { ReceivedMap } from '../core/chunks.js';
import { chunkPlan } from '../core/chunks.js';
import type { ContentDigest, UploadIdentity } from '../core/file-ref.js';
import type { Clock, Hashing, Host } from '../core/ports.js';
import { ProblemError, isFault, refused } from '../core/problems.js';
import { joinPath, parentOf } from '../core/remote-path.js';
import type { RemotePath } from '../core/remote-path.js';
import type {
  AssembleOptions,
  Manifest,
  MergeRequest,
  PublishOutcome,
  Published,
  ReceiveOutcome,
  ReceiveRequest,
  StagedUpload,
  Verified,
  VerifyOutcome,
} from '../core/staging.js';
import { freshNonce, readSmall, removeFile, removeIfEmpty, replaceSmall, withFile } from './files.js';
import type { InPlaceUpload } from './in-place.js';
import { receiveInPlace } from './in-place.js';
import { DATA, MERGE, RECEIVED, isGivenUpDirectory, isOurs, parseMergeRequest } from './manifest.js';
import type { ProbedPowers } from './probe.js';
import { publish, recoverPublication } from './publish.js';
import type { Publication } from './publish.js';
import { readReceived } from './received.js';
import { verify } from './verify.js';

/** What this process knows of an upload between two uses of its host. The host has the truth. */
export interface Remembered {
  readonly directory: RemotePath;
  readonly manifest: Manifest;
  received?: ReceivedMap;
}

export interface StagedUploadOptions {
  readonly host: Host;
  readonly clock: Clock;
  readonly hashing: Hashing;
  readonly identity: UploadIdentity;
  readonly remembered: Remembered;
  readonly powers: () => Promise<ProbedPowers>;
  readonly forget: () => void;
}

export class HostStagedUpload implements StagedUpload {
  readonly identity: UploadIdentity;
  readonly directory: RemotePath;
  readonly manifest: Manifest;
  readonly #options: StagedUploadOptions;
  readonly #upload: InPlaceUpload;

  constructor(options: StagedUploadOptions) {
    this.#options = options;
    this.identity = options.identity;
    this.directory = options.remembered.directory;
    this.manifest = options.remembered.manifest;
    this.#upload = {
      host: options.host,
      hashing: options.hashing,
      directory: options.remembered.directory,
      uploadId: options.identity.id,
      plan: chunkPlan(this.manifest.size, this.manifest.chunkSize),
    };
  }

  async received(): Promise<ReceivedMap> {
    return this.#options.remembered.received ?? this.refreshReceived();
  }

  async refreshReceived(): Promise<ReceivedMap> {
    const { host, uploadId, plan } = this.#upload;
    const map = await this.#guarded(() =>
      withFile(host.open(this.#path(RECEIVED), 'read'), (file) => readReceived(file, uploadId, plan)),
    );
    this.#options.remembered.received = map;
    return map;
  }

  async receive(request: ReceiveRequest): Promise<ReceiveOutcome> {
    const outcome = await this.#guarded(() => receiveInPlace(this.#upload, request));
    if (outcome.kind === 'stored') (await this.received()).add(request.index, outcome.digest);
    return outcome;
  }

  async requestMerge(request: MergeRequest): Promise<void> {
    const { host, hashing, directory } = this.#upload;
    await this.#guarded(() => replaceSmall(host, hashing, { directory, name: MERGE, text: JSON.stringify(request) }));
  }

  async mergeRequest(): Promise<MergeRequest | undefined> {
    const text = await readSmall(this.#options.host, this.#path(MERGE));
    return text === undefined ? undefined : parseMergeRequest(text);
  }

  async withdrawMergeRequest(): Promise<void> {
    await removeFile(this.#options.host, this.#path(MERGE));
  }

  async recoverPublication(): Promise<Published | undefined> {
    return recoverPublication(await this.#publication());
  }

  async verify(digests: readonly ContentDigest[], options: AssembleOptions): Promise<VerifyOutcome> {
    const { hasher } = await this.#options.powers();
    return this.#guarded(async () => {
      const received = await this.refreshReceived();
      return verify({ ...options, upload: this.#upload, received, digests, ...(hasher && { hasher }) });
    });
  }

  async publish(request: MergeRequest, verified: Verified, check: () => void): Promise<PublishOutcome> {
    return this.#guarded(async () => publish({ ...(await this.#publication()), check }, request, verified));
  }

  async discard(): Promise<{ readonly kind: 'discarded' } | { readonly kind: 'published'; readonly published: Published }> {
    const { host, hashing, directory } = this.#upload;
    this.#options.forget();
    const targetDirectory = parentOf(directory);
    const aside = joinPath(targetDirectory, `x.${freshNonce(hashing)}`);
    try {
      await host.rename(directory, aside);
    } catch (error) {
      if (!isFault(error, 'NOT_FOUND')) throw error;
      return { kind: 'discarded' };
    }
    const published = await recoverPublication({ ...(await this.#publication()), directory: aside });
    await removeGivenUp(host, targetDirectory);
    return published === undefined ? { kind: 'discarded' } : { kind: 'published', published };
  }

  #path(name: string): RemotePath {
    return joinPath(this.#upload.directory, name);
  }

  async #publication(): Promise<Publication> {
    const { host, hashing, directory } = this.#upload;
    const { clockOffsetMs, capabilities } = await this.#options.powers();
    const hostNow = this.#options.clock.now() + clockOffsetMs;
    return { host, hashing, directory, identity: this.identity, canLink: capabilities.includes('HARD_LINK'), hostNow };
  }

  /** Our files are gone while we work: given up by another, or removed by somebody on the host. Either way it starts afresh. */
  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isFault(error, 'NOT_FOUND')) throw error;
      this.#options.forget();
      await this.#discardIfDamaged();
      throw new ProblemError(
        refused('UPLOAD_UNKNOWN', 'what was staged is no longer on the host; begin again with uploadStatus'),
      );
    }
  }

  /** A directory without its data or its map is of no more use, unless it has just published. */
  async #discardIfDamaged(): Promise<void> {
    const [data, received] = await Promise.all([DATA, RECEIVED].map((name) => this.#options.host.lstat(this.#path(name))));
    if (data !== undefined && received !== undefined) return;
    if ((await this.recoverPublication()) === undefined) await this.discard();
  }
}

/** Empties and removes the directories that were given up under a target, then what is empty above them. Foreign files stay. */
export async function removeGivenUp(host: Host, targetDirectory: RemotePath): Promise<void> {
  const entries = await listOrNothing(host, targetDirectory);
  for (const entry of entries) {
    if (entry.kind !== 'directory' || !entry.name.startsWith('x.') || !isGivenUpDirectory(entry.name)) continue;
    const directory = joinPath(targetDirectory, entry.name);
    const files = await listOrNothing(host, directory);
    const ours = files.filter((file) => file.kind === 'file' && isOurs(file.name));
    await Promise.all(ours.map((file) => removeFile(host, joinPath(directory, file.name))));
    await removeIfEmpty(host, directory);
  }
  await removeIfEmpty(host, targetDirectory);
  await removeIfEmpty(host, parentOf(targetDirectory));
}

export async function listOrNothing(host: Host, path: RemotePath) {
  try {
    return await host.list(path);
  } catch (error) {
    if (isFault(error, 'NOT_FOUND', 'PERMISSION_DENIED')) return [];
    throw error;
  }
}
