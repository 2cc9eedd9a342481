// The gateway as this page sees it: whether it answers, who we are to it, and its hosts.

import { GatewayError, Uploader, type HostInfo } from 'longshore/client';
import { Store } from './store.js';
import { TokenDesk } from './token.js';

export interface Connection {
  /** `asking` until the first answer. */
  readonly gateway: 'asking' | 'there' | 'away';
  readonly isOnline: boolean;
  readonly hosts: readonly HostInfo[];
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
      if (navigator.onLine) void this.look();
    };
    addEventListener('online', look);
    addEventListener('offline', look);
    addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') void this.look();
    });
    while (!(await this.look())) await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
  }

  /** Asks for the hosts now; whether there was an answer. */
  async look(): Promise<boolean> {
    clearTimeout(this.#timer);
    try {
      this.#set({ gateway: 'there', hosts: await this.uploader.hosts() });
      this.#timer = setTimeout(() => void this.look(), LOOK_AGAIN_MS);
      return true;
    } catch (error) {
      if (error instanceof GatewayError && error.code === 'UNAUTHENTICATED') {
        // Retryable when there is another token meanwhile.
        if (!error.retryable) await this.tokens.ask();
        return await this.look();
      }
      this.#set({ gateway: 'away' });
      this.#timer = setTimeout(() => void this.look(), ASK_AGAIN_MS);
      return false;
    }
  }

  #set(change: Partial<Connection>): void {
    this.connection.set({ ...this.connection.get(), ...change });
  }
}
