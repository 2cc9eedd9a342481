// Cleaning up after uploads that nobody finishes, on a real SSH server.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HostAssembly } from '../../src/assembly/staging.js';
import type { Longshore } from '../../src/core/answers.js';
import { createLongshore } from '../../src/core/longshore.js';
import type { HostRepository } from '../../src/core/ports.js';
import type { Services } from '../../src/core/services.js';
import { Sweeper } from '../../src/core/sweeper.js';
import type { EmbeddedHost } from '../../src/embedded/embedded-host.js';
import { startEmbeddedHost } from '../../src/embedded/embedded-host.js';
import { MemoryLedger } from '../../src/memory/ledger.js';
import { MemoryLockRepository } from '../../src/memory/lock-repository.js';
import { MemoryMergeQueue } from '../../src/memory/merge-queue.js';
import { MemoryProgressFeed } from '../../src/memory/progress-feed.js';
import { createHostRepository } from '../../src/sftp/host-repository.js';
import { KIB, MIB, piecesOf } from '../support/bytes.js';
import { realHashing } from '../support/real-hashing.js';
import type { KeptAudit } from '../support/roles.js';
import { WIDE_QUOTAS, keptAudit, keptLog, realClock } from '../support/roles.js';
import { hostProfile } from '../support/sshd-host.js';

const DAY_MS = 86_400_000;
const CHUNK = 64 * KIB;
const CONTENT = Buffer.alloc(2 * CHUNK, 'longshore');
const ANNA = { person: 'anna', groups: [] };
const LIMITS = {
  ...WIDE_QUOTAS,
  chunkBytes: CHUNK,
  maxChunkBytes: MIB,
  maxFileBytes: 1_024 * MIB,
  chunksInFlightPerPerson: 16,
  claimTtlMs: 900_000,
  stagingTtlMs: 7 * DAY_MS,
};

let directory: string;
let embedded: EmbeddedHost;
let hosts: HostRepository;
let services: Services;
let audit: KeptAudit;
let longshore: Longshore;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'longshore-sweeper-'));
  const log = keptLog();
  const state = join(directory, 'state');
  embedded = await startEmbeddedHost({
    directory: join(directory, 'data'),
    stateDirectory: state,
    address: '127.0.0.1',
    port: 0,
    log,
  });
  const { port, username, privateKey, hostKeyFingerprint } = embedded;
  const authentication = { kind: 'key', privateKey } as const;
  const login = { address: '127.0.0.1', port, username, authentication, hostKeys: [hostKeyFingerprint] };
  hosts = createHostRepository({ hosts: [{ profile: hostProfile('local', '/'), ...login }], clock: realClock, log });
  audit = keptAudit();
  services = {
    hosts,
    locks: new MemoryLockRepository({ clock: realClock }),
    feed: new MemoryProgressFeed({ clock: realClock, ttlMs: LIMITS.stagingTtlMs }),
    ledger: new MemoryLedger({ clock: realClock }),
    audit,
    queue: new MemoryMergeQueue({ log, concurrency: 1, concurrencyPerHost: 1 }),
    assembly: new HostAssembly({ clock: realClock, hashing: realHashing }),
    clock: realClock,
    hashing: realHashing,
    log,
    limits: LIMITS,
  };
  longshore = createLongshore(services);
});

afterEach(async () => {
  await services.queue.close();
  await hosts.close();
  await embedded.close();
  rmSync(directory, { recursive: true, force: true });
});

const local = (...names: string[]) => join(directory, 'data', ...names);
const ref = (name: string, hashCode = 'content') => ({ hostId: 'local', fullPath: `/${name}`, hashCode });
const sweep = () => new Sweeper(services).sweep('local');

/** An upload whose first chunk was sent; its staging directory. */
async function begin(name: string): Promise<string> {
  await longshore.uploadStatus(ANNA, {
    file: ref(name),
    size: CONTENT.length,
    chunkSize: CHUNK,
    ifExists: 'ASK',
    takeOver: false,
  });
  const { signal } = new AbortController();
  const stored = await longshore.uploadChunk(ANNA, {
    file: ref(name),
    index: 1,
    pieces: piecesOf(CONTENT.subarray(0, CHUNK)),
    signal,
  });
  expect(stored).toMatchObject({ kind: 'ChunkStored' });
  const info = await longshore.dirInfo(ANNA, ref(name));
  if (info.kind !== 'DirInfo') throw new Error(info.kind);
  return local(info.dir);
}

