// All uploads of one `put`: several files at once, one total, one end.

import { performance } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import { describeError, GaveUpError, StoppedError, UploadError } from '../client/errors.js';
import type { ExistsDecision, Uploader, UploadProgress, UploadResult } from '../client/index.js';
import { insideOf } from './destination.js';
import { showBars, showJson, showLines, type Display } from './display.js';
import { EXIT, exitCodeOf } from './exit-codes.js';
import { findFiles, type Found, type Looked } from './local-files.js';
import { Replacing } from './replacing.js';
import { doneText, failureText, stoppedText, summaryText } from './report.js';
import { Tally } from './tally.js';
import { onInterrupt, type Terminal } from './terminal.js';

/** Small files wait for answers, not for the wire. */
export const FILES_AT_ONCE = 8;
/** So far may the walk be ahead, to find the total; a file that was found takes some hundred bytes. */
const MAX_FOUND_AHEAD = 1_000_000;

export interface DeliveryOptions {
  readonly ifExists: 'ask' | 'replace' | 'skip';
  readonly takeOver: boolean;
  readonly json: boolean;
}

export interface Order {
  readonly uploader: Uploader;
  readonly host: string;
  readonly looked: readonly Looked[];
  readonly chunkSize: number | undefined;
  readonly options: DeliveryOptions;
  readonly terminal: Terminal;
}

type FoundFile = Extract<Found, { readonly kind: 'file' }>;

/** How an upload ended. `isKept`: a person has answered that the file at the path is to stay. */
type Ending =
  | { readonly kind: 'landed'; readonly path: string; readonly result: UploadResult }
  | {
      readonly kind: 'broken';
      readonly path: string;
      readonly error: unknown;
      readonly progress: UploadProgress;
      readonly isKept: boolean;
    };

/**
 * Not the SDK's batch: that has every file from the beginning, some 7 KiB each, and its question about a file that is there doesn't say
 * at which path.
 */
export class Delivery {
  readonly #order: Order;
  readonly #isSeveral: boolean;
  readonly #tally = new Tally(() => performance.now());
  readonly #stopping = new AbortController();
  readonly #replacing: Replacing;
  #exitCode: number = EXIT.ok;
  /** The gateway can't be reached: the other files would meet the same. */
  #isHopeless = false;

  constructor(order: Order) {
    const { looked, options, terminal } = order;
    this.#order = order;
    this.#isSeveral = looked.length > 1 || looked.some(({ kind }) => kind === 'directory');
    const ask = options.ifExists === 'ask' && !options.json ? terminal.ask : undefined;
    this.#replacing = new Replacing({ ask, isSeveral: this.#isSeveral, signal: this.#stopping.signal });
  }

