// From what was named on the command line to the files that are sent. A file is only looked at here, and opened when it is its turn, so
// that a tree of any size takes few handles.

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FileSource } from '../client/index.js';
import type { Naming } from './destination.js';
import { UsageError } from './exit-codes.js';

/** `name` is as it was named, or as found below that; `path` is where it goes. */
export type Found =
  | { readonly kind: 'file'; readonly name: string; readonly path: string; readonly source: FileSource }
  /** Not sent: in trees links are not followed, and a device or a pipe has no size. */
  | { readonly kind: 'left'; readonly name: string; readonly what: 'link' | 'special file' }
  | { readonly kind: 'failed'; readonly name: string; readonly path: string; readonly error: unknown };

/** A source that there is: a file, a directory to walk, or neither of them. */
export type Looked = Naming & ({ readonly kind: 'directory' } | { readonly kind: 'other'; readonly found: Found });

/** Looks at what was named; links are followed here. Throws `UsageError` for a directory that wasn't asked for. */
export async function lookAt(namings: readonly Naming[], isRecursive: boolean): Promise<readonly Looked[]> {
  const looked = await Promise.all(namings.map(look));
  const directory = looked.find(({ kind }) => kind === 'directory');
  if (directory !== undefined && !isRecursive) {
    throw new UsageError(`${directory.source} is a directory: -r (--recursive) sends it with all that is in it`);
  }
  return looked;
}

async function look(naming: Naming): Promise<Looked> {
  const facts = await stat(naming.source).catch(() => undefined); // Whoever reads it says why not.
  if (facts?.isDirectory() === true) return { ...naming, kind: 'directory' };
  return { ...naming, kind: 'other', found: await fileAt(naming) };
}

const TAKEN = 'another file goes to the same path';

/** All files, in the order they were named, and in trees by name. What can't be looked at is reported, and the walk goes on. */
export async function* findFiles(looked: readonly Looked[]): AsyncGenerator<Found, void> {
  // Two sources may have parts that would land on each other (`a/. b/.`).
  const paths = new Set<string>();
  for (const each of looked) {
    for await (const found of each.kind === 'directory' ? walk(each.source, each.path) : [each.found]) {
      yield found.kind === 'file' && paths.has(found.path) ? { ...found, kind: 'failed', error: new Error(TAKEN) } : found;
      if (found.kind === 'file') paths.add(found.path);
    }
  }
}

async function* walk(directory: string, path: string): AsyncGenerator<Found, void> {
  let entries;
  try {
    entries = await readdir(directory, { withFileTypes: true });
  } catch (error) {
    yield { kind: 'failed', name: directory, path, error };
    return;
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const inner = { source: join(directory, entry.name), path: `${path}/${entry.name}` };
    if (entry.isDirectory()) yield* walk(inner.source, inner.path);
    else if (entry.isFile()) yield await fileAt(inner);
    else yield { kind: 'left', name: inner.source, what: entry.isSymbolicLink() ? 'link' : 'special file' };
  }
}

async function fileAt({ source, path }: Naming): Promise<Found> {
  try {
    return { kind: 'file', name: source, path, source: await FileSource.at(source) };
  } catch (error) {
    return { kind: 'failed', name: source, path, error };
  }
}
