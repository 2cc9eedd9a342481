// What the steps of one upload share.

import type { Gate } from './gate.js';
import type { Gateway } from './gateway.js';
import type { MergeFeeds } from './merge-feed.js';
import type { FileExists, FileRef } from './operations.js';
import type { Pace } from './pace.js';
import type { Hashing, Platform, UploadSource } from './platform.js';
import type { ProgressMeter, UploadPhase, UploadProgress } from './progress.js';
import type { Retries, Retry } from './retry.js';
import type { Ticket } from './transport.js';

export interface UploadEvents {
  /** At most ten times a second, and with every other event. */
  readonly progress: UploadProgress;
  readonly phase: UploadPhase;
  /** A chunk is on the host. */
  readonly chunk: { readonly index: number; readonly bytes: number; readonly alreadyStored: boolean };
  /** An attempt failed and will be repeated after `delayMs`. */
  readonly retry: Retry;
}

/** What to do about the file that is at the path already. */
export type ExistsDecision = 'replace' | 'keep';

export interface UploadTarget {
  /** Id of the host. */
  readonly host: string;
  /** Absolute path of the file to be, on the host. */
  readonly path: string;
  /** `ask` (default) asks `onFileExists`; `replace` overwrites whatever file is there. */
  readonly ifExists?: 'ask' | 'replace' | undefined;
  /** Absent, or answering `keep`: the upload fails with `FILE_EXISTS`. `replace` is about exactly the file shown. */
  readonly onFileExists?: ((existing: FileExists) => ExistsDecision | Promise<ExistsDecision>) | undefined;
  /** Takes the path over from another upload of the same person, even one that was active just now. Default: false. */
  readonly takeOver?: boolean | undefined;
  /** Wish, in bytes; the gateway decides, and on resume keeps what was begun. */
  readonly chunkSize?: number | undefined;
}

export interface UploadContext {
  readonly gateway: Gateway;
  readonly feeds: MergeFeeds;
  readonly platform: Platform;
  /** The platform's, with patience. */
  readonly hashing: Hashing;
  readonly retries: Retries;
  readonly gate: Gate;
  readonly pace: Pace;
  readonly meter: ProgressMeter;
  readonly source: UploadSource;
  readonly target: UploadTarget;
  readonly file: FileRef;
  /** So that an upload may take longer than a token lives, and chunks ask nobody for one. */
  readonly ticket: Ticket;
  /** Chunks that are prepared for the wire at the same time, at most. */
  readonly parallel: number;
  readonly signal: AbortSignal;
  readonly emit: <Name extends keyof UploadEvents>(name: Name, event: UploadEvents[Name]) => void;
  readonly emitProgress: () => void;
  /** Resolves when it is the upload's turn to do that. */
  readonly enter: (phase: 'sending' | 'merging') => Promise<void>;
}
