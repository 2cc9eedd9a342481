// What a path is, thought of in another way than `src/core/remote-path.ts` does: as the bytes that a server gets, and as what a system
// in C makes of them. And the same for the paths of paths, by lists of names.
import { posix } from 'node:path';

const SLASH = 0x2f;

/** The names that POSIX path resolution walks through, links aside; undefined when it begins elsewhere than at the root. */
function walked(bytes: Buffer): readonly Buffer[] | undefined {
  const end = bytes.indexOf(0);
  const text = end === -1 ? bytes : bytes.subarray(0, end);
  if (text[0] !== SLASH) return undefined;
  const names: Buffer[] = [];
  for (let at = 0; at < text.length;) {
    const next = text.indexOf(SLASH, at);
    const name = text.subarray(at, next === -1 ? text.length : next);
    at = next === -1 ? text.length : next + 1;
    if (name.length === 0 || (name.length === 1 && name[0] === 0x2e)) continue;
    if (name.length === 2 && name[0] === 0x2e && name[1] === 0x2e) names.pop();
    else names.push(name);
  }
  return names;
}

/** Unicode 15: Cf and Default_Ignorable_Code_Point, as ranges. */
const UNSEEN: readonly (readonly [number, number])[] = [
  [0xad, 0xad],
  [0x34f, 0x34f],
  [0x600, 0x605],
  [0x61c, 0x61c],
  [0x6dd, 0x6dd],
  [0x70f, 0x70f],
  [0x890, 0x891],
  [0x8e2, 0x8e2],
  [0x115f, 0x1160],
  [0x17b4, 0x17b5],
  [0x180b, 0x180f],
  [0x200b, 0x200f],
  [0x202a, 0x202e],
  [0x2060, 0x206f],
  [0x3164, 0x3164],
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
  [0xffa0, 0xffa0],
  [0xfff0, 0xfffb],
  [0x110bd, 0x110bd],
  [0x110cd, 0x110cd],
  [0x13430, 0x1343f],
  [0x1bca0, 0x1bca3],
  [0x1d173, 0x1d17a],
  [0xe0000, 0xe0fff],
];

const isUnseen = (code: number) => UNSEEN.some(([first, last]) => code >= first && code <= last);

/** Case folding of Unicode for the letters of our name: U+017F, the long s, is one of them; U+212A, the Kelvin sign, is not. */
function foldsToStaging(name: string): boolean {
  const seen = Array.from(name).filter((character) => !isUnseen(character.codePointAt(0) ?? 0));
  const folded = seen.map((character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0x41 && code <= 0x5a) return String.fromCharCode(code + 0x20);
    return code === 0x17f ? 's' : character;
  });
  return folded.join('') === '.longshore';
}

/** Whether it comes out of its bytes again as it was, with nothing in it that steers a terminal. */
export function isText(text: string): boolean {
  if (Buffer.from(text, 'utf8').toString('utf8') !== text) return false;
  return Array.from(text, (character) => character.codePointAt(0) ?? 0).every(
    (code) => code >= 0x20 && (code < 0x7f || code >= 0xa0),
  );
}

/** Whether a client may name it: a system in C sees all of it, exactly so, and every name in it can be stored and is no name of ours. */
export function mayBeNamed(text: string): boolean {
  const bytes = Buffer.from(text, 'utf8');
  if (!isText(text) || bytes.length >= 4_096) return false;
  const names = walked(bytes);
  if (names === undefined) return false;
  const again = names.length === 0 ? Buffer.from('/') : Buffer.concat(names.flatMap((name) => [Buffer.from('/'), name]));
  if (!again.equals(bytes) || posix.normalize(text) !== text) return false;
  return names.every((name) => name.length <= 255 && !foldsToStaging(name.toString('utf8')));
}

/** The names of a path that may be named. */
export function namesOf(path: string): readonly string[] {
  return path.split('/').filter((name) => name !== '');
}

export function begins(path: string, root: string): boolean {
  const [names, first] = [namesOf(path), namesOf(root)];
  return first.length <= names.length && first.every((name, at) => names[at] === name);
}

export function withPerson(root: string, person: string): string {
  return `/${namesOf(root)
    .map((name) => (name === '{person}' ? person : name))
    .join('/')}`;
}
