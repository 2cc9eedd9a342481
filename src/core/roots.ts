// Where on a host files may go, for one person or for all: looked up on the host, where every link is resolved.
import type { Host } from './ports.js';
import { isFault } from './problems.js';
import { isPersonal, isSafeName, isWithin, joinPath, pathsBetween, rootOf, sharedPart } from './remote-path.js';
import type { RemotePath, Root } from './remote-path.js';

const LOOKS_AT_ONCE = 8;

/** A path as a client named it, and who did: roots may be a person's own. */
export interface WhereTo {
  readonly path: RemotePath;
  readonly person: string;
}

/** Those of this person, canonical, without those that don't exist. */
export async function canonicalRoots(host: Host, person: string): Promise<readonly RemotePath[]> {
  return present(host.profile.roots.map((root) => canonicalRoot(host, root, person)));
}

/** The first root of this person, or where it would be made. */
export async function firstRoot(host: Host, person: string): Promise<RemotePath | undefined> {
  const [root] = await canonicalRoots(host, person);
  const [first] = host.profile.roots;
  return root ?? (first && host.realPath(sharedPart(first)));
}

/** Those of every person that has one by now. */
export async function everyRoot(host: Host): Promise<readonly RemotePath[]> {
  const roots = await Promise.all(
    host.profile.roots.map(async (root) => {
      if (!isPersonal(root)) return present([host.realPath(root)]);
      const shared = sharedPart(root);
      if ((await host.realPath(shared)) === undefined) return [];
      const persons = (await host.list(shared)).filter(({ kind, name }) => kind === 'directory' && isSafeName(name));
      return rootsOf(
        host,
        root,
        persons.map(({ name }) => name),
      );
    }),
  );
  return roots.flat();
}

/** A few at a time: there may be many thousands. A directory that isn't ours to look into, such as lost+found, is nobody's. */
async function rootsOf(host: Host, root: Root, persons: readonly string[]): Promise<readonly RemotePath[]> {
  const roots: RemotePath[] = [];
  for (let at = 0; at < persons.length; at += LOOKS_AT_ONCE) {
    const found = persons.slice(at, at + LOOKS_AT_ONCE).map(async (person) => {
      try {
        return await canonicalRoot(host, root, person);
      } catch (error) {
        if (!isFault(error, 'PERMISSION_DENIED', 'FAILURE')) throw error;
        return undefined;
      }
    });
    roots.push(...(await present(found)));
  }
  return roots;
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
export async function makeOwnRoot(host: Host, { path, person }: WhereTo): Promise<boolean> {
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
