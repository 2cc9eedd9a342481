// An upload for end-to-end tests: its client's side through any gateway, and how it lies on its host.
import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import type { GatewayProcess } from './gateway-process.js';
import type { Answer, FileRef } from './outside-client.js';
import { OutsideClient, chunkOf, sha256 } from './outside-client.js';

export const FILM_CHUNK = 65_536;
const SOON = { interval: 10, timeout: 15_000 };

/** An upload as a client has it, and as it lies on its host. */
export class Film {
  readonly file: FileRef;
  readonly bytes: Buffer;
  readonly #chunkSize: number;
  #directory = '';

  constructor(root: string, hostId: string, bytes: Buffer, chunkSize = FILM_CHUNK) {
    const name = randomBytes(4).toString('hex');
    this.file = { hostId, fullPath: join(root, `film-${name}`), hashCode: `content ${name}` };
    this.bytes = bytes;
    this.#chunkSize = chunkSize;
  }

  get count(): number {
    return Math.ceil(this.bytes.length / this.#chunkSize);
  }

  /** All chunks. */
  async send(gateway: GatewayProcess): Promise<void> {
    const client = through(gateway);
    await client.status(this.file, this.bytes.length, { chunkSize: this.#chunkSize });
    for (let index = 1; index <= this.count; index++) {
      expect(await this.put(gateway, index)).toMatchObject({ __typename: 'ChunkStored' });
    }
    this.#directory = String((await client.dirInfo(this.file))['dir']);
  }

  put(gateway: GatewayProcess, index: number): Promise<Answer> {
    return through(gateway).chunk(this.file, index, chunkOf(this.bytes, this.#chunkSize, index));
  }

  async merge(gateway: GatewayProcess): Promise<void> {
    const started = await through(gateway).merge(this.file, this.count, { digest: sha256(this.bytes) });
    expect(started).toMatchObject({ __typename: 'MergeStarted' });
  }

  get directory(): string {
    return this.#directory;
  }

  /** The one file in its directory that is called so. */
  find(name: RegExp): string | undefined {
    const found = readdirSync(this.#directory).find((each) => name.test(each));
    return found === undefined ? undefined : join(this.#directory, found);
  }

  expectWhole(): void {
    expect(sha256(readFileSync(this.file.fullPath))).toBe(sha256(this.bytes));
  }
}

export const through = (gateway: GatewayProcess) => new OutsideClient(gateway, 'ann');

export interface Watching {
  /** Resolves when such a state was seen. */
  sees(state: Readonly<Record<string, unknown>>): Promise<void>;
  /** The last state. */
  readonly end: Promise<Answer | undefined>;
}

/** Somebody who watches through one gateway to the end. */
export function watching(film: Film, gateway: GatewayProcess): Watching {
  const seen: Answer[] = [];
  const ended = through(gateway).watch(film.file, (state) => seen.push(state));
  const end = ended.then(() => seen.at(-1));
  end.catch(() => undefined); // Told to whoever waits for it.
  const sees = (state: Readonly<Record<string, unknown>>) =>
    vi.waitFor(() => expect(seen).toContainEqual(expect.objectContaining(state)), SOON);
  return { sees, end };
}

/** Also in hooks, where expect.poll isn't. */
export const until = (what: () => boolean): Promise<void> => vi.waitFor(() => expect(what()).toBe(true), SOON);
