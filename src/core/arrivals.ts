// The chunks that are arriving in this process, by upload: so that giving an upload up ends them and doesn't run beside them, and so
// that how far they are is told, some times a second however many there are.
import type { ChunkPlan } from './chunks.js';
import type { Arriving, Clock, ProgressFeed } from './ports.js';

/** Between two times that one upload's arriving chunks are told. */
const TELL_MS = 250;

/** One chunk on its way. */
export interface Arrival {
  /** Aborts when the upload is given up. */
  readonly signal: AbortSignal;
  /** How many of its bytes have come. Costs nothing. */
  readonly came: (bytes: number) => void;
  /** It counts as received from now on: what is still on its way without it. */
  readonly received: () => Arriving;
  /** Must be called, once. */
  readonly end: () => void;
}

interface Options {
  readonly clock: Clock;
  readonly feed: ProgressFeed;
}

interface Chunk {
  readonly stop: AbortController;
  readonly ended: Promise<void>;
  bytes: number;
}

interface Upload {
  readonly plan: ChunkPlan;
  readonly chunks: Set<Chunk>;
  /** Whether something came or ended since it was told. */
  isNews: boolean;
  isTelling: boolean;
}

export class Arrivals {
  readonly #options: Options;
  readonly #uploads = new Map<string, Upload>();

  constructor(options: Options) {
    this.#options = options;
  }

  /** Uploads with chunks on their way, or with something that is still to be told. */
  get size(): number {
    return this.#uploads.size;
  }

  begin(id: string, plan: ChunkPlan): Arrival {
    const upload = this.#uploads.get(id) ?? { plan, chunks: new Set(), isNews: false, isTelling: false };
    this.#uploads.set(id, upload);
    let settle: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => {
      settle = resolve;
    });
    const chunk: Chunk = { stop: new AbortController(), ended, bytes: 0 };
    upload.chunks.add(chunk);
    return {
      signal: chunk.stop.signal,
      came: (bytes) => {
        chunk.bytes = bytes;
        this.#note(id, upload);
      },
      received: () => {
        chunk.bytes = 0;
        this.#note(id, upload);
        return arrivingOf(upload);
      },
      end: () => {
        upload.chunks.delete(chunk);
        settle();
        this.#note(id, upload);
      },
    };
  }

  /** Aborts the upload's arrivals with `reason` and waits until each has ended. */
  async stop(id: string, reason: Error): Promise<void> {
    const chunks = [...(this.#uploads.get(id)?.chunks ?? [])];
    for (const { stop } of chunks) stop.abort(reason);
    await Promise.all(chunks.map(({ ended }) => ended));
  }

  #note(id: string, upload: Upload): void {
    upload.isNews = true;
    if (!upload.isTelling) void this.#tell(id, upload);
  }

  /** The first news at once, what follows when its time has come. */
  async #tell(id: string, upload: Upload): Promise<void> {
    const { clock, feed } = this.#options;
    upload.isTelling = true;
    while (upload.isNews) {
      upload.isNews = false;
      // What can't be told now is made up for by the next.
      await feed.arriving(id, arrivingOf(upload)).catch(() => undefined);
      await clock.sleep(TELL_MS);
    }
    upload.isTelling = false;
    if (upload.chunks.size === 0 && this.#uploads.get(id) === upload) this.#uploads.delete(id);
  }
}

function arrivingOf({ plan, chunks }: Upload): Arriving {
  let bytes = 0;
  for (const chunk of chunks) bytes += chunk.bytes;
  return { plan, bytes };
}
