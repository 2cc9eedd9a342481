// The files that this window uploads: one row each, from the drop to the published file.

import {
  BlobSource,
  type ExistsDecision,
  type FileExists,
  type Upload,
  type Uploader,
  type UploadTarget,
} from 'longshore/client';
import { holdPlace, keyOf, type KeptFile, type KeptFiles, type Place } from './kept-files.js';
import { Row, type Entry, type QueuedFile } from './row.js';
import { Store } from './store.js';

/** What the person says about a file that is there already. */
export type ExistsAnswer = 'replace' | 'both' | 'keep';

export interface ExistsQuestion {
  readonly row: Row;
  readonly existing: FileExists;
  /** How many others may meet the same. */
  readonly others: number;
}

interface OpenQuestion extends ExistsQuestion {
  readonly answer: (answer: ExistsAnswer) => void;
}

/** Something that whoever doesn't look at the page wants to hear. */
export type News =
  | { readonly kind: 'added'; readonly count: number }
  | { readonly kind: 'done'; readonly name: string }
  | { readonly kind: 'ended'; readonly name: string; readonly error: unknown };

export class Queue {
  readonly rows = new Store<readonly Row[]>([]);
  readonly question = new Store<ExistsQuestion | undefined>(undefined);
  readonly news = new Store<News | undefined>(undefined);
  /** Told of what is done or discarded. */
  onGone: (place: Place) => void = () => undefined;
  readonly #uploader: Uploader;
  readonly #kept: KeptFiles;
  #byPlace: ReadonlyMap<string, Row> = new Map();
  #questions: readonly OpenQuestion[] = [];
  /** The answer for the rows there were when it was given, and for no other. */
  #standing: { readonly answer: ExistsAnswer; readonly rows: ReadonlySet<Row> } | undefined;

  constructor(uploader: Uploader, kept: KeptFiles) {
    this.#uploader = uploader;
    this.#kept = kept;
  }

  /** Files, and folders with what is in them, below a directory. */
  add(files: readonly QueuedFile[], { host, directory }: { readonly host: string; readonly directory: string }): void {
    const base = directory.replace(/\/+$/, '');
    this.enter(
      files.map((file) => ({ file, place: { host, path: `${base}/${file.source.relativePath ?? file.source.name}` } })),
    );
  }

  /** What was here about the same paths and is over gives way; what is under way goes on, and the gateway tells the new one. */
  enter(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    const added = entries.map(
      (entry) =>
        new Row(
          entry,
          (row, place) => this.#begin(row, place, {}),
          (row) => this.#ended(row),
        ),
    );
    const places = new Set(added.map(keyOf));
    this.#set([...this.rows.get().filter((row) => !(row.isOver && places.has(keyOf(row)))), ...added]);
    this.news.set({ kind: 'added', count: added.length });
    for (const row of added) void this.#keepAndHold(row);
  }

  /** Whether this window shows a row for it. */
  has(place: Place): boolean {
    return this.#byPlace.get(keyOf(place))?.isGone === false;
  }

  retry(row: Row, options: { readonly takeOver?: boolean } = {}): void {
    row.begin(this.#begin(row, row, options));
    void this.#keepAndHold(row);
  }

  /** Removes what is on the host, too. Rejects when the gateway refuses. */
  async discard(row: Row): Promise<void> {
    await row.upload.abort();
    this.remove(row);
  }

  /** From the list alone. What is on the host can still be continued, but doesn't go on by itself. */
  remove(row: Row): void {
    this.#set(this.rows.get().filter((other) => other !== row));
    if (row.isGone || row.wasKept) void this.#kept.forget(row);
    else if (row.isOver) void this.#keep(row, 'aside');
  }

  clearDone(): void {
    this.#set(this.rows.get().filter((row) => row.upload.progress.phase !== 'done'));
  }

  answer(answer: ExistsAnswer, scope: 'this' | 'all'): void {
    const answered = scope === 'all' ? this.#questions : this.#questions.slice(0, 1);
    if (scope === 'all') this.#standing = { answer, rows: new Set(this.rows.get().filter((row) => !row.isOver)) };
    this.#ask(this.#questions.slice(answered.length));
    for (const question of answered) question.answer(answer);
  }

  #set(rows: readonly Row[]): void {
    this.#byPlace = new Map(rows.map((row) => [keyOf(row), row]));
    this.rows.set(rows);
  }

