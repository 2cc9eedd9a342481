// The server's own copying: ranges of files become the end of another, by OpenSSH's `copy-data`, on a channel where nothing else waits.
//
// Its servers do one request after the other, so several steps are under way at once and sources are opened ahead: no round trip passes
// between two steps.
import type { AppendOptions, FileFacts, FileRange } from '../core/ports.js';
import { Fault, isFault } from '../core/problems.js';
import type { RemotePath } from '../core/remote-path.js';
import type { Channel } from './channel.js';
import type { Context } from './limits.js';
import * as requests from './requests.js';
import { OpenFlag } from './requests.js';

export interface Appending extends AppendOptions {
  /** Used by nobody else; whoever lent it ends it, and with it what is open there. */
  readonly channel: Channel;
  readonly output: RemotePath;
  readonly ranges: AsyncIterable<FileRange>;
  readonly context: Context;
  /** Removes the output. */
  readonly remove: () => Promise<void>;
}

/** Sources that are open, and as many steps under way: 64 KiB each, 4 MiB in a round trip. */
const MAX_SOURCES = 64;

/** See `Host.append`. */
export async function appendRanges(options: Appending): Promise<void> {
  const { channel, output, context } = options;
  const handle = await channel.call(`open ${output}`, requests.open(output, OpenFlag.write));
  try {
    await new Run(options, handle).finish();
  } finally {
    await close(channel, handle, context);
  }
}

interface Source {
  readonly range: FileRange;
  readonly opening: Promise<Buffer>;
}

interface Step {
  readonly lengthBytes: number;
  /** The output's length after it. */
  readonly answer: Promise<number>;
  /** To be closed after it: the source's last step. */
  readonly handle: Buffer | undefined;
}

class Run {
  readonly #options: Appending;
  /** Of the output. */
  readonly #handle: Buffer;
  readonly #steps: Step[] = [];
  readonly #closing = new Set<Promise<void>>();
  #underWayBytes = 0;
  /** How far the output is right and whole. */
  #doneBytes: number;

  constructor(options: Appending, handle: Buffer) {
    this.#options = options;
    this.#handle = handle;
    this.#doneBytes = options.from;
  }

  async finish(): Promise<void> {
    const { from, output } = this.#options;
    const { size } = await this.#facts();
    // Longer: a session that was lost with its connection may go on for a moment.
    if (size !== from) throw new Fault(size > from ? 'HOST_BUSY' : 'FAILURE', `${output} has ${size} bytes, not ${from}`);
    try {
      await this.#copyAll();
    } catch (error) {
      await this.#quiet();
      throw error;
    }
    await Promise.all(this.#closing);
  }

  async #copyAll(): Promise<void> {
    const { signal, context } = this.#options;
    const { copyStepBytes } = context.limits;
    for await (const { range, opening } of this.#openAhead()) {
      const handle = await opening;
      for (let copied = 0; copied < range.lengthBytes; copied += copyStepBytes) {
        const lengthBytes = Math.min(copyStepBytes, range.lengthBytes - copied);
        while (this.#isFullFor(lengthBytes)) await this.#endStep();
        signal.throwIfAborted();
        const isLast = copied + lengthBytes === range.lengthBytes;
        this.#begin({ from: handle, range: { ...range, offset: range.offset + copied, lengthBytes }, isLast });
      }
    }
    while (this.#steps.length > 0) await this.#endStep();
  }

  async *#openAhead(): AsyncGenerator<Source> {
    const { ranges, context, channel } = this.#options;
    const ahead: Source[] = [];
    let aheadBytes = 0;
    for await (const range of ranges) {
      const opening = channel.call(`open ${range.path}`, requests.open(range.path, OpenFlag.read));
      opening.catch(() => undefined); // Told to whoever comes to it.
      ahead.push({ range, opening });
      aheadBytes += range.lengthBytes;
      const first = ahead[0];
      if (first === undefined || (ahead.length < MAX_SOURCES && aheadBytes < context.limits.copyWindowBytes)) continue;
      ahead.shift();
      aheadBytes -= first.range.lengthBytes;
      yield first;
    }
    yield* ahead;
  }

  #isFullFor(lengthBytes: number): boolean {
    const { copyWindowBytes } = this.#options.context.limits;
    if (this.#steps.length === 0) return false;
    return this.#steps.length >= MAX_SOURCES || this.#underWayBytes + lengthBytes > copyWindowBytes;
  }

  #begin({ from, range, isLast }: { readonly from: Buffer; readonly range: FileRange; readonly isLast: boolean }): void {
    const answer = this.#copy(from, range);
    answer.catch(() => undefined); // Told to whoever comes to it.
    this.#underWayBytes += range.lengthBytes;
    this.#steps.push({ lengthBytes: range.lengthBytes, answer, handle: isLast ? from : undefined });
  }

