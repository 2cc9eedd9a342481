// Publication: the one instant in which the target becomes the new file, whole. An intent beside the output says what is about to
// happen, so that whoever comes after a crash finds out, by looking, whether it did. Where the host can link, the file keeps a name in
// the staging directory until it was seen at the target: then whoever swaps the target's directory for another costs nobody a byte.
import type { UploadIdentity } from '../core/file-ref.js';
import type { Clock, FileFacts, Hashing, Host, OpenFile, SettableFacts } from '../core/ports.js';
import { Fault, isFault, refused } from '../core/problems.js';
import { isWithin, joinPath, parentOf, pathsBetween } from '../core/remote-path.js';
import type { RemotePath } from '../core/remote-path.js';
import type { MergeRequest, PublishOutcome, Published, Verified } from '../core/staging.js';
import type { Target } from '../core/target.js';
import { etagOf, fileExists, replaceObjection, resolveTarget } from '../core/target.js';
import { settled } from '../core/settled.js';
import { findInPlace, look } from '../core/sight.js';
import { move, openOurs, readSmall, removeFile, removeQuietly, replaceSmall, withFile } from './files.js';
import type { Intent } from './manifest.js';
import { DATA, INTENT, keptName, parseIntent } from './manifest.js';
import type { Taken } from './whereabouts.js';
import { SECOND_MS, isSameFile, lookFor, lookForMarked, lookForOther, removeStrays, takeBack } from './whereabouts.js';

export interface Publication {
  readonly host: Host;
  readonly clock: Clock;
  readonly hashing: Hashing;
  readonly directory: RemotePath;
  readonly identity: UploadIdentity;
  /** Whether links work there; what the server offers is another thing. */
  readonly canLink: boolean;
  /** The host's present time, epoch ms. */
  readonly hostNow: number;
}

export interface Publishing extends Publication {
  /** Name of the file that was assembled. */
  readonly output: string;
  readonly confirm: () => Promise<void>;
  readonly request: MergeRequest;
  readonly verified: Verified;
}

/**
 * `FileExists` with ASK when anything is there; `TARGET_CHANGED` when it isn't what `ifMatch` names, or when its directory is swapped for
 * another meanwhile; `HOST_UNSUPPORTED` when it would have to be replaced on a host that can't. The old file stays until the new one is there.
 */
export async function publish(publishing: Publishing, target: Target): Promise<PublishOutcome> {
  const { host, identity, hostNow, request } = publishing;
  const problem = objection(publishing, request, target);
  if (problem !== undefined) return { kind: 'refused', problem };
  const made: RemotePath[] = [];
  let outcome: PublishOutcome | undefined;
  try {
    await makeParents(host, target, { parent: parentOf(identity.target), made });
    outcome = await publishIn(publishing, target);
    return outcome;
  } finally {
    if (outcome?.kind !== 'published') await removeStrays(host, { made, since: hostNow });
  }
}

/** Where its directory is there, as it seems. */
async function publishIn(publishing: Publishing, target: Target): Promise<PublishOutcome> {
  const { host, identity, canLink, request } = publishing;
  const isReplacing = request.ifExists === 'REPLACE' && host.offers.posixRename;
  const prepared = await prepare(publishing, target);
  const kept = isReplacing && canLink ? joinPath(publishing.directory, keptName(publishing.output)) : undefined;
  if (kept !== undefined) await keep(host, prepared.path, kept);
  let isOver = false;
  try {
    // As late as SFTP allows: a large file may take minutes until it is durable.
    const [late, sight] = await settled([resolveAgain(publishing), look(host, identity.target)] as const);
    const problem = objection(publishing, request, late) ?? (sight.kind === 'absent' ? undefined : SWAPPED);
    if (problem !== undefined) return { kind: 'refused', problem };
    await publishing.confirm();
    const failure = await takeStep(publishing, prepared.path, isReplacing);
    if (failure !== undefined) return { kind: 'refused', problem: failure };
    isOver = true;
    return await settle(publishing, { ...prepared, ...(canLink && { kept: kept ?? prepared.path }) });
  } finally {
    if (kept !== undefined && !isOver) await removeQuietly(host, kept);
  }
}

