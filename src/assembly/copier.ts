// What joins chunk files to one file: one copier for each strategy of layout chunk-files, tried in order of what it costs the wire.
import type { ReceivedMap } from '../core/chunks.js';
import type { Hashing, Host } from '../core/ports.js';
import type { RemotePath } from '../core/remote-path.js';
import type { AssembleOptions } from '../core/staging.js';

export interface Copying extends AssembleOptions {
  readonly host: Host;
  readonly hashing: Hashing;
  /** The staging directory: chunk files, output, and what a copier leaves for its successor lie in it. */
  readonly directory: RemotePath;
  /** Complete. */
  readonly received: ReceivedMap;
  readonly chunkPath: (index: number) => RemotePath;
  /** The file to be made: `out.<nonce>` in the directory. */
  readonly output: RemotePath;
  /** What it has already, right as far as that; undefined: it isn't there yet. */
  readonly begunBytes: number | undefined;
}

/**
 * Appends what `output` lacks. When it rejects, what was written is right and whole up to the file's length, so that any copier can go on
 * with it; but for `WrongChunk`: then it may hold bytes of a wrong chunk. `HOST_UNSUPPORTED`: the host can't do this after all, and the
 * next copier is to try. Progress is told as `ASSEMBLING`, bytes of the whole.
 */
export type Copier = (copying: Copying) => Promise<void>;

/** A chunk is gone, or isn't what it was. What was written of it is wrong. */
export class WrongChunk extends Error {
  override readonly name = 'WrongChunk';
  readonly index: number;
  /** Its first part lay in the output already, so that the fault may be there. */
  readonly isStitched: boolean;

  constructor(index: number, options: { readonly isStitched: boolean; readonly cause?: unknown }) {
    super(`chunk ${index} is not what it was`, { cause: options.cause });
    this.index = index;
    this.isStitched = options.isStitched;
  }
}
