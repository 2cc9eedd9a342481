// Publication: the one instant in which the target becomes the new file, whole. An intent beside the data says what is about to
// happen, so that whoever comes after a crash finds out, by looking, whether it did.
import type { UploadIdentity } from '../core/file-ref.js';
import type { FileFacts, Hashing, Host } from '../core/ports.js';
import { isFault, refused } from '../core/problems.js';
import { isWithin, joinPath, parentOf, pathsBetween } from '../core/remote-path.js';
import type { RemotePath } from '../core/remote-path.js';
import type { MergeRequest, PublishOutcome, Published, Verified } from '../core/staging.js';
import type { Target } from '../core/target.js';
import { etagOf, fileExists, replaceObjection, resolveTarget } from '../core/target.js';
import { readSmall, removeFile, replaceSmall, withFile } from './files.js';
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

/** `FileExists` with ASK when anything is there; `TARGET_CHANGED` when it isn't what `ifMatch` names. The old file stays until the new one is there. */
export async function publish(
  publication: Publication & { readonly check: () => void },
  request: MergeRequest,
  verified: Verified,
): Promise<PublishOutcome> {
  const { host, hashing, directory, identity } = publication;
  const target = await resolveTarget(host, identity.target);
  const problem = objection(publication, request, target);
  if (problem !== undefined) return { kind: 'refused', problem };
  const parent = parentOf(identity.target);
  await makeParents(host, target, parent);

  const data = joinPath(directory, DATA);
  const modifiedAt = publicationTime(publication, target.facts);
  await host.setFacts(data, { ...(target.facts && { mode: target.facts.mode }), modifiedAt });
  const size = await withFile(host.open(data, 'write'), async (file) => {
    await file.sync();
    return (await file.facts()).size;
  });
  const intent: Intent = { output: DATA, ifExists: request.ifExists, size, modifiedAt, verified };
  await replaceSmall(host, hashing, { directory, name: INTENT, text: JSON.stringify(intent) });

  // As late as SFTP allows: a large file may take minutes until it is durable.
  const late = objection(publication, request, await resolveTarget(host, identity.target));
  if (late !== undefined) return { kind: 'refused', problem: late };
  publication.check();
  if (request.ifExists === 'REPLACE') {
    await host.replace(data, identity.target);
  } else if (!(await nameAnew(publication, data))) {
    const facts = await host.lstat(identity.target);
    const changed = refused('TARGET_CHANGED', 'a file came and went at the path while this one was published');
    return { kind: 'refused', problem: facts === undefined ? changed : fileExists(hashing, facts) };
  }
  await host.syncDirectory(parent);
  return { kind: 'published', published: { ...verified, etag: await presentEtag(publication) } };
}

function objection(publication: Publication, request: MergeRequest, target: Target) {
  if (target.path !== publication.identity.target)
    return refused('TARGET_CHANGED', 'the path now leads somewhere else on the host');
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

/** Gives the data its name where no file is; false when one is. A link and an unlink never overwrite, a plain rename where it was probed. */
async function nameAnew(publication: Publication, data: RemotePath): Promise<boolean> {
  const { host, canLink } = publication;
  const { target } = publication.identity;
  try {
    if (!canLink) {
      await host.rename(data, target);
      return true;
    }
    await host.link(data, target);
  } catch (error) {
    if (isFault(error, 'ALREADY_EXISTS')) return (await isSameFile(host, data, target)) && (await unlinkData(host, data));
    throw error;
  }
  return unlinkData(host, data);
}

async function unlinkData(host: Host, data: RemotePath): Promise<true> {
  await removeFile(host, data);
  return true;
}

/** Undefined unless an earlier run published; finishes what it left between link and unlink. */
export async function recoverPublication(publication: Publication): Promise<Published | undefined> {
  const { host, directory, identity } = publication;
  const text = await readSmall(host, joinPath(directory, INTENT));
  const intent = text === undefined ? undefined : parseIntent(text);
  if (intent === undefined) return undefined;
  const data = joinPath(directory, DATA);
  const [output, target] = await Promise.all([host.lstat(data), host.lstat(identity.target)]);
  if (target?.kind !== 'file') return undefined;
  if (output !== undefined && !(await isSameFile(host, data, identity.target))) return undefined;
  if (output === undefined && (target.size !== intent.size || target.modifiedAt !== intent.modifiedAt)) return undefined;
  if (output !== undefined) await removeFile(host, data);
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
  const [before, there] = await Promise.all([host.lstat(mine), host.lstat(other)]);
  if (before?.kind !== 'file' || there?.kind !== 'file') return false;
  if (before.size !== there.size || before.modifiedAt !== there.modifiedAt || before.mode !== there.mode) return false;
  await host.setFacts(mine, { modifiedAt: before.modifiedAt + SECOND_MS });
  try {
    return (await host.lstat(other))?.modifiedAt === before.modifiedAt + SECOND_MS;
  } finally {
    await host.setFacts(mine, { modifiedAt: before.modifiedAt });
  }
}