  /**
   * The output's length after it, since OK says little: OpenSSH's server says it also when the last 64 KiB could not be read or written
   * (process_extended_copy_data, up to 10.0 at least). Requests about one file have their results in their order
   * (draft-ietf-secsh-filexfer-02 §6.1).
   */
  async #copy(from: Buffer, range: FileRange): Promise<number> {
    const { channel, output, context } = this.#options;
    const position = this.#doneBytes + this.#underWayBytes;
    const request = requests.copyData({ from, range, to: this.#handle, position });
    const copying = channel.call(`copy ${range.path} to ${output}`, request, context.limits.slowCallTimeoutMs);
    const [copied, looked] = await Promise.allSettled([copying, this.#facts()]);
    if (copied.status === 'rejected') throw copied.reason;
    if (looked.status === 'rejected') throw looked.reason;
    return looked.value.size;
  }

  /** Waits for the first of the steps under way. One that failed stays the first. */
  async #endStep(): Promise<void> {
    const step = this.#steps[0];
    if (step === undefined) return;
    const { onGrown, output, channel, context } = this.#options;
    const size = await step.answer;
    const expected = this.#doneBytes + step.lengthBytes;
    if (size !== expected) throw new Fault('FAILURE', `the host made ${size} bytes of ${expected} in ${output}`);
    this.#steps.shift();
    this.#doneBytes = expected;
    this.#underWayBytes -= step.lengthBytes;
    if (step.handle !== undefined) {
      const closing: Promise<void> = close(channel, step.handle, context).finally(() => this.#closing.delete(closing));
      this.#closing.add(closing);
    }
    onGrown(expected);
  }

  /** Waits for whatever is under way, and cuts off what was copied behind a step that failed. */
  async #quiet(): Promise<void> {
    const { channel, output, remove } = this.#options;
    await Promise.allSettled([...this.#steps.map(({ answer }) => answer), ...this.#closing]);
    try {
      while (this.#steps.length > 0) await this.#endStep();
    } catch (error) {
      // Of a session that ended what came before its end is there, in its order.
      if (channel.isDead && isFault(error, 'HOST_UNREACHABLE')) return;
      const cut = channel.call(`truncate ${output}`, requests.fsetstat(this.#handle, { size: this.#doneBytes }));
      await cut.catch(remove).catch(() => undefined); // Then the host is lost, and with it the last way to do it.
    }
  }

  /** Behind a write a network file system may answer only when that is on its disk. */
  #facts(): Promise<FileFacts> {
    const { channel, output, context } = this.#options;
    return channel.call(`stat open ${output}`, requests.fstat(this.#handle), context.limits.slowCallTimeoutMs);
  }
}

/** Never rejects: refused means it wasn't open, and a session that ended takes its handles along. */
async function close(channel: Channel, handle: Buffer, { limits }: Context): Promise<void> {
  await channel.call('close', requests.close(handle), limits.slowCallTimeoutMs).catch(() => undefined);
}
