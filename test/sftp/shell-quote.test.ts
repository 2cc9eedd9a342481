import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { shellQuote } from '../../src/sftp/shell-quote.js';

const WORDS = [
  '',
  'plain',
  ' ',
  "'",
  "''",
  `"`,
  '`id`',
  '$(id)',
  '$HOME',
  '\\',
  "\\'",
  '-n',
  '*',
  '!!',
  'a\nb',
  '\t',
  '🚢',
  ';',
  '&',
  '#',
];

describe('shell quote', () => {
  it('is undone by the shell', () => {
    const script = `printf '%s\\0' ${WORDS.map(shellQuote).join(' ')}`;
    const words = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).split('\0').slice(0, -1);
    expect(words).toEqual(WORDS);
  });

  it('refuses a NUL', () => {
    expect(() => shellQuote('a\0b')).toThrow('NUL');
  });
});
