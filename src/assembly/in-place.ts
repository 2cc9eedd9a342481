// Layout in-place: chunks are written at their offset into one sparse file, `data`, and noted in `received` once they are whole and
// right. Merging such an upload is verifying it and giving it its name. While it is published, `data` is called `out.<nonce>`; who
// finds it so later, because that was cut off, takes it for what it is.
import type { ReceivedMap } from '../core/chunks.js';
import { chunkLength, chunkOffset, chunksMissing } from '../core/chunks.js';
import type { OpenFile } from '../core/ports.js';
import { Fault, ProblemError, isFault } from '../core/problems.js';
import type { RemotePath } from '../core/remote-path.js';
import { joinPath } from '../core/remote-path.js';
import type { ReceiveOutcome, ReceiveRequest } from '../core/staging.js';
import { settled } from '../core/settled.js';
import { listOrNothing, makeEmpty, move, openAllOurs, openOurs, readSmall, single, withFile } from './files.js';
import { compareWithStored, takeIn } from './intake.js';
import type { Intake } from './intake.js';
import { BegunAgain } from './layout.js';
import type { Layout, LayoutOptions } from './layout.js';
import { DATA, MANIFEST, RECEIVED, isOutputName, outputName, parseManifest } from './manifest.js';
import {
  RECORD_BYTES,
  decodeFooter,
  decodeRecord,
  encodeFooter,
  encodeRecord,
  footerOffset,
  readAll,
  readReceived,
  recordOffset,
} from './received.js';

/** For what is neither long nor to be stopped half way. */
const noSignal = () => new AbortController().signal;

/** `data`, and under which name it was opened. */
interface OpenedData {
  readonly file: OpenFile;
  readonly path: RemotePath;
}

export class InPlace implements Layout {
  readonly strategy = 'IN_PLACE';
  readonly #options: LayoutOptions;
  readonly #data: RemotePath;
  readonly #received: RemotePath;

  constructor(options: LayoutOptions) {
    this.#options = options;
    this.#data = joinPath(options.directory, DATA);
    this.#received = joinPath(options.directory, RECEIVED);
  }

