// Giving up: what earlier runs have left on the hosts, also of uploads that haven't asked for it yet, and what the answer means.

import { quickHashCode } from './digests.js';
import { ProblemError } from './errors.js';
import type { Gateway } from './gateway.js';
import type { AbortUploadAnswer, FileRef, UploadSummary } from './operations.js';
import { Slots } from './turns.js';
import type { Hashing, UploadSource } from './platform.js';
import type { Retries } from './retry.js';

/** Thousands of rows may be discarded at once, and each reads up to three mebibytes. */
const COMPARED_AT_ONCE = 2;

export interface LeftoverOf {
  readonly host: string;
  readonly path: string;
  readonly source: UploadSource;
  readonly hashing: Hashing;
  readonly retries: Retries;
}

export class Leftovers {
  readonly #gateway: Gateway;
  /** By host; who asks while an answer is under way shares it. */
  readonly #asked = new Map<string, Promise<readonly UploadSummary[]>>();
  readonly #comparing = new Slots(COMPARED_AT_ONCE);

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  /**
   * The caller's unfinished upload of this content to this path. The source is read only when there is one of its size. Rejects with
   * `ProblemError` when the host can't be asked, as `Retries.run` does, or with what reading throws.
   */
  async find({ host, path, source, hashing, retries }: LeftoverOf): Promise<FileRef | undefined> {
    const { signal } = new AbortController();
    const asked = this.#asked.get(host) ?? this.#ask(host, retries, signal).finally(() => this.#asked.delete(host));
    this.#asked.set(host, asked);
    const found = (await asked).filter(({ fullPath, size }) => fullPath === path && size === source.size);
    if (found.length === 0) return undefined;
    const hashCode = await this.#comparing.use(() => quickHashCode(source, hashing, signal), signal);
    const same = found.find((left) => left.hashCode === hashCode);
    return same && refOf(same);
  }

  async #ask(host: string, retries: Retries, signal: AbortSignal): Promise<readonly UploadSummary[]> {
    const listed = await retries.run(async (cut) => {
      const { items, problems } = await this.#gateway.uploads(host, cut);
      return problems[0] ?? ({ __typename: 'Listed', items } as const);
    }, signal);
    if ('code' in listed) throw new ProblemError(listed);
    return listed.items;
  }
}

/** The gateway takes nothing but these; a summary has more. */
export function refOf({ hostId, fullPath, hashCode }: FileRef): FileRef {
  return { hostId, fullPath, hashCode };
}

/** Throws what an upload's owner is to hear when it wasn't given up. One that isn't there needn't be. */
export function expectAborted(answer: AbortUploadAnswer): void {
  if (answer.__typename === 'UploadAborted') return;
  if (answer.__typename === 'UploadFinished') {
    const message = 'too late: the upload is finished';
    throw new ProblemError({ __typename: 'Refused', code: 'ABORTED', message, retryable: false });
  }
  if (answer.code !== 'UPLOAD_UNKNOWN') throw new ProblemError(answer);
}
