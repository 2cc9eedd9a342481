// Properties of the path module, over strings from a seed, against an oracle that shares nothing with it.
import { posix } from 'node:path';
import { expect } from 'vitest';
import type { RemotePath } from '../../src/core/remote-path.js';
import {
  isPersonal,
  isSafeName,
  isWithin,
  joinPath,
  mayBeWithin,
  nameOf,
  parentOf,
  parseRemotePath,
  parseRoot,
  pathFlaw,
  pathsBetween,
  rootOf,
  sharedPart,
} from '../../src/core/remote-path.js';
import { begins, isText, mayBeNamed, namesOf, withPerson } from './path-oracle.js';
import { PathStrings } from './path-strings.js';

const shown = (...texts: readonly string[]) => texts.map((text) => JSON.stringify(text)).join(', ');

export interface Counts {
  readonly accepted: number;
  readonly roots: number;
}

/** Fails with the first string that shows a difference. */
export function checkPaths(seed: number, count: number): Counts {
  const strings = new PathStrings(seed);
  const counts = { accepted: 0, roots: 0 };
  let other = '/' as RemotePath;
  for (let round = 0; round < count; round += 1) {
    const text = strings.path();
    const accepted = parseRemotePath(text);
    if ((accepted !== undefined) !== mayBeNamed(text)) expect.fail(`${shown(text)}: ${pathFlaw(text) ?? 'taken'}`);
    if (accepted === undefined) continue;
    counts.accepted += 1;
    if (accepted !== text) expect.fail(`${shown(text)} became ${shown(accepted)}`);
    checkParts(accepted, strings);
    checkPair(accepted, other);
    if (parseRoot(text) !== undefined) counts.roots += 1;
    checkRoot(accepted, other, strings.name());
    other = accepted;
  }
  return counts;
}

function checkParts(path: RemotePath, strings: PathStrings): void {
  if (parentOf(path) !== posix.dirname(path)) expect.fail(`parent of ${shown(path)}: ${shown(parentOf(path))}`);
  if (nameOf(path) !== posix.basename(path)) expect.fail(`name of ${shown(path)}: ${shown(nameOf(path))}`);
  const name = strings.name();
  const isName = namesOf(`/${name}`).length === 1 && namesOf(`/${name}`)[0] === name && name !== '.' && name !== '..';
  if (isSafeName(name) !== (isName && isText(name))) expect.fail(`name ${shown(name)}`);
  if (isSafeName(name) && joinPath(path, name) !== posix.join(path, name)) expect.fail(`join ${shown(path, name)}`);
}

/** Two paths that have nothing to do with each other, and one with all that is above it. */
function checkPair(path: RemotePath, other: RemotePath): void {
  if (isWithin(path, other) !== begins(path, other)) expect.fail(`within ${shown(path, other)}`);
  const way = posix.relative(other, path);
  if (isWithin(path, other) !== (way !== '..' && !way.startsWith('../'))) expect.fail(`way ${shown(path, other, way)}`);
  const names = namesOf(path);
  const above = Array.from({ length: names.length + 1 }, (_, depth) => `/${names.slice(0, depth).join('/')}`);
  const between = pathsBetween('/' as RemotePath, path);
  if (between.length !== above.length || between.some((each, at) => each !== above[at])) expect.fail(`between ${shown(path)}`);
  if (!between.every((each) => isWithin(path, each))) expect.fail(`above ${shown(path)}`);
  // A sibling whose name only begins alike is not within.
  if (path !== '/' && isWithin(`${path}x` as RemotePath, path)) expect.fail(`beside ${shown(path)}`);
}

const FRESH = 'nobody-else';

function checkRoot(path: RemotePath, other: RemotePath, person: string): void {
  const root = parseRoot(path);
  const personal = namesOf(path).filter((name) => name.includes('{person}'));
  const isRoot = personal.length === 0 || (personal.length === 1 && personal[0] === '{person}');
  if ((root !== undefined) !== isRoot) expect.fail(`root ${shown(path)}`);
  if (root === undefined) return;
  if (isPersonal(root) !== (personal.length === 1)) expect.fail(`personal ${shown(root)}`);
  const own = rootOf(root, person);
  const expected = withPerson(root, person);
  const hasOne = personal.length === 0 || (namesOf(`/${person}`).length === 1 && !person.includes('/') && mayBeNamed(expected));
  if ((own !== undefined) !== hasOne || (own !== undefined && own !== expected)) expect.fail(`own root ${shown(root, person)}`);
  if (own !== undefined && !begins(own, sharedPart(root))) expect.fail(`shared part ${shown(root, person)}`);
  if (own !== undefined && personal.length === 1 && person !== FRESH) {
    const others = rootOf(root, FRESH);
    if (others !== undefined && (begins(own, others) || begins(others, own))) expect.fail(`apart ${shown(root, person)}`);
  }
  const second = parseRoot(other);
  if (second === undefined) return;
  const people = [...namesOf(root), ...namesOf(second), FRESH];
  const may = people.some((p) => people.some((q) => begins(withPerson(root, p), withPerson(second, q))));
  if (mayBeWithin(root, second) !== may) expect.fail(`may be within ${shown(root, second)}`);
}
