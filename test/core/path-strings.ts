// Strings that somebody may try as a path: from a seed, so that each can be had again.
import { seededRandom } from '../support/seeded-random.js';

const PLAIN = [
  'a',
  'b',
  'film.mkv',
  'é',
  'ß',
  '船',
  '🚢',
  ' ',
  '...',
  '..a',
  'a..',
  '.a',
  '-rf',
  '~',
  'CON',
  '*',
  '$HOME',
  '`id`',
  '$(id)',
  ';',
  "'",
  '"',
  '|',
  '#',
  '%',
  '?',
  '=',
  '&',
  '+',
  '@',
  '!',
  '\\',
  'C:\\',
  'a\\..\\b',
  'user@host',
  'host:22',
  '-oProxyCommand=id',
  '{person}',
  'x{person}',
  '{person',
  'anna',
  '{}',
];
const DOTS = [
  '.',
  '..',
  '',
  '/',
  '//',
  '/./',
  '/../',
  '/..',
  '../',
  '. ',
  ' .',
  '.\u200b',
  '%2e',
  '%2e%2e',
  '%2f',
  '..%2f',
  '%00',
  '%252e',
  '..;',
  '\u2024\u2024',
  '\uff0e\uff0e',
  '\u2215',
  '\uff0f',
  '\u2044',
];
const CONTROLS = [
  '\u0000',
  '\u0001',
  '\t',
  '\n',
  '\r',
  '\u001b[2J',
  '\u001f',
  '\u007f',
  '\u0080',
  '\u0085',
  '\u009b',
  '\u009f',
];
const BROKEN = ['\ud800', '\udbff', '\udc00', '\udfff', '\udc00\ud800', '\ud83d', '\ud800\ud800\udc00'];
const INVISIBLE = [
  '\u200b',
  '\u200c',
  '\u200d',
  '\u200e',
  '\u202a',
  '\u202e',
  '\u2066',
  '\u2069',
  '\u2060',
  '\ufeff',
  '\u00ad',
  '\u034f',
  '\u115f',
  '\u180e',
  '\ufe0f',
  '\u3164',
  '\u{e0001}',
  '\u{e0100}',
  '\u061c',
  '\ufff9',
];
const COMBINING = [
  'e\u0301',
  'o\u0308',
  '\u0301',
  'a\u0300\u0301',
  'ﬁ',
  'Å',
  '\u212b',
  'ſ',
  'K',
  'İ',
  'ı',
  '\u1e9e',
  '가',
  '\u1100\u1161',
];
const STAGING = [
  '.longshore',
  '.LONGSHORE',
  '.Longshore',
  '.longſhore',
  '.long\u200cshore',
  '.long\u034fshore',
  '.longshore\ufe0f',
  '\u2060.longshore',
  '.longshore2',
  '.longshor',
  'longshore',
  '.longshore.',
  '.longshore ',
  '.lo\u0301ngshore',
];
const UNITS = ['x', 'é', '船', '🚢'];

const POOLS = [PLAIN, PLAIN, PLAIN, DOTS, CONTROLS, BROKEN, INVISIBLE, COMBINING, STAGING] as const;

export class PathStrings {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }

  /** Most are near to a path that may be taken. */
  path(): string {
    const shape = this.below(100);
    if (shape < 2) return this.#longPath();
    const segments = Array.from({ length: this.below(6) }, () => this.name());
    const text = `/${segments.join('/')}`;
    if (shape < 60) return text;
    if (shape < 65) return text.slice(1);
    return this.#inserted(text, this.#token());
  }

  /** Of one file; may well be none. */
  name(): string {
    const shape = this.below(100);
    if (shape < 70) return this.pick(PLAIN);
    if (shape < 74) return this.pick(STAGING);
    if (shape < 76) return this.#cased('.longshore');
    if (shape < 78) return this.#inserted('.longshore', this.pick(INVISIBLE));
    if (shape < 82) return this.#atLimit(255);
    if (shape < 90) return this.#inserted(this.pick(PLAIN), this.#token());
    if (shape < 93) return this.#anyCharacters();
    return this.#token() + this.pick(PLAIN);
  }

  #token(): string {
    return this.pick(this.pick(POOLS));
  }

  #cased(text: string): string {
    return Array.from(text, (letter) => (this.below(2) === 0 ? letter.toUpperCase() : letter)).join('');
  }

  #inserted(text: string, token: string): string {
    const at = this.below(text.length + 1);
    return text.slice(0, at) + token + text.slice(at);
  }

  #anyCharacters(): string {
    const most = this.pick([0x80, 0x100, 0x800, 0x10000]);
    return String.fromCharCode(...Array.from({ length: 1 + this.below(8) }, () => this.below(most)));
  }

  /** Of characters of one to four bytes, within one byte of the limit. */
  #atLimit(limit: number): string {
    const unit = this.pick(UNITS);
    const size = Buffer.byteLength(unit);
    const wanted = limit - 1 + this.below(3);
    return unit.repeat(Math.floor(wanted / size)) + 'y'.repeat(wanted % size);
  }

  #longPath(): string {
    const wanted = 4_094 + this.below(4);
    const segment = `/${this.#atLimit(253)}`;
    let text = segment.repeat(Math.floor(wanted / Buffer.byteLength(segment)));
    const rest = wanted - Buffer.byteLength(text);
    if (rest > 1) text += `/${'z'.repeat(rest - 1)}`;
    return rest === 1 ? text.slice(0, -1) + 'zz' : text;
  }
}

/**
 * Names for files that are meant to be taken for something else, each once: every token alone and beside a letter, every code point
 * of one byte and of C1, names at the limit of length, and what comes from the seed.
 */
export function hostileNames(seed: number, count: number): readonly string[] {
  const tokens = [PLAIN, DOTS, CONTROLS, BROKEN, INVISIBLE, COMBINING, STAGING].flat();
  const characters = Array.from({ length: 0xa1 }, (_, code) => `x${String.fromCharCode(code)}y`);
  const atLimit = UNITS.flatMap((unit) => [254, 255, 256].map((bytes) => ofBytes(unit, bytes)));
  const names = new Set([...tokens, ...tokens.flatMap((token) => [`x${token}`, `${token}x`]), ...characters, ...atLimit]);
  const strings = new PathStrings(seed);
  while (names.size < count) names.add(strings.name());
  return Array.from(names).slice(0, count);
}

function ofBytes(unit: string, bytes: number): string {
  const size = Buffer.byteLength(unit);
  return unit.repeat(Math.floor(bytes / size)) + 'y'.repeat(bytes % size);
}
