// The channels of one connection that carry open files, so that bytes under way never stand before a stat. A new one is opened while
// there may be more and each has a file already; then files share.
import { isFault } from '../core/problems.js';
import type { Channel } from './channel.js';

export interface Lease {
  readonly channel: Channel;
  /** To be called when the file is closed. */
  readonly release: () => void;
}

export interface BulkChannelsOptions {
  readonly limit: number;
  readonly open: () => Promise<Channel>;
  /** For a server that grants no session beside the first. */
  readonly fallBack: () => Promise<Channel>;
  /** 0 ≤ value < 1. */
  readonly random: () => number;
}

interface Slot {
  readonly opening: Promise<Channel>;
  channel: Channel | undefined;
  files: number;
}

export class BulkChannels {
  readonly #options: BulkChannelsOptions;
  readonly #slots = new Set<Slot>();
  #limit: number;

  constructor(options: BulkChannelsOptions) {
    this.#options = options;
    this.#limit = options.limit;
  }

  /** One of the channels with the least work. */
  async lend(): Promise<Lease> {
    const slot = this.#choose();
    if (slot === undefined) return { channel: await this.#options.fallBack(), release: () => undefined };
    slot.files += 1;
    try {
      slot.channel = await slot.opening;
    } catch (error) {
      this.#slots.delete(slot);
      if (!isFault(error, 'HOST_BUSY')) throw error;
      // sshd's MaxSessions is lower than we hoped: make do with what there is, for as long as the connection lasts.
      this.#limit = this.#slots.size;
      return this.lend();
    }
    return {
      channel: slot.channel,
      release: () => {
        slot.files -= 1;
      },
    };
  }

  #choose(): Slot | undefined {
    for (const slot of this.#slots) if (slot.channel?.isDead === true) this.#slots.delete(slot);
    const least = leastBusy([...this.#slots], workOf, this.#options.random);
    if (this.#slots.size >= this.#limit || least?.files === 0) return least;
    const slot: Slot = { opening: this.#options.open(), channel: undefined, files: 0 };
    this.#slots.add(slot);
    return slot;
  }
}

/** How much goes on somewhere. */
export interface Work {
  /** Files that are being written now. */
  readonly writers: number;
  /** Files that are open. */
  readonly files: number;
}

function workOf({ channel, files }: Slot): Work {
  return { writers: channel?.writeWindow.load.writers ?? 0, files };
}

/**
 * By writers, then by files; among equals by chance: whoever opens a small file with each large one would else have all the large ones
 * on the same few.
 */
export function leastBusy<T>(all: readonly T[], work: (one: T) => Work, random: () => number): T | undefined {
  const compared = all.map((one) => ({ one, ...work(one), lot: random() }));
  compared.sort((a, b) => a.writers - b.writers || a.files - b.files || a.lot - b.lot);
  return compared[0]?.one;
}
