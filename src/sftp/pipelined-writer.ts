// The way of the bytes: pieces from a source become positional WRITEs, many under way at once, none of them copied or joined.
// (Joining 64 KiB pieces to the server's 255 KiB costs a CPU second per GiB; keeping more small ones under way costs nothing.)
import type { WriteOptions } from '../core/ports.js';
import type { Channel } from './channel.js';
import { abortable } from './timers.js';

export interface PipelinedWrite extends WriteOptions {
  readonly channel: Channel;
  readonly handle: Buffer;
  readonly offset: number;
  readonly pieces: AsyncIterable<Uint8Array>;
}

/**
 * Writes the pieces back to back from `offset`; resolves when the server has acknowledged every byte. At most the channel's write
 * window is under way, and besides it one piece of each file is held, so a source is pulled no faster than the host takes it.
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
  #position: number;
  #underWay = 0;
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
  }

  async #pump(source: AsyncIterator<Uint8Array>): Promise<void> {
    while (await this.#writeNext(source)) {
      // The next one.
    }
  }

  /** False when there was no further piece. Called for each, so that none is held while the next is waited for. */
  async #writeNext(source: AsyncIterator<Uint8Array>): Promise<boolean> {
    const { writeWindow, capabilities } = this.#options.channel;
    const next = await abortable(source.next(), this.#stop.signal);
    if (next.done === true) return false;
    const piece = asBuffer(next.value);
    for (let start = 0; start < piece.length; start += capabilities.maxWriteBytes) {
      const slice = piece.subarray(start, start + capabilities.maxWriteBytes);
      await writeWindow.take(slice.length, this.#stop.signal, () => this.#issue(slice));
    }
    return true;
  }

  /** Has taken its bytes from the window already, and sees to it that they are given back. */
  #issue(slice: Buffer): void {
    const { channel, handle, check } = this.#options;
    // Nothing that lives until the answer may refer to the slice itself.
    const lengthBytes = slice.length;
    const settled = (): void => {
      this.#underWay -= 1;
      channel.writeWindow.give(lengthBytes);
      if (this.#underWay === 0) this.#onQuiet?.();
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
    channel.write(handle, slice, position).then(settled, (error: unknown) => {
      this.fail(error);
      settled();
    });
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
