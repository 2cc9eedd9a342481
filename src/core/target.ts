// The final path on a host: where it really is, and what is there now.
import type { IfExists } from './answers.js';
import type { FileFacts, Hashing, Host } from './ports.js';
import type { FileExists, Refused } from './problems.js';
import { ProblemError, isFault, refused } from './problems.js';
import { isWithin, joinPath, nameOf, parentOf, pathFlaw } from './remote-path.js';
import type { RemotePath } from './remote-path.js';
import { canonicalRoots, makeOwnRoot } from './roots.js';
import type { WhereTo } from './roots.js';
import { outcomeOf, settled, valueOf } from './settled.js';

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

/**
 * Resolves a path that a client named. `INVALID_PATH`: outside the roots once links are resolved, or below something that is no
 * directory. `INVALID_TARGET`: something other than a regular file is there.
 */
export async function resolveTarget(host: Host, { path, person }: WhereTo): Promise<Target> {
  const missing: string[] = [nameOf(path)];
  let named = parentOf(path);
  const lookBelow = (directory: RemotePath, below: RemotePath) =>
    settled([canonicalRoots(host, person), host.lstat(directory), outcomeOf(lookAt(host, below))]);
  // Mostly there is no link in it: then one round trip is all.
  const [real, seen] = await settled([host.realPath(named), outcomeOf(lookBelow(named, path))]);
  let base = real;
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
  const [roots, baseFacts, looked] = real === parentOf(path) ? valueOf(seen) : await lookBelow(base, canonical);
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
  const facts = valueOf(looked);
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
