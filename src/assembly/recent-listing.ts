// Which chunks a listing of chunk files showed. Kept between chunks, so that not each of them lists a directory of 100 000 names.
import type { ReceivedMap } from '../core/chunks.js';
import type { Clock } from '../core/ports.js';

/** What another process committed since is not seen for so long. */
const FRESH_MS = 5_000;
/** A listing that takes long stays fresh longer: listing takes a twentieth of the time at most. */
const FRESH_TIMES = 20;

/** A bit for each chunk: 12.5 KB for 100 000. */
export class RecentListing {
  readonly #clock: Clock;
  readonly #bits: Uint8Array;
  readonly #freshUntil: number;

  /** `beganAt`: monotonic, when the listing began. */
  constructor(clock: Clock, received: ReceivedMap, beganAt: number) {
    this.#clock = clock;
    this.#bits = new Uint8Array(Math.ceil((received.plan.chunkCount + 1) / 8));
    this.#freshUntil = beganAt + Math.max(FRESH_MS, FRESH_TIMES * (clock.monotonic() - beganAt));
    for (const index of received.indexes()) this.add(index);
  }

  get isFresh(): boolean {
    return this.#clock.monotonic() < this.#freshUntil;
  }

  has(index: number): boolean {
    return ((this.#bits[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
  }

  /** One that we committed since. */
  add(index: number): void {
    this.#bits[index >> 3] = (this.#bits[index >> 3] ?? 0) | (1 << (index & 7));
  }
}
