// The channels that carry open files, so that bytes under way never stand before a stat. A new one is opened while there may be
// more and each has a file already; then files share.
import { isFault } from '../core/problems.js';
import type { Channel } from './channel.js';

export interface Lease {
  readonly channel: Channel;
  /** To be called once, when the file is closed. */
  readonly release: () => void;
}

export interface BulkChannelsOptions {
  readonly limit: number;
  readonly open: () => Promise<Channel>;
  /** For a server that grants no session beside the first. */
  readonly fallBack: () => Promise<Channel>;
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

  /** The channel with the fewest files. */
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
    let least: Slot | undefined;
    for (const slot of this.#slots) {
      if (slot.channel?.isDead === true) this.#slots.delete(slot);
      else if (least === undefined || slot.files < least.files) least = slot;
    }
    if (this.#slots.size >= this.#limit || least?.files === 0) return least;
    const slot: Slot = { opening: this.#options.open(), channel: undefined, files: 0 };
    this.#slots.add(slot);
    return slot;
  }
}
