// Where files go, by the rules people know from `cp` and `scp`.

import { basename } from 'node:path';
import { UsageError } from './exit-codes.js';

/** A path on a host. */
export interface Destination {
  readonly host: string;
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
 * The target of each local file. Several files, or a trailing slash, mean a directory, in which a file keeps its name; otherwise
 * the path is the file itself. Throws `UsageError`, also when two files would have the same target.
 */
export function targetsOf(
  files: readonly string[],
  destination: Destination,
): { readonly file: string; readonly path: string }[] {
  const isDirectory = destination.path.endsWith('/');
  if (files.length > 1 && !isDirectory) {
    throw new UsageError(`several files need a directory: ${destination.host}:${destination.path}/`);
  }
  const targets = files.map((file) => ({ file, path: isDirectory ? destination.path + basename(file) : destination.path }));
  const seen = new Map<string, string>();
  for (const { file, path } of targets) {
    const other = seen.get(path);
    if (other !== undefined) throw new UsageError(`${other} and ${file} would both become ${destination.host}:${path}`);
    seen.set(path, file);
  }
  return targets;
}
