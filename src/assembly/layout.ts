// How the chunks of one upload wait on the host. What differs between the layouts is behind this; all else is one for both.
import type { ChunkPlan, ReceivedMap } from '../core/chunks.js';
import type { Clock, DirectoryEntry, Hashing, Host } from '../core/ports.js';
import type { MergeStrategy } from '../core/progress.js';
import type { RemotePath } from '../core/remote-path.js';
import type { AssembleOptions, ReceiveOutcome, ReceiveRequest } from '../core/staging.js';
import type { CopierName } from './choose.js';
import type { Hasher } from './probe.js';
import type { RecentListing } from './recent-listing.js';

export interface Layout {
  /** How it assembles, or did; undefined while more than one copier may yet. */
  readonly strategy: MergeStrategy | undefined;
  /** Puts the files of a fresh upload into its directory. */
  make(): Promise<void>;
  /** Whether somebody on the host has removed or replaced what can't be done without. */
  isDamaged(): Promise<boolean>;
  /** `listing`: of its directory, by a caller who has just made one. */
  received(listing?: readonly DirectoryEntry[]): Promise<ReceivedMap>;
  storedDigest(index: number, expected?: string): Promise<string | undefined>;
  /**
   * Takes one chunk. It counts as received in one last step, when length and digest match and the right to write still holds; one
   * that is there already is never written again. The caller holds its slot.
   */
  receive(request: ReceiveRequest): Promise<ReceiveOutcome>;
  /**
   * Makes the one file and gives its name. Chunks that turn out to be gone or other than they were lose their place: then it throws
   * `ChunksMissing` as a `ProblemError`.
   */
  assemble(received: ReceivedMap, options: LayoutAssembleOptions): Promise<string>;
  /**
   * Takes what `assemble` found made by an earlier run away, if that is what it gave: what is wrong with it need not be wrong with the
   * chunks. False when this run has made it.
   */
  dropInherited(): Promise<boolean>;
  /** Takes chunks their place: what was made of them isn't what they are. */
  lose(indexes: readonly number[]): Promise<void>;
  /**
   * Gives what was assembled the name it is published by, which no file of another directory at this path ever has: so a last step
   * that comes late finds its own file or none. `BegunAgain` when the directory is another by now.
   */
  setApart(output: string): Promise<string>;
  /** After a publication that came to nothing: chunks may come again. */
  putBack(): Promise<void>;
}

export interface LayoutAssembleOptions extends AssembleOptions {
  readonly hasher?: Hasher;
  readonly copiers: readonly CopierName[];
}

export interface LayoutOptions {
  readonly host: Host;
  readonly clock: Clock;
  readonly hashing: Hashing;
  readonly directory: RemotePath;
  readonly uploadId: string;
  /** The directory's: see the manifest. */
  readonly nonce: string;
  readonly plan: ChunkPlan;
  /** Kept between the uses of a host. */
  readonly memory: ListingMemory;
}

export interface ListingMemory {
  listing?: RecentListing;
  /** One under way. */
  looking?: Promise<ReceivedMap>;
}

/** The directory at this path is another than the one remembered: given up and begun again. Nothing was written to it. */
export class BegunAgain extends Error {
  override readonly name = 'BegunAgain';
}
