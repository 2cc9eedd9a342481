// One file on its way, through as many uploads as it takes: a retry is a new one.

import { isOver, UploadError, type BlobSource, type Retry, type Upload, type UploadSummary } from 'longshore/client';
import type { Place } from './kept-files.js';
import { Store } from './store.js';

export interface QueuedFile {
  readonly source: BlobSource;
  /** What opens it again after a reload, where the browser gave it. */
  readonly handle: FileSystemFileHandle | undefined;
}

/** A file, and where it goes. */
export interface Entry {
  readonly file: QueuedFile;
  readonly place: Place;
  /** What it goes on with: the file has to be the same one. */
  readonly begun?: UploadSummary | undefined;
}

export interface RowState {
  readonly upload: Upload;
  readonly path: string;
  /** Why it doesn't get on at present; it tries again by itself. */
  readonly trouble: Retry | undefined;
  /** What ended it. */
  readonly error: unknown;
}

let rows = 0;

export class Row implements Place {
  readonly id: number;
  readonly file: QueuedFile;
  readonly host: string;
  readonly state: Store<RowState>;
  /** The person wants the file that is there, and this one under another name. */
  keepsBoth = false;
  begun: UploadSummary | undefined;
  readonly #onEnd: (row: Row) => void;

  /** `begin` makes its first upload; `onEnd` hears of the end of each. */
  constructor({ file, place, begun }: Entry, begin: (row: Row, place: Place) => Upload, onEnd: (row: Row) => void) {
    this.id = rows += 1;
    this.file = file;
    this.host = place.host;
    this.begun = begun;
    this.#onEnd = onEnd;
    const upload = begin(this, place);
    this.state = new Store<RowState>({ upload, path: place.path, trouble: undefined, error: undefined });
    this.#follow(upload);
  }

  get path(): string {
    return this.state.get().path;
  }

  get upload(): Upload {
    return this.state.get().upload;
  }

  get name(): string {
    return this.path.slice(this.path.lastIndexOf('/') + 1);
  }

  get isOver(): boolean {
    return isOver(this.upload.progress.phase);
  }

  /** Nothing of it is left to be done. */
  get isGone(): boolean {
    return ['done', 'aborted'].includes(this.upload.progress.phase);
  }

  /** The file that was there is there still, as the person wished. */
  get wasKept(): boolean {
    return codeOf(this.state.get().error) === 'FILE_EXISTS';
  }

  /** Not with a file that isn't what was begun, or that can't be read any more. */
  get mayRetry(): boolean {
    return this.isOver && !this.isGone && codeOf(this.state.get().error) !== 'SOURCE_CHANGED';
  }

  begin(upload: Upload): void {
    this.#set({ upload, trouble: undefined, error: undefined });
    this.#follow(upload);
  }

  /** What was begun under the old name stays there. */
  rename(path: string): void {
    this.begun = undefined;
    this.#set({ path });
  }

  #follow(upload: Upload): void {
    const show = (change: Partial<RowState>) => {
      if (upload === this.upload) this.#set(change);
    };
    let mergeAtTrouble: unknown;
    const clear = () => {
      if (this.state.get().trouble !== undefined) show({ trouble: undefined });
    };
    upload.on('retry', (trouble) => {
      mergeAtTrouble = upload.progress.merge;
      show({ trouble });
    });
    upload.on('chunk', clear);
    upload.on('phase', clear);
    upload.on('progress', ({ merge }) => {
      if (merge !== mergeAtTrouble) clear();
    });
    upload.done.then(
      () => this.#onEnd(this),
      (error: unknown) => {
        show({ error });
        this.#onEnd(this);
      },
    );
  }

  #set(change: Partial<RowState>): void {
    this.state.set({ ...this.state.get(), ...change });
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof UploadError ? error.code : undefined;
}