/** As if nobody had touched anything in it, nor called about it, for so long. */
async function age(staged: string, name: string, ms: number): Promise<void> {
  const then = (Date.now() - ms) / 1_000;
  for (const entry of [...readdirSync(staged).map((file) => join(staged, file)), staged]) utimesSync(entry, then, then);
  const claim = await claimOf(name);
  if (claim !== undefined) await services.locks.release(claim);
}

async function claimOf(name: string) {
  const { identify } = await import('../../src/core/file-ref.js');
  const { parseRemotePath } = await import('../../src/core/remote-path.js');
  const target = parseRemotePath(`/${name}`);
  if (target === undefined) throw new Error(name);
  const identity = identify(realHashing, { hostId: 'local', target, person: 'anna', hashCode: 'content' });
  return services.locks.holder(identity.targetKey);
}

describe('sweeping', () => {
  it('removes an upload that nobody touched for its time, and nothing of it stays', async () => {
    await age(await begin('film.mkv'), 'film.mkv', 7 * DAY_MS + 60_000);
    await sweep();
    expect(readdirSync(local())).toEqual([]);
    expect(await claimOf('film.mkv')).toBeUndefined();
    expect(await longshore.uploads(ANNA, { first: 10 })).toMatchObject({ items: [] });
    expect(audit.events.filter(({ action }) => action === 'expire')).toMatchObject([
      { result: 'done', person: ANNA.person, hostId: 'local', fullPath: '/film.mkv' },
    ]);
  });

  it('leaves an upload that was touched since', async () => {
    const staged = await begin('film.mkv');
    await age(staged, 'film.mkv', 7 * DAY_MS - 60_000);
    await sweep();
    expect(existsSync(staged)).toBe(true);
    expect(await longshore.dirInfo(ANNA, ref('film.mkv'))).toMatchObject({ chunkList: [1] });
  });

  it('leaves an old upload that somebody has just called about', async () => {
    const staged = await begin('film.mkv');
    await age(staged, 'film.mkv', 8 * DAY_MS);
    await longshore.dirInfo(ANNA, ref('film.mkv'));
    await sweep();
    expect(existsSync(staged)).toBe(true);
  });

  it('tells those who still watch that the upload is over, and lets it begin afresh', async () => {
    await age(await begin('film.mkv'), 'film.mkv', 8 * DAY_MS);
    const watching = longshore.mergeProgress(ANNA, ref('film.mkv'))[Symbol.asyncIterator]();
    expect(await watching.next()).toMatchObject({ value: { phase: 'RECEIVING' } });
    await sweep();
    expect(await watching.next()).toMatchObject({ value: { phase: 'ABORTED', problem: { code: 'ABORTED' } } });
    await begin('film.mkv');
  });

  it('leaves what is not ours, also in an upload that it removes', async () => {
    const staged = await begin('film.mkv');
    writeFileSync(join(staged, 'notes.txt'), 'mine');
    mkdirSync(local('.longshore', 'somebody'));
    await age(staged, 'film.mkv', 8 * DAY_MS);
    await sweep();
    expect(existsSync(staged)).toBe(false);
    expect(existsSync(local('.longshore', 'somebody'))).toBe(true);
    expect(readdirSync(local(), { recursive: true }).map(String)).toEqual(
      expect.arrayContaining([expect.stringMatching(/notes\.txt$/)]),
    );
  });

  it('is done by one process at a time', async () => {
    await age(await begin('film.mkv'), 'film.mkv', 8 * DAY_MS);
    expect(await services.locks.leaseChore('sweep local', 'another process', 60_000)).toBe(true);
    await sweep();
    expect(existsSync(local('.longshore'))).toBe(true);
  });

  it('of a host that is away is no failure', async () => {
    await embedded.close();
    await expect(sweep()).resolves.toBeUndefined();
  });

  it('happens by itself, soon after the start, and ends with the process', async () => {
    await age(await begin('film.mkv'), 'film.mkv', 8 * DAY_MS);
    const sleeps: number[] = [];
    const clock = {
      ...realClock,
      sleep: (ms: number, signal?: AbortSignal) => {
        sleeps.push(ms);
        return realClock.sleep(sleeps.length === 1 ? 0 : ms, signal);
      },
    };
    const sweeper = new Sweeper({ ...services, clock });
    sweeper.start();
    await expect.poll(() => sleeps.length).toBe(2);
    await sweeper.stop();
    expect(sleeps).toEqual([60_000, 3_600_000]);
    expect(readdirSync(local())).toEqual([]);
  });
});
