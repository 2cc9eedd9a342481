// The way of the bytes: pieces from a source become positional WRITEs, many under way at once, none of them copied or joined: a WRITE
// may have several. (Joining 64 KiB pieces to the server's 255 KiB would cost a CPU second per GiB; an answer to each costs half of one.)
import type { WriteOptions } from '../core/ports.js';
import type { Channel } from './channel.js';

export interface PipelinedWrite extends WriteOptions {
  readonly channel: Channel;
  readonly handle: Buffer;
  readonly offset: number;
  /** Whose they are. */
  readonly person?: string | undefined;
  readonly pieces: AsyncIterable<Uint8Array>;
}

/**
 * Writes the pieces back to back from `offset`; resolves when the server has acknowledged every byte. A piece leaves at once while
 * nothing of the file is under way. Else it waits for others that fit into one WRITE with it, until all is answered or the source ends.
 *
 * At most the channel's write window is under way, and besides it one WRITE (`maxWriteBytes`) and one piece of each file are held, so a
 * source is pulled no faster than the host takes it.
 *
 * The first failure (of the source, the signal, `check` or a write) stops it: nothing further is issued, the source is closed, and
 * when the last write under way has been answered or its channel is dead, the promise rejects with that first cause.
 */
export async function writePipelined(options: PipelinedWrite): Promise<void> {
  options.signal.throwIfAborted();
  const run = new Run(options);
  const leave = options.channel.writeWindow.join();
  const onAbort = (): void => run.fail(options.signal.reason);
  options.signal.addEventListener('abort', onAbort, { once: true });
  try {
    await run.finish();
  } finally {
    leave();
    options.signal.removeEventListener('abort', onAbort);
  }
}

class Run {
  readonly #options: PipelinedWrite;
  readonly #stop = new AbortController();
  #failure: { readonly cause: unknown } | undefined;
  /** Of the next WRITE. */
  #position: number;
  /** What that will have, as far as it has come. */
  #gathered: Buffer[] = [];
  #gatheredBytes = 0;
  /** The last that was to leave by itself. It doesn't reject. */
  #leaving: Promise<void> | undefined;
  #underWay = 0;
  #onFailure: (cause: unknown) => void = () => undefined;
  #onQuiet: (() => void) | undefined;

  constructor(options: PipelinedWrite) {
    this.#options = options;
    this.#position = options.offset;
  }

  async finish(): Promise<void> {
    const source = this.#options.pieces[Symbol.asyncIterator]();
    try {
      await this.#pump(source);
    } catch (error) {
      this.fail(error);
      closeSource(source);
    }
    await this.#quiet();
    if (this.#failure !== undefined) throw this.#failure.cause;
  }

  /** The first cause counts. Whatever waits for the source or the window wakes up. */
  fail(cause: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { cause };
    this.#stop.abort(cause);
    this.#onFailure(cause);
  }

  async #pump(source: AsyncIterator<Uint8Array>): Promise<void> {
    while (await this.#takeNext(source)) {
      // The next one.
    }
    await this.#leave();
  }

  /** False when there was no further piece. Called for each, so that none is held while the next is waited for. */
  async #takeNext(source: AsyncIterator<Uint8Array>): Promise<boolean> {
    const next = await this.#unlessFailed(source.next());
    if (this.#leaving !== undefined) await this.#leaving;
    if (next.done === true) return false;
    await this.#gather(asBuffer(next.value));
    return true;
  }

  async #gather(piece: Buffer): Promise<void> {
    const { maxWriteBytes } = this.#options.channel.capabilities;
    // A piece is only cut where it must be: each part is an SSH packet more.
    const wholeBytes = piece.length <= maxWriteBytes ? piece.length : 1;
    for (let at = 0; at < piece.length;) {
      if (this.#gatheredBytes + wholeBytes > maxWriteBytes) await this.#leave();
      const part = piece.subarray(at, at + maxWriteBytes - this.#gatheredBytes);
      at += part.length;
      this.#gathered.push(part);
      this.#gatheredBytes += part.length;
      // Where nothing is under way no answer would say that it's time; and a further piece like this one would not fit.
      if (this.#underWay === 0 || this.#gatheredBytes + wholeBytes > maxWriteBytes) await this.#leave();
    }
  }

  /** As the promise does, or rejects when this fails: a source may take its time. Waited for by one at a time. */
  #unlessFailed<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#onFailure = reject;
      promise.then(resolve, reject);
      this.#stop.signal.throwIfAborted();
    });
  }

  /** Sends what was gathered as one WRITE, when the window lets it. To be called by one at a time. */
  async #leave(): Promise<void> {
    const body = this.#gathered;
    const lengthBytes = this.#gatheredBytes;
    if (lengthBytes === 0) return;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    const { channel, person } = this.#options;
    await channel.writeWindow.take(lengthBytes, this.#stop.signal, () => this.#issue(body, lengthBytes), person);
  }

  /** Has taken its bytes from the window already, and sees to it that they are given back. */
  #issue(body: readonly Buffer[], lengthBytes: number): void {
    const { channel, handle, person, check } = this.#options;
    // Nothing that lives until the answer may refer to the body itself.
    const settled = (): void => {
      this.#underWay -= 1;
      channel.writeWindow.give(lengthBytes, person);
      if (this.#underWay === 0) this.#whenQuiet();
    };
    this.#underWay += 1;
    try {
      this.#stop.signal.throwIfAborted();
      check?.();
    } catch (error) {
      settled();
      throw error;
    }
    const position = this.#position;
    this.#position += lengthBytes;
    channel.write(handle, body, position).then(settled, (error: unknown) => {
      this.fail(error);
      settled();
    });
  }

  /** What was gathered leaves without waiting for more. */
  #whenQuiet(): void {
    this.#onQuiet?.();
    if (this.#gatheredBytes === 0 || this.#failure !== undefined) return;
    this.#leaving = this.#leave()
      .catch((error: unknown) => this.fail(error))
      .finally(() => (this.#leaving = undefined));
  }

  /** Resolves when no write is under way: each ends with its answer, or with the death of its channel. */
  #quiet(): Promise<void> {
    if (this.#underWay === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onQuiet = resolve;
    });
  }
}

/** Tells the source that nobody listens any more. One that is in the middle of a pull may take its time: nobody waits for it. */
function closeSource(source: AsyncIterator<Uint8Array>): void {
  source.return?.().catch(() => {
    // The write has failed already, with a cause that came first.
  });
}

/** The same memory as a Buffer. */
function asBuffer(piece: Uint8Array): Buffer {
  return Buffer.isBuffer(piece) ? piece : Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
}
