// Publication: the one instant in which the target becomes the new file, whole. An intent beside the output says what is about to
// happen, so that whoever comes after a crash finds out, by looking, whether it did.
import type { UploadIdentity } from '../core/file-ref.js';
import type { FileFacts, Hashing, Host } from '../core/ports.js';
import { Fault, isFault, refused } from '../core/problems.js';
import { isWithin, joinPath, parentOf, pathsBetween } from '../core/remote-path.js';
import type { RemotePath } from '../core/remote-path.js';
import type { MergeRequest, PublishOutcome, Published, Verified } from '../core/staging.js';
import type { Target } from '../core/target.js';
import { etagOf, fileExists, replaceObjection, resolveTarget } from '../core/target.js';
import { openOurs, readSmall, removeFile, replaceSmall, settled, withFile } from './files.js';
import type { Intent } from './manifest.js';
import { DATA, INTENT, parseIntent } from './manifest.js';

export interface Publication {
  readonly host: Host;
  readonly hashing: Hashing;
  readonly directory: RemotePath;
  readonly identity: UploadIdentity;
  /** Whether links work there; what the server offers is another thing. */
  readonly canLink: boolean;
  /** The host's present time, epoch ms. */
  readonly hostNow: number;
}

const SECOND_MS = 1_000;

/**
 * `FileExists` with ASK when anything is there; `TARGET_CHANGED` when it isn't what `ifMatch` names; `HOST_UNSUPPORTED` when it would
 * have to be replaced on a host that can't. The old file stays until the new one is there.
 */
export async function publish(
  publication: Publication & { readonly output: string; readonly confirm: () => Promise<void> },
  request: MergeRequest,
  verified: Verified,
): Promise<PublishOutcome> {
  const { host, hashing, identity } = publication;
  const whereTo = { path: identity.target, person: identity.person };
  const target = await resolveTarget(host, whereTo);
  const problem = objection(publication, request, target);
  if (problem !== undefined) return { kind: 'refused', problem };
  const parent = parentOf(identity.target);
  await makeParents(host, target, parent);

  const output = await prepare(publication, target, { ifExists: request.ifExists, verified });
  // As late as SFTP allows: a large file may take minutes until it is durable.
  const late = objection(publication, request, await resolveTarget(host, whereTo));
  if (late !== undefined) return { kind: 'refused', problem: late };
  await publication.confirm();
  if (request.ifExists === 'REPLACE' && host.offers.posixRename) {
    await host.replace(output, identity.target);
  } else if (!(await nameAnew(publication, output))) {
    const facts = await host.lstat(identity.target);
    const changed = refused('TARGET_CHANGED', 'a file came and went at the path while this one was published');
    return { kind: 'refused', problem: facts === undefined ? changed : fileExists(hashing, facts) };
  }
  await host.syncDirectory(parent);
  return { kind: 'published', published: { ...verified, etag: await presentEtag(publication) } };
}

/** Gives the output the look the target will have, makes it durable, and notes that it is about to be published. */
async function prepare(
  publication: Publication & { readonly output: string },
  target: Target,
  wish: Pick<Intent, 'ifExists' | 'verified'>,
): Promise<RemotePath> {
  const { host, hashing, directory, output } = publication;
  const path = joinPath(directory, output);
  const look = { ...(target.facts && { mode: target.facts.mode }), modifiedAt: publicationTime(publication, target.facts) };
  // Opened first: the mode it gets may be one that we couldn't open it with.
  await withFile(openOurs(host, path, 'read'), async (file) => {
    await setLook(host, path, look);
    await file.sync();
  });
  const facts = await host.lstat(path);
  if (facts === undefined) throw new Fault('NOT_FOUND', `${path} is no longer there`);
  const intent: Intent = { ...wish, output, size: facts.size, modifiedAt: facts.modifiedAt };
  await replaceSmall(host, hashing, { directory, name: INTENT, text: JSON.stringify(intent) });
  return path;
}

async function setLook(host: Host, path: RemotePath, look: Parameters<Host['setFacts']>[1]): Promise<void> {
  try {
    await host.setFacts(path, look);
  } catch (error) {
    // The file is the person's all the same.
    if (!isFault(error, 'HOST_UNSUPPORTED')) throw error;
  }
}

