// A way for chunks that exists only on a clock of its own: for the pace, which has to find out what such ways are like.
import type { Milestones, Pace } from '../../src/client/pace.js';

export interface LinkOptions {
  /** Bytes per ms that it carries in all, whatever their number; by the time when it varies. */
  readonly carries: number | ((nowMs: number) => number);
  /** Bytes per ms that one request can't exceed: its window per round trip. */
  readonly perRequest?: number;
  /** What a request waits besides its bytes, half of it before they leave and half of it after, ms. */
  readonly overheadMs?: number;
  /** The same for the first requests, which open connections. */
  readonly coldMs?: number;
  /** 0 ≤ value < 1; without it nothing varies. */
  readonly random?: () => number;
}

interface Flight {
  waitsMs: number;
  bytes: number;
  /** For its answer. */
  endsMs: number;
  /** How fast this one is against others. */
  readonly luck: number;
  readonly sent: (bytes: number) => void;
  readonly land: () => void;
}

const STEP_MS = 5;

/** Sends chunks as `Pace` lets them. */
export class Link {
  now = 0;
  /** Acknowledged so far. */
  bytes = 0;
  readonly #options: LinkOptions;
  readonly #flights = new Set<Flight>();
  #begun = 0;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#flights.size;
  }

  /** Begins to send chunk after chunk, over so many senders. Resolves when so many are there; never without a number. */
  async send(pace: Pace, senders: number, chunkBytes: number, chunks = Infinity): Promise<void> {
    let left = chunks;
    const sender = async () => {
      while (left > 0) {
        left -= 1;
        await pace.use(chunkBytes, (milestones) => this.#carry(chunkBytes, milestones), new AbortController().signal);
      }
    };
    await Promise.all(Array.from({ length: senders }, sender));
  }

  /** Lets time pass; `look` each 100 ms. */
  async run(ms: number, look: () => void = () => undefined): Promise<void> {
    for (const until = this.now + ms; this.now < until;) {
      this.now += STEP_MS;
      this.#move();
      // A sender goes on with its next chunk within a few turns.
      for (let turn = 0; turn < 8; turn += 1) await Promise.resolve();
      if (this.now % 100 === 0) look();
    }
  }

  async #carry(bytes: number, { sent, landed }: Milestones): Promise<void> {
    const { overheadMs = 0, coldMs = overheadMs } = this.#options;
    const allMs = (this.#begun < 4 ? coldMs : overheadMs) * this.#luck();
    const endsMs = overheadMs / 2;
    this.#begun += 1;
    const luck = this.#luck();
    await new Promise<void>((land) => this.#flights.add({ waitsMs: allMs - endsMs, bytes, endsMs, luck, sent, land }));
    this.bytes += bytes;
    landed();
  }

  /** 0.6 … 1.6, mostly about 1. */
  #luck(): number {
    const { random } = this.#options;
    return random === undefined ? 1 : 0.6 + (random() + random() ** 4) / 2;
  }

  #move(): void {
    const { carries, perRequest = Infinity } = this.#options;
    const total = typeof carries === 'function' ? carries(this.now) : carries;
    const moving = [...this.#flights].filter((flight) => flight.waitsMs <= 0 && flight.bytes > 0);
    const share = total / moving.reduce((sum, { luck }) => sum + luck, 0);
    for (const flight of this.#flights) {
      if (flight.waitsMs > 0) flight.waitsMs -= STEP_MS;
      else if (flight.bytes > 0) {
        const bytes = Math.min(perRequest, share) * flight.luck * STEP_MS;
        flight.bytes -= bytes;
        flight.sent(bytes);
      } else flight.endsMs -= STEP_MS;
      if (flight.bytes > 0) continue;
      if (flight.endsMs > 0) continue;
      this.#flights.delete(flight);
      flight.land();
    }
  }
}
