import type { HandleTable } from './handles.js';
import type { Jail } from './jail.js';
import type { Span } from './request-order.js';
import type { FieldReader } from './wire.js';

export interface Request {
  readonly id: number;
  /** Everything after the id. */
  readonly fields: FieldReader;
  /** The rest of a WRITE's data. */
  readonly tail: readonly Buffer[];
}

/** What the requests of one session work on. */
export interface Workplace {
  readonly jail: Jail;
  readonly handles: HandleTable;
  /** Aborts when the client has gone: long work stops. */
  readonly signal: AbortSignal;
  /** Which argument of SYMLINK the client sends first: OpenSSH's PROTOCOL section 4.1 tells how it came to differ from the draft. */
  readonly symlinkOrder: 'target-first' | 'link-first';
}

export interface Work {
  /** undefined: must run alone. */
  readonly span?: Span;
  /** Resolves with the reply; a rejection becomes a status. */
  run(): Promise<Buffer>;
}

/**
 * Reads a request's fields, at once, and says what there is to do. Throws `MalformedPacket`. One that is read before its turn may
 * find at its turn that the handle was closed, so handles are looked up when it runs.
 */
export type RequestHandler = (request: Request, place: Workplace) => Work;
