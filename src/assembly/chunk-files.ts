// Layout chunk-files, for hosts that don't take writes anywhere in a file: each chunk is a file of its own, written from its
// beginning to its end under a passing name and renamed, once it is whole and right, to one that says what it is. Such a file is
// never written again. Merging is joining them.
import type { ReceivedMap } from '../core/chunks.js';
import { ReceivedMap as Received, chunkLength, chunksMissing } from '../core/chunks.js';
import type { DirectoryEntry } from '../core/ports.js';
import { Fault, ProblemError } from '../core/problems.js';
import type { MergeStrategy } from '../core/progress.js';
import type { RemotePath } from '../core/remote-path.js';
import { joinPath } from '../core/remote-path.js';
import type { ReceiveOutcome, ReceiveRequest } from '../core/staging.js';
import { settled } from '../core/settled.js';
import { WrongChunk } from './copier.js';
import { freshNonce, mapBounded, readSmall, removeFile, removeQuietly, withFile } from './files.js';
import { compareWithStored, takeIn } from './intake.js';
import type { Intake } from './intake.js';
import { Join, dropOutputs } from './join.js';
import { BegunAgain } from './layout.js';
import type { Layout, LayoutAssembleOptions, LayoutOptions } from './layout.js';
import { MANIFEST, chunkFileName, isPartName, parseChunkFileName, parseManifest, partName } from './manifest.js';
import { RecentListing } from './recent-listing.js';
import { REMOVED_AT_ONCE } from './removal.js';
import { isLookedAt } from './verify.js';

export class ChunkFiles implements Layout {
  readonly #options: LayoutOptions;
  /** What this object has made of the chunks, or began to. */
  #output: string | undefined;
  #isInherited = false;
  #strategy: MergeStrategy | undefined;

  constructor(options: LayoutOptions) {
    this.#options = options;
  }

  get strategy(): MergeStrategy | undefined {
    return this.#strategy;
  }

  /** Its files come with its chunks. */
  async make(): Promise<void> {
    await Promise.resolve();
  }

  async isDamaged(): Promise<boolean> {
    return Promise.resolve(false);
  }

  async received(listing?: readonly DirectoryEntry[]): Promise<ReceivedMap> {
    const { host, clock, directory, memory } = this.#options;
    const beganAt = clock.monotonic();
    const { map } = this.#sort(listing ?? (await host.list(directory)));
    if (listing === undefined) memory.listing = new RecentListing(clock, map, beganAt);
    return map;
  }

