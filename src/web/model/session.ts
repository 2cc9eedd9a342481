// The gateway as this page sees it: whether it answers, who we are to it, and its hosts.

import { GatewayError, Uploader, type HostInfo } from 'longshore/client';
import { Store } from './store.js';
import { TokenDesk } from './token.js';

export interface Connection {
  /** `asking` until the first answer. */
  readonly gateway: 'asking' | 'there' | 'away';
  readonly isOnline: boolean;
  readonly hosts: readonly HostInfo[];
  /** What the gateway, or somebody before it, said in place of an answer. */
  readonly refusal?: string | undefined;
}

const ASK_AGAIN_MS = 3_000;
/** Free space and reachability change without a word. */
const LOOK_AGAIN_MS = 60_000;

export class Session {
  readonly tokens = new TokenDesk();
  readonly uploader = new Uploader({ endpoint: new URL('graphql', location.href).href, token: this.tokens.source });
  readonly connection = new Store<Connection>({ gateway: 'asking', isOnline: navigator.onLine, hosts: [] });
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Asks for the hosts, and goes on asking. Resolves with the first answer. */
  async begin(): Promise<void> {
    const look = () => {
      this.#set({ isOnline: navigator.onLine });
      if (navigator.onLine) void this.#look();
    };
    addEventListener('online', look);
    addEventListener('offline', look);
    addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') void this.#look();
    });
    const answered = new Promise<void>((resolve) => {
      const unsubscribe = this.connection.subscribe(() => {
        if (this.connection.get().gateway !== 'there') return;
        unsubscribe();
        resolve();
      });
    });
    await this.#look();
    await answered;
  }

  /** Asks for the hosts now, and again after a while. */
  async #look(): Promise<void> {
    clearTimeout(this.#timer);
    const againMs = await this.#ask();
    clearTimeout(this.#timer); // Another look may have been under way.
    this.#timer = setTimeout(() => void this.#look(), againMs);
  }

  /** Resolves with the time until it is worth asking again, ms. */
  async #ask(): Promise<number> {
    try {
      this.#set({ gateway: 'there', refusal: undefined, hosts: await this.uploader.hosts() });
      this.tokens.accepted();
      return LOOK_AGAIN_MS;
    } catch (error) {
      if (!(error instanceof GatewayError)) {
        this.#set({ gateway: 'away', refusal: undefined });
        return ASK_AGAIN_MS;
      }
      if (error.code === 'UNAUTHENTICATED') {
        // Retryable when there is another token meanwhile.
        if (!error.retryable) await this.tokens.ask();
        return 0;
      }
      this.#set({ gateway: 'away', refusal: error.message });
      return ASK_AGAIN_MS;
    }
  }

  #set(change: Partial<Connection>): void {
    this.connection.set({ ...this.connection.get(), ...change });
  }
}