const SWAPPED = refused('TARGET_CHANGED', 'somebody on the host is swapping a directory of the path for another');

interface Prepared {
  readonly path: RemotePath;
  readonly facts: FileFacts;
}

/** What an earlier run may have left there is no file that anybody waits for. */
async function keep(host: Host, output: RemotePath, kept: RemotePath): Promise<void> {
  await settled([removeFile(host, kept), host.link(output, kept)]);
}

/** The one step that makes the file visible. The problem, when it was refused. */
async function takeStep(publishing: Publishing, output: RemotePath, isReplacing: boolean) {
  const { host, identity, hashing } = publishing;
  try {
    if (isReplacing) await host.replace(output, identity.target);
    else if (!(await nameAnew(publishing, output))) {
      const { facts } = await resolveAgain(publishing);
      const changed = refused('TARGET_CHANGED', 'a file came and went at the path while this one was published');
      return facts === undefined ? changed : fileExists(hashing, facts);
    }
  } catch (error) {
    // Either the file or its directory.
    if (!isFault(error, 'NOT_FOUND') || (await host.lstat(output)) === undefined) throw error;
    return refused('TARGET_CHANGED', 'the directory of the path was taken away while the file was published');
  }
  return undefined;
}

/**
 * Whether it is where it was meant to be, by a look after the step. `kept`: the name that it still has. Else it is taken back, and waits
 * under the output's name again.
 */
async function settle(
  publishing: Publishing,
  { path: output, facts, kept }: Prepared & { readonly kept?: RemotePath },
): Promise<PublishOutcome> {
  const { host, clock, hashing, identity, verified } = publishing;
  const path = identity.target;
  const [looked, synced] = await Promise.allSettled([
    kept === undefined ? lookFor(host, path, facts) : lookForMarked(host, { mine: kept, before: facts, path }),
    host.syncDirectory(parentOf(path)),
  ]);
  if (looked.status === 'rejected') throw looked.reason;
  const taken =
    looked.value.kind === 'in-place'
      ? undefined
      : await takeBack({ host, clock, hashing, path, facts, output, ...(kept !== undefined && { kept }) });
  if (taken === undefined) {
    // Also where that took many looks. To leave it there and refuse would give the next attempt a file that passes for its own.
    if (synced.status === 'rejected') await host.syncDirectory(parentOf(path));
    if (kept !== undefined) await removeFile(host, kept);
    return { kind: 'published', published: { ...verified, etag: etagOf(hashing, facts) } };
  }
  if (kept !== undefined && kept !== output) await move(host, kept, output);
  const message = `a directory of the path was swapped for another in the instant in which the file was published. ${tell(taken)}`;
  return { kind: 'refused', problem: refused('TARGET_CHANGED', message), escaped: taken.escape };
}

function tell({ escape, stranded }: Taken): string {
  if (escape === 'taken-back') return 'It was taken back from where that led.';
  const left = 'It may be where that led; it could not be found.';
  return stranded === undefined ? left : `${left} What was found there instead is kept as ${stranded} beside the staged file.`;
}

/** Gives the output the look the target will have, makes it durable, and notes that it is about to be published. */
async function prepare(publishing: Publishing, target: Target): Promise<Prepared> {
  const { host, hashing, directory, output, verified, request } = publishing;
  const path = joinPath(directory, output);
  const wished = { ...(target.facts && { mode: target.facts.mode }), modifiedAt: publicationTime(publishing, target.facts) };
  // Opened first: the mode it gets may be one that we couldn't open it with. The host does the three one after the other.
  const [, , facts] = await withFile(openOurs(host, path, 'read'), (file) =>
    settled([setLook(file, wished), file.sync(), file.facts()]),
  );
  const { size, modifiedAt } = facts;
  const intent: Intent = { ifExists: request.ifExists, verified, output, size, modifiedAt };
  await replaceSmall(host, hashing, { directory, name: INTENT, text: JSON.stringify(intent) });
  return { path, facts };
}