  /** What lies there under the expected name needs no listing; what a recent listing hasn't shown isn't there. */
  async storedDigest(index: number, expected?: string): Promise<string | undefined> {
    if (expected !== undefined && (await this.#isThere(index, expected))) return expected;
    const { listing } = this.#options.memory;
    if (listing?.isFresh === true && !listing.has(index)) return undefined;
    return (await this.#listOnce()).digest(index);
  }

  async receive(request: ReceiveRequest): Promise<ReceiveOutcome> {
    const { host, hashing, directory } = this.#options;
    const stored = await this.storedDigest(request.index, request.digest);
    if (stored !== undefined) return compareWithStored(this.#intake(request), stored);
    const part = joinPath(directory, partName(request.index, freshNonce(hashing)));
    try {
      const outcome = await this.#write(part, request);
      if (outcome.kind !== 'stored' || outcome.alreadyStored) await removeQuietly(host, part);
      return outcome;
    } catch (error) {
      await removeQuietly(host, part);
      throw error;
    }
  }

  async assemble(received: ReceivedMap, options: LayoutAssembleOptions): Promise<string> {
    if (!received.isComplete) throw new ProblemError(chunksMissing(received));
    const { host, hashing, directory } = this.#options;
    const chunkPath = (index: number) => this.#chunkPath(index, received.digest(index) ?? '');
    const onStrategy = (strategy: MergeStrategy) => {
      this.#strategy = strategy;
      options.onStrategy?.(strategy);
    };
    const isVerified = isLookedAt(host, options.hasher);
    const work = { ...options, onStrategy, host, hashing, directory, received, chunkPath };
    const join = new Join({ ...work, isVerified, trusted: this.#output });
    try {
      this.#output = await join.make(await this.#removeUncommitted());
      this.#isInherited = join.isInherited;
      return this.#output;
    } catch (error) {
      this.#output = join.output;
      if (!(error instanceof WrongChunk)) throw error;
      await this.lose([error.index]);
      received.remove(error.index);
      throw new ProblemError(chunksMissing(received));
    }
  }

  async dropInherited(): Promise<boolean> {
    if (!this.#isInherited) return false;
    const { host, directory } = this.#options;
    await this.#checkDirectory();
    await dropOutputs(host, directory, await host.list(directory));
    this.#isInherited = false;
    this.#output = undefined;
    return true;
  }

  async lose(indexes: readonly number[]): Promise<void> {
    const { host, directory } = this.#options;
    await this.#checkDirectory();
    const lost = new Set(indexes);
    const entries = await host.list(directory);
    const files = entries.filter((entry) => lost.has(parseChunkFileName(entry.name)?.index ?? 0));
    await mapBounded(files, REMOVED_AT_ONCE, (entry) => removeFile(host, joinPath(directory, entry.name)));
    await dropOutputs(host, directory, entries);
  }

  /** An output's name is made up for it alone. */
  async setApart(output: string): Promise<string> {
    return Promise.resolve(output);
  }

  async putBack(): Promise<void> {
    await Promise.resolve();
  }

  #intake(request: ReceiveRequest): Intake {
    const { hashing, plan } = this.#options;
    return { hashing, request, expectedBytes: chunkLength(plan, request.index) };
  }

  /** Chunks that come at once look once. */
  #listOnce(): Promise<ReceivedMap> {
    const { memory } = this.#options;
    if (memory.looking !== undefined) return memory.looking;
    const looking = this.received().finally(() => delete memory.looking);
    return (memory.looking = looking);
  }

  #chunkPath(index: number, digest: string): RemotePath {
    const { directory, plan } = this.#options;
    return joinPath(directory, chunkFileName({ index, lengthBytes: chunkLength(plan, index), digest }));
  }

  async #isThere(index: number, digest: string): Promise<boolean> {
    const facts = await this.#options.host.lstat(this.#chunkPath(index, digest));
    return facts?.kind === 'file' && facts.size === chunkLength(this.#options.plan, index);
  }

  /** Of two contents of one chunk, by processes that couldn't know of each other, every look keeps the same. */
  #sort(entries: readonly DirectoryEntry[]) {
    const { plan } = this.#options;
    const map = new Received(plan);
    const doubles: string[] = [];
    for (const { name, kind, size } of entries) {
      const chunk = parseChunkFileName(name);
      if (chunk === undefined || kind !== 'file' || chunk.index > plan.chunkCount) continue;
      if (size !== chunk.lengthBytes || size !== chunkLength(plan, chunk.index)) continue;
      const other = map.digest(chunk.index);
      if (other !== undefined) doubles.push(chunkFileName({ ...chunk, digest: other < chunk.digest ? chunk.digest : other }));
      if (other === undefined || chunk.digest < other) map.add(chunk.index, chunk.digest);
    }
    return { map, doubles };
  }

  async #write(part: RemotePath, request: ReceiveRequest): Promise<ReceiveOutcome> {
    const { host } = this.#options;
    const { signal, check } = request;
    const taken = await withFile(host.open(part, 'create-private'), async (file) => {
      const write = takeIn(this.#intake(request), (pieces) => file.write(0, pieces, { signal, check }));
      // Once the part is there: if the directory is ours then, the part is in it, and in no other that comes after.
      const [result] = await settled([write, this.#checkDirectory()]);
      if (result.kind === 'right' && host.profile.durability === 'strict') await file.sync();
      return result;
    });
    return taken.kind === 'right' ? this.#commit(part, request, taken.digest) : taken;
  }

  /** The same name is the same content: what another process has put there meanwhile is as good as ours. */
  async #commit(part: RemotePath, request: ReceiveRequest, digest: string): Promise<ReceiveOutcome> {
    const { host, directory, memory } = this.#options;
    const path = this.#chunkPath(request.index, digest);
    const [present] = await settled([host.lstat(path), request.confirm()]);
    const isThere = present !== undefined && (await this.#isThere(request.index, digest));
    if (present !== undefined && !isThere) await removeFile(host, path);
    if (!isThere) await host.rename(part, path);
    if (host.profile.durability === 'strict') await host.syncDirectory(directory);
    memory.listing?.add(request.index);
    return { kind: 'stored', digest, alreadyStored: isThere };
  }

  async #checkDirectory(): Promise<void> {
    const { host, directory, nonce } = this.#options;
    const text = await readSmall(host, joinPath(directory, MANIFEST));
    if (text === undefined) throw new Fault('NOT_FOUND', `${directory} has no manifest any more`);
    if (parseManifest(text)?.nonce !== nonce) throw new BegunAgain();
  }

  /** What attempts that were cut off have left, and doubles; gives what there was. */
  async #removeUncommitted(): Promise<readonly DirectoryEntry[]> {
    const { host, directory } = this.#options;
    const entries = await host.list(directory);
    const names = [...entries.map((entry) => entry.name).filter(isPartName), ...this.#sort(entries).doubles];
    await mapBounded(names, REMOVED_AT_ONCE, (name) => removeFile(host, joinPath(directory, name)));
    return entries;
  }
}
