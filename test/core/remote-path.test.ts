import { describe, expect, it } from 'vitest';
import type { RemotePath } from '../../src/core/remote-path.js';
import {
  isSafeName,
  isWithin,
  joinPath,
  nameOf,
  parentOf,
  parseRemotePath,
  pathFlaw,
  pathsBetween,
} from '../../src/core/remote-path.js';
import { seededRandom } from '../support/seeded-random.js';

const path = (text: string) => text as RemotePath;

/** 4095 bytes: 15 segments of 255 bytes, each with its slash, and one of 254. */
const LONGEST = `${`/${'a'.repeat(255)}`.repeat(15)}/${'b'.repeat(254)}`;

describe('accepts as it is', () => {
  it.each([
    ['the root', '/'],
    ['a plain path', '/srv/media/film.mkv'],
    ['percent signs, which nothing decodes', '/srv/%2e%2e/%00'],
    ['colons, quotes and back slashes', `/a:b/it's "x"/C:\\y`],
    ['blanks at both ends of a name', '/ a /b '],
    ['names that only begin with dots', '/.../..a/.b'],
    ['a name that only begins as the staging directory does', '/srv/.longshore2/x'],
    ['decomposed characters', '/e\u0301'],
    ['composed characters', '/\u00e9'],
    ['characters outside the basic plane', '/🚢/👩‍👩‍👧'],
    ['right-to-left marks', '/a\u202eb'],
    ['a segment of 255 bytes', `/${'é'.repeat(127)}x`],
    ['4095 bytes', LONGEST],
  ])('%s', (_, text) => {
    expect(parseRemotePath(text)).toBe(text);
  });
});

describe('refuses', () => {
  it.each([
    ['nothing', '', 'is not absolute'],
    ['a relative path', 'srv/x', 'is not absolute'],
    ['a home directory', '~/x', 'is not absolute'],
    ['a blank before the path', ' /x', 'is not absolute'],
    ['two slashes at the beginning', '//x', 'has an empty segment'],
    ['two slashes inside', '/a//b', 'has an empty segment'],
    ['a slash at the end', '/a/', 'has an empty segment'],
    ['.. at the end', '/a/..', 'has a . or .. segment'],
    ['.. inside', '/a/../b', 'has a . or .. segment'],
    ['. inside', '/a/./b', 'has a . or .. segment'],
    ['NUL', '/a\u0000b', 'has a control character or malformed Unicode'],
    ['a line feed', '/a\nb', 'has a control character or malformed Unicode'],
    ['DEL', '/a\u007f', 'has a control character or malformed Unicode'],
    ['the first of C1', '/a\u0080', 'has a control character or malformed Unicode'],
    ['the last of C1', '/a\u009f', 'has a control character or malformed Unicode'],
    ['half a surrogate pair', '/a\ud800b', 'has a control character or malformed Unicode'],
    ['the other half', '/a\udc00', 'has a control character or malformed Unicode'],
    ['both halves the wrong way round', '/\udc00\ud800', 'has a control character or malformed Unicode'],
    ['a segment of 256 bytes', `/${'é'.repeat(128)}`, 'has a segment over 255 bytes'],
    ['4096 bytes', `${LONGEST}b`, 'is too long'],
    ['the staging directory', '/srv/.longshore', 'names the staging directory'],
    ['a path through the staging directory', '/.longshore/a/b', 'names the staging directory'],
    // Where a file system takes no notice of case (APFS, NTFS, CIFS), or of invisible characters (HFS+), these are the same directory.
    ['the staging directory in another case', '/srv/.LongShore/a', 'names the staging directory'],
    ['the staging directory with an invisible character', '/srv/.long\u200cshore/a', 'names the staging directory'],
    // And ext4 with casefold folds all of Unicode's case, and passes over whatever is not to be shown.
    ['the staging directory with a long s', '/srv/.long\u017fhore/a', 'names the staging directory'],
    ['the staging directory with a joiner of no letters', '/srv/.long\u034fshore/a', 'names the staging directory'],
    ['the staging directory with a variation selector', '/srv/.longshore\ufe0f', 'names the staging directory'],
  ])('%s', (_, text, flaw) => {
    expect(pathFlaw(text)).toBe(flaw);
    expect(parseRemotePath(text)).toBeUndefined();
  });
});

it('whatever is accepted is the same text and splits into names a host can store', () => {
  const random = seededRandom(42);
  const parts = [
    '/',
    '/',
    '/',
    '.',
    '..',
    'a',
    'é',
    '🚢',
    '\ud800',
    '\udc00',
    '\u0000',
    '\u0085',
    ' ',
    '.longshore',
    '%2f',
    '\\',
    'ß',
  ];
  let acceptedCount = 0;
  for (let round = 0; round < 20_000; round++) {
    const length = Math.floor(random() * 12);
    const text = `/${Array.from({ length }, () => parts[Math.floor(random() * parts.length)]).join('')}`;
    const accepted = parseRemotePath(text);
    if (accepted === undefined) continue;
    acceptedCount += 1;
    if (accepted !== text) expect.fail(`${JSON.stringify(text)} became ${JSON.stringify(accepted)}`);
    if (text === '/') continue;
    const names = text.split('/').slice(1);
    const bad = names.filter((name) => !isSafeName(name) || name === '.longshore' || Buffer.byteLength(name) > 255);
    if (bad.length > 0) expect.fail(`${JSON.stringify(text)} has ${JSON.stringify(bad)}`);
    if (Buffer.from(text).toString() !== text) expect.fail(`${JSON.stringify(text)} has no UTF-8`);
  }
  // Enough of both for the property to say something.
  expect(acceptedCount).toBeGreaterThan(1_000);
  expect(acceptedCount).toBeLessThan(19_000);
});

describe('joinPath', () => {
  it('puts names below a directory', () => {
    expect(joinPath(path('/srv'), 'a', 'b c')).toBe('/srv/a/b c');
  });

  it('puts a name below the root with one slash', () => {
    expect(joinPath(path('/'), 'a')).toBe('/a');
  });

  it.each(['', '.', '..', 'a/b', '/a', '../a', 'a\u0000', 'a\n', '\ud800'])('throws on %j, which is no name', (name) => {
    expect(() => joinPath(path('/srv'), name)).toThrow('not a file name');
  });
});

describe('isWithin', () => {
  it.each([
    ['/srv/media', '/srv/media', true],
    ['/srv/media/a/b', '/srv/media', true],
    ['/srv/media', '/', true],
    ['/', '/', true],
    ['/srv/mediaX', '/srv/media', false],
    ['/srv/media-2/a', '/srv/media', false],
    ['/srv', '/srv/media', false],
    ['/', '/srv', false],
  ])('%s in %s: %s', (inner, root, expected) => {
    expect(isWithin(path(inner), path(root))).toBe(expected);
  });
});

describe('parts of a path', () => {
  it.each([
    ['/a/b', '/a', 'b'],
    ['/a', '/', 'a'],
    ['/', '/', ''],
  ])('%s is in %s under the name %j', (text, parent, name) => {
    expect([parentOf(path(text)), nameOf(path(text))]).toEqual([parent, name]);
  });

  it.each([
    ['/', '/a/b', ['/', '/a', '/a/b']],
    ['/a', '/a', ['/a']],
    ['/a', '/a/b/c', ['/a', '/a/b', '/a/b/c']],
  ])('between %s and %s lie all directories, topmost first', (from, to, expected) => {
    expect(pathsBetween(path(from), path(to))).toEqual(expected);
  });
});
