// What the services need of the place where an upload waits on its host. `src/assembly` keeps it there.
import type { HostCapability, IfExists } from './answers.js';
import type { ReceivedMap } from './chunks.js';
import type { ContentDigest, UploadIdentity } from './file-ref.js';
import type { Declared, Host, Space } from './ports.js';
import type { ChunksMissing, FileExists, Refused } from './problems.js';
import type { MergePhase, MergeStrategy } from './progress.js';
import type { RemotePath } from './remote-path.js';
import type { Target } from './target.js';

/** What an upload is: written once, when its staging directory is made. Times are epoch ms. */
export interface Manifest {
  readonly version: 1;
  readonly hostId: string;
  readonly path: string;
  readonly person: string;
  readonly hashCode: string;
  readonly size: number;
  readonly chunkSize: number;
  readonly layout: 'in-place' | 'chunk-files';
  /** Of this very directory, 16 hex characters: the same upload, given up and begun again, has another. */
  readonly nonce: string;
  readonly beganAt: number;
}

/** What the person asked for with `mergeFile`; the newest wins. */
export interface MergeRequest {
  readonly ifExists: IfExists;
  readonly ifMatch?: string;
  readonly digest?: ContentDigest;
  readonly askedAt: number;
}

/** How a host behaves at one home, found by trying. */
export interface HostPowers {
  readonly capabilities: readonly HostCapability[];
  /** The strategy `auto` or the configuration leads to; undefined when there is none that publishes atomically. */
  readonly strategy?: MergeStrategy;
}

/** An upload for the same target in another directory, when claims were lost. */
export interface OtherUpload {
  readonly person: string;
  readonly uploadKey: string;
  readonly beganAt: number;
  /** The newest time of anything in it, on this process's clock. */
  readonly touchedAt: number;
}

export interface StagedSummary {
  /** Of its identity. */
  readonly id: string;
  readonly manifest: Manifest;
  readonly uploadedBytes: number;
  readonly phase: MergePhase;
  readonly touchedAt: number;
  /** For paging: ascending by this. */
  readonly key: string;
}

/** Where a target lies, for finding its staging directory. */
export type Place = Pick<Target, 'root' | 'base'>;

export interface ExpiredUpload {
  readonly identity: UploadIdentity;
  readonly target: Place;
  /** How long nothing was touched in it. */
  readonly untouchedMs: number;
}

export interface ReceiveRequest {
  readonly index: number;
  /** SHA-256, lower-case hex. */
  readonly digest?: string;
  readonly pieces: AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
  /** Throws when the right to write this chunk has ended. Called before each write. */
  readonly check: () => void;
  /** Asks whether that right still holds, and rejects when it doesn't. Called right before the commit. */
  readonly confirm: () => Promise<void>;
}

export type ReceiveOutcome =
  | { readonly kind: 'stored'; readonly digest: string; readonly alreadyStored: boolean }
  /** Another content of this chunk was committed before. */
  | { readonly kind: 'conflict' }
  | { readonly kind: 'digest-mismatch'; readonly expected: string; readonly actual: string }
  | { readonly kind: 'length-mismatch'; readonly expectedBytes: number };

/** A phase's progress, told as often as the work likes. */
export type OnProgress = (phase: MergePhase, doneBytes: number, totalBytes: number) => void;

export interface AssembleOptions {
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
  /** Called when it is at work and can't tell how far. */
  readonly onAlive?: () => void;
  /** Called with the strategy that is about to assemble: more than once, when one turns out not to be supported. */
  readonly onStrategy?: (strategy: MergeStrategy) => void;
}

/** What is known of an upload's bytes. */
export interface Verified {
  /** Whether they were read on the host and compared, the whole where a hash of it was named, else chunk by chunk. */
  readonly proved: boolean;
  /** Of the whole content, when one was named. */
  readonly digest?: ContentDigest;
}

export interface Published extends Verified {
  /** Of the target, right after publication. */
  readonly etag: string;
}

export type VerifyOutcome =
  | { readonly kind: 'holds'; readonly verified: Verified }
  /** These lost their place in the received map. */
  | { readonly kind: 'chunks-lost'; readonly problem: ChunksMissing }
  | { readonly kind: 'content-differs'; readonly problem: Refused };

