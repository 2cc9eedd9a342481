// Uploads into a directory that somebody on the host swaps for a link all the time, and what must be true of them.
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { SshHostOptions } from '../../src/sftp/host-repository.js';
import type { TestServices } from '../assembly/support.js';
import { CHUNK, startServices, TestUpload } from '../assembly/support.js';

import { ensureLogin, startSshd } from '../support/sshd.js';
import { hostProfile, sshdHostOptions } from '../support/sshd-host.js';
import { openSshInChroot } from '../support/zoo-kinds.js';

const SWAPPER = fileURLToPath(new URL('swapper.mjs', import.meta.url));
const WORKERS = 4;

export interface Race {
  readonly options: SshHostOptions;
  /** The root, on the local disk and as clients name it. */
  readonly local: string;
  readonly root: string;
  /** Where the link leads. */
  readonly outside: string;
  readonly account: { readonly uid: number; readonly gid: number };
  /** The longest, ms, while the directory is there and while the link is; 0: without. */
  readonly pauses: readonly [number, number];
  /** Made before anything is swapped. */
  readonly uploads: number;
  readonly durationMs: number;
}

export interface RaceOutcome {
  readonly swaps: number;
  readonly published: number;
  /** Told as such. */
  readonly takenBack: number;
  readonly left: number;
  readonly refused: number;
  /** Relative paths of files with content that were seen outside after a merge had ended, or at the end. */
  readonly outside: readonly string[];
  /** Uploads that could not be finished when it was over, or whose file is not what was sent. */
  readonly lost: readonly string[];
}

export async function race(setting: Race): Promise<RaceOutcome> {
  const { local, outside, account, pauses, durationMs } = setting;
  const directory = join(local, 'dir');
  fs.mkdirSync(directory);
  fs.chownSync(directory, account.uid, account.gid);
  const services = await startServices(setting.options);
  const run = new Run(setting, services);
  await run.prepare();
  const swapper = fork(SWAPPER, [directory, outside, ...pauses.map(String)]);
  const exited = once(swapper, 'exit');
  await once(swapper, 'message');
  try {
    const until = performance.now() + durationMs;
    await Promise.all(Array.from({ length: WORKERS }, () => run.publish(until)));
    // A viewer may be refused whose merge goes on: where a file has gone can't be seen once nobody swaps any more.
    await run.settled();
    const told = once(swapper, 'message') as Promise<[number]>;
    swapper.kill('SIGTERM');
    const [swaps] = await told;
    await exited;
    await run.finish();
    return { ...run.counts, swaps, outside: [...run.outside, ...contentsOf(outside)], lost: run.lost };
  } finally {
    swapper.kill('SIGKILL');
    await exited;
    await services.close();
  }
}

class Run {
  readonly counts = { published: 0, takenBack: 0, left: 0, refused: 0 };
  readonly outside: string[] = [];
  readonly lost: string[] = [];
  readonly #setting: Race;
  readonly #services: TestServices;
  readonly #waiting: TestUpload[] = [];

  constructor(setting: Race, services: TestServices) {
    this.#setting = setting;
    this.#services = services;
  }

