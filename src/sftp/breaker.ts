// What is remembered of a host that can't be reached, so that nobody knocks more often than is good: sshd punishes hasty clients
// (MaxStartups, PerSourcePenalties), and many hosts lock accounts after a few failed logins.
import { type Fault, isFault } from '../core/problems.js';
import type { Context } from './limits.js';

interface Failure {
  readonly fault: Fault;
  readonly isRefusal: boolean;
  /** How many of its kind in a row. */
  readonly count: number;
  /** Monotonic ms; until then nobody tries again. */
  readonly until: number;
}

export class Breaker {
  readonly #context: Context;
  #failure: Failure | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Of the last attempt, unless it succeeded. */
  get fault(): Fault | undefined {
    return this.#failure?.fault;
  }

  /** Whether the pause after the last failure is over. */
  get mayTry(): boolean {
    return this.#failure === undefined || this.#context.clock.monotonic() >= this.#failure.until;
  }

  succeeded(): void {
    this.#failure = undefined;
  }

  /**
   * Begins a pause, twice as long as the last one, with jitter so that many gateways don't knock in step. Gives how many attempts
   * failed in this way in a row.
   */
  failed(fault: Fault): number {
    const { clock, limits, random } = this.#context;
    // A host that answers and turns us away won't change its mind by itself.
    const isRefusal = !isFault(fault, 'HOST_UNREACHABLE', 'HOST_BUSY');
    const [firstMs, longestMs] = isRefusal
      ? [limits.refusalBackOffMs, limits.maxRefusalBackOffMs]
      : [limits.backOffMs, limits.maxBackOffMs];
    const count = this.#failure?.isRefusal === isRefusal ? this.#failure.count + 1 : 1;
    const pauseMs = Math.min(longestMs, firstMs * 2 ** (count - 1)) * (0.5 + random() / 2);
    this.#failure = { fault, isRefusal, count, until: clock.monotonic() + pauseMs };
    return count;
  }
}