/** Where the upload's path leads now. */
export function resolveAgain({ host, identity }: Publication): Promise<Target> {
  return resolveTarget(host, { path: identity.target, person: identity.person });
}

async function setLook(file: OpenFile, look: SettableFacts): Promise<void> {
  try {
    await file.setFacts(look);
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

/** Adds what it makes to `made`. */
async function makeParents(
  host: Host,
  target: Target,
  { parent, made }: { readonly parent: RemotePath; readonly made: RemotePath[] },
): Promise<void> {
  if (!isWithin(parent, target.base)) return;
  for (const path of pathsBetween(target.base, parent).slice(1)) {
    try {
      await host.makeDirectory(path);
      made.push(path);
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

/** Gives the output its name where no file is; false when one is. A link never overwrites, a plain rename where it was probed. */
async function nameAnew(publication: Publication, output: RemotePath): Promise<boolean> {
  const { host, canLink } = publication;
  const { target } = publication.identity;
  try {
    await (canLink ? host.link(output, target) : host.rename(output, target));
    return true;
  } catch (error) {
    if (!isFault(error, 'ALREADY_EXISTS')) throw error;
    // A link of ours whose answer was lost.
    return canLink && (await isSameFile(host, output, target));
  }
}

/** Undefined unless an earlier run published; finishes what it left half done. `HOST_BUSY` when that takes a second call. */
export async function recoverPublication(publication: Publication): Promise<Published | undefined> {
  const { host, hashing, directory, identity } = publication;
  const text = await readSmall(host, joinPath(directory, INTENT));
  const intent = text === undefined ? undefined : parseIntent(text);
  if (intent === undefined) return undefined;
  const output = joinPath(directory, intent.output);
  const kept = joinPath(directory, keptName(intent.output));
  // Where it was put back, or that was its name all the time.
  const names = [...new Set([output, joinPath(directory, DATA), kept])];
  const { mine, there } = await findPublished(publication, intent, names);
  if (there === undefined) {
    if (mine === kept) return takeUpAgain(host, kept, output);
    // Of a run that was cut off before its last step, if there is one.
    await removeQuietly(host, kept);
    return undefined;
  }
  for (const name of new Set([mine ?? kept, kept])) await removeFile(host, name);
  await host.syncDirectory(parentOf(identity.target));
  return { ...intent.verified, etag: etagOf(hashing, there) };
}

const LOOKS_FOR_NAMES = 4;

/** What is at the target, if that is the output, and the name that it still has. */
async function findPublished({ host, clock, identity: { target } }: Publication, intent: Intent, names: readonly RemotePath[]) {
  for (let look = 1; ; look++) {
    const found = await settled(names.map((name) => host.lstat(name)));
    const mine = names.find((_, at) => found[at]?.kind === 'file');
    const looking = () => (mine === undefined ? lookFor(host, target, intent) : lookForOther(host, mine, target));
    try {
      return { mine, there: await findInPlace(clock, looking) };
    } catch (error) {
      // A run that was told to stop gives it its first name back.
      if (!isFault(error, 'NOT_FOUND')) throw error;
      if (look === LOOKS_FOR_NAMES) throw new Fault('HOST_BUSY', 'what was to be published changes its name', { cause: error });
    }
  }
}

/** The file was published, and isn't where it should be: nothing is lost. */
async function takeUpAgain(host: Host, kept: RemotePath, output: RemotePath): Promise<never> {
  await move(host, kept, output);
  throw new Fault('HOST_BUSY', 'what was published is not at its path; it is staged again');
}
