import type { Dir } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { LentPath } from './jail.js';
import { Status, StatusError } from './status.js';
import { uint32 } from './wire.js';

interface Opened {
  readonly file: FileHandle;
  /** A path to it, as long as it is open. */
  readonly place: LentPath;
}

export interface OpenFile extends Opened {
  readonly kind: 'file';
  /** Device and inode: the same for two handles of one file. */
  readonly identity: string;
  /** Writes go to the end, wherever they are asked to go. */
  readonly appends: boolean;
}

export interface OpenDirectory extends Opened {
  readonly kind: 'directory';
  readonly listing: Dir;
}

export type OpenHandle = OpenFile | OpenDirectory;

/** Handles one session may have open; told by limits@openssh.com. */
export const MAX_HANDLES = 1024;

const HANDLE_BYTES = 4;

/** The open files and directories of one session, under the names the client knows them by. */
export class HandleTable {
  readonly #open = new Map<number, OpenHandle>();
  #last = 0;
  #reserved = 0;

  get size(): number {
    return this.#open.size;
  }

  /** Opens and keeps what `open` gives, and answers its name. FAILURE without opening when the table is full. */
  async add(open: () => Promise<OpenHandle>): Promise<Buffer> {
    if (this.#open.size + this.#reserved >= MAX_HANDLES) throw new StatusError(Status.failure, 'too many open handles');
    this.#reserved += 1;
    try {
      const handle = await open();
      do this.#last = (this.#last + 1) >>> 0;
      while (this.#open.has(this.#last));
      this.#open.set(this.#last, handle);
      return uint32(this.#last);
    } finally {
      this.#reserved -= 1;
    }
  }

  find(name: Buffer): OpenHandle | undefined {
    return name.length === HANDLE_BYTES ? this.#open.get(name.readUInt32BE()) : undefined;
  }

  /** FAILURE for a name that is no open handle, as OpenSSH's sftp-server answers. */
  get(name: Buffer): OpenHandle {
    const handle = this.find(name);
    if (handle === undefined) throw new StatusError(Status.failure, 'no such handle');
    return handle;
  }

  file(name: Buffer): OpenFile {
    const handle = this.get(name);
    if (handle.kind !== 'file') throw new StatusError(Status.failure, 'not a file handle');
    return handle;
  }

  directory(name: Buffer): OpenDirectory {
    const handle = this.get(name);
    if (handle.kind !== 'directory') throw new StatusError(Status.failure, 'not a directory handle');
    return handle;
  }

  /** The name is free even when closing fails. */
  async close(name: Buffer): Promise<void> {
    const handle = this.get(name);
    this.#open.delete(name.readUInt32BE());
    await closeHandle(handle);
  }

  /** Closes everything; a failure is nobody's any more: the client is gone. */
  async closeAll(): Promise<void> {
    const handles = [...this.#open.values()];
    this.#open.clear();
    await Promise.allSettled(handles.map(closeHandle));
  }
}

async function closeHandle(handle: OpenHandle): Promise<void> {
  try {
    if (handle.kind === 'directory') await handle.listing.close();
  } finally {
    await handle.file.close();
  }
}
