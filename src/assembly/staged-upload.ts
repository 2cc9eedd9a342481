// One upload's staging directory, for the length of one use of its host.
import type { ReceivedMap } from '../core/chunks.js';
import { chunkPlan } from '../core/chunks.js';
import type { ContentDigest, UploadIdentity } from '../core/file-ref.js';
import type { Clock, Hashing, Host } from '../core/ports.js';
import { ProblemError, isFault, refused } from '../core/problems.js';
import type { MergeStrategy } from '../core/progress.js';
import { joinPath, parentOf } from '../core/remote-path.js';
import type { RemotePath } from '../core/remote-path.js';
import { outcomeOf, settled, valueOf } from '../core/settled.js';
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
import { ChunkFiles } from './chunk-files.js';
import { freshNonce, listOrNothing, readSmall, removeFile, replaceSmall } from './files.js';
import { InPlace } from './in-place.js';
import { BegunAgain } from './layout.js';
import type { Layout, LayoutOptions, ListingMemory } from './layout.js';
import { INTENT, MERGE, isGivenUpDirectory, parseMergeRequest } from './manifest.js';
import type { ProbedPowers } from './probe.js';
import { publish, recoverPublication, resolveAgain } from './publish.js';
import type { Publication } from './publish.js';
import { around, removeEmptied, removeGivenUp, setAside } from './removal.js';
import { readManifest } from './survey.js';
import { verify } from './verify.js';

/** What this process knows of an upload between two uses of its host. The host has the truth. */
export interface Remembered extends ListingMemory {
  readonly directory: RemotePath;
  readonly manifest: Manifest;
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

type Discarded = Awaited<ReturnType<StagedUpload['discard']>>;

export function layoutOf(
  upload: Pick<LayoutOptions, 'host' | 'clock' | 'hashing' | 'directory' | 'uploadId' | 'memory'>,
  { layout, nonce, size, chunkSize }: Manifest,
): Layout {
  const options: LayoutOptions = { ...upload, nonce, plan: chunkPlan(size, chunkSize) };
  return layout === 'in-place' ? new InPlace(options) : new ChunkFiles(options);
}

export class HostStagedUpload implements StagedUpload {
  readonly identity: UploadIdentity;
  readonly directory: RemotePath;
  readonly manifest: Manifest;
  readonly #options: StagedUploadOptions;
  readonly #layout: Layout;
  /** As last read; for a merge, which no chunk comes into. */
  #received: ReceivedMap | undefined;
  /** Name of the file that was assembled. */
  #output: string | undefined;

  constructor(options: StagedUploadOptions) {
    const { host, clock, hashing, identity, remembered } = options;
    const { directory, manifest } = remembered;
    this.#options = options;
    this.identity = identity;
    this.directory = directory;
    this.manifest = manifest;
    this.#layout = layoutOf({ host, clock, hashing, directory, uploadId: identity.id, memory: remembered }, manifest);
  }

  async strategy(): Promise<MergeStrategy> {
    return this.#layout.strategy ?? (await this.#options.powers()).copiers[0] ?? 'RELAY';
  }

  received(): Promise<ReceivedMap> {
    return this.#guarded(async () => (this.#received = await this.#layout.received()));
  }

  storedDigest(index: number, expected?: string): Promise<string | undefined> {
    return this.#guarded(() => this.#layout.storedDigest(index, expected));
  }

  receive(request: ReceiveRequest): Promise<ReceiveOutcome> {
    return this.#guarded(() => this.#layout.receive(request));
  }

  async requestMerge(request: MergeRequest): Promise<void> {
    const { host, hashing } = this.#options;
    const file = { directory: this.directory, name: MERGE, text: JSON.stringify(request) };
    await this.#guarded(() => replaceSmall(host, hashing, file));
  }

  async mergeRequest(): Promise<MergeRequest | undefined> {
    const text = await readSmall(this.#options.host, joinPath(this.directory, MERGE));
    return text === undefined ? undefined : parseMergeRequest(text);
  }

  async withdrawMergeRequest(): Promise<void> {
    await removeFile(this.#options.host, joinPath(this.directory, MERGE));
  }

  async recoverPublication(): Promise<Published | undefined> {
    return recoverPublication(await this.#publication());
  }

  async assemble(options: AssembleOptions): Promise<void> {
    const { hasher, copiers } = await this.#options.powers();
    await this.#guarded(async () => {
      const received = await (this.#received ?? this.#layout.received());
      this.#output = await this.#layout.assemble(received, { ...options, copiers, ...(hasher && { hasher }) });
    });
  }

  /** What an earlier run had made of the chunks and turns out wrong is made anew. */
  async verify(digests: readonly ContentDigest[], options: AssembleOptions): Promise<VerifyOutcome> {
    const inherited = { isWrong: false };
    const outcome = await this.#verify(digests, options, async (indexes) => {
      inherited.isWrong = await this.#layout.dropInherited();
      if (!inherited.isWrong) await this.#layout.lose(indexes);
    });
    if (!inherited.isWrong) return outcome;
    this.#received = undefined;
    await this.assemble(options);
    return this.#verify(digests, options, (indexes) => this.#layout.lose(indexes));
  }

