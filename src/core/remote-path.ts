// The one place where a path comes into being: names from clients, configuration and hosts become a `RemotePath` here or are
// refused. A path is an opaque string: nothing is decoded, normalised or trimmed, so what was checked is what the host sees.

declare const brand: unique symbol;

/** An absolute POSIX path without `.`, `..` or empty segments, whose segments a host can store. `/` is one. */
export type RemotePath = string & { readonly [brand]: 'RemotePath' };

/** NAME_MAX of Linux and the BSDs, in bytes of UTF-8. */
const MAX_SEGMENT_BYTES = 255;
/** PATH_MAX of Linux (4096) less the closing NUL. */
const MAX_PATH_BYTES = 4095;
/** C0 with NUL, DEL and C1; and halves of surrogate pairs, which have no UTF-8 and would collapse into one name. */
const FORBIDDEN = /[\p{Cc}\p{Cs}]/u;

/** The directory in which uploads wait. No client path may name it. */
export const STAGING_NAME = '.longshore';

const encoder = new TextEncoder();

export type PathFlaw =
  | 'is not absolute'
  | 'is too long'
  | 'has an empty segment'
  | 'has a . or .. segment'
  | 'has a control character or malformed Unicode'
  | 'has a segment over 255 bytes'
  | 'names the staging directory';

/** Why `text` is no path a client may name, or undefined when it is one. */
export function pathFlaw(text: string): PathFlaw | undefined {
  if (!text.startsWith('/')) return 'is not absolute';
  if (FORBIDDEN.test(text)) return 'has a control character or malformed Unicode';
  if (encoder.encode(text).length > MAX_PATH_BYTES) return 'is too long';
  if (text === '/') return undefined;
  for (const segment of text.slice(1).split('/')) {
    if (segment === '') return 'has an empty segment';
    if (segment === '.' || segment === '..') return 'has a . or .. segment';
    if (encoder.encode(segment).length > MAX_SEGMENT_BYTES) return 'has a segment over 255 bytes';
    if (isStagingName(segment)) return 'names the staging directory';
  }
  return undefined;
}

/**
 * Whether a file system may take `name` for the staging directory: many don't tell cases apart (APFS, NTFS, CIFS), of the long s neither,
 * and HFS+ and ext4 with `casefold` pass over characters that can't be seen (as in CVE-2014-9390).
 */
function isStagingName(name: string): boolean {
  return (
    name
      .replace(/[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, '')
      .toUpperCase()
      .toLowerCase() === STAGING_NAME
  );
}

/** The path that `text` is, or undefined: see `pathFlaw`. */
export function parseRemotePath(text: string): RemotePath | undefined {
  return pathFlaw(text) === undefined ? (text as RemotePath) : undefined;
}

/** Whether a directory on a host may hold this name as far as our paths go; other names are left alone. */
export function isSafeName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('/') && !FORBIDDEN.test(name);
}

/** `directory`/`name`, for names the server made or the host listed. Throws on a name that is none: a fault in our own code. */
export function joinPath(directory: RemotePath, ...names: readonly string[]): RemotePath {
  let path: string = directory;
  for (const name of names) {
    if (!isSafeName(name)) throw new Error(`not a file name: ${JSON.stringify(name)}`);
    path = path === '/' ? `/${name}` : `${path}/${name}`;
  }
  return path as RemotePath;
}

/** The directory a path is in; `/` for itself. */
export function parentOf(path: RemotePath): RemotePath {
  const end = path.lastIndexOf('/');
  return (end <= 0 ? '/' : path.slice(0, end)) as RemotePath;
}

/** The last segment; empty for `/`. */
export function nameOf(path: RemotePath): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Whether `path` is `root` or below it. Both must be canonical for that to mean anything about files. */
export function isWithin(path: RemotePath, root: RemotePath): boolean {
  return root === '/' || path === root || path.startsWith(`${root}/`);
}

/** The directories from `from` down to `to`, both included. `to` must be within `from`. */
export function pathsBetween(from: RemotePath, to: RemotePath): readonly RemotePath[] {
  const paths: RemotePath[] = [];
  for (let path = to; path !== from; path = parentOf(path)) paths.unshift(path);
  return [from, ...paths];
}

// ── Roots ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A directory that files may be put in: as it is, or with one segment `{person}` that stands for whoever calls. */
export type Root = RemotePath & { readonly [rootBrand]: 'Root' };

declare const rootBrand: unique symbol;

const PERSON = '{person}';

/** The root that `text` is, or undefined: a malformed path, or `{person}` twice, or as part of a segment. */
export function parseRoot(text: string): Root | undefined {
  const path = parseRemotePath(text);
  if (path === undefined) return undefined;
  const segments = path.split('/').filter((segment) => segment.includes(PERSON));
  const isRoot = segments.length === 0 || (segments.length === 1 && segments[0] === PERSON);
  return isRoot ? (path as Root) : undefined;
}

/** Undefined for a person whose id is no file name, who has none. */
export function rootOf(root: Root, person: string): RemotePath | undefined {
  if (!isPersonal(root)) return root;
  // One segment, or another one's home would be in reach.
  if (!isSafeName(person)) return undefined;
  return parseRemotePath(
    root
      .split('/')
      .map((segment) => (segment === PERSON ? person : segment))
      .join('/'),
  );
}

/** Whether each person has another. */
export function isPersonal(root: Root): boolean {
  return root.split('/').includes(PERSON);
}

/** What is there for everybody: the root itself, or the directory that has the persons' own. */
export function sharedPart(root: Root): RemotePath {
  if (!isPersonal(root)) return root;
  const segments = root.split('/');
  const path = segments.slice(0, segments.indexOf(PERSON)).join('/');
  return (path === '' ? '/' : path) as RemotePath;
}

/** Whether there may be a person for whom `root` is `other` or below it. */
export function mayBeWithin(root: RemotePath, other: RemotePath): boolean {
  if (other === '/' || root === '/') return other === '/';
  const own = root.split('/');
  return other
    .split('/')
    .every((segment, at) => own[at] === segment || (at < own.length && [own[at], segment].includes(PERSON)));
}
