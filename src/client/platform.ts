// What the client needs from where it runs: `node/platform.ts` is Node's answer, `browser/platform.ts` a browser's.

import type { ChunkSpan } from './chunks.js';

/** A running hash. Pieces may be overwritten by their owner once `update` has settled. */
export interface Hash {
  update(piece: Uint8Array): void | Promise<void>;
  /** Lower-case hex. Ends the hash. */
  digest(): string | Promise<string>;
}

/** Hashes with SHA-256. Everything rejects with what reading the source throws, or with the signal's reason. */
export interface Hashing {
  /** Digest of the spans, one after the other; lower-case hex. */
  digest(source: UploadSource, spans: readonly ChunkSpan[], signal: AbortSignal): Promise<string>;
  /** Begins to hash a content chunk by chunk. Whoever begins it ends it. */
  pass(source: UploadSource, signal: AbortSignal): HashPass;
}

/** One reading of a content from its beginning to its end, for two kinds of digests. */
export interface HashPass {
  /** Digest of the next chunk. One at a time, in order, without a gap. */
  chunk(span: ChunkSpan): Promise<string>;
  /** Digest of all chunks so far. Ends the pass. */
  whole(): Promise<string>;
  /** Frees what the pass holds. May be repeated. */
  end(): void;
}

export interface HttpRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: HttpBody;
  /** Without a byte in either direction for so long the request fails. */
  readonly idleTimeoutMs: number;
  readonly signal: AbortSignal;
  /** Called with the number of body bytes that have left the process since the last call. */
  readonly onBytesSent?: (bytes: number) => void;
  /** Called with the answer's text as it arrives. What was given to it is missing from the response's `text`. */
  readonly onText?: (text: string) => void;
}

export interface HttpBody {
  /** Exact; the request announces it. */
  readonly lengthBytes: number;
  /** Opened at most once. */
  readonly pieces: () => AsyncIterable<Uint8Array>;
  /** The same bytes, where they are a Blob: a browser streams that from the disk, in place of `pieces`. */
  readonly blob?: () => Blob | undefined;
}

export interface HttpResponse {
  readonly status: number;
  /** Seconds or a date, as the header has it. */
  readonly retryAfter: string | undefined;
  readonly text: string;
}

/** What the platform knows of the way out. */
export interface Network {
  /** `false` is to be believed, `true` says little. */
  readonly isOnline: () => boolean;
  /** Calls back each time the way out is there again; returns the function that ends that. */
  readonly onOnline: (listener: () => void) => () => void;
}

export interface Platform {
  readonly hashing: Hashing;
  /**
   * Sends one POST and reads its answer, also one that comes while the body is still being sent. The body is pulled as
   * the network takes it. Rejects with `NetworkError` when there is no answer, with the signal's reason when aborted, and
   * with whatever the body throws.
   */
  readonly send: (request: HttpRequest) => Promise<HttpResponse>;
  /** A WebSocket constructor; `undefined`: merge progress comes as server-sent events. */
  readonly webSocket: unknown;
  /** Streams of server-sent events that may be open at the same time: they take connections from chunks where those are few. */
  readonly eventStreams: number;
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
  /** Resolves after `ms`, or rejects with the signal's reason. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  /** Absent where nobody knows. */
  readonly network?: Network | undefined;
}

/** A content to upload. Reading is positional, so that chunks can be read in parallel and again. */
export interface UploadSource {
  readonly name: string;
  /** Where it lies in the folder it was chosen with, `/` between the names; absent for a single file. */
  readonly relativePath?: string | undefined;
  /** Bytes. */
  readonly size: number;
  /** Epoch milliseconds. */
  readonly lastModified: number;
  /**
   * Whether size, `lastModified` and samples tell this content from others. When not (a stream, a Blob made in memory) the
   * whole is hashed before the first byte is sent.
   */
  readonly fingerprintable: boolean;
  /** Exactly `length` bytes from `offset`, in order; a piece is not touched after it was handed over. Throws `SourceChangedError` when there are fewer. */
  read(offset: number, length: number): AsyncIterable<Uint8Array>;
  /** The same bytes without reading them, where the source is a Blob. */
  blob?(offset: number, length: number): Blob;
  /** Whether size or modification time are no longer those above. */
  hasChanged(): Promise<boolean>;
  /** Gives back what reading has taken; reading once more takes it anew. Called when an upload of this source is over, however it ended. */
  close?(): Promise<void>;
}
