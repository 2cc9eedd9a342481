// Files that are on their way, so that a reload can go on with them: the browser keeps what opens them, not their bytes. Only where
// it can (secure contexts of Chromium); everywhere else the person chooses the file again.

import { createStore, del, set, values, type UseStore } from 'idb-keyval';

/** Where a file goes. */
export interface Place {
  readonly host: string;
  readonly path: string;
}

export interface KeptFile extends Place {
  readonly handle: FileSystemFileHandle;
  readonly relativePath: string | undefined;
  /** Whether anything of it has been sent; `aside`: the person has taken it from the list, and it doesn't go on by itself. */
  readonly standing: 'waiting' | 'begun' | 'aside';
  readonly keptAt: number;
}

/** What a browser lets a page ask of a handle; not yet in the compiler's own types. https://wicg.github.io/file-system-access/ */
interface Permitting {
  queryPermission?(options: { readonly mode: 'read' }): Promise<PermissionState>;
  requestPermission?(options: { readonly mode: 'read' }): Promise<PermissionState>;
}

export function keyOf({ host, path }: Place): string {
  return `${host}\n${path}`;
}

/** Nothing here rejects: what can't be kept is chosen again. */
export class KeptFiles {
  #store: UseStore | undefined;

  constructor() {
    try {
      this.#store = createStore('longshore', 'files');
    } catch {
      this.#store = undefined; // No IndexedDB.
    }
  }

  async keep(file: KeptFile): Promise<void> {
    await this.#quietly((store) => set(keyOf(file), file, store));
  }

  async forget(place: Place): Promise<void> {
    await this.#quietly((store) => del(keyOf(place), store));
  }

  /** The earliest first. */
  async all(): Promise<readonly KeptFile[]> {
    const kept = (await this.#quietly((store) => values<KeptFile>(store))) ?? [];
    return kept.toSorted((a, b) => a.keptAt - b.keptAt);
  }

  async #quietly<Value>(work: (store: UseStore) => Promise<Value>): Promise<Value | undefined> {
    if (this.#store === undefined) return undefined;
    try {
      return await work(this.#store);
    } catch {
      return undefined; // A private window, a full disk, a handle that can't be stored.
    }
  }
}

/**
 * The file as it is now; `undefined` when it is gone or may not be read. With `ask` the browser may ask the person, which it does only
 * in answer to a click.
 */
export async function openKept({ handle }: KeptFile, ask: 'ask' | 'without asking'): Promise<File | undefined> {
  const permitting = handle as Permitting;
  try {
    let permission = (await permitting.queryPermission?.({ mode: 'read' })) ?? 'granted';
    if (permission === 'prompt' && ask === 'ask')
      permission = (await permitting.requestPermission?.({ mode: 'read' })) ?? 'denied';
    return permission === 'granted' ? await handle.getFile() : undefined;
  } catch {
    return undefined; // Moved, removed, or on a disk that isn't there.
  }
}

/**
 * Holds what is under way for this window until `ended`, so that another window of the same browser doesn't go on with it. `false`: another
 * one has it. Doesn't reject.
 */
export async function holdPlace(place: Place, ended: Promise<unknown>): Promise<boolean> {
  if (locks === undefined) return true;
  return await new Promise((resolve) => {
    locks
      .request(lockOf(place), { ifAvailable: true }, async (lock) => {
        resolve(lock !== null);
        if (lock !== null) await ended.catch(() => undefined); // How it ended is its owner's to say.
      })
      .catch(() => resolve(true)); // A browser that doesn't give locks: the gateway tells two senders apart.
  });
}

/** Tells what windows of this browser hold now. */
export async function heldPlaces(): Promise<(place: Place) => boolean> {
  const { held = [] } = (await locks?.query().catch(() => undefined)) ?? {};
  const names = new Set(held.map(({ name }) => name));
  return (place) => names.has(lockOf(place));
}

/** Absent on pages over plain HTTP, where nothing is kept either. */
const { locks } = navigator as { readonly locks?: LockManager };

function lockOf(place: Place): string {
  return `longshore:${keyOf(place)}`;
}
