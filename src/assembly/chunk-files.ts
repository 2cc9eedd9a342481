// Layout chunk-files, for hosts that don't take writes anywhere in a file: each chunk is a file of its own, written from its
// beginning to its end under a passing name and renamed, once it is whole and right, to one that says what it is. Such a file is
// never written again. Merging is joining them.
import type { ReceivedMap } from '../core/chunks.js';
import { ReceivedMap as Received, chunkLength, chunkPlan, chunksMissing } from '../core/chunks.js';
import type { DirectoryEntry } from '../core/ports.js';
import { Fault, ProblemError, isFault } from '../core/problems.js';
import type { RemotePath } from '../core/remote-path.js';
import { joinPath } from '../core/remote-path.js';
import type { ReceiveOutcome, ReceiveRequest } from '../core/staging.js';
import { freshNonce, mapBounded, openOurs, readSmall, removeFile, removeQuietly, settled, withFile } from './files.js';
import { hashChunks } from './host-hash.js';
import { compareWithStored, takeIn } from './intake.js';
import type { Intake } from './intake.js';
import { BegunAgain } from './layout.js';
import type { Layout, LayoutAssembleOptions, LayoutOptions } from './layout.js';
import {
  INTENT,
  MANIFEST,
  chunkFileName,
  isOutputName,
  isPartName,
  outputName,
  parseChunkFileName,
  parseManifest,
  partName,
} from './manifest.js';
import { RecentListing } from './recent-listing.js';
import { WrongChunk, relay } from './relay.js';
import { REMOVED_AT_ONCE } from './removal.js';

export class ChunkFiles implements Layout {
  readonly strategy = 'RELAY';
  readonly #options: LayoutOptions;
  /** What this object has made of the chunks. */
  #output: string | undefined;

  constructor(options: LayoutOptions) {
    this.#options = options;
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

  /** Goes on with what an earlier run left, where the host lets it. */
  async assemble(received: ReceivedMap, options: LayoutAssembleOptions): Promise<string> {
    if (!received.isComplete) throw new ProblemError(chunksMissing(received));
    try {
      const left = await this.#clearForMerge();
      if (left !== undefined && (await this.#goOn(left, received, options))) return (this.#output = left.name);
      return (this.#output = await this.#begin(received, options));
    } catch (error) {
      if (!(error instanceof WrongChunk)) throw error;
      await this.lose([error.index]);
      received.remove(error.index);
      throw new ProblemError(chunksMissing(received));
    }
  }

  async lose(indexes: readonly number[]): Promise<void> {
    const { host, directory } = this.#options;
    await this.#checkDirectory();
    const lost = new Set(indexes);
    const entries = await host.list(directory);
    const files = entries.filter((entry) => lost.has(parseChunkFileName(entry.name)?.index ?? 0));
    await mapBounded(files, REMOVED_AT_ONCE, (entry) => removeFile(host, joinPath(directory, entry.name)));
    for (const entry of entries) if (isOutputName(entry.name)) await this.#drop(entry.name);
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

  /** Removes what attempts and runs that were cut off have left, all but the output that came farthest. */
  async #clearForMerge(): Promise<DirectoryEntry | undefined> {
    const { host, directory, plan } = this.#options;
    const entries = await host.list(directory);
    const names = [...entries.map((entry) => entry.name).filter(isPartName), ...this.#sort(entries).doubles];
    await mapBounded(names, REMOVED_AT_ONCE, (name) => removeFile(host, joinPath(directory, name)));
    const outputs = entries.filter((entry) => isOutputName(entry.name)).sort((a, b) => b.size - a.size);
    const farthest = outputs.find((output) => output.kind === 'file' && output.size <= plan.size);
    for (const output of outputs) if (output !== farthest) await this.#drop(output.name);
    return farthest;
  }

  /** False when there is no going on with it: then it is gone. */
  async #goOn(left: DirectoryEntry, received: ReceivedMap, options: LayoutAssembleOptions): Promise<boolean> {
    const { host, directory } = this.#options;
    const path = joinPath(directory, left.name);
    try {
      if (left.name === this.#output || (await this.#isRightSoFar(left, received, options))) {
        if (left.size === received.plan.size) return true;
        await withFile(openOurs(host, path, 'write'), (out) => this.#relay(out, left.size, received, options));
        return true;
      }
    } catch (error) {
      // Some hosts don't open a file for writing a second time, or take no write to it then.
      const isUnfit = isFault(error, 'FAILURE', 'PERMISSION_DENIED', 'HOST_UNSUPPORTED', 'NOT_FOUND');
      if (!isUnfit && !(error instanceof WrongChunk && error.isStitched)) {
        if (isSpoiling(error)) await this.#drop(left.name);
        throw error;
      }
    }
    await this.#drop(left.name);
    return false;
  }

  /** Its whole chunks against their digests: a host that crashed may have kept a file's length and not its bytes. */
  async #isRightSoFar(left: DirectoryEntry, received: ReceivedMap, options: LayoutAssembleOptions): Promise<boolean> {
    const { host, hashing, plan, directory } = this.#options;
    const { hasher = 'gateway', signal, onProgress } = options;
    const wholeBytes = left.size === plan.size ? plan.size : left.size - (left.size % plan.chunkSize);
    const whole = chunkPlan(wholeBytes, plan.chunkSize);
    let doneBytes = 0;
    for await (const chunk of hashChunks(host, {
      hasher,
      hashing,
      path: joinPath(directory, left.name),
      plan: whole,
      signal,
    })) {
      if (received.digest(chunk.index) !== chunk.digest) return false;
      doneBytes += chunkLength(whole, chunk.index);
      onProgress('ASSEMBLING', doneBytes, plan.size);
    }
    return true;
  }

  async #begin(received: ReceivedMap, options: LayoutAssembleOptions): Promise<string> {
    const { host, hashing, directory } = this.#options;
    const name = outputName(freshNonce(hashing));
    try {
      await withFile(host.open(joinPath(directory, name), 'create'), (out) => this.#relay(out, 0, received, options));
      return name;
    } catch (error) {
      if (isSpoiling(error)) await this.#drop(name);
      throw error;
    }
  }

  async #relay(
    out: Parameters<typeof relay>[0]['out'],
    begunBytes: number,
    received: ReceivedMap,
    options: LayoutAssembleOptions,
  ) {
    const { host, hashing } = this.#options;
    const chunkPath = (index: number) => this.#chunkPath(index, received.digest(index) ?? '');
    await relay({ ...options, host, hashing, received, chunkPath, out, begunBytes });
  }

  /** The intent first: an output that is gone and an intent that names it look like a publication. */
  async #drop(name: string): Promise<void> {
    const { host, directory } = this.#options;
    await removeQuietly(host, joinPath(directory, INTENT));
    await removeQuietly(host, joinPath(directory, name));
  }
}

/** Whether what was written may be wrong, or only takes space. A run that was cut off goes on another time instead. */
function isSpoiling(error: unknown): boolean {
  return error instanceof WrongChunk || (isFault(error) && !isFault(error, 'HOST_UNREACHABLE', 'HOST_BUSY'));
}