function objection(publication: Publication, request: MergeRequest, target: Target) {
  if (target.path !== publication.identity.target)
    return refused('TARGET_CHANGED', 'the path now leads somewhere else on the host');
  if (request.ifExists === 'REPLACE' && target.facts !== undefined && !publication.host.offers.posixRename)
    return refused('HOST_UNSUPPORTED', 'this host offers no way to replace a file atomically');
  return replaceObjection(publication.hashing, target.facts, request);
}

async function makeParents(host: Host, target: Target, parent: RemotePath): Promise<void> {
  if (!isWithin(parent, target.base)) return;
  for (const path of pathsBetween(target.base, parent).slice(1)) {
    try {
      await host.makeDirectory(path);
    } catch (error) {
      // Somebody else made it, or something else: then what follows fails with the cause.
      if (!isFault(error, 'ALREADY_EXISTS')) throw error;
    }
    await host.syncDirectory(parentOf(path));
  }
}

/** The host's present second, and later than the file it replaces, so that the etag changes even within one second. */
function publicationTime(publication: Publication, replaced: FileFacts | undefined): number {
  const now = Math.floor(publication.hostNow / SECOND_MS) * SECOND_MS;
  return Math.max(now, replaced === undefined ? 0 : replaced.modifiedAt + SECOND_MS);
}

/** Gives the output its name where no file is; false when one is. A link and an unlink never overwrite, a plain rename where it was probed. */
async function nameAnew(publication: Publication, output: RemotePath): Promise<boolean> {
  const { host, canLink } = publication;
  const { target } = publication.identity;
  try {
    await (canLink ? host.link(output, target) : host.rename(output, target));
  } catch (error) {
    if (!isFault(error, 'ALREADY_EXISTS')) throw error;
    // A link of ours whose answer was lost.
    if (!canLink || !(await isSameFile(host, output, target))) return false;
  }
  if (canLink) await removeFile(host, output);
  return true;
}

/** Undefined unless an earlier run published; finishes what it left between link and unlink. */
export async function recoverPublication(publication: Publication): Promise<Published | undefined> {
  const { host, directory, identity } = publication;
  const text = await readSmall(host, joinPath(directory, INTENT));
  const intent = text === undefined ? undefined : parseIntent(text);
  if (intent === undefined) return undefined;
  // Where it was put back, or that was its name all the time.
  const data = joinPath(directory, DATA);
  const [apart, back, target] = await settled([
    host.lstat(joinPath(directory, intent.output)),
    host.lstat(data),
    host.lstat(identity.target),
  ]);
  const path = apart === undefined ? data : joinPath(directory, intent.output);
  const output = apart ?? back;
  if (target?.kind !== 'file') return undefined;
  if (output !== undefined && !(await isSameFile(host, path, identity.target))) return undefined;
  if (output === undefined && (target.size !== intent.size || target.modifiedAt !== intent.modifiedAt)) return undefined;
  if (output !== undefined) await removeFile(host, path);
  await host.syncDirectory(parentOf(identity.target));
  return { ...intent.verified, etag: await presentEtag(publication) };
}

async function presentEtag(publication: Publication): Promise<string> {
  const facts = await publication.host.lstat(publication.identity.target);
  return facts === undefined ? '' : etagOf(publication.hashing, facts);
}

/**
 * Whether two names are one file. SFTP version 3 tells no inode, so the modification time is changed through one name, looked at
 * through the other, and put back. Both are ours, or the answer is no.
 */
async function isSameFile(host: Host, mine: RemotePath, other: RemotePath): Promise<boolean> {
  const [before, there] = await settled([host.lstat(mine), host.lstat(other)]);
  if (before?.kind !== 'file' || there?.kind !== 'file') return false;
  if (before.size !== there.size || before.modifiedAt !== there.modifiedAt || before.mode !== there.mode) return false;
  await host.setFacts(mine, { modifiedAt: before.modifiedAt + SECOND_MS });
  try {
    return (await host.lstat(other))?.modifiedAt === before.modifiedAt + SECOND_MS;
  } finally {
    await host.setFacts(mine, { modifiedAt: before.modifiedAt });
  }
}
