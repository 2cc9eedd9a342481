// The final path on a host: where it really is, and what is there now.
import type { IfExists } from './answers.js';
import type { FileFacts, Hashing, Host } from './ports.js';
import type { FileExists, Refused } from './problems.js';
import { ProblemError, isFault, refused } from './problems.js';
import {
  isPersonal,
  isSafeName,
  isWithin,
  joinPath,
  nameOf,
  parentOf,
  pathFlaw,
  pathsBetween,
  rootOf,
  sharedPart,
} from './remote-path.js';
import type { RemotePath, Root } from './remote-path.js';

export interface Target {
  /** Canonical: every link above the last segment resolved, so that an alias is the same target. */
  readonly path: RemotePath;
  /** The root it lies in, canonical. */
  readonly root: RemotePath;
  /** The deepest directory above it that exists, canonical. The rest is made when the file is published. */
  readonly base: RemotePath;
  /** The regular file that is there now. */
  readonly facts?: FileFacts;
}

/** A path as a client named it, and who did: roots may be a person's own. */
export interface WhereTo {
  readonly path: RemotePath;
  readonly person: string;
}

/**
 * Resolves a path that a client named. `INVALID_PATH`: outside the roots once links are resolved, or below something that is no
 * directory. `INVALID_TARGET`: something other than a regular file is there.
 */
export async function resolveTarget(host: Host, { path, person }: WhereTo): Promise<Target> {
  const missing: string[] = [nameOf(path)];
  let named = parentOf(path);
  let base = await host.realPath(named);
  while (base === undefined) {
    if ((await lookAt(host, named)) !== undefined) {
      // Another upload may have made it in this very moment.
      base = await host.realPath(named);
      if (base !== undefined) break;
      throw new ProblemError(refused('INVALID_PATH', 'a parent of the path is a link that leads nowhere'));
    }
    if (named === '/') throw new ProblemError(refused('INVALID_PATH', 'the path leads nowhere on this host'));
    missing.unshift(nameOf(named));
    named = parentOf(named);
    base = await host.realPath(named);
  }
  const canonical = joinPath(base, ...missing);
  const [[roots, baseFacts], look] = await Promise.all([
    Promise.all([canonicalRoots(host, person), host.lstat(base)]),
    Promise.allSettled([lookAt(host, canonical)]),
  ]);
  const root = roots.find((candidate) => isWithin(canonical, candidate) && canonical !== candidate);
  if (root === undefined) {
    if (await makeOwnRoot(host, { path, person })) return resolveTarget(host, { path, person });
    throw new ProblemError(refused('INVALID_PATH', 'the path is outside the roots of this host'));
  }
  // By a link, also one into the staging directory.
  const flaw = pathFlaw(canonical);
  if (flaw !== undefined) throw new ProblemError(refused('INVALID_PATH', `the path ${flaw} where it leads`));
  if (!isWithin(base, root)) throw new ProblemError(refused('INVALID_PATH', `the root ${root} does not exist on this host`));
  if (baseFacts?.kind !== 'directory') {
    throw new ProblemError(refused('INVALID_PATH', 'a parent of the path is not a directory'));
  }
  // Only now: of a path outside the roots not even that it may not be looked at is told.
  const [looked] = look;
  if (looked.status === 'rejected') throw looked.reason;
  const facts = looked.value;
  checkTargetKind(facts);
  return facts === undefined ? { path: canonical, root, base } : { path: canonical, root, base, facts };
}

export function checkTargetKind(facts: FileFacts | undefined): void {
  if (facts === undefined || facts.kind === 'file') return;
  const what = facts.kind === 'special' ? 'a special file' : `a ${facts.kind}`;
  throw new ProblemError(refused('INVALID_TARGET', `there is ${what} at the path; only a regular file can be replaced`));
}

/** A parent that may not be searched is a refusal, not an absence. */
async function lookAt(host: Host, path: RemotePath): Promise<FileFacts | undefined> {
  try {
    return await host.lstat(path);
  } catch (error) {
    if (isFault(error, 'PERMISSION_DENIED')) {
      throw new ProblemError(refused('PERMISSION_DENIED', 'the host does not let our account look at this path'));
    }
    throw error;
  }
}

