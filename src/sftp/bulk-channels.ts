// The channels of one connection that carry open files, so that bytes under way never stand before a stat. A new one is opened while
// there may be more and each has a file already; then files share, those of one person rather than those of several: a host that has
// too much to do takes as much from each channel.
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
  /** For whom each open file is. */
  readonly files: (string | undefined)[];
}

export class BulkChannels {
  readonly #options: BulkChannelsOptions;
  readonly #slots = new Set<Slot>();
  #limit: number;

  constructor(options: BulkChannelsOptions) {
    this.#options = options;
    this.#limit = options.limit;
  }

  /** One of the channels with the least work, of those with the fewest files of others than `person`. */
  async lend(person: string | undefined): Promise<Lease> {
    const slot = this.#choose(person);
    if (slot === undefined) return { channel: await this.#options.fallBack(), release: () => undefined };
    slot.files.push(person);
    try {
      slot.channel = await slot.opening;
    } catch (error) {
      this.#slots.delete(slot);
      if (!isFault(error, 'HOST_BUSY')) throw error;
      // sshd's MaxSessions is lower than we hoped: make do with what there is, for as long as the connection lasts.
      this.#limit = this.#slots.size;
      return this.lend(person);
    }
    return {
      channel: slot.channel,
      release: () => {
        slot.files.splice(slot.files.indexOf(person), 1);
      },
    };
  }

  #choose(person: string | undefined): Slot | undefined {
    for (const slot of this.#slots) if (slot.channel?.isDead === true) this.#slots.delete(slot);
    const least = leastBusy([...this.#slots], (slot) => workOf(slot, person), this.#options.random);
    if (this.#slots.size >= this.#limit || least?.files.length === 0) return least;
    const slot: Slot = { opening: this.#options.open(), channel: undefined, files: [] };
    this.#slots.add(slot);
    return slot;
  }
}

/** How much goes on somewhere. */
export interface Work {
  /** Files of others. */
  readonly foreign: number;
  /** Files that are being written now. */
  readonly writers: number;
  /** Files that are open. */
  readonly files: number;
}

function workOf({ channel, files }: Slot, person: string | undefined): Work {
  const foreign = files.filter((owner) => owner !== person).length;
  return { foreign, writers: channel?.writeWindow.load.writers ?? 0, files: files.length };
}

/**
 * By files of others, then by writers, then by files; among equals by chance: whoever opens a small file with each large one would else have all the large ones
 * on the same few.
 */
export function leastBusy<T>(all: readonly T[], work: (one: T) => Work, random: () => number): T | undefined {
  const compared = all.map((one) => ({ one, ...work(one), lot: random() }));
  compared.sort((a, b) => a.foreign - b.foreign || a.writers - b.writers || a.files - b.files || a.lot - b.lot);
  return compared[0]?.one;
}