  async #verify(
    digests: readonly ContentDigest[],
    options: AssembleOptions,
    lose: (indexes: readonly number[]) => Promise<void>,
  ): Promise<VerifyOutcome> {
    const { host, hashing } = this.#options;
    const { hasher } = await this.#options.powers();
    return this.#guarded(async () => {
      const received = await (this.#received ?? this.#layout.received());
      const path = joinPath(this.directory, this.#assembled());
      return verify({ ...options, host, hashing, path, received, digests, lose, ...(hasher && { hasher }) });
    });
  }

  async publish(
    request: () => Promise<MergeRequest>,
    verified: Verified,
    confirm: () => Promise<void>,
  ): Promise<PublishOutcome> {
    return this.#guarded(async () => {
      const publication = await this.#publication();
      const [apart, asked] = await settled([
        outcomeOf(this.#layout.setApart(this.#assembled())),
        outcomeOf(settled([request(), resolveAgain(publication)])),
      ]);
      const output = valueOf(apart);
      let isPublished = false;
      try {
        const [newest, target] = valueOf(asked);
        const outcome = await publish({ ...publication, output, confirm, request: newest, verified }, target);
        isPublished = outcome.kind === 'published';
        return outcome;
      } finally {
        if (!isPublished) await this.#layout.putBack();
      }
    });
  }

  async remove(): Promise<void> {
    await this.#removeAside();
  }

  async discard(): Promise<Discarded> {
    const { host } = this.#options;
    // All that may fail and needs nothing of the directory comes before it is out of reach; so does a look that can be had again.
    const publication = await this.#publication();
    let published = await recoverPublication(publication);
    await this.#removeAside(async (directory) => {
      // What it was before, found where it lies now. The intent goes first when it came to nothing: without its output it would lie.
      published ??= await recoverPublication({ ...publication, directory });
      if (published === undefined) await removeFile(host, joinPath(directory, INTENT));
    });
    return published === undefined ? { kind: 'discarded' } : { kind: 'published', published };
  }

  /** `look` comes before anything in the directory is removed. */
  async #removeAside(look?: (directory: RemotePath) => Promise<void>): Promise<void> {
    const { host, hashing, forget } = this.#options;
    forget();
    const targetDirectory = parentOf(this.directory);
    const aside = joinPath(targetDirectory, `x.${freshNonce(hashing)}`);
    const listed = await setAside(host, this.directory, aside);
    if (listed !== undefined) {
      await look?.(aside);
      // A look may have changed a name.
      return removeGivenUp(host, aside, { around: around(targetDirectory), ...(look === undefined && { listed }) });
    }
    for (const directory of await this.#leftAside()) {
      await look?.(directory);
      await removeGivenUp(host, directory);
    }
    // Also when somebody was quicker: it may have cleaned before what was made around it was there.
    await removeEmptied(host, targetDirectory);
  }

  /** Where this very directory lies if an earlier call set it aside and was cut off. */
  async #leftAside(): Promise<readonly RemotePath[]> {
    const { host } = this.#options;
    const targetDirectory = parentOf(this.directory);
    const names = (await listOrNothing(host, targetDirectory)).map(({ name }) => name).filter(isGivenUpDirectory);
    const left: RemotePath[] = [];
    for (const directory of names.map((name) => joinPath(targetDirectory, name))) {
      if ((await readManifest(host, directory))?.nonce === this.manifest.nonce) left.push(directory);
    }
    return left;
  }

  #assembled(): string {
    if (this.#output === undefined) throw new Error('nothing was assembled yet');
    return this.#output;
  }

  async #publication(): Promise<Publication> {
    const { host, clock, hashing, identity } = this.#options;
    const { clockOffsetMs, capabilities } = await this.#options.powers();
    const hostNow = clock.now() + clockOffsetMs;
    return { host, clock, hashing, directory: this.directory, identity, canLink: capabilities.includes('HARD_LINK'), hostNow };
  }

  /**
   * Our files are gone while we work, or others have come in their place: given up through another process, or removed by somebody
   * on the host. Either way it starts afresh, or goes on with what a look at the host finds.
   */
  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const isGone = isFault(error, 'NOT_FOUND');
      if (!isGone && !(error instanceof BegunAgain)) throw error;
      this.#options.forget();
      if (isGone) await this.#discardIfDamaged();
      throw new ProblemError(
        refused('UPLOAD_UNKNOWN', 'what was staged is no longer on the host; begin again with uploadStatus'),
      );
    }
  }

  /** A directory without what its layout needs is of no more use, unless it has just published. */
  async #discardIfDamaged(): Promise<void> {
    if (!(await this.#layout.isDamaged())) return;
    if ((await this.recoverPublication()) === undefined) await this.discard();
  }
}
