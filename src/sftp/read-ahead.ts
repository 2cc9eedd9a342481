// Reading a range in order with several READs under way, so that a long link is kept full.
import type { Channel } from './channel.js';
import { abortable } from './timers.js';

/** Of one READ: large enough that requests cost little, small enough that the first bytes come soon. */
const READ_BYTES = 128 * 1024;

export interface ReadAhead {
  readonly channel: Channel;
  readonly handle: Buffer;
  readonly offset: number;
  readonly lengthBytes: number;
  /** How many bytes may have been asked for and not yet yielded. */
  readonly windowBytes: number;
  readonly signal?: AbortSignal;
}

interface Request {
  readonly position: number;
  readonly into: Buffer;
  readonly answer: Promise<number>;
}

/** Yields the bytes from `offset`, at most `lengthBytes`, in order; ends early where the file does. Pieces aren't reused. */
export async function* readAhead(options: ReadAhead): AsyncGenerator<Uint8Array, void, undefined> {
  const { channel, handle, lengthBytes, windowBytes } = options;
  const signal = options.signal ?? new AbortController().signal;
  const end = options.offset + lengthBytes;
  const readBytes = Math.min(READ_BYTES, channel.capabilities.maxReadBytes);
  const depth = Math.max(1, Math.floor(windowBytes / readBytes));
  const requests: Request[] = [];
  let position = options.offset;

  const ask = (from: number, length: number): Request => {
    const into = Buffer.allocUnsafe(length);
    const answer = channel.read(handle, into, from);
    // A reader that stops early leaves answers behind that nobody awaits; a failure is told to whoever does.
    answer.catch(() => undefined);
    return { position: from, into, answer };
  };

  for (;;) {
    signal.throwIfAborted();
    while (requests.length < depth && position < end) {
      requests.push(ask(position, Math.min(readBytes, end - position)));
      position += requests[requests.length - 1]?.into.length ?? 0;
    }
    const request = requests.shift();
    if (request === undefined) return;
    const count = await abortable(request.answer, signal);
    if (count === 0) return;
    // A server may answer with less before the end (draft-ietf-secsh-filexfer-02 §6.4): the rest comes before what follows.
    if (count < request.into.length) requests.unshift(ask(request.position + count, request.into.length - count));
    yield request.into.subarray(0, count);
  }
}
