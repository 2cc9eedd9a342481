// What a command writes to and asks. Results go to standard output; what is said on the way goes to standard error, so that
// `longshore … > file` stays useful.

import { createInterface } from 'node:readline/promises';
import { EXIT } from './exit-codes.js';
import { printable } from './letters.js';
import { LiveLines, type Render } from './live-lines.js';

export interface Terminal {
  /** One line of result. */
  readonly print: (line: string) => void;
  /** One line on the way there. */
  readonly say: (line: string) => void;
  /** Keeps these lines below all else, drawn again and again, until the function it resolves with is called; absent where nobody looks. */
  readonly show: ((render: Render) => Promise<() => void>) | undefined;
  /** Asks a person one question; absent where there is none. No answer is ''. Rejects with the signal's reason. */
  readonly ask: ((question: string, signal: AbortSignal) => Promise<string>) | undefined;
  /** How wide a line of result may be; absent where nobody looks. */
  readonly columns: number | undefined;
}

export function processTerminal(): Terminal {
  const { stdin, stdout, stderr } = process;
  for (const stream of [stdout, stderr]) stream.on('error', leaveWithReader);
  const live = new LiveLines(stderr);
  const isWatched = stderr.isTTY;
  return {
    print: (line) => live.above(() => write(stdout, line)),
    say: (line) => live.above(() => write(stderr, line)),
    show: isWatched ? (render) => live.show(render) : undefined,
    ask: stdin.isTTY && isWatched ? (question, signal) => live.without(() => ask(question, signal)) : undefined,
    columns: stdout.isTTY ? stdout.columns : undefined,
  };
}

/** A program gets what there is, a person's terminal nothing but letters. */
function write(stream: NodeJS.WriteStream, line: string): void {
  stream.write(`${stream.isTTY ? printable(line) : line}\n`);
}

/** Whoever read the results has left (`| head`): nothing more can be told, and what is on the host stays for the next time. */
function leaveWithReader(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(EXIT.unread);
  throw error;
}

async function ask(question: string, signal: AbortSignal): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const ended = new AbortController();
  // In raw mode Ctrl-C is a key: readline has it, and the process must hear of it as of any other.
  lines.once('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  // After Ctrl-D the question would wait for ever.
  lines.once('close', () => ended.abort());
  try {
    return await lines.question(printable(question), { signal: AbortSignal.any([signal, ended.signal]) });
  } catch (error) {
    process.stderr.write('\n');
    signal.throwIfAborted();
    if (ended.signal.aborted) return '';
    throw error;
  } finally {
    lines.close();
  }
}

/** Calls `stop` at the first Ctrl-C or SIGTERM, ends the process at the second. Returns the function that takes this back. */
export function onInterrupt(stop: () => void, exitCode: number): () => void {
  let stopping = false;
  const listener = () => {
    if (stopping) process.exit(exitCode);
    stopping = true;
    stop();
  };
  process.on('SIGINT', listener);
  process.on('SIGTERM', listener);
  return () => {
    process.off('SIGINT', listener);
    process.off('SIGTERM', listener);
  };
}