  /** Returns the exit code: of the interruption, or of the first file that failed. */
  async run(): Promise<number> {
    const display = await this.#display();
    const beganAt = performance.now();
    const release = onInterrupt(() => this.#stop(), EXIT.interrupted);
    const found = Readable.from(this.#found(), { highWaterMark: MAX_FOUND_AHEAD });
    const files = found[Symbol.asyncIterator]() as AsyncIterator<Found, undefined>;
    try {
      const takers = this.#isSeveral ? FILES_AT_ONCE : 1;
      await Promise.all(Array.from({ length: takers }, () => this.#takeFrom(files, display)));
    } finally {
      found.destroy();
      display.close();
      release();
    }
    if (this.#stopping.signal.aborted) this.#exitCode = EXIT.interrupted;
    if (this.#isSeveral) this.#sumUp((performance.now() - beganAt) / 1_000);
    return this.#exitCode;
  }

  #stop(): void {
    this.#stopping.abort(new StoppedError());
    for (const upload of this.#tally.running) upload.stop();
  }

  #isEnding(): boolean {
    return this.#isHopeless || this.#stopping.signal.aborted;
  }

  async #display(): Promise<Display> {
    const { options, terminal } = this.#order;
    if (options.json) return showJson(terminal);
    if (terminal.show === undefined) return showLines(this.#isSeveral, terminal);
    return await showBars(this.#tally, this.#isSeveral, terminal.show);
  }

  async *#found(): AsyncGenerator<Found, void> {
    for await (const found of findFiles(this.#order.looked)) {
      if (found.kind === 'file') this.#tally.found(found.source.size);
      yield found;
    }
    this.#tally.foundAll();
  }

  async #takeFrom(files: AsyncIterator<Found, undefined>, display: Display): Promise<void> {
    while (!this.#isEnding()) {
      const next = await files.next();
      if (next.done === true || this.#isEnding()) return;
      const found = next.value;
      if (found.kind === 'file') await this.#send(found, display);
      else if (found.kind === 'left') this.#tellLeft(found);
      else this.#tellUnread(found);
    }
  }

  async #send(file: FoundFile, display: Display): Promise<void> {
    const ending = await this.#attempt(file, display);
    const isSettled = this.#isSeveral || ending.kind === 'landed';
    const path = isSettled ? undefined : insideOf(ending.path, file.source.name, ending.error);
    if (path === undefined) return this.#tell(file, ending);
    const inside = await this.#attempt({ ...file, path }, display);
    const isWrong = inside.kind === 'broken' && codeOf(inside.error) === 'INVALID_PATH';
    this.#tell(file, isWrong ? ending : inside);
  }

  async #attempt({ source, path }: FoundFile, display: Display): Promise<Ending> {
    const { uploader, host, chunkSize, options } = this.#order;
    let decision: ExistsDecision | undefined;
    const upload = uploader.upload(source, {
      host,
      path,
      chunkSize,
      takeOver: options.takeOver,
      ifExists: options.ifExists === 'replace' ? 'replace' : 'ask',
      onFileExists: async (existing) => {
        decision = await this.#replacing.decide(`${host}:${path}`, existing);
        return decision ?? 'keep';
      },
    });
    this.#tally.begins(upload);
    display.begins(upload);
    try {
      return { kind: 'landed', path, result: await upload.done };
    } catch (error) {
      return { kind: 'broken', path, error, progress: upload.progress, isKept: decision === 'keep' };
    } finally {
      this.#tally.ends(upload);
      display.ends(upload);
    }
  }

  #tell({ name, source }: FoundFile, ending: Ending): void {
    const { host, options, terminal } = this.#order;
    const target = { host, path: ending.path };
    if (ending.kind === 'broken') {
      this.#tellBroken({ name, bytes: source.size, ...ending });
      return;
    }
    this.#tally.landed(source.size, ending.result.alreadyThere);
    const facts = { event: 'done', ...target, ...ending.result };
    terminal.print(options.json ? JSON.stringify(facts) : doneText(`${host}:${ending.path}`, ending.result));
  }

  #tellBroken({ name, path, bytes, error, progress, isKept = false }: Broken): void {
    const { host, options, terminal } = this.#order;
    const isStopped = error instanceof StoppedError;
    const isSkipped = options.ifExists === 'skip' && codeOf(error) === 'FILE_EXISTS';
    const exitCode = isSkipped ? EXIT.ok : exitCodeOf(error);
    const isOldNews = this.#isHopeless && isGatewayGone(error);
    this.#isHopeless ||= isGatewayGone(error);
    if (this.#exitCode === EXIT.ok) this.#exitCode = exitCode;
    if (isSkipped || isKept) this.#tally.kept(bytes);
    else if (!isStopped) this.#tally.failed(name, bytes);
    if (options.json) {
      const event = isSkipped ? 'skipped' : isStopped ? 'stopped' : 'failed';
      const { chunksDone = 0, chunkCount = 0 } = progress ?? {};
      const { code, resumable } = error instanceof UploadError ? error : { code: 'FAILED', resumable: true };
      const facts = { code, message: describeError(error), resumable, exitCode, chunksDone, chunkCount };
      terminal.print(JSON.stringify({ event, host, path, ...facts }));
    } else if (isSkipped) terminal.say(`${host}:${path} is there already: skipped`);
    else if (isKept) terminal.say(`${host}:${path} is kept as it was`);
    else if (isStopped && !this.#isSeveral) terminal.say(stoppedText(progress));
    else if (!isStopped && !isOldNews) terminal.say(failureText(name, error));
  }

  #tellUnread({ name, path, error }: Extract<Found, { readonly kind: 'failed' }>): void {
    this.#tally.found(0);
    this.#tellBroken({ name, path, error, bytes: 0 });
  }

  #tellLeft({ name, what }: Extract<Found, { readonly kind: 'left' }>): void {
    const { options, terminal } = this.#order;
    this.#tally.leaves(what);
    if (options.json) terminal.print(JSON.stringify({ event: 'left', file: name, what }));
    else terminal.say(`${name} is a ${what}: left out`);
  }

  #sumUp(seconds: number): void {
    const { options, terminal } = this.#order;
    const counts = this.#tally.counts;
    if (!options.json) terminal.say(summaryText(counts, seconds, this.#isEnding()));
    else terminal.print(JSON.stringify({ event: 'summary', ...counts, seconds, exitCode: this.#exitCode }));
  }
}

interface Broken {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  readonly error: unknown;
  readonly progress?: UploadProgress;
  readonly isKept?: boolean;
}

/** Whether the gateway can't be reached: from the beginning, or for longer than anybody waits. */
function isGatewayGone(error: unknown): boolean {
  return exitCodeOf(error) === EXIT.unreachable || (error instanceof GaveUpError && error.cause !== undefined);
}

function codeOf(error: unknown): string | undefined {
  return error instanceof UploadError ? error.code : undefined;
}