  #begin(row: Row, { host, path }: Place, options: { readonly takeOver?: boolean }): Upload {
    const { source } = row.file;
    const onFileExists: UploadTarget['onFileExists'] = (existing) => this.#decide(row, existing);
    const target = { ...options, onFileExists };
    if (row.begun !== undefined) return this.#uploader.continue(row.begun, source, target);
    return this.#uploader.upload(source, { ...target, host, path });
  }

  async #keepAndHold(row: Row): Promise<void> {
    const { upload, file } = row;
    if (file.handle === undefined || !(await holdPlace(row, upload.done)) || row.isOver) return;
    await this.#keep(row, row.begun === undefined ? 'waiting' : 'begun');
    if (row.begun !== undefined) return;
    const unsubscribe = upload.on('phase', (phase) => {
      if (phase !== 'sending') return;
      unsubscribe();
      void this.#keep(row, 'begun');
    });
  }

  async #keep(row: Row, standing: KeptFile['standing']): Promise<void> {
    const { handle, source } = row.file;
    if (handle === undefined) return;
    const { host, path } = row;
    await this.#kept.keep({ host, path, handle, relativePath: source.relativePath, standing, keptAt: Date.now() });
  }

  #ended(row: Row): void {
    this.#ask(this.#questions.filter((question) => question.row !== row));
    if (row.keepsBoth && row.wasKept) {
      void this.#kept.forget({ host: row.host, path: row.path });
      row.rename(nextName(row.path));
      this.#set(this.rows.get().slice());
      this.retry(row);
      return;
    }
    if (row.isGone || row.wasKept) void this.#kept.forget(row);
    if (row.isGone) this.onGone(row);
    const { name } = row;
    const { error } = row.state.get();
    if (row.upload.progress.phase === 'done') this.news.set({ kind: 'done', name });
    else if (!row.isGone) this.news.set({ kind: 'ended', name, error });
  }

  async #decide(row: Row, existing: FileExists): Promise<ExistsDecision> {
    const standing = this.#standing?.rows.has(row) === true ? this.#standing.answer : undefined;
    // Whoever wants both wants them under any name that is free.
    const answer = row.keepsBoth ? 'both' : (standing ?? (await this.#answerTo(row, existing)));
    row.keepsBoth = answer === 'both';
    return answer === 'replace' ? 'replace' : 'keep';
  }

  async #answerTo(row: Row, existing: FileExists): Promise<ExistsAnswer> {
    return await new Promise((resolve) => {
      const others = this.rows.get().filter((other) => other !== row && !other.isOver).length;
      this.#ask([...this.#questions, { row, existing, others, answer: resolve }]);
    });
  }

  #ask(questions: readonly OpenQuestion[]): void {
    this.#questions = questions;
    this.question.set(questions[0]);
  }
}

/** `film.mov` → `film (2).mov` → `film (3).mov`. */
export function nextName(path: string): string {
  const slash = path.lastIndexOf('/') + 1;
  const name = path.slice(slash);
  const dot = name.lastIndexOf('.');
  const [stem, extension] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ''];
  const counted = /^(.*) \((\d{1,9})\)$/s.exec(stem);
  const next = counted?.[1] === undefined ? `${stem} (2)` : `${counted[1]} (${Number(counted[2]) + 1})`;
  return `${path.slice(0, slash)}${next}${extension}`;
}

/** A file that was chosen again, or found again. */
export function queuedFile(
  file: File,
  options: { readonly relativePath?: string | undefined; readonly handle?: FileSystemFileHandle },
): QueuedFile {
  const { relativePath, handle } = options;
  return { source: new BlobSource(file, relativePath === undefined ? {} : { relativePath }), handle };
}
