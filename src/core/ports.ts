// What core needs of the world, in roles. Adapters live in rooms named after their technology; each pair of adapters passes one
// contract suite (test/contract). Ports are as narrow as the services' needs.
import type { HashAlgorithm } from './host-ports.js';
import type { MergeStrategy } from './progress.js';

export type * from './host-ports.js';
export type * from './merge-ports.js';

export interface Clock {
  /** Epoch milliseconds: for people and for comparison with other machines. */
  now(): number;
  /** Milliseconds that never go back: for deadlines. */
  monotonic(): number;
  /** Rejects with the signal's reason when that aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(fields: LogFields, event: string): void;
  info(fields: LogFields, event: string): void;
  warn(fields: LogFields, event: string): void;
  error(fields: LogFields, event: string): void;
}

/** What somebody may have to answer for, or ask about, later. Every text in it may come from an attacker. */
export interface AuditEvent {
  /** A call of `Longshore`; `publish` for a merge's end; `request` or `connect` for what never became a call. */
  readonly action: string;
  /** `done`, the code of the refusal, or `CLIENT_LEFT` when it was gone before a chunk was whole. */
  readonly result: string;
  readonly person?: string;
  readonly requestId?: string;
  /** Of the client, as far as proxies that are trusted tell. */
  readonly address?: string;
  readonly hostId?: string;
  readonly fullPath?: string;
  readonly hashCode?: string;
  /** What else is worth knowing, in a few words or numbers. */
  readonly details?: Readonly<Record<string, string | number | boolean>>;
}

export interface Audit {
  /** Never throws, and waits for nothing. */
  record(event: AuditEvent): void;
}

export interface Hash {
  update(piece: Uint8Array): void;
  /** Lower-case hex; ends the hash. */
  digest(): string;
}

export interface Hashing {
  start(algorithm: HashAlgorithm): Hash;
  /** SHA-256 of a text's UTF-8 or of bytes, lower-case hex. */
  sha256(data: string | Uint8Array): string;
  /** `bytes` random bytes, lower-case hex. */
  nonce(bytes: number): string;
}

// ── Claims ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Who is uploading what to one target. Times are epoch ms. */
export interface Claim {
  /** Key of host and target. */
  readonly target: string;
  readonly person: string;
  /** Key of person and content. */
  readonly upload: string;
  readonly since: number;
  /** When bytes or calls last came. */
  readonly touchedAt: number;
  readonly until: number;
  /** What `uploadStatus` was told, until the staging directory keeps it. */
  readonly declared?: Declared;
}

/** What the client declared the content to be. */
export interface Declared {
  readonly size: number;
  readonly chunkSize: number;
}

export interface ClaimRequest {
  readonly target: string;
  readonly person: string;
  readonly upload: string;
  readonly ttlMs: number;
}

export interface ClaimMove {
  /** Nothing of this upload is on its host, so nobody can be writing there: see `leaseSlot`. */
  readonly isFresh?: boolean;
  /** Whether the caller's own other content gives way: when nothing came for `idleMs`, or always. Never while it is being merged. */
  readonly move: 'never' | 'when-idle' | 'always';
  readonly idleMs: number;
  readonly declared?: Declared;
}

export type ClaimOutcome =
  /** `created`: nobody held it before. */
  | { readonly kind: 'held'; readonly claim: Claim; readonly created: boolean }
  /** By another person, or by the caller's own other content. */
  | { readonly kind: 'taken'; readonly claim: Claim; readonly merging: boolean };

export type LeaseOutcome =
  | {
      readonly kind: 'held';
      readonly claim: Claim;
      /** The claim was nobody's before. */
      readonly created: boolean;
      /** Goes back with each renewal. */
      readonly memory: string;
    }
  | { readonly kind: 'taken'; readonly claim: Claim; readonly merging: boolean }
  | { readonly kind: 'busy'; readonly retryAfterMs: number }
  /** Of the first asking for a slot: the upload has ended well, so nothing was taken. See `finished`. */
  | { readonly kind: 'finished' }
  /** Of a renewal: the lease was given up, or the upload was. */
  | { readonly kind: 'lost' };

/** What stays known of an upload that ended well. */
export interface FinishedUpload {
  readonly finishedAt: number;
  readonly size: number;
  readonly contentDigest?: string;
  readonly proved: boolean;
  readonly strategy?: MergeStrategy;
  /** The target's etag right after publication: another etag there means it was changed since. */
  readonly etag: string;
}

/**
 * Claims on targets and the leases under them. Each call is one atomic step and idempotent by owner, so a call whose answer was
 * lost may be sent again. `COORDINATION_UNAVAILABLE`, within two seconds, when the store is away.
 *
 * A store may lose its memory (restarted empty, or with data older than its leases). Holders of leases from before don't know it until they renew, so for the length of
 * a lease it lends none but to them (`renews` of a memory that isn't its own), and for fresh claims; to others it is `busy`.
 */
export interface LockRepository {
  /** Holds or renews the claim. */
  claim(request: ClaimRequest & ClaimMove): Promise<ClaimOutcome>;
  holder(target: string): Promise<Claim | undefined>;
  /** Gives the claim up, if it is held by this upload, and every lease under it. */
  release(request: { readonly target: string; readonly person: string; readonly upload: string }): Promise<void>;
  /**
   * Renews the claim and takes the lease of one chunk: `busy` while another token has it or the upload is being merged, `finished` once it
   * has ended well.
   */
  leaseSlot(request: ClaimRequest & SlotLease): Promise<LeaseOutcome>;
  releaseSlot(request: {
    readonly target: string;
    readonly upload: string;
    readonly index: number;
    readonly token: string;
  }): Promise<void>;
  /**
   * Renews the claim and takes the one merge lease: `busy` while another token has it or a slot lease is alive. Whoever asked and was
   * told so keeps slots from being leased or renewed for `leaseMs`, so that it waits no longer than one of their leases.
   */
  leaseMerge(request: ClaimRequest & MergeLease): Promise<LeaseOutcome>;
  /** As `leaseMerge`, and waits for nobody: whoever has that lease or a slot's finds it lost. For giving an upload up. */
  seizeMerge(request: ClaimRequest & MergeLease): Promise<LeaseOutcome>;
  releaseMerge(request: { readonly target: string; readonly upload: string; readonly token: string }): Promise<void>;
  /** Keeps the facts of a published upload for `ttlMs`. */
  finish(upload: string, target: string, facts: FinishedUpload, ttlMs: number): Promise<void>;
  finished(upload: string, target: string): Promise<FinishedUpload | undefined>;
  /** Forgets that it finished: its target was changed, and the content comes anew. */
  forget(upload: string, target: string): Promise<void>;
  /** Whether `token` has, for `leaseMs` from now, a chore that one process does for all. */
  leaseChore(chore: string, token: string, leaseMs: number): Promise<boolean>;
}

export interface MergeLease {
  readonly token: string;
  readonly leaseMs: number;
  /** For a renewal: the `memory` that came with the lease. Without it, this is the first asking. */
  readonly renews?: string;
}

export interface SlotLease extends MergeLease {
  readonly index: number;
}
