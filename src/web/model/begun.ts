// What the person has begun and this window doesn't send: before a reload, in another window, on another device. Live.

import type { MergeProgress, Problem, Uploader, UploadSummary } from 'longshore/client';
import { heldPlaces, keyOf, openKept, type KeptFile, type KeptFiles, type Place } from './kept-files.js';
import { queuedFile, type Queue } from './queue.js';
import type { Entry, QueuedFile } from './row.js';
import { Store } from './store.js';

export interface Begun {
  readonly summary: UploadSummary;
  /** The newest that was heard of it. */
  readonly progress: MergeProgress | undefined;
  /** Whether somebody sends it, or the host merges it. */
  readonly isMoving: boolean;
  /** What opens its file, where this browser has kept that. */
  readonly kept: KeptFile | undefined;
}

export interface BegunState {
  readonly items: readonly Begun[];
  /** Hosts that couldn't be asked. */
  readonly problems: readonly Problem[];
}

const LOOK_EVERY_MS = 5_000;
/** A chunk may take its time on a slow line. */
const MOVING_FOR_MS = 6_000;
/** So many are followed live; of further ones the list itself tells. */
const MAX_FOLLOWED = 50;

interface Followed {
  readonly ending: AbortController;
  progress: MergeProgress | undefined;
  movedAt: number;
}

export class BegunUploads {
  readonly state = new Store<BegunState>({ items: [], problems: [] });
  readonly #uploader: Uploader;
  readonly #queue: Queue;
  readonly #kept: KeptFiles;
  readonly #followed = new Map<string, Followed>();
  #listed: { readonly items: readonly UploadSummary[]; readonly problems: readonly Problem[] } = { items: [], problems: [] };
  #keptByPlace: ReadonlyMap<string, KeptFile> = new Map();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(uploader: Uploader, queue: Queue, kept: KeptFiles) {
    this.#uploader = uploader;
    this.#queue = queue;
    this.#kept = kept;
    queue.rows.subscribe(() => this.#show());
    queue.onGone = (place) => {
      const items = this.#listed.items.filter((summary) => keyOf(placeOf(summary)) !== keyOf(place));
      this.#listed = { ...this.#listed, items };
      this.#show();
    };
  }

  /** Looks now and every few seconds as long as the page is seen. What this browser may open without asking goes on by itself. */
  async begin(): Promise<void> {
    await this.look();
    await this.#goOnByItself();
    addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') void this.look();
    });
  }

  async look(): Promise<void> {
    clearTimeout(this.#timer);
    if (document.visibilityState === 'visible') {
      try {
        this.#listed = await this.#uploader.unfinished();
        this.#keptByPlace = new Map((await this.#kept.all()).map((file) => [keyOf(file), file]));
        this.#followListed();
        this.#show();
      } catch {
        // The page says already that the gateway is away; the list stays as it was.
      }
    }
    this.#timer = setTimeout(() => void this.look(), LOOK_EVERY_MS);
  }

  /** Goes on with a kept file; the browser may ask the person for permission. */
  async goOn({ summary, kept }: Begun): Promise<'under way' | 'to be chosen' | 'in another window'> {
    if (kept === undefined) return 'to be chosen';
    if ((await heldPlaces())(kept)) return 'in another window';
    const file = await openKept(kept, 'ask');
    if (file === undefined) return 'to be chosen';
    return await this.goOnWith(summary, queuedFile(file, kept));
  }

  /** Goes on with a file that was chosen; that it is the same one is looked at first. */
  async goOnWith(begun: UploadSummary, file: QueuedFile): Promise<'under way' | 'in another window'> {
    const place = placeOf(begun);
    if ((await heldPlaces())(place)) return 'in another window';
    this.#queue.enter([{ file, place, begun }]);
    return 'under way';
  }

  /** Rejects when the gateway refuses. */
  async discard({ summary }: Begun): Promise<void> {
    await this.#uploader.abort(summary);
    await this.#kept.forget(placeOf(summary));
    await this.look();
  }

  /** What the browser opens without asking: uploads that are listed, and files that were still waiting. */
  async #goOnByItself(): Promise<void> {
    const listed = new Map(this.#listed.items.map((summary) => [keyOf(placeOf(summary)), summary]));
    const isHeld = await heldPlaces();
    const entries: Entry[] = [];
    for (const kept of await this.#kept.all()) {
      if (kept.standing === 'aside' || this.#queue.has(kept) || isHeld(kept)) continue;
      const begun = listed.get(keyOf(kept));
      if (begun === undefined && kept.standing === 'begun') {
        // Finished or discarded elsewhere, unless its host couldn't be asked.
        if (this.#listed.problems.length === 0) await this.#kept.forget(kept);
        continue;
      }
      const file = await openKept(kept, 'without asking');
      if (file !== undefined) entries.push({ file: queuedFile(file, kept), place: kept, begun });
    }
    this.#queue.enter(entries);
  }

  #show(): void {
    const items = this.#unsent();
    this.state.set({
      items: items.map((summary) => {
        const { progress, movedAt = 0 } = this.#followed.get(refOf(summary)) ?? {};
        const kept = this.#keptByPlace.get(keyOf(placeOf(summary)));
        return { summary, progress, isMoving: Date.now() - movedAt < MOVING_FOR_MS, kept };
      }),
      problems: this.#listed.problems,
    });
  }

  /** What this window doesn't send. */
  #unsent(): readonly UploadSummary[] {
    return this.#listed.items.filter((summary) => !this.#queue.has(placeOf(summary)));
  }

  #followListed(): void {
    const wanted = this.#unsent().slice(0, MAX_FOLLOWED);
    const refs = new Set(wanted.map(refOf));
    for (const [ref, followed] of this.#followed) {
      if (refs.has(ref)) continue;
      followed.ending.abort();
      this.#followed.delete(ref);
    }
    for (const summary of wanted) this.#follow(summary);
  }

  #follow(summary: UploadSummary): void {
    const ref = refOf(summary);
    if (this.#followed.has(ref)) return;
    const followed: Followed = { ending: new AbortController(), progress: undefined, movedAt: 0 };
    this.#followed.set(ref, followed);
    const { hostId, fullPath, hashCode } = summary;
    const onProgress = (progress: MergeProgress) => {
      const before = followed.progress;
      // The first is the present state, whether anything moves or not.
      if (before !== undefined && (before.phase !== progress.phase || before.doneBytes !== progress.doneBytes)) {
        followed.movedAt = Date.now();
      }
      followed.progress = progress;
      this.#show();
    };
    const { signal } = followed.ending;
    const over = (): void => {
      if (this.#followed.get(ref) === followed) this.#followed.delete(ref); // The next look follows it anew, if it is still there.
    };
    this.#uploader.watch({ hostId, fullPath, hashCode }, { onProgress, signal }).then(({ phase }) => {
      over();
      if (phase !== 'FAILED') void this.look();
    }, over);
  }
}

function placeOf({ hostId, fullPath }: UploadSummary): Place {
  return { host: hostId, path: fullPath };
}

function refOf({ hostId, fullPath, hashCode }: UploadSummary): string {
  return `${hostId}\n${fullPath}\n${hashCode}`;
}