/** Of this person, without those that don't exist. */
export async function canonicalRoots(host: Host, person: string): Promise<readonly RemotePath[]> {
  return present(host.profile.roots.map((root) => canonicalRoot(host, root, person)));
}

/** Of every person that has one by now. */
export async function everyRoot(host: Host): Promise<readonly RemotePath[]> {
  const roots = await Promise.all(
    host.profile.roots.map(async (root) => {
      if (!isPersonal(root)) return present([host.realPath(root)]);
      const shared = sharedPart(root);
      if ((await host.realPath(shared)) === undefined) return [];
      const persons = (await host.list(shared)).filter(({ kind, name }) => kind === 'directory' && isSafeName(name));
      return present(persons.map(({ name }) => canonicalRoot(host, root, name)));
    }),
  );
  return roots.flat();
}

async function canonicalRoot(host: Host, root: Root, person: string): Promise<RemotePath | undefined> {
  const path = rootOf(root, person);
  if (path === undefined || !isPersonal(root)) return path && host.realPath(path);
  const shared = sharedPart(root);
  const [canonical, canonicalShared] = await Promise.all([host.realPath(path), host.realPath(shared)]);
  if (canonical === undefined || canonicalShared === undefined) return undefined;
  // Persons' own directories lie side by side, where one who reaches the host otherwise may make a link to another's.
  return canonical === joinPath(canonicalShared, ...namesBelow(path, shared)) ? canonical : undefined;
}

/** Whether the person's own root that `path` lies in wasn't there, and is now. */
async function makeOwnRoot(host: Host, { path, person }: WhereTo): Promise<boolean> {
  const root = host.profile.roots.find((each) => isPersonal(each) && isWithin(path, rootOf(each, person) ?? path));
  const own = root && rootOf(root, person);
  if (root === undefined || own === undefined || (await host.realPath(own)) !== undefined) return false;
  const shared = await host.realPath(sharedPart(root));
  if (shared === undefined) return false;
  for (const directory of pathsBetween(shared, joinPath(shared, ...namesBelow(own, sharedPart(root)))).slice(1)) {
    try {
      await host.makeDirectory(directory);
    } catch (error) {
      // Another call of the same person made it; what else it may be shows when it is looked at.
      if (!isFault(error, 'ALREADY_EXISTS')) throw error;
    }
  }
  return (await host.realPath(own)) !== undefined;
}

function namesBelow(path: RemotePath, directory: RemotePath): readonly string[] {
  return path.slice(directory === '/' ? 1 : directory.length + 1).split('/');
}

async function present(paths: readonly Promise<RemotePath | undefined>[]): Promise<readonly RemotePath[]> {
  return (await Promise.all(paths)).filter((path) => path !== undefined);
}

/** Tells one state of a file from another, as far as SFTP version 3 can: by size, mode and modification time (whole seconds). */
export function etagOf(hashing: Hashing, facts: FileFacts): string {
  const state = [facts.size, facts.modifiedAt, facts.mode].join(' ');
  return hashing.sha256(state).slice(0, 32);
}

export function fileExists(hashing: Hashing, facts: FileFacts): FileExists {
  return {
    kind: 'FileExists',
    code: 'FILE_EXISTS',
    message: 'there is a file at the path already',
    retryable: false,
    size: facts.size,
    modifiedAt: facts.modifiedAt,
    etag: etagOf(hashing, facts),
  };
}

/** What speaks against putting a file where `present` is now; undefined when nothing does. */
export function replaceObjection(
  hashing: Hashing,
  present: FileFacts | undefined,
  wish: { readonly ifExists: IfExists; readonly ifMatch?: string },
): FileExists | Refused | undefined {
  if (wish.ifExists === 'ASK') return present === undefined ? undefined : fileExists(hashing, present);
  const etag = present === undefined ? undefined : etagOf(hashing, present);
  if (wish.ifMatch === undefined || wish.ifMatch === etag) return undefined;
  return refused('TARGET_CHANGED', 'the file at the path is not the one that was to be replaced');
}
