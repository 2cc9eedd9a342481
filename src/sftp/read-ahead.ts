// Reading a range in order with several READs under way, so that a long link is kept full.
import type { Channel } from './channel.js';
import { read } from './requests.js';
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
  /** Told of the bytes of each piece. */
  readonly onBytes: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

interface Request {
  readonly position: number;
  readonly lengthBytes: number;
  readonly answer: Promise<Buffer>;
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

  const ask = (from: number, askedBytes: number): Request => {
    const answer = channel.call('read', read(handle, from, askedBytes));
    // A reader that stops early leaves answers behind that nobody awaits; a failure is told to whoever does.
    answer.catch(() => undefined);
    return { position: from, lengthBytes: askedBytes, answer };
  };

  for (;;) {
    signal.throwIfAborted();
    while (requests.length < depth && position < end) {
      const askedBytes = Math.min(readBytes, end - position);
      requests.push(ask(position, askedBytes));
      position += askedBytes;
    }
    const request = requests.shift();
    if (request === undefined) return;
    const data = await abortable(request.answer, signal);
    if (data.length === 0) return;
    // A server may answer with less before the end (draft-ietf-secsh-filexfer-02 §6.4): the rest comes before what follows.
    const missingBytes = request.lengthBytes - data.length;
    if (missingBytes > 0) requests.unshift(ask(request.position + data.length, missingBytes));
    options.onBytes(data.length);
    yield data;
  }
}
