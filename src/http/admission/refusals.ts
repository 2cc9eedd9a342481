import type { Audit } from '../../core/ports.js';

/** Who asked for something that was refused before it became a call. */
export interface Visitor {
  /** Of the request; nobody else has it. */
  readonly id: string;
  /** Of the client, as far as proxies that are trusted tell. */
  readonly address: string;
}

const LINE_INTERVAL_MS = 1_000;
/** Addresses that are told apart within a second; the others share a line. */
const MAX_ADDRESSES = 1_000;
const OTHERS = 'others';

interface Silence {
  readonly visitor: Visitor;
  result: string;
  /** Refusals since the last line. */
  count: number;
}

/**
 * Writes refusals into the audit: the first of an address at once, then at most one line a second, with their count. `close` writes
 * what is left.
 */
export class Refusals {
  readonly #audit: Audit;
  readonly #silences = new Map<string, Silence>();
  #ticking: NodeJS.Timeout | undefined;

  constructor(audit: Audit) {
    this.#audit = audit;
  }

  record(visitor: Visitor, result: string): void {
    const key = this.#silences.size < MAX_ADDRESSES || this.#silences.has(visitor.address) ? visitor.address : OTHERS;
    const silence = this.#silences.get(key);
    if (silence !== undefined) {
      silence.count += 1;
      silence.result = result;
      return;
    }
    const subject = key === OTHERS ? { ...visitor, address: OTHERS } : visitor;
    this.#silences.set(key, { visitor: subject, result, count: 0 });
    this.#write(subject, result, 1);
    this.#ticking ??= setInterval(() => this.#tick(), LINE_INTERVAL_MS).unref();
  }

  close(): void {
    this.#tick();
    clearInterval(this.#ticking);
    this.#ticking = undefined;
  }

  #tick(): void {
    for (const [key, silence] of this.#silences) {
      if (silence.count === 0) this.#silences.delete(key);
      else this.#write(silence.visitor, silence.result, silence.count);
      silence.count = 0;
    }
    if (this.#silences.size > 0) return;
    clearInterval(this.#ticking);
    this.#ticking = undefined;
  }

  #write({ id, address }: Visitor, result: string, count: number): void {
    // Of many, it would be the first one's beside the last one's result.
    const which = count === 1 ? { requestId: id } : { details: { count } };
    this.#audit.record({ action: 'request', result, address, ...which });
  }
}
