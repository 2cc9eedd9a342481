// A program in a pseudo-terminal, by `script` of util-linux.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** The command as it is in the sources. */
export const LONGSHORE: readonly string[] = [process.execPath, '--import', import.meta.resolve('tsx'), MAIN];

export const CTRL_C = '\x03';
export const CTRL_D = '\x04';

export interface PseudoTerminal {
  /** Everything written to the terminal so far, sequences included. */
  text(): string;
  /** Presses keys. */
  type(keys: string): void;
  /** Resolves once the text, from what was there at the last call on, has the pattern; rejects when the program ends without. */
  until(pattern: RegExp): Promise<void>;
  /** Resolves with the exit code. */
  readonly ended: Promise<number>;
}

export interface PseudoTerminalOptions {
  readonly columns?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Put behind the command as it is, such as `2>/dev/null`. */
  readonly redirection?: string;
}

export function inTerminal(command: readonly string[], options: PseudoTerminalOptions = {}): PseudoTerminal {
  const { columns = 80, env = {}, cwd, redirection = '' } = options;
  const line = `stty cols ${columns} rows 24; exec ${command.map(quoted).join(' ')} ${redirection}`;
  const child = spawn('script', ['--quiet', '--return', '--command', line, '/dev/null'], {
    env: { ...process.env, SHELL: '/bin/bash', TERM: 'xterm', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
    ...(cwd === undefined ? {} : { cwd }),
  });
  let text = '';
  let seen = 0;
  let look: () => void = () => undefined;
  child.stdout.setEncoding('utf8').on('data', (more: string) => {
    text += more;
    look();
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject).once('close', (code) => resolve(code ?? -1));
  });
  return {
    text: () => text,
    type: (keys) => void child.stdin.write(keys),
    until: (pattern) =>
      new Promise((resolve, reject) => {
        look = () => {
          const match = pattern.exec(text.slice(seen));
          if (match === null) return;
          seen += match.index + match[0].length;
          resolve();
        };
        look();
        void ended.then((code) => reject(new Error(`ended with ${code} before ${String(pattern)}:\n${text}`)));
      }),
    ended,
  };
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/* eslint-disable no-control-regex -- It is what terminals are spoken to with. */

/** The lines that were drawn with bars, each as wide as it was, without sequences. */
export function barLines(text: string): string[] {
  return text
    .split(/[\r\n]+|\x1b\[G/)
    .map((line) => line.replaceAll(/\x1b\[[?\d;]*[A-Za-z]/g, ''))
    .filter((line) => /\d %/.test(line));
}