export type PublishOutcome =
  | { readonly kind: 'published'; readonly published: Published }
  | { readonly kind: 'refused'; readonly problem: FileExists | Refused; readonly escaped?: Escape };

/**
 * Somebody on the host swapped a directory of the path for another in the instant of publication, so that the file appeared where that
 * led: it is there no longer, or it could not be found.
 */
export type Escape = 'taken-back' | 'left';

/** One upload's staging directory, for the length of one `HostRepository.use`. */
export interface StagedUpload {
  readonly identity: UploadIdentity;
  /** On the host. */
  readonly directory: RemotePath;
  readonly manifest: Manifest;
  /** How its bytes become the file, or became it: follows from the layout it was begun with and what the host can do. */
  strategy(): Promise<MergeStrategy>;
  /** Read from the host. */
  received(): Promise<ReceivedMap>;
  /** The digest of one chunk, if it is on the host; found sooner when it is the `expected` one. */
  storedDigest(index: number, expected?: string): Promise<string | undefined>;
  receive(request: ReceiveRequest): Promise<ReceiveOutcome>;
  /** Durable when it resolves. */
  requestMerge(request: MergeRequest): Promise<void>;
  mergeRequest(): Promise<MergeRequest | undefined>;
  withdrawMergeRequest(): Promise<void>;
  /** Whether an earlier run published and was cut off before it had cleaned. Finishes what such a run left half done. */
  recoverPublication(): Promise<Published | undefined>;
  /** Makes the one file of the chunks, where it isn't one already. Goes on where an earlier run stopped. */
  assemble(options: AssembleOptions): Promise<void>;
  /** Of what was assembled. */
  verify(digests: readonly ContentDigest[], options: AssembleOptions): Promise<VerifyOutcome>;
  /**
   * `request` gives the newest one, or rejects when that wants something else; asked once, as late as a round trip lets it. `confirm` rejects
   * when the right to publish has ended; called right before the one step that makes the file visible.
   */
  publish(request: () => Promise<MergeRequest>, verified: Verified, confirm: () => Promise<void>): Promise<PublishOutcome>;
  /**
   * Of an upload that is published: takes the directory out of everybody's reach at once, then removes what is ours in it; what is
   * foreign stays, and keeps it. Idempotent.
   */
  remove(): Promise<void>;
  /** The same for an upload that is given up: `published` when publication came first. */
  discard(): Promise<{ readonly kind: 'discarded' } | { readonly kind: 'published'; readonly published: Published }>;
}

export interface Opened {
  readonly staged: StagedUpload;
  /** Whether this call made its directory: another that came at once, or before, did not. */
  readonly isNew: boolean;
}

export interface Assembly {
  /** What the host can do where an upload to `target` would wait. Tried once per host and home, then remembered. */
  powers(host: Host, target: Target): Promise<HostPowers>;
  /** The same for a host at large, in the first root that this person has there, or would have. */
  hostPowers(host: Host, person: string): Promise<HostPowers & Partial<Pick<Space, 'freeBytes'>>>;
  /** Where `target` would be; undefined where the host can't tell. */
  space(host: Host, target: Target): Promise<Space | undefined>;
  /** As it is on the host now. */
  find(host: Host, identity: UploadIdentity, target: Place): Promise<StagedUpload | undefined>;
  /**
   * As this process has seen it last, or `find`. For chunks: `receive` notices, before it writes, when the directory is another by
   * now (given up and begun again through another process), and then rejects with `UPLOAD_UNKNOWN` or goes on with what is there.
   */
  recall(host: Host, identity: UploadIdentity, target: Place): Promise<StagedUpload | undefined>;
  /** Makes it as declared, for whoever did not find it, unless another was quicker. `SIZE_MISMATCH` when that one has another size. */
  open(host: Host, identity: UploadIdentity, target: Target, declared: Declared): Promise<Opened>;
  /** Directories for the same target that are not this upload's. */
  others(host: Host, identity: UploadIdentity, target: Target): Promise<readonly OtherUpload[]>;
  list(host: Host, person: string): Promise<readonly StagedSummary[]>;
  /** Everybody's uploads in which nothing was touched for `ttlMs`, by the host's clock. */
  expired(host: Host, ttlMs: number): Promise<readonly ExpiredUpload[]>;
  /** Removes what crashes left behind that is no upload: drafts, directories on their way out, files of the probe. */
  tidy(host: Host): Promise<void>;
}
