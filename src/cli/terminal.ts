// What a command writes to and asks. Results go to standard output; what is said on the way goes to standard error, so that
// `longshore … > file` stays useful.

import { createInterface } from 'node:readline/promises';

export interface Terminal {
  /** One line of result. */
  readonly print: (line: string) => void;
  /** One line on the way there. */
  readonly say: (line: string) => void;
  /** The stream for a bar; absent when nobody looks. */
  readonly screen: NodeJS.WriteStream | undefined;
  /** Asks a person one question; absent where there is none. Rejects with the signal's reason. */
  readonly ask: ((question: string, signal: AbortSignal) => Promise<string>) | undefined;
}

/** What shells report for a program that ended by SIGPIPE. */
const READER_LEFT = 141;

export function processTerminal(): Terminal {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // Whoever read the results has left (`| head`): nothing more can be told, and what is on the host stays for the next time.
    if (error.code === 'EPIPE') process.exit(READER_LEFT);
    throw error;
  });
  const screen = process.stderr.isTTY ? process.stderr : undefined;
  return {
    print: (line) => void process.stdout.write(`${line}\n`),
    say: (line) => void process.stderr.write(`${line}\n`),
    screen,
    ask: process.stdin.isTTY && screen !== undefined ? ask : undefined,
  };
}

async function ask(question: string, signal: AbortSignal): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  // In raw mode Ctrl-C is a key: readline has it, and the process must hear of it as of any other.
  lines.once('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  try {
    return await lines.question(question, { signal });
  } catch (error) {
    signal.throwIfAborted();
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
