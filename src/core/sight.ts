// Whether a file is where it should be. SFTP names files by whole paths alone: whoever may rename directories above one may put a link
// in the place of one between any two requests. A server answers requests in order, so a handful sent at once are looks at many
// instants for one round trip; one who swaps back and forth is caught by nearly all of them.
import type { Clock, FileFacts, Host } from './ports.js';
import { Fault, isFault } from './problems.js';
import { parentOf } from './remote-path.js';
import type { RemotePath } from './remote-path.js';
import { settled } from './settled.js';

/** Somebody who swaps with every other request comes through all of them once in 2^16 times. */
const LOOKS = 8;
/** How often, and how long apart, it is looked again where looks tell nothing. */
const ATTEMPTS = 20;
const PAUSE_MS = 50;

export interface Sight {
  /** `in-place`: every look saw the directory where it should be, and the file; `absent`: the directory alone; `gone`: not even that. */
  readonly kind: 'in-place' | 'absent' | 'gone' | 'unsteady';
  /** Where the directory led instead. */
  readonly elsewhere: readonly RemotePath[];
  /** The file, as the last look saw it that did. */
  readonly facts?: FileFacts;
}

/** Looks again and again at what a canonical path leads to: at its directory, and at the file there when it is told by `isIt`. */
export async function look(host: Host, path: RemotePath, isIt?: (facts: FileFacts) => boolean): Promise<Sight> {
  const parent = parentOf(path);
  const whereParent = () => unlessRefused(host.realPath(parent));
  const whatIsThere = async () => isIt && unlessRefused(host.lstat(path));
  const looks = Array.from({ length: LOOKS }, () => settled([whereParent(), whatIsThere()]));
  const [last, ...seen] = await settled([whereParent(), ...looks]);
  const parents = [last, ...seen.map(([where]) => where)];
  const found = seen.map(([, facts]) => facts).filter((facts) => facts !== undefined && isIt?.(facts) === true);
  const facts = found.at(-1);
  const elsewhere = [...new Set(parents.filter((where) => where !== undefined).filter((where) => where !== parent))];
  const kindOf = (): Sight['kind'] => {
    if (parents.every((where) => where === undefined)) return 'gone';
    if (parents.some((where) => where !== parent)) return 'unsteady';
    if (found.length === 0) return 'absent';
    return found.length === LOOKS ? 'in-place' : 'unsteady';
  };
  return { kind: kindOf(), elsewhere, ...(facts && { facts }) };
}

/**
 * The file, as soon as all looks see it; undefined when they agree that it isn't there. `HOST_BUSY` when they never agree: of a
 * directory that is swapped all the time nothing can be told.
 */
export async function findInPlace(clock: Clock, looking: () => Promise<Sight>): Promise<FileFacts | undefined> {
  for (let attempt = 1; ; attempt++) {
    const { kind, facts } = await looking();
    if (kind === 'in-place') return facts;
    // A directory that is gone may be on its way to another name and back.
    if (kind === 'absent' || (kind === 'gone' && attempt === ATTEMPTS)) return undefined;
    if (attempt === ATTEMPTS)
      throw new Fault('HOST_BUSY', 'somebody on the host is swapping a directory of the path for another');
    await clock.sleep(PAUSE_MS);
  }
}

/** Undefined for what can't be looked at, or leads nowhere: a swapped path may be anything. Not for a host that is away. */
export async function unlessRefused<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (!isFault(error) || isFault(error, 'HOST_UNREACHABLE', 'HOST_BUSY')) throw error;
    return undefined;
  }
}
