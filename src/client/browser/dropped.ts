// What was dropped on a page, folders included.

import { BlobSource } from '../blob-source.js';

/**
 * All files of a drop, those in folders with their `relativePath`. To be called in the event's own turn: afterwards a browser no longer
 * shows what was dropped. Rejects with the browser's error when a folder can't be read.
 */
export async function droppedFiles(transfer: DataTransfer): Promise<BlobSource[]> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const found: BlobSource[] = [];
  for (const entry of entries) for await (const source of filesIn(entry, '')) found.push(source);
  return found;
}

async function* filesIn(entry: FileSystemEntry, folder: string): AsyncGenerator<BlobSource> {
  const path = `${folder}${entry.name}`;
  if (isDirectory(entry)) {
    for await (const child of childrenOf(entry)) yield* filesIn(child, `${path}/`);
  } else if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    yield new BlobSource(file, folder === '' ? {} : { relativePath: path });
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
