// Merges that several gateways share: one dies in the middle, one gives up what another runs, one asks again for what the other missed.
// The host stops at the step in question, so that there is a middle.
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, statSync, watch, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Cluster } from '../support/cluster.js';
import { startCluster } from '../support/cluster.js';
import type { Watching } from '../support/film.js';
import { FILM_CHUNK, Film, through, until, watching } from '../support/film.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import type { HeldHost } from '../support/held-host.js';
import { atWork, endWork, heldHost } from '../support/held-host.js';
import { sha256 } from '../support/outside-client.js';

const CHUNK = FILM_CHUNK;
const MIB = 2 ** 20;
/** Design §6: a merge is taken over after `kill -9` of its worker. */
const TAKEN_OVER_MS = 15_000;
/** For what the host still has to do then, on a machine that others use too. */
const HOST_MS = 3_000;
/** Small files are hashed at once; larger ones by a job. */
const LARGE = { bytes: 272 * MIB, chunkSize: 16 * MIB };

let held: HeldHost;
let cluster: Cluster;

beforeAll(async () => {
  held = heldHost();
  cluster = await startCluster({ sshd: held.options, strategies: ['copy-data', 'command'] });
});
afterAll(async () => {
  held.stop();
  endWork(cluster.sshd.root);
  await cluster.stop();
});

const filmOn = (hostId: string, bytes: Buffer, chunkSize?: number) => new Film(cluster.sshd.root, hostId, bytes, chunkSize);
const large = () => filmOn('command', Buffer.alloc(LARGE.bytes, randomBytes(MIB)), LARGE.chunkSize);

/** Which processes its jobs ever had, by their files: the kernel tells of each that is made. */
function watchJobs(film: Film) {
  const processes = new Set<string>();
  const watcher = watch(film.directory, (_, name) => {
    if (name !== null && /^job\..*\.\d+$/.test(name)) processes.add(name);
  });
  return { processes, close: () => watcher.close() };
}

/** Neither a process nor a file of it; its target apart. */
async function nothingLeft(film: Film): Promise<void> {
  const ofTarget = dirname(film.directory);
  await expect.poll(() => atWork(ofTarget), { timeout: 5_000 }).toEqual([]);
  await expect.poll(() => existsSync(ofTarget), { timeout: 5_000 }).toBe(false);
  const others = readdirSync(cluster.sshd.root).filter((name) => !/^(\.longshore|film-[0-9a-f]{8})$/.test(name));
  expect(others).toEqual([]);
}

/** The shell by which a gateway follows a job. */
const followers = (film: Film) => atWork(film.directory).filter(({ command }) => command === 'sh -s');

/** Tells whether another shell than now has come to follow its job, and stays: one that only looks is gone at once. */
function followedAnew(film: Film): () => boolean {
  const old = followers(film).map(({ pid }) => pid);
  const since = new Map<number, number>();
  return () => {
    const now = performance.now();
    const fresh = followers(film).filter(({ pid }) => !old.includes(pid));
    for (const { pid } of fresh) since.set(pid, since.get(pid) ?? now);
    return fresh.some(({ pid }) => now - (since.get(pid) ?? now) >= STAYS_MS);
  };
}

const STAYS_MS = 500;

const NAMES = ['joining', 'hashing', 'copying'] as const;
type Name = (typeof NAMES)[number];
type Each<T> = Readonly<Record<Name, T>>;
const each = <T>(make: (name: Name) => T): Each<T> => ({
  joining: make('joining'),
  hashing: make('hashing'),
  copying: make('copying'),
});

