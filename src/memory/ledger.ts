// What persons have under way, in one process. The twin of src/redis/ledger.ts; both pass test/contract/ledger.ts.
import type { Entry, EntryOutcome, Ledger, LedgerBounds } from '../core/ledger.js';
import type { Clock } from '../core/ports.js';

interface Line {
  readonly until: number;
  readonly bytes: number;
  readonly isStaged: boolean;
  readonly spaceKey?: string | undefined;
}

/** Lines by upload, and what they come to. Lapsed lines count until they are struck out. */
class Book {
  readonly lines = new Map<string, Line>();
  bytes = 0;
  claims = 0;

  write(id: string, line: Line): void {
    this.strike(id);
    this.lines.set(id, line);
    this.bytes += line.bytes;
    if (!line.isStaged) this.claims += 1;
  }

  strike(id: string): void {
    const line = this.lines.get(id);
    if (line === undefined) return;
    this.lines.delete(id);
    this.bytes -= line.bytes;
    if (!line.isStaged) this.claims -= 1;
  }

  strikeLapsed(now: number): void {
    for (const [id, { until }] of this.lines) if (until <= now) this.strike(id);
  }
}

/** Between two times that all books are looked through: what nobody asks about again must not stay for ever. */
const CALLS_BETWEEN_SWEEPS = 1_000;

export class MemoryLedger implements Ledger {
  readonly #clock: Clock;
  readonly #persons = new Map<string, Book>();
  readonly #spaces = new Map<string, Book>();
  #calls = 0;

  constructor(options: { readonly clock: Clock }) {
    this.#clock = options.clock;
  }

  /** Lines kept, lapsed ones that were not yet struck out included. */
  get size(): number {
    return [...this.#persons.values(), ...this.#spaces.values()].reduce((sum, { lines }) => sum + lines.size, 0);
  }

  async enter(entry: Entry, bounds?: LedgerBounds): Promise<EntryOutcome> {
    this.#sweepSometimes();
    if (bounds === undefined) return this.#enter(entry);
    const refusal = refusalOf(entry, bounds, this.#books(entry));
    if (refusal === undefined) return this.#enter(entry);
    // Only now: most calls come nowhere near a bound.
    this.#sweep();
    return refusalOf(entry, bounds, this.#books(entry)) ?? this.#enter(entry);
  }

  async leave({ person, id }: Pick<Entry, 'person' | 'id'>): Promise<void> {
    const spaceKey = this.#persons.get(person)?.lines.get(id)?.spaceKey;
    for (const book of [this.#persons.get(person), spaceKey && this.#spaces.get(spaceKey)]) if (book) book.strike(id);
  }

  #books({ person, space }: Entry) {
    const bookIn = (books: Map<string, Book>, key: string): Book => {
      const book = books.get(key) ?? new Book();
      books.set(key, book);
      return book;
    };
    return { person: bookIn(this.#persons, person), ...(space && { space: bookIn(this.#spaces, space.key) }) };
  }

  #enter(entry: Entry): EntryOutcome {
    const { id, sizeBytes, isStaged, space } = entry;
    const books = this.#books(entry);
    const known = books.person.lines.get(id);
    const now = this.#clock.now();
    const isNew = known === undefined || known.until <= now;
    if (known?.spaceKey !== undefined && known.spaceKey !== space?.key) this.#spaces.get(known.spaceKey)?.strike(id);
    const until = now + entry.ttlMs;
    books.person.write(id, { until, isStaged, bytes: sizeBytes, spaceKey: space?.key });
    if (space !== undefined) books.space?.write(id, { until: now + space.ttlMs, isStaged, bytes: space.neededBytes });
    return { kind: 'entered', isNew };
  }

  #sweepSometimes(): void {
    this.#calls += 1;
    if (this.#calls % CALLS_BETWEEN_SWEEPS === 0) this.#sweep();
  }

  #sweep(): void {
    const now = this.#clock.now();
    for (const books of [this.#persons, this.#spaces]) {
      for (const [key, book] of books) {
        book.strikeLapsed(now);
        if (book.lines.size === 0) books.delete(key);
      }
    }
  }
}

/** What an upload has counts once: what it had before doesn't count against it. */
function refusalOf(entry: Entry, bounds: LedgerBounds, books: { person: Book; space?: Book }): EntryOutcome | undefined {
  const { person, space } = books;
  const own = person.lines.get(entry.id);
  const exceeded = (bound: keyof LedgerBounds, used: number) => ({ kind: 'exceeded', bound, used }) as const;
  const usedBytes = person.bytes - (own?.bytes ?? 0);
  if (own === undefined) {
    if (person.lines.size >= bounds.uploadsPerPerson) return exceeded('uploadsPerPerson', person.lines.size);
    if (!entry.isStaged && person.claims >= bounds.claimsPerPerson) return exceeded('claimsPerPerson', person.claims);
  }
  // One that was let in before goes on, also under a bound that is lower now.
  const isMore = own === undefined || entry.sizeBytes > own.bytes;
  if (isMore && usedBytes + entry.sizeBytes > bounds.bytesPerPerson) return exceeded('bytesPerPerson', usedBytes);
  if (entry.space === undefined || space === undefined) return undefined;
  const promisedBytes = space.bytes - (space.lines.get(entry.id)?.bytes ?? 0);
  const { freeBytes, neededBytes } = entry.space;
  return freeBytes - promisedBytes < neededBytes ? { kind: 'no-space', promisedBytes } : undefined;
}
