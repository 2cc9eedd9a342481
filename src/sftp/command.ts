// Running a script on the host and reading its output line by line.
import type { ClientChannel } from 'ssh2';
import type { RunOptions } from '../core/ports.js';
import { Fault } from '../core/problems.js';
import type { Connection } from './connection.js';
import type { Context } from './limits.js';
import { shellQuote } from './shell-quote.js';
import { abortable, after } from './timers.js';

/** Needs no quoting in any login shell, be it csh or fish; script and arguments go in by standard input, which has no length limit. */
const COMMAND = 'sh -s';
/** The first line of our own: before it login shells may say what they like; without it no shell ran, whatever the exit code. */
const BEGIN = 'longshore:begin';
const DEFAULT_IDLE_TIMEOUT_MS = 30_000;
/** How long a command whose output was closed is waited for. */
const LEAVING_MS = 2_000;
/** A longer line is no answer that our scripts give. */
const MAX_LINE_BYTES = 64 * 1024;
/** How much of what the command says on standard error goes into the fault. */
const MAX_STDERR_CHARACTERS = 500;

export interface Command extends RunOptions {
  readonly script: string;
  readonly args: readonly string[];
}

/**
 * Runs the script with POSIX `sh` and yields the lines of its output as they come, without their ends. Ends when it exits with 0.
 * `FAILURE` with the head of its standard error when it exits otherwise, is silent too long or writes an endless line;
 * `HOST_UNSUPPORTED` where the server runs no commands, or something else than a shell. When the reader stops early the command is sent SIGTERM (unless `whenLeft` is close) and its session closed; one
 * that heeds neither ends when it next writes.
 */
export async function* runCommand(
  connection: Connection,
  command: Command,
  context: Context,
): AsyncGenerator<string, void, undefined> {
  command.signal?.throwIfAborted();
  const input = standardInput(command.script, command.args);
  const session = await connection.exec(COMMAND, (channel) => new CommandSession(channel, connection.ended));
  const idle = idleTimer(context, command.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS, (fault) => session.interrupt(fault));
  const onAbort = (): void => session.interrupt(command.signal?.reason);
  command.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    if (command.signal?.aborted === true) onAbort();
    session.begin(input);
    let hasBegun = false;
    for await (const line of session.lines(idle.restart)) {
      if (hasBegun) yield line;
      else hasBegun = line === BEGIN;
    }
    await session.finish(hasBegun);
  } finally {
    idle.stop();
    command.signal?.removeEventListener('abort', onAbort);
    await session.end(command.whenLeft ?? 'terminate', context);
  }
}

/** A function, so that the shell has read the whole before it runs any of it, and the script's own input is empty. */
function standardInput(script: string, args: readonly string[]): string {
  const words = args.map(shellQuote).join(' ');
  return `longshore() {\necho ${BEGIN}\n${script}\n}\nlongshore ${words} </dev/null\nexit\n`;
}

class CommandSession {
  readonly #channel: ClientChannel;
  readonly #interrupted = new AbortController();
  readonly #closed: Promise<void>;
  #exitCode: number | null | undefined;
  #stderr = '';
  #isOver = false;

  constructor(channel: ClientChannel, connectionEnded: AbortSignal) {
    this.#channel = channel;
    channel.on('exit', (code: number | null) => {
      this.#exitCode = code;
    });
    channel.on('error', (error: Error) => this.interrupt(new Fault('FAILURE', `command: ${error.message}`, { cause: error })));
    channel.stderr.on('data', (data: Buffer) => {
      this.#stderr = (this.#stderr + data.toString()).slice(0, MAX_STDERR_CHARACTERS);
    });
    this.#closed = new Promise((resolve) => {
      channel.once('close', () => {
        this.#isOver = true;
        if (connectionEnded.aborted) this.interrupt(connectionEnded.reason);
        resolve();
      });
    });
  }

  /** Gives the shell its script. Its input stays open: ssh2 sends no signal after the end, and the script ends with `exit`. */
  begin(input: string): void {
    this.#channel.write(input);
  }

  /** Makes whoever waits for output or the end reject with `reason`. */
  interrupt(reason: unknown): void {
    this.#interrupted.abort(reason);
  }

  async *lines(onOutput: () => void): AsyncGenerator<string, void, undefined> {
    const output = this.#channel[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    let rest: Buffer = Buffer.alloc(0);
    for (;;) {
      const next = await abortable(output.next(), this.#interrupted.signal);
      if (next.done === true) break;
      onOutput();
      const data = rest.length === 0 ? next.value : Buffer.concat([rest, next.value]);
      let start = 0;
      for (let end = data.indexOf('\n'); end >= 0; end = data.indexOf('\n', start)) {
        yield data.toString('utf8', start, end);
        start = end + 1;
      }
      rest = data.subarray(start);
      if (rest.length > MAX_LINE_BYTES) throw new Fault('FAILURE', 'command: a line of its output has no end');
    }
    if (rest.length > 0) yield rest.toString();
  }

  /** Waits for the exit code, which may come after the end of the output, and judges it. */
  async finish(hasBegun: boolean): Promise<void> {
    await abortable(this.#closed, this.#interrupted.signal);
    this.#interrupted.signal.throwIfAborted();
    const said = this.#stderr.trim();
    if (!hasBegun) throw new Fault('HOST_UNSUPPORTED', `the host runs no commands${said === '' ? '' : `: ${said}`}`);
    if (this.#exitCode === 0) return;
    const how = typeof this.#exitCode === 'number' ? `exit code ${this.#exitCode}` : 'a signal';
    throw new Fault('FAILURE', `the command ended with ${how}${said === '' ? '' : `: ${said}`}`);
  }

  /** After `close`, it begins nothing any more: its next write has ended it, or it has had time for that. */
  async end(how: 'terminate' | 'close', context: Context): Promise<void> {
    if (this.#isOver) return;
    if (how === 'terminate') this.#channel.signal('TERM');
    this.#channel.close();
    if (how === 'terminate') return;
    // What nobody reads would keep it from being closed.
    this.#channel.resume();
    let cancel = (): void => undefined;
    await Promise.race([
      this.#closed,
      new Promise<void>((resolve) => {
        cancel = after(context.clock, LEAVING_MS, resolve);
      }),
    ]);
    cancel();
  }
}

function idleTimer(context: Context, ms: number, onIdle: (fault: Fault) => void): { restart: () => void; stop: () => void } {
  const start = (): (() => void) =>
    after(context.clock, ms, () => onIdle(new Fault('FAILURE', `command: silent for ${ms} ms`)));
  let stop = start();
  return {
    restart: () => {
      stop();
      stop = start();
    },
    stop: () => stop(),
  };
}
