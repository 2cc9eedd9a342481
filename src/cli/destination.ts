// Where files go: a matter of what is typed, as with `cp` and `scp`, and never of what is on the host already. So the same command
// goes on where it stopped, where `cp -r DIR NEW` would make NEW/DIR the second time.

import { basename } from 'node:path';
import { UploadError } from '../client/errors.js';
import { UsageError } from './exit-codes.js';

/** A path on a host. */
export interface Destination {
  readonly host: string;
  readonly path: string;
}

/** A local file or directory as it was named, and the path it becomes. A directory's is without a closing slash: '' for the root. */
export interface Naming {
  readonly source: string;
  readonly path: string;
}

/** `HOST:/PATH`. The path is taken as it is, further colons included. Throws `UsageError`. */
export function parseDestination(text: string): Destination {
  const colon = text.indexOf(':');
  if (colon < 1) throw new UsageError(`"${text}" is not HOST:/PATH`);
  const path = text.slice(colon + 1);
  if (!path.startsWith('/')) throw new UsageError(`the path in "${text}" must be absolute: HOST:/PATH`);
  return { host: text.slice(0, colon), path };
}

/**
 * What each source becomes. Several sources, or a trailing slash, mean a directory, in which each keeps its name; otherwise the path is
 * the new name. `DIR/.` stands for what is in DIR. Throws `UsageError`, also when two would become the same.
 */
export function targetsOf(sources: readonly string[], { host, path }: Destination): readonly Naming[] {
  const directory = path.replace(/\/+$/, '');
  const isInto = sources.length > 1 || path.endsWith('/');
  const namings = sources.map((source) => {
    if (isContents(source)) return { source, path: directory };
    return { source, path: isInto ? `${directory}/${basename(source)}` : path };
  });
  const named = new Map<string, string>();
  for (const { source, path: target } of namings.filter((naming) => !isContents(naming.source))) {
    const other = named.get(target);
    if (other !== undefined) throw new UsageError(`${other} and ${source} would both become ${host}:${target}`);
    named.set(target, source);
  }
  return namings;
}

/**
 * Where a single file goes when its path turns out to be a directory; the gateway knows what `cp` would have looked up. `refusal` is what it
 * said about the path; `undefined` when that can't mean a directory: something other than a file, or a root.
 */
export function insideOf(path: string, source: string, refusal: unknown): string | undefined {
  const code = refusal instanceof UploadError ? refusal.code : undefined;
  if (path.endsWith('/') || (code !== 'INVALID_TARGET' && code !== 'INVALID_PATH')) return undefined;
  return `${path}/${basename(source)}`;
}

/** Whether a source has no name of its own to keep: `.`, `..`, `DIR/.`, `/`. */
function isContents(source: string): boolean {
  return ['.', '..', ''].includes(basename(source));
}
