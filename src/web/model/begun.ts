// What the person has begun and this window doesn't send: before a reload, in another window, on another device. Live.

import type { MergeProgress, Problem, Uploader, UploadSummary } from 'longshore/client';
import { isHeld, keyOf, openKept, type KeptFile, type KeptFiles, type Place } from './kept-files.js';
import { queuedFile, type Queue } from './queue.js';
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
        this.#show();
      } catch {
        // The page says already that the gateway is away; the list stays as it was.
      }
    }
    this.#timer = setTimeout(() => void this.look(), LOOK_EVERY_MS);
  }

  /** Goes on with a kept file, asking the person for permission where the browser wants that. `false`: it has to be chosen. */
  async goOn({ summary, kept }: Begun, ask: 'ask' | 'without asking' = 'ask'): Promise<boolean> {
    if (kept === undefined) return false;
    const file = await openKept(kept, ask);
    if (file === undefined) return false;
    this.#queue.goOn(summary, queuedFile(file, kept));
    return true;
  }

  /** Rejects when the gateway refuses. */
  async discard({ summary }: Begun): Promise<void> {
    await this.#uploader.abort(summary);
    await this.#kept.forget(placeOf(summary));
    await this.look();
  }

  /** Files that were waiting, too: they were kept, and nothing of them is on a host as yet. */
  async #goOnByItself(): Promise<void> {
    const listed = new Map(this.state.get().items.map((item) => [keyOf(placeOf(item.summary)), item]));
    for (const kept of await this.#kept.all()) {
      if (this.#queue.has(kept) || (await isHeld(kept))) continue;
      const item = listed.get(keyOf(kept));
      if (item !== undefined) {
        await this.goOn(item, 'without asking');
        continue;
      }
      const file = await openKept(kept, 'without asking');
      if (file === undefined) continue;
      this.#queue.addAt(queuedFile(file, kept), kept);
    }
  }

  #show(): void {
    const items = this.#listed.items.filter((summary) => !this.#queue.has(placeOf(summary)));
    const wanted = new Set(items.slice(0, MAX_FOLLOWED).map(refOf));
    for (const [ref, followed] of this.#followed) {
      if (wanted.has(ref)) continue;
      followed.ending.abort();
      this.#followed.delete(ref);
    }
    for (const summary of items.slice(0, MAX_FOLLOWED)) this.#follow(summary);
    this.state.set({
      items: items.map((summary) => {
        const { progress, movedAt = 0 } = this.#followed.get(refOf(summary)) ?? {};
        const kept = this.#keptByPlace.get(keyOf(placeOf(summary)));
        return { summary, progress, isMoving: Date.now() - movedAt < MOVING_FOR_MS, kept };
      }),
      problems: this.#listed.problems,
    });
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
    this.#uploader.watch({ hostId, fullPath, hashCode }, { onProgress, signal }).then(
      () => void this.look(),
      // Withdrawn, or no longer known: the list tells what is left.
      () => undefined,
    );
  }
}

function placeOf({ hostId, fullPath }: UploadSummary): Place {
  return { host: hostId, path: fullPath };
}

function refOf({ hostId, fullPath, hashCode }: UploadSummary): string {
  return `${hostId}\n${fullPath}\n${hashCode}`;
}
