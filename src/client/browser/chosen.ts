// Files that a person dropped on a page or chose there, folders included, with their handles where the browser gives them.

import { BlobSource } from '../blob-source.js';

export interface ChosenFile {
  /** In a folder with its `relativePath`. */
  readonly source: BlobSource;
  /**
   * In Chromium, on pages that are secure contexts: it may be kept in IndexedDB, and the same file be read again after a reload, once the
   * person has allowed that (`requestPermission`).
   */
  readonly handle: FileSystemFileHandle | undefined;
}

/**
 * All files of a drop. To be called in the event's own turn: afterwards a browser no longer shows what was dropped. Rejects with the
 * browser's error when a file or a folder can't be read.
 */
export async function droppedFiles(transfer: DataTransfer): Promise<ChosenFile[]> {
  // Each is asked for both before anything is waited for.
  const items = [...transfer.items].filter(({ kind }) => kind === 'file');
  const asked = items.map((item) => ({ entry: item.webkitGetAsEntry(), handle: handleOf(item) }));
  const nodes: (Handle | FileSystemEntry | null)[] = [];
  for (const { entry, handle } of asked) nodes.push((await handle) ?? entry);
  return await gather(nodes.filter((node) => node !== null));
}

/**
 * Lets the person choose; none when they don't. `undefined`, before anything is shown, where the browser can't give handles or doesn't
 * give them to a page in another one's frame: an `<input type="file">` is the way there. To be called when the person has clicked. Rejects as `droppedFiles` does.
 */
export function chosenFiles(kind: 'files' | 'folder'): Promise<ChosenFile[]> | undefined {
  const { showOpenFilePicker, showDirectoryPicker } = globalThis as Pickers;
  if (showOpenFilePicker === undefined || showDirectoryPicker === undefined || isInForeignFrame()) return undefined;
  const picking = kind === 'files' ? showOpenFilePicker({ multiple: true }) : showDirectoryPicker().then((folder) => [folder]);
  return picking.then(gather, (error: unknown) => {
    if (error instanceof DOMException && error.name === 'AbortError') return [];
    throw error;
  });
}

/** Chromium has the pickers there, too, and refuses them when they are called: https://wicg.github.io/file-system-access/#api-showopenfilepicker */
function isInForeignFrame(): boolean {
  try {
    return top?.location.origin !== origin;
  } catch {
    return true; // It may not even be asked.
  }
}

async function gather(nodes: readonly (Handle | FileSystemEntry)[]): Promise<ChosenFile[]> {
  const found: ChosenFile[] = [];
  for (const node of nodes) for await (const file of filesIn(node, '')) found.push(file);
  return found;
}

/** `undefined` where there is none: in other browsers, over plain HTTP, for folders that the browser guards. Doesn't reject. */
async function handleOf(item: DataTransferItem & GivesHandle): Promise<Handle | undefined> {
  // Chromium has the method there, too, and ends the whole page when it is called (156).
  if (!isSecureContext) return undefined;
  try {
    return (await item.getAsFileSystemHandle?.()) ?? undefined;
  } catch {
    return undefined; // The entry is there all the same.
  }
}

async function* filesIn(node: Handle | FileSystemEntry, folder: string): AsyncGenerator<ChosenFile> {
  const path = `${folder}${node.name}`;
  const options = folder === '' ? {} : { relativePath: path };
  if ('kind' in node) {
    if (node.kind === 'file') yield { source: new BlobSource(await node.getFile(), options), handle: node };
    else for await (const child of node.values()) yield* filesIn(child, `${path}/`);
  } else if (isDirectory(node)) {
    for await (const child of childrenOf(node)) yield* filesIn(child, `${path}/`);
  } else if (isFile(node)) {
    const file = await new Promise<File>((resolve, reject) => node.file(resolve, reject));
    yield { source: new BlobSource(file, options), handle: undefined };
  }
}

/** A browser gives them in batches, 100 at a time, until one is empty. */
async function* childrenOf(directory: FileSystemDirectoryEntry): AsyncGenerator<FileSystemEntry> {
  const reader = directory.createReader();
  for (;;) {
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (batch.length === 0) return;
    yield* batch;
  }
}

function isDirectory(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

// https://wicg.github.io/file-system-access/, not among TypeScript's types.

type Handle = (FileSystemFileHandle & { readonly kind: 'file' }) | (FileSystemDirectoryHandle & { readonly kind: 'directory' });

interface GivesHandle {
  getAsFileSystemHandle?(): Promise<Handle | null>;
}

interface Pickers {
  readonly showOpenFilePicker?: (options: { readonly multiple: true }) => Promise<Handle[]>;
  readonly showDirectoryPicker?: () => Promise<Handle>;
}
