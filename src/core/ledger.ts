// What each person has under way, and what is promised of a file system's space. A port: src/redis and src/memory keep the books.

/** An upload, as the books know it. */
export interface Entry {
  readonly person: string;
  /** Of its identity. */
  readonly id: string;
  readonly sizeBytes: number;
  /** Whether anything of its content is on its host. Until then it is a claim and nothing more. */
  readonly isStaged: boolean;
  /** How long it stays in the person's book when nothing more is heard of it. */
  readonly ttlMs: number;
  /** Where the rest of it will lie; undefined where the host can't tell. */
  readonly space?: {
    /** Same text = same file system. */
    readonly key: string;
    /** What it will still need. */
    readonly neededBytes: number;
    /** Bytes that may be written there in all, this upload's and others'. */
    readonly freeBytes: number;
    /** How long that is promised when nothing more is heard of it. */
    readonly ttlMs: number;
  };
}

export interface LedgerBounds {
  readonly uploadsPerPerson: number;
  readonly bytesPerPerson: number;
  /** Of uploads with nothing on their host. */
  readonly claimsPerPerson: number;
}

export type EntryOutcome =
  /** `isNew`: it wasn't in the books. */
  | { readonly kind: 'entered'; readonly isNew: boolean }
  /** `used`: by the person's other uploads. */
  | { readonly kind: 'exceeded'; readonly bound: keyof LedgerBounds; readonly used: number }
  /** `promisedBytes`: to other uploads, of those that are free. */
  | { readonly kind: 'no-space'; readonly promisedBytes: number };

/**
 * Each call is one atomic step. `COORDINATION_UNAVAILABLE` as with locks. A store that loses its memory loses the books; entries come
 * back as uploads are asked about, and with their chunks.
 */
export interface Ledger {
  /**
   * Enters an upload, or what is new about it, when bounds and space allow; else the books stay as they are. Idempotent. Without
   * bounds nothing is refused: for what is there already.
   */
  enter(entry: Entry, bounds?: LedgerBounds): Promise<EntryOutcome>;
  /** Strikes it out. Idempotent. */
  leave(upload: Pick<Entry, 'person' | 'id'>): Promise<void>;
}
