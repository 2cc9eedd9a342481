// The home of uploads to a target: the topmost directory between its root and itself that lies on the target's file system and lets
// us write. So one place per root holds all staging, and publication is a rename on one file system.
import type { Clock, Hashing, Host } from '../core/ports.js';
import { ProblemError, isFault, refused } from '../core/problems.js';
import { STAGING_NAME, joinPath, pathsBetween } from '../core/remote-path.js';
import type { RemotePath } from '../core/remote-path.js';
import type { Place } from '../core/staging.js';
import { settled } from '../core/settled.js';
import { freshNonce, inDirectories, makeEmpty, removeIfEmpty, removeQuietly } from './files.js';
import type { ProbedPowers } from './probe.js';
import { probePowers } from './probe.js';

export interface Home {
  /** `<directory>/.longshore` */
  readonly staging: RemotePath;
  readonly powers: ProbedPowers;
}

/** Long enough that a thousand small files probe once, short enough that a mended host is seen. */
const REMEMBER_MS = 10 * 60_000;
const MAX_REMEMBERED = 1_000;

export class Homes {
  readonly #clock: Clock;
  readonly #hashing: Hashing;
  /** By host and directory of the target. */
  readonly #homes: Memory<Home>;
  /** By host and staging directory. */
  readonly #powers: Memory<{ readonly hostId: string; readonly staging: RemotePath; readonly powers: ProbedPowers }>;

  constructor(options: { readonly clock: Clock; readonly hashing: Hashing }) {
    this.#clock = options.clock;
    this.#hashing = options.hashing;
    this.#homes = new Memory(options.clock);
    this.#powers = new Memory(options.clock);
  }

  /** `PERMISSION_DENIED` when our account can't write where the target would be. */
  of(host: Host, place: Place): Promise<Home> {
    return this.#homes.recall(`${host.profile.id} ${place.base}`, () => this.#search(host, place));
  }

  /** Staging directories used on this host lately: some may lie below a root that can't be written. */
  async known(host: Host): Promise<readonly RemotePath[]> {
    const places = await this.#powers.all();
    return places.filter((place) => place.hostId === host.profile.id).map((place) => place.staging);
  }

  /** The host's clock less ours, ms; undefined where nothing tells, because nowhere on it may we write. */
  async clockOffsetMs(host: Host, places: readonly Place[]): Promise<number | undefined> {
    for (const place of places) {
      try {
        return (await this.of(host, place)).powers.clockOffsetMs;
      } catch (error) {
        if (!(error instanceof ProblemError) && !isFault(error, 'PERMISSION_DENIED', 'NOT_FOUND')) throw error;
      }
    }
    return undefined;
  }

  async #search(host: Host, place: Place): Promise<Home> {
    for (const directory of await this.#candidates(host, place)) {
      const staging = joinPath(directory, STAGING_NAME);
      if (!(await this.#fits(host, staging, place.base))) continue;
      const { powers } = await this.#powers.recall(`${host.profile.id} ${staging}`, () => this.#probe(host, staging));
      await removeIfEmpty(host, staging);
      return { staging, powers };
    }
    throw new ProblemError(refused('PERMISSION_DENIED', 'our account may not write in the directory of this path'));
  }

  async #probe(host: Host, staging: RemotePath) {
    const probing = { host, hashing: this.#hashing, clock: this.#clock, directory: staging };
    const powers = await inDirectories(host, [staging], () => probePowers(probing));
    return { hostId: host.profile.id, staging, powers };
  }

  /** Topmost first; without those that are known to lie on another file system. */
  async #candidates(host: Host, place: Place): Promise<readonly RemotePath[]> {
    const all = pathsBetween(place.root, place.base);
    if (!host.offers.space) return [place.base];
    const spaces = await settled(all.map((path) => host.space(path)));
    const wanted = spaces.at(-1)?.fileSystem;
    if (wanted === undefined) return [place.base];
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
        await makeEmpty(host, from, 'create-private');
        await host.rename(from, to);
        return true;
      });
    } catch (error) {
      // FAILURE: another mount (EXDEV).
      if (!isFault(error, 'PERMISSION_DENIED', 'FAILURE', 'HOST_UNSUPPORTED')) throw error;
      await removeQuietly(host, from);
      await removeIfEmpty(host, staging);
      return false;
    } finally {
      await settled([from, to].map((path) => removeQuietly(host, path)));
    }
  }
}

/** What was found out lately: for `REMEMBER_MS`, the last `MAX_REMEMBERED`, and no failures. */
class Memory<T> {
  readonly #clock: Clock;
  readonly #entries = new Map<string, { readonly found: Promise<T>; readonly until: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  recall(key: string, find: () => Promise<T>): Promise<T> {
    const known = this.#entries.get(key);
    if (known !== undefined && known.until > this.#clock.monotonic()) return known.found;
    const found = find();
    this.#entries.delete(key);
    this.#entries.set(key, { found, until: this.#clock.monotonic() + REMEMBER_MS });
    const oldest = this.#entries.keys().next().value;
    if (this.#entries.size > MAX_REMEMBERED && oldest !== undefined) this.#entries.delete(oldest);
    // A failure is told to whoever waits and not remembered: the next caller looks again.
    found.catch(() => {
      if (this.#entries.get(key)?.found === found) this.#entries.delete(key);
    });
    return found;
  }

  async all(): Promise<readonly T[]> {
    const settled = await Promise.allSettled([...this.#entries.values()].map((entry) => entry.found));
    return settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  }
}
