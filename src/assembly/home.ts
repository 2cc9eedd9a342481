// The home of uploads to a target: the topmost directory between its root and itself that lies on the target's file system and lets
// us write. So one place per root holds all staging, and publication is a rename on one file system.
import type { Clock, Hashing, Host } from '../core/ports.js';
import { ProblemError, isFault, refused } from '../core/problems.js';
import { STAGING_NAME, joinPath, pathsBetween } from '../core/remote-path.js';
import type { RemotePath } from '../core/remote-path.js';
import type { Target } from '../core/target.js';
import { freshNonce, inDirectories, removeFile, removeIfEmpty, withFile } from './files.js';
import type { ProbedPowers } from './probe.js';
import { probePowers } from './probe.js';

export interface Home {
  /** `<directory>/.longshore` */
  readonly staging: RemotePath;
  readonly powers: ProbedPowers;
}

interface Remembered {
  readonly home: Promise<Home>;
  readonly until: number;
}

/** Long enough that a thousand small files probe once, short enough that a mended host is seen. */
const REMEMBER_MS = 10 * 60_000;
const MAX_REMEMBERED = 1_000;

export class Homes {
  readonly #clock: Clock;
  readonly #hashing: Hashing;
  readonly #remembered = new Map<string, Remembered>();
  readonly #used = new Map<string, Set<RemotePath>>();

  constructor(options: { readonly clock: Clock; readonly hashing: Hashing }) {
    this.#clock = options.clock;
    this.#hashing = options.hashing;
  }

  /** `PERMISSION_DENIED` when our account can't write where the target would be. */
  of(host: Host, place: Pick<Target, 'root' | 'base'>): Promise<Home> {
    const key = `${host.profile.id} ${place.base}`;
    const known = this.#remembered.get(key);
    if (known !== undefined && known.until > this.#clock.monotonic()) return known.home;
    const home = this.#search(host, place);
    this.#remembered.delete(key);
    this.#remembered.set(key, { home, until: this.#clock.monotonic() + REMEMBER_MS });
    const oldest = this.#remembered.keys().next().value;
    if (this.#remembered.size > MAX_REMEMBERED && oldest !== undefined) this.#remembered.delete(oldest);
    // A failure is told to whoever waits and not remembered: the next caller looks again.
    home.catch(() => {
      if (this.#remembered.get(key)?.home === home) this.#remembered.delete(key);
    });
    return home;
  }

  /** Staging directories used on this host lately: some may lie below a root that can't be written. */
  known(host: Host): readonly RemotePath[] {
    return [...(this.#used.get(host.profile.id) ?? [])];
  }

  async #search(host: Host, place: Pick<Target, 'root' | 'base'>): Promise<Home> {
    for (const directory of await this.#candidates(host, place)) {
      const staging = joinPath(directory, STAGING_NAME);
      if (!(await this.#fits(host, staging, place.base))) continue;
      const probing = { host, hashing: this.#hashing, clock: this.#clock, directory: staging };
      const powers = await inDirectories(host, [staging], () => probePowers(probing));
      await removeIfEmpty(host, staging);
      this.#used.set(host.profile.id, (this.#used.get(host.profile.id) ?? new Set()).add(staging));
      return { staging, powers };
    }
    throw new ProblemError(refused('PERMISSION_DENIED', 'our account may not write in the directory of this path'));
  }

  /** Topmost first; without those that are known to lie on another file system. */
  async #candidates(host: Host, place: Pick<Target, 'root' | 'base'>): Promise<readonly RemotePath[]> {
    const all = pathsBetween(place.root, place.base);
    if (!host.offers.space) return [place.base];
    const spaces = await Promise.all(all.map((path) => host.space(path)));
    const wanted = spaces.at(-1)?.fileSystem;
    return all.filter((_, at) => spaces[at]?.fileSystem === wanted);
  }

  /** Whether a file can be made in `staging` and renamed into `base`: the same rights and the same mount. */
  async #fits(host: Host, staging: RemotePath, base: RemotePath): Promise<boolean> {
    const nonce = freshNonce(this.#hashing);
    const from = joinPath(staging, `probe.${nonce}`);
    const to = joinPath(base, `${STAGING_NAME}-probe.${nonce}`);
    try {
      return await inDirectories(host, [staging], async () => {
        if ((await host.lstat(staging))?.kind !== 'directory') return false;
        await withFile(host.open(from, 'create-private'), () => Promise.resolve());
        await host.rename(from, to);
        return true;
      });
    } catch (error) {
      // FAILURE: another mount (EXDEV).
      if (!isFault(error, 'PERMISSION_DENIED', 'FAILURE', 'HOST_UNSUPPORTED')) throw error;
      await removeIfEmpty(host, staging);
      return false;
    } finally {
      await removeQuietly(host, from);
      await removeQuietly(host, to);
    }
  }
}

/** The probe's leftovers, where a refusal to remove says only that nothing was made. */
async function removeQuietly(host: Host, path: RemotePath): Promise<void> {
  try {
    await removeFile(host, path);
  } catch (error) {
    if (!isFault(error, 'PERMISSION_DENIED', 'FAILURE', 'HOST_UNREACHABLE')) throw error;
  }
}
