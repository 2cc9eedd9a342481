// What is to be done about files that are at the path: the option's word, or a person's.

import type { ExistsDecision, FileExists } from '../client/index.js';
import { formatBytes, formatDate } from './format.js';
import type { Terminal } from './terminal.js';

type Ask = NonNullable<Terminal['ask']>;

/** Asks about one file at a time, whatever number is under way; an answer may be for all that follow. */
export class Replacing {
  readonly #ask: Terminal['ask'];
  readonly #isSeveral: boolean;
  readonly #signal: AbortSignal;
  #forAll: ExistsDecision | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  /** Without `ask` nobody decides. */
  constructor(options: { readonly ask: Terminal['ask']; readonly isSeveral: boolean; readonly signal: AbortSignal }) {
    this.#ask = options.ask;
    this.#isSeveral = options.isSeveral;
    this.#signal = options.signal;
  }

  /** `target` is `HOST:/PATH`. `undefined`: there is nobody to ask. Rejects with the signal's reason. */
  async decide(target: string, existing: FileExists): Promise<ExistsDecision | undefined> {
    const ask = this.#ask;
    if (ask === undefined) return undefined;
    const decision = this.#turn.then(() => this.#forAll ?? this.#decide(ask, target, existing));
    this.#turn = decision.catch(() => undefined); // Its own asker hears of it.
    return await decision;
  }

  async #decide(ask: Ask, target: string, existing: FileExists): Promise<ExistsDecision> {
    this.#signal.throwIfAborted();
    const facts = `${formatBytes(existing.size)}, changed ${formatDate(existing.modifiedAt)}`;
    const choices = this.#isSeveral ? 'y/N, a: replace all, k: keep all' : 'y/N';
    const answer = await ask(`${target} is there already (${facts}). Replace it? [${choices}] `, this.#signal);
    return this.#understand(answer.trim().toLowerCase());
  }

  #understand(answer: string): ExistsDecision {
    if (this.#isSeveral && /^(a|all)$/.test(answer)) return (this.#forAll = 'replace');
    if (this.#isSeveral && /^(k|keep|none)$/.test(answer)) return (this.#forAll = 'keep');
    return /^y(es)?$/.test(answer) ? 'replace' : 'keep';
  }
}
