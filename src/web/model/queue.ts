// The files that this window uploads: one row each, from the drop to the published file.

import {
  BlobSource,
  type ExistsDecision,
  type FileExists,
  type Uploader,
  type UploadSummary,
  type UploadTarget,
} from 'longshore/client';
import { holdPlace, keyOf, type KeptFiles, type Place } from './kept-files.js';
import { Row, type QueuedFile } from './row.js';
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

export class Queue {
  readonly rows = new Store<readonly Row[]>([]);
  readonly question = new Store<ExistsQuestion | undefined>(undefined);
  readonly #uploader: Uploader;
  readonly #kept: KeptFiles;
  #questions: readonly OpenQuestion[] = [];
  /** The answer to all questions, until nothing is under way any more. */
  #standingAnswer: ExistsAnswer | undefined;

  constructor(uploader: Uploader, kept: KeptFiles) {
    this.#uploader = uploader;
    this.#kept = kept;
  }

  /** Files, and folders with what is in them, below a directory. */
  add(files: readonly QueuedFile[], { host, directory }: { readonly host: string; readonly directory: string }): void {
    const base = directory.replace(/\/+$/, '');
    this.#enter(
      files.map((file) => {
        const { relativePath, name } = file.source;
        return this.#row(file, { host, path: `${base}/${relativePath ?? name}` });
      }),
    );
  }

  /** A file that was waiting before a reload. */
  addAt(file: QueuedFile, place: Place): void {
    this.#enter([this.#row(file, place)]);
  }

  /** Goes on with what was begun before, with the same file. */
  goOn(begun: UploadSummary, file: QueuedFile): void {
    this.#enter([this.#row(file, { host: begun.hostId, path: begun.fullPath }, begun)]);
  }

  /** Whether this window shows a row for it. */
  has(place: Place): boolean {
    const key = keyOf(place);
    return this.rows.get().some((row) => keyOf(row) === key && !row.isGone);
  }

  retry(row: Row, options: { readonly takeOver?: boolean } = {}): void {
    row.begin(this.#begin(row, row, options));
    void this.#keepAndHold(row);
  }

  /** Removes what is on the host, too. Rejects when the gateway refuses. */
  async discard(row: Row): Promise<void> {
    await row.upload.abort();
    await this.#kept.forget(row);
    this.remove(row);
  }

  /** From the list alone. */
  remove(row: Row): void {
    this.rows.set(this.rows.get().filter((other) => other !== row));
    if (row.isOver) void this.#kept.forget(row);
  }

  clearDone(): void {
    this.rows.set(this.rows.get().filter((row) => row.upload.progress.phase !== 'done'));
  }

  answer(answer: ExistsAnswer, scope: 'this' | 'all'): void {
    const [first, ...others] = this.#questions;
    if (scope === 'all') this.#standingAnswer = answer;
    const answered = scope === 'all' ? this.#questions : this.#questions.slice(0, 1);
    this.#ask(scope === 'all' || first === undefined ? [] : others);
    for (const question of answered) question.answer(answer);
  }

  /** What was here about the same paths and is over gives way; what is under way goes on, and the gateway tells the new one. */
  #enter(added: readonly Row[]): void {
    const places = new Set(added.map(keyOf));
    this.rows.set([...this.rows.get().filter((row) => !(row.isOver && places.has(keyOf(row)))), ...added]);
    for (const row of added) void this.#keepAndHold(row);
  }

  #row(file: QueuedFile, place: Place, begun?: UploadSummary): Row {
    const row = new Row(file, place, (made) => this.#begin(made, place, {}, begun));
    row.onEnd = () => this.#ended(row);
    return row;
  }

  #begin(row: Row, { host, path }: Place, options: { readonly takeOver?: boolean }, begun?: UploadSummary) {
    const { source } = row.file;
    const onFileExists: UploadTarget['onFileExists'] = (existing) => this.#decide(row, existing);
    const target = { ...options, onFileExists };
    if (begun !== undefined) return this.#uploader.continue(begun, source, target);
    return this.#uploader.upload(source, { ...target, host, path });
  }

  async #keepAndHold(row: Row): Promise<void> {
    const { handle, source } = row.file;
    if (handle === undefined) return;
    const { host, path } = row;
    if (!(await holdPlace(row, row.upload.done))) return;
    if (row.isOver) return;
    await this.#kept.keep({ host, path, handle, relativePath: source.relativePath, keptAt: Date.now() });
  }

  #ended(row: Row): void {
    this.#ask(this.#questions.filter((question) => question.row !== row));
    if (row.keepsBoth && row.wasKept) {
      row.rename(nextName(row.path));
      this.retry(row);
    } else if (row.upload.progress.phase === 'done' || row.wasKept) {
      void this.#kept.forget(row);
    }
    if (this.rows.get().every(({ isOver }) => isOver)) this.#standingAnswer = undefined;
  }

  async #decide(row: Row, existing: FileExists): Promise<ExistsDecision> {
    // Whoever wants both wants them under any name that is free.
    const answer = row.keepsBoth ? 'both' : (this.#standingAnswer ?? (await this.#answerTo(row, existing)));
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