  /** While nobody swaps anything. */
  async prepare(): Promise<void> {
    const { options, root } = this.#setting;
    for (let number = 0; number < this.#setting.uploads; number += 1) {
      const film = new TestUpload({ hostId: options.profile.id, root }, `dir/${number}`, randomBytes(CHUNK / 4));
      await film.status(this.#services.longshore);
      await film.putAll(this.#services.longshore);
      this.#waiting.push(film);
    }
  }

  /** One at a time; what was refused comes again after the others, and what is done is made anew. */
  async publish(until: number): Promise<void> {
    for (let turn = 0; performance.now() < until; turn += 1) {
      const film = this.#waiting.shift();
      if (film === undefined) return;
      if (!(await this.#attempt(film, turn % 2 === 0 ? 'ASK' : 'REPLACE'))) this.#waiting.push(film);
    }
  }

  async settled(): Promise<void> {
    const { queue } = this.#services;
    for (const film of this.#waiting) while (await queue.has(film.identity.id)) await sleep(50);
  }

  async finish(): Promise<void> {
    for (const film of this.#waiting) {
      // What was seen by a run before may still be told once.
      let isDone = false;
      for (let attempt = 0; attempt < 20 && !isDone; attempt += 1) {
        if (attempt > 0) await sleep(250);
        await film.status(this.#services.longshore, { ifExists: 'REPLACE' });
        isDone = await this.#attempt(film, 'REPLACE');
      }
      if (!isDone) this.lost.push(film.file.fullPath);
    }
  }

  async #attempt(film: TestUpload, ifExists: 'ASK' | 'REPLACE'): Promise<boolean> {
    const { longshore } = this.#services;
    try {
      const end = await film.mergeToEnd(longshore, { ifExists });
      // Those of merges that are still under way may be there for moments.
      this.outside.push(...contentsOf(this.#setting.outside).filter((name) => film.file.fullPath.endsWith(`/${name}`)));
      if (end?.phase === 'DONE') return this.#check(film);
      const message = end?.problem?.message ?? '';
      if (message.includes('taken back')) this.counts.takenBack += 1;
      else if (message.includes('could not be found')) this.counts.left += 1;
      return this.#refuse();
    } catch (error) {
      // An answer other than that the merge began.
      if (!(error instanceof Error) || !error.message.startsWith('{')) throw error;
      return this.#refuse();
    }
  }

  #refuse(): false {
    this.counts.refused += 1;
    return false;
  }

  /** By either name of its directory. */
  #check(film: TestUpload): true {
    const { local, root } = this.#setting;
    const name = film.file.fullPath.slice(root.length + 1);
    // Listed anew each time: one that was made while nothing was there is put aside under another name.
    const isRight = Array.from({ length: 100 }).some(() => {
      const directories = fs.readdirSync(local).filter((each) => each.startsWith('dir'));
      const paths = [...new Set(['dir', 'dir.aside', ...directories])].map((each) => join(local, name.replace('dir', each)));
      return paths.some((path) => fs.existsSync(path) && contentIs(path, film.bytes));
    });
    if (!isRight) this.lost.push(film.file.fullPath);
    this.counts.published += 1;
    return true;
  }
}

function contentIs(path: string, bytes: Buffer): boolean {
  try {
    return fs.readFileSync(path).equals(bytes);
  } catch {
    return false; // Swapped at this moment.
  }
}

/** Files with content. */
function contentsOf(directory: string): readonly string[] {
  const names = fs.readdirSync(directory, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => {
    const facts = fs.lstatSync(join(directory, name), { throwIfNoEntry: false });
    return facts?.isFile() === true && facts.size > 0;
  });
}

/** On a host without a chroot. */
export async function raceOnHost(setting: Pick<Race, 'outside' | 'pauses' | 'uploads' | 'durationMs'>): Promise<RaceOutcome> {
  const sshd = await startSshd();
  try {
    const place = { local: sshd.root, root: sshd.root, account: ensureLogin() };
    return await race({ ...setting, ...place, options: sshdHostOptions(sshd) });
  } finally {
    await sshd.stop();
  }
}

/** On one that sees nothing but its own directory. */
export async function raceInChroot(setting: Pick<Race, 'outside' | 'pauses' | 'uploads' | 'durationMs'>): Promise<RaceOutcome> {
  const server = await openSshInChroot(() => undefined);
  try {
    const { address, port, username, privateKeyFile, hostKeys } = server.login as unknown as SshLogin;
    const authentication = { kind: 'key', privateKey: fs.readFileSync(privateKeyFile, 'utf8') } as const;
    const options = { profile: hostProfile('jail', server.root), address, port, username, authentication, hostKeys };
    const place = { local: server.directory, root: server.root, account: server.account };
    return await race({ ...setting, ...place, options });
  } finally {
    await server.stop();
  }
}

interface SshLogin {
  readonly address: string;
  readonly port: number;
  readonly username: string;
  readonly privateKeyFile: string;
  readonly hostKeys: readonly string[];
}

/** A directory that the host's account may write to. */
export function makeOutside(): string {
  const { uid, gid } = ensureLogin();
  const outside = fs.mkdtempSync(join(tmpdir(), 'longshore-outside-'));
  fs.chownSync(outside, uid, gid);
  return outside;
}