describe('a gateway is killed while it merges', () => {
  let films: Each<Film>;
  let jobs: Each<ReturnType<typeof watchJobs>>;
  let outputs: Each<number>;
  let watchers: Each<Watching>;
  let tookMs: Each<number>;
  let copiesBefore: number;

  /** One gateway, which has come to the middle of each. */
  async function begun(): Promise<GatewayProcess> {
    const one = await cluster.start();
    const { joining, hashing, copying } = films;
    for (const name of NAMES) await films[name].send(one);
    jobs = each((name) => watchJobs(films[name]));
    copiesBefore = held.copies();
    held.hold('openssl');
    await hashing.merge(one);
    await until(() => hashing.find(/^job\.sha256\..*\.1$/) !== undefined);
    held.hold('cat');
    held.hold('copy-data');
    await Promise.all([joining.merge(one), copying.merge(one)]);
    await until(() => sizeOf(joining.find(/^out\./)) === CHUNK && sizeOf(copying.find(/^out\./)) === 5 * CHUNK);
    await until(() => followers(joining).length === 1);
    outputs = each((name) => statSync(films[name].find(/^out\./) ?? '').ino);
    return one;
  }

  beforeAll(async () => {
    films = {
      joining: filmOn('command', randomBytes(20 * CHUNK + 5)),
      hashing: large(),
      copying: filmOn('copy-data', randomBytes(30 * CHUNK + 5)),
    };
    const one = await begun();
    const other = await cluster.start();
    watchers = each((name) => watching(films[name], other));
    await watchers.joining.sees({ phase: 'ASSEMBLING', strategy: 'COMMAND', doneBytes: CHUNK });
    await watchers.copying.sees({ phase: 'ASSEMBLING', strategy: 'COPY_DATA' });
    await watchers.hashing.sees({ phase: 'VERIFYING', strategy: 'COMMAND' });
    const isFollowed = followedAnew(films.joining);
    const killedAt = performance.now();
    const ended = each((name) => watchers[name].end.then(() => performance.now() - killedAt));
    await one.stop('SIGKILL');
    // This one ends with nobody there; the others are still under way when the other gateway comes.
    held.letGo('openssl');
    await until(isFollowed);
    held.letGo('copy-data');
    held.letGo('cat');
    tookMs = { joining: await ended.joining, hashing: await ended.hashing, copying: await ended.copying };
    console.log('from the kill to DONE, ms:', tookMs);
  }, 120_000);
  afterAll(() => NAMES.forEach((name) => jobs[name].close()));

  /** What each was for, and the how many-th. */
  const processesOf = (name: Name) =>
    [...jobs[name].processes].map((name) => name.replace(/^job\.(\w+)\.[0-9a-f]{16}\./, '$1 '));

  it.each(NAMES)('%s: who watches at the other sees it end within 15 s', async (name) => {
    const digest = `sha256:${sha256(films[name].bytes)}`;
    expect(await watchers[name].end).toMatchObject({ phase: 'DONE', proved: true, digest });
    expect(tookMs[name]).toBeLessThan(TAKEN_OVER_MS + HOST_MS);
    films[name].expectWhole();
  });

  it('what the host was at, it does once', () => {
    expect(processesOf('joining')).toEqual(['join 1']);
    expect(processesOf('hashing')).toEqual(expect.arrayContaining(['join 1', 'sha256 1']));
    for (const name of NAMES) expect(processesOf(name).filter((process) => !process.endsWith(' 1'))).toEqual([]);
  });

  it('what was joined of the file becomes the file', () => {
    for (const name of NAMES) expect(statSync(films[name].file.fullPath).ino).toBe(outputs[name]);
  });

  it('no chunk is copied twice', () => {
    expect(held.copies() - copiesBefore).toBe(films.copying.count);
  });

  it('nothing is left of it', async () => {
    for (const name of NAMES) await nothingLeft(films[name]);
    expect(existsSync(join(cluster.sshd.root, '.longshore'))).toBe(false);
  });
});

function sizeOf(path: string | undefined): number | undefined {
  return path === undefined ? undefined : statSync(path, { throwIfNoEntry: false })?.size;
}