  async make(): Promise<void> {
    const { host } = this.#options;
    await settled([
      makeEmpty(host, this.#data, 'create'),
      withFile(host.open(this.#received, 'create-private'), (received) => this.#writeFooter(received)),
    ]);
  }

  async isDamaged(): Promise<boolean> {
    const { host } = this.#options;
    const [data, received] = await settled([host.lstat(this.#data), host.lstat(this.#received)]);
    if (received?.kind !== 'file') return true;
    return data === undefined ? (await this.#whereData()) === undefined : data.kind !== 'file';
  }

  async received(): Promise<ReceivedMap> {
    const { host, uploadId, plan } = this.#options;
    return withFile(openOurs(host, this.#received, 'read'), async (received) => {
      const { map, nonce } = await readReceived(received, uploadId, plan);
      await this.#isFooterRight(nonce);
      return map;
    });
  }

  async storedDigest(index: number): Promise<string | undefined> {
    return withFile(openOurs(this.#options.host, this.#received, 'write'), (received) => this.#look(received, index));
  }

  /**
   * `data` is opened before `received`: when the footer of the latter is ours, this directory was there all the time, and so was its
   * data. What is opened stays what it is, whatever becomes of the directory.
   */
  async receive(request: ReceiveRequest): Promise<ReceiveOutcome> {
    const { data, received } = await this.#openBoth();
    return withFile(data.file, () =>
      withFile(received, async () => {
        const stored = await this.#look(received, request.index);
        if (stored !== undefined) return compareWithStored(this.#intake(request), stored);
        // Whoever still wants to publish it finds nothing under that name, and what is written here is not yet the file.
        if (data.path !== this.#data) await this.#takeBack(data.path);
        return this.#write(request, { data: data.file, received });
      }),
    );
  }

  async #openBoth(): Promise<{ readonly data: OpenedData; readonly received: OpenFile }> {
    const { host } = this.#options;
    try {
      const [file, received] = await openAllOurs(host, [this.#data, this.#received]);
      return { data: { file, path: this.#data }, received };
    } catch (error) {
      if (!isFault(error, 'NOT_FOUND')) throw error;
    }
    // Its name may be another at this moment.
    const data = await this.#openData();
    try {
      return { data, received: await openOurs(host, this.#received, 'write') };
    } catch (error) {
      void data.file.close();
      throw error;
    }
  }

  /** What was appended to the data is cut off; chunks that it no longer has, cut short by somebody, lose their place. */
  async assemble(received: ReceivedMap): Promise<string> {
    const { host, plan } = this.#options;
    const { kind, size: presentBytes } = (await host.lstat(this.#data)) ?? {};
    if (kind === 'file' && presentBytes === plan.size) return DATA;
    const opened = await this.#openData();
    const size = await withFile(opened.file, async (data) => {
      if (opened.path !== this.#data) await this.#takeBack(opened.path);
      const facts = await data.facts();
      if (facts.size > plan.size) await data.truncate(plan.size);
      return facts.size;
    });
    const cut = received.indexes().filter((index) => chunkOffset(plan, index) + chunkLength(plan, index) > size);
    if (cut.length > 0) await this.lose(cut);
    for (const index of cut) received.remove(index);
    if (!received.isComplete) throw new ProblemError(chunksMissing(received));
    return DATA;
  }

  async dropInherited(): Promise<boolean> {
    return Promise.resolve(false);
  }

  async lose(indexes: readonly number[]): Promise<void> {
    await withFile(openOurs(this.#options.host, this.#received, 'write'), async (received) => {
      await this.#checkFooter(received);
      const none = new Uint8Array(RECORD_BYTES);
      for (const index of indexes) await received.write(recordOffset(index), single(none), { signal: noSignal() });
      await received.sync();
    });
  }

  async setApart(): Promise<string> {
    const { host, directory, nonce } = this.#options;
    const name = outputName(nonce);
    // Asked for in this order: when the directory is ours after that step, it was then. No directory that was given up comes back.
    const [, text] = await settled([
      move(host, this.#data, joinPath(directory, name)),
      readSmall(host, joinPath(directory, MANIFEST)),
    ]);
    if (text !== undefined && parseManifest(text)?.nonce === nonce) return name;
    await this.putBack();
    if (text === undefined) throw new Fault('NOT_FOUND', `${directory} has no manifest any more`);
    throw new BegunAgain();
  }

  async putBack(): Promise<void> {
    const { host, directory, nonce } = this.#options;
    try {
      await move(host, joinPath(directory, outputName(nonce)), this.#data);
    } catch (error) {
      // Published after all, put back by another, or given up. If the host is away, the next to look for `data` sees to it.
      if (!isFault(error)) throw error;
    }
  }

  /** `HOST_BUSY` when its name changes at this moment, `NOT_FOUND` when it has none. */
  async #openData(): Promise<OpenedData> {
    const { host } = this.#options;
    try {
      return { file: await openOurs(host, this.#data, 'write'), path: this.#data };
    } catch (error) {
      if (!isFault(error, 'NOT_FOUND')) throw error;
      const path = await this.#whereData();
      if (path === undefined) throw error;
      if (path === this.#data) throw moving(error);
      return { file: await this.#openSetApart(path), path };
    }
  }

  async #openSetApart(path: RemotePath): Promise<OpenFile> {
    try {
      return await openOurs(this.#options.host, path, 'write');
    } catch (error) {
      if (isFault(error, 'NOT_FOUND') && (await this.#whereData()) !== undefined) throw moving(error);
      throw error;
    }
  }

  /**
   * Under any such name it is this directory's: one with another nonce was given by a run that came late and took this directory for
   * its own. Undefined when there is none, or when `data` is no file.
   */
  async #whereData(): Promise<RemotePath | undefined> {
    const { host, directory } = this.#options;
    const files = (await listOrNothing(host, directory)).filter(({ kind }) => kind === 'file');
    const found = files.find(({ name }) => name === DATA) ?? files.find(({ name }) => isOutputName(name));
    if (found !== undefined) return joinPath(directory, found.name);
    // A listing may miss a name that is changed while it is made.
    return (await host.lstat(this.#data))?.kind === 'file' ? this.#data : undefined;
  }

  async #takeBack(path: RemotePath): Promise<void> {
    const { host } = this.#options;
    try {
      await move(host, path, this.#data);
    } catch (error) {
      if (!isFault(error, 'NOT_FOUND', 'ALREADY_EXISTS', 'FAILURE')) throw error;
      // Another was quicker to take it back, or it was published.
      throw (await this.#whereData()) === undefined ? error : moving(error);
    }
  }

  #intake(request: ReceiveRequest): Intake {
    const { hashing, plan } = this.#options;
    return { hashing, request, expectedBytes: chunkLength(plan, request.index) };
  }

  async #write(
    request: ReceiveRequest,
    { data, received }: { readonly data: OpenFile; readonly received: OpenFile },
  ): Promise<ReceiveOutcome> {
    const { host, plan, uploadId } = this.#options;
    const { index, signal, check } = request;
    const taken = await takeIn(this.#intake(request), (pieces) =>
      data.write(chunkOffset(plan, index), pieces, { signal, check }),
    );
    if (taken.kind !== 'right') return taken;
    const isStrict = host.profile.durability === 'strict';
    if (isStrict) await data.sync();
    await request.confirm();
    const record = encodeRecord({ uploadId, index, length: chunkLength(plan, index) }, taken.digest);
    await received.write(recordOffset(index), single(record), { signal, check });
    if (isStrict) await received.sync();
    return { kind: 'stored', digest: taken.digest, alreadyStored: false };
  }

  /** The digest in a chunk's record. `BegunAgain` when the map is of another directory. */
  async #look(received: OpenFile, index: number): Promise<string | undefined> {
    const { uploadId, plan } = this.#options;
    const [record] = await settled([readAll(received, recordOffset(index), RECORD_BYTES), this.#checkFooter(received)]);
    return decodeRecord({ uploadId, index, length: chunkLength(plan, index) }, record);
  }

  /** `BegunAgain` when the map is of another directory; written again when it was cut off. */
  async #checkFooter(received: OpenFile): Promise<void> {
    const { uploadId, plan } = this.#options;
    const footer = await readAll(received, footerOffset(plan), RECORD_BYTES);
    if (!(await this.#isFooterRight(decodeFooter(uploadId, plan, footer)))) await this.#writeFooter(received);
  }

  /** False when somebody has cut it off, and the manifest says that the directory is ours nevertheless. */
  async #isFooterRight(found: string | undefined): Promise<boolean> {
    const { host, directory, nonce } = this.#options;
    if (found === nonce) return true;
    if (found === undefined) {
      const text = await readSmall(host, joinPath(directory, MANIFEST));
      if (text === undefined) throw new Fault('NOT_FOUND', `${directory} has no manifest any more`);
      if (parseManifest(text)?.nonce === nonce) return false;
    }
    throw new BegunAgain();
  }

  async #writeFooter(received: OpenFile): Promise<void> {
    const { uploadId, plan, nonce } = this.#options;
    await received.write(footerOffset(plan), single(encodeFooter(uploadId, plan, nonce)), { signal: noSignal() });
  }
}

/** What is there under no name that was looked at has just changed it: in a moment it can be found. */
function moving(cause: unknown): Fault {
  return new Fault('HOST_BUSY', 'what was staged is being published, or was about to be', { cause });
}
