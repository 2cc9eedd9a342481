// What the client needs from where it runs. `node/platform.ts` is Node's answer; a browser gives its own (XHR, Blob, worker)
// and everything else in this room stays as it is.

/** A running hash. Pieces may be overwritten by their owner once `update` has settled. */
export interface Hash {
  update(piece: Uint8Array): void | Promise<void>;
  /** Lower-case hex. Ends the hash. */
  digest(): string | Promise<string>;
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
}

export interface HttpResponse {
  readonly status: number;
  /** Seconds or a date, as the header has it. */
  readonly retryAfter: string | undefined;
  readonly text: string;
}

export interface Platform {
  readonly sha256: () => Hash;
  /**
   * Sends one POST and reads its answer, also one that comes while the body is still being sent. The body is pulled as
   * the network takes it. Rejects with `NetworkError` when there is no answer, with the signal's reason when aborted, and
   * with whatever the body throws.
   */
  readonly send: (request: HttpRequest) => Promise<HttpResponse>;
  /** A WebSocket constructor; `undefined`: merge progress comes as server-sent events. */
  readonly webSocket: unknown;
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
  /** Resolves after `ms`, or rejects with the signal's reason. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}

/** A content to upload. Reading is positional, so that chunks can be read in parallel and again. */
export interface UploadSource {
  readonly name: string;
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
  /** Whether size or modification time are no longer those above. */
  hasChanged(): Promise<boolean>;
}
