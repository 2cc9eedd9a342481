// Where the bearer token comes from: the page that embeds this one, or the person.
//
// An embedding page (its origin is one of the gateway's `listen.origins`, or the browser shows nothing) hears
// `{ type: 'longshore:token-needed' }` as a message from this window and answers `{ type: 'longshore:token', token }`. It may send
// the answer unasked, and anew before the old token ends.

import type { TokenSource } from 'longshore/client';
import { Store } from './store.js';

/** The person is to be asked; `refused`: the last one didn't do. */
export type TokenQuestion = { readonly refused: boolean } | undefined;

const KEY = 'longshore.token';
/** An embedding page that has nothing to say leaves the question to the person. */
const ANSWER_WITHIN_MS = 5_000;
/** In a row: then its tokens are no good. */
const MAX_REFUSALS = 3;

export class TokenDesk {
  readonly question = new Store<TokenQuestion>(undefined);
  readonly #isEmbedded = window.parent !== window;
  #token: string | undefined;
  #refused: string | undefined;
  #refusals = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #waiting: PromiseWithResolvers<string> | undefined;

  constructor() {
    this.#token = storedToken();
    if (!this.#isEmbedded) return;
    addEventListener('message', ({ source, data }: MessageEvent<unknown>) => {
      if (source !== window.parent || !isTokenMessage(data)) return;
      // An embedding page that knows no other one has nothing to say.
      if (data.token === this.#refused) this.#askPerson();
      else this.give(data.token);
    });
  }

  /** For the SDK: the token there is, or a new one in place of what was refused. */
  readonly source: TokenSource = async ({ refused }) => {
    if (refused === undefined || refused !== this.#token) return await (this.#waiting?.promise ?? this.#token);
    return await this.ask();
  };

  /** Resolves with a token once there is another. */
  async ask(): Promise<string> {
    if (this.#waiting !== undefined) return await this.#waiting.promise;
    this.#refused = this.#token;
    this.#token = undefined;
    this.#waiting = Promise.withResolvers<string>();
    if (this.#isEmbedded && this.#refusals < MAX_REFUSALS) {
      this.#refusals += 1;
      // To whichever origin embeds us: the message tells nothing.
      window.parent.postMessage({ type: 'longshore:token-needed' }, '*');
      this.#timer = setTimeout(() => this.#askPerson(), ANSWER_WITHIN_MS);
    } else {
      this.#askPerson();
    }
    return await this.#waiting.promise;
  }

  /** From the person, or the embedding page. Kept as long as this tab is open. */
  give(token: string): void {
    clearTimeout(this.#timer);
    this.#token = token;
    if (!this.#isEmbedded) keepToken(token);
    this.question.set(undefined);
    this.#waiting?.resolve(token);
    this.#waiting = undefined;
  }

  /** The gateway has taken the token. */
  accepted(): void {
    this.#refusals = 0;
  }

  #askPerson(): void {
    clearTimeout(this.#timer);
    if (this.#waiting !== undefined) this.question.set({ refused: this.#refused !== undefined });
  }
}

function isTokenMessage(data: unknown): data is { readonly token: string } {
  if (typeof data !== 'object' || data === null) return false;
  return 'type' in data && data.type === 'longshore:token' && 'token' in data && typeof data.token === 'string';
}

function storedToken(): string | undefined {
  try {
    return sessionStorage.getItem(KEY) ?? undefined;
  } catch {
    return undefined; // No storage: the person is asked again after a reload.
  }
}

function keepToken(token: string): void {
  try {
    sessionStorage.setItem(KEY, token);
  } catch {
    // See above.
  }
}
