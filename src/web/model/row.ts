// One file on its way, through as many uploads as it takes: a retry is a new one.

import { UploadError, type BlobSource, type Retry, type Upload } from 'longshore/client';
import type { Place } from './kept-files.js';
import { Store } from './store.js';

export interface QueuedFile {
  readonly source: BlobSource;
  /** What opens it again after a reload, where the browser gave it. */
  readonly handle: FileSystemFileHandle | undefined;
}

export interface RowState {
  readonly upload: Upload;
  readonly path: string;
  /** Why it doesn't get on at present; it tries again by itself. */
  readonly trouble: Retry | undefined;
  /** The code of the error that ended it. */
  readonly failure: string | undefined;
}

let rows = 0;

export class Row implements Place {
  readonly id: number;
  readonly file: QueuedFile;
  readonly host: string;
  readonly state: Store<RowState>;
  /** The person wants the file that is there, and this one under another name. */
  keepsBoth = false;
  onEnd: () => void = () => undefined;

  /** `begin` makes its first upload. */
  constructor(file: QueuedFile, { host, path }: Place, begin: (row: Row) => Upload) {
    this.id = rows += 1;
    this.file = file;
    this.host = host;
    const upload = begin(this);
    this.state = new Store<RowState>({ upload, path, trouble: undefined, failure: undefined });
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
    return ['done', 'failed', 'stopped', 'aborted'].includes(this.upload.progress.phase);
  }

  /** Nothing of it is left to be done. */
  get isGone(): boolean {
    return ['done', 'aborted'].includes(this.upload.progress.phase);
  }

  /** The file that was there is there still, as the person wished. */
  get wasKept(): boolean {
    return this.state.get().failure === 'FILE_EXISTS';
  }

  begin(upload: Upload): void {
    this.#set({ upload, trouble: undefined, failure: undefined });
    this.#follow(upload);
  }

  rename(path: string): void {
    this.#set({ path });
  }

  #follow(upload: Upload): void {
    const show = (change: Partial<RowState>) => {
      if (upload === this.upload) this.#set(change);
    };
    const clear = () => {
      if (this.state.get().trouble !== undefined) show({ trouble: undefined });
    };
    upload.on('retry', (trouble) => show({ trouble }));
    upload.on('chunk', clear);
    upload.on('phase', clear);
    upload.done.then(
      () => this.onEnd(),
      (error: unknown) => {
        show({ failure: error instanceof UploadError ? error.code : 'FAILED' });
        this.onEnd();
      },
    );
  }

  #set(change: Partial<RowState>): void {
    this.state.set({ ...this.state.get(), ...change });
  }
}
