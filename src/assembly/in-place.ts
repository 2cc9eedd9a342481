// Layout in-place: chunks are written at their offset into one sparse file, `data`, and noted in `received` once they are whole and
// right. Merging such an upload is verifying it and giving it its name.
import type { ReceivedMap } from '../core/chunks.js';
import { chunkLength, chunkOffset, chunksMissing } from '../core/chunks.js';
import type { OpenFile } from '../core/ports.js';
import { Fault, ProblemError } from '../core/problems.js';
import type { RemotePath } from '../core/remote-path.js';
import { joinPath } from '../core/remote-path.js';
import type { ReceiveOutcome, ReceiveRequest } from '../core/staging.js';
import { openOurs, readSmall, settled, single, withFile } from './files.js';
import { compareWithStored, takeIn } from './intake.js';
import type { Intake } from './intake.js';
import { BegunAgain } from './layout.js';
import type { Layout, LayoutOptions } from './layout.js';
import { DATA, MANIFEST, RECEIVED, parseManifest } from './manifest.js';
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
      withFile(host.open(this.#data, 'create'), () => Promise.resolve()),
      withFile(host.open(this.#received, 'create-private'), (received) => this.#writeFooter(received)),
    ]);
  }

  async isDamaged(): Promise<boolean> {
    const { host } = this.#options;
    const files = await settled([host.lstat(this.#data), host.lstat(this.#received)]);
    return files.some((facts) => facts?.kind !== 'file');
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
    const { host } = this.#options;
    return withFile(openOurs(host, this.#data, 'write'), (data) =>
      withFile(openOurs(host, this.#received, 'write'), async (received) => {
        const stored = await this.#look(received, request.index);
        if (stored !== undefined) return compareWithStored(this.#intake(request), stored);
        return this.#write(request, { data, received });
      }),
    );
  }

  /** What was appended to the data is cut off; chunks that it no longer has, cut short by somebody, lose their place. */
  async assemble(received: ReceivedMap): Promise<string> {
    const { plan, host } = this.#options;
    const size = await withFile(openOurs(host, this.#data, 'write'), async (data) => {
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

  async lose(indexes: readonly number[]): Promise<void> {
    await withFile(openOurs(this.#options.host, this.#received, 'write'), async (received) => {
      const none = new Uint8Array(RECORD_BYTES);
      for (const index of indexes) await received.write(recordOffset(index), single(none), { signal: noSignal() });
      await received.sync();
    });
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
    const [footer, record] = await settled([
      readAll(received, footerOffset(plan), RECORD_BYTES),
      readAll(received, recordOffset(index), RECORD_BYTES),
    ]);
    if (!(await this.#isFooterRight(decodeFooter(uploadId, plan, footer)))) await this.#writeFooter(received);
    return decodeRecord({ uploadId, index, length: chunkLength(plan, index) }, record);
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