describe('an upload is given up while another gateway merges it', () => {
  let one: GatewayProcess;
  let other: GatewayProcess;

  beforeEach(async () => {
    one = await cluster.start();
  });
  afterEach(async () => {
    await Promise.all([one.stop('SIGKILL'), other.stop('SIGKILL')]);
  });

  const HELD_AT = {
    joined: { step: 'cat', phase: 'ASSEMBLING', job: /^job\.join\..*\.1$/ },
    hashed: { step: 'openssl', phase: 'VERIFYING', job: /^job\.sha256\..*\.1$/ },
  } as const;

  it.each(['joined', 'hashed'] as const)(
    'while it is %s: all see it, and nothing goes on',
    async (what) => {
      const { step, phase, job } = HELD_AT[what];
      const film = large();
      await film.send(one);
      held.hold(step);
      try {
        await film.merge(one);
        await until(() => film.find(job) !== undefined);
        other = await cluster.start();
        const watchers = [watching(film, one), watching(film, other)];
        for (const watcher of watchers) await watcher.sees({ phase });
        expect(atWork(film.directory).length).toBeGreaterThan(1);
        const began = performance.now();
        expect(await through(other).abort(film.file)).toMatchObject({ __typename: 'UploadAborted' });
        console.log(`answer to the abort while it is ${what}, ms:`, performance.now() - began);
        for (const { end } of watchers) expect(await end).toMatchObject({ phase: 'ABORTED', problem: { code: 'ABORTED' } });
        await nothingLeft(film);
        expect(existsSync(film.file.fullPath)).toBe(false);
        expect(await through(one).status(film.file, film.bytes.length)).toMatchObject({ __typename: 'UploadReady' });
        await through(one).abort(film.file);
      } finally {
        held.letGo(step);
      }
    },
    60_000,
  );
});

describe('two gateways', () => {
  let one: GatewayProcess;
  let other: GatewayProcess;

  beforeAll(async () => {
    [one, other] = await Promise.all([cluster.start(), cluster.start()]);
  });
  afterAll(async () => {
    await Promise.all([one.stop(), other.stop()]);
  });

  it.each([
    ['in place', 'sshd', (film: Film) => spoil(join(film.directory, 'data'), 2 * CHUNK)],
    ['chunk files', 'command', (film: Film) => spoil(film.find(/^c\.3\./) ?? '', 0)],
  ] as const)(
    '%s: a spoiled chunk is missed through one, sent again there, and merged through the other',
    async (_, hostId, spoilThird) => {
      const film = filmOn(hostId, randomBytes(5 * CHUNK));
      await film.send(one);
      spoilThird(film);
      const first = watching(film, other);
      await first.sees({ phase: 'RECEIVING' });
      await film.merge(one);
      const problem = { code: 'CHUNKS_MISSING', missingCount: 1, ranges: [{ first: 3, last: 3 }] };
      expect(await first.end).toMatchObject({ phase: 'FAILED', problem });
      expect(await film.put(other, 3)).toMatchObject({ __typename: 'ChunkStored', alreadyStored: false });
      const second = watching(film, other);
      await second.sees({ phase: 'RECEIVING' });
      await film.merge(one);
      expect(await second.end).toMatchObject({ phase: 'DONE', proved: true });
      film.expectWhole();
      await nothingLeft(film);
    },
  );

  describe('on a host that offers to copy files by itself, and doesn’t', () => {
    beforeEach(() => held.hold('no copy-data'));
    afterEach(() => {
      held.letGo('no copy-data');
      held.letGo('cat');
    });

    it('a command joins them, and those who watch see it', async () => {
      const film = filmOn('copy-data', randomBytes(10 * CHUNK));
      await film.send(one);
      const watchers = [watching(film, one), watching(film, other)];
      held.hold('cat');
      await film.merge(one);
      for (const watcher of watchers) await watcher.sees({ phase: 'ASSEMBLING', strategy: 'COMMAND', doneBytes: CHUNK });
      held.letGo('cat');
      for (const { end } of watchers) expect(await end).toMatchObject({ phase: 'DONE', strategy: 'COMMAND', proved: true });
      film.expectWhole();
    });

    it('nor has a program that the command needs, the gateway itself joins them', async () => {
      const film = filmOn('copy-data', randomBytes(10 * CHUNK));
      await film.send(one);
      const watchers = [watching(film, one), watching(film, other)];
      held.remove('sort');
      try {
        await film.merge(one);
        for (const { end } of watchers) expect(await end).toMatchObject({ phase: 'DONE', strategy: 'RELAY', proved: true });
      } finally {
        held.bringBack('sort');
      }
      film.expectWhole();
      await nothingLeft(film);
    });
  });
});

/** One chunk's worth of other bytes. */
function spoil(path: string, offset: number): void {
  const file = openSync(path, 'r+');
  writeSync(file, randomBytes(CHUNK), 0, CHUNK, offset);
  closeSync(file);
}
