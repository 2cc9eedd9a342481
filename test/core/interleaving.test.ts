// Calls that meet at bad instants. The services with the memory adapters and a real SSH host; every port may be stopped at a call.
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HostAssembly } from '../../src/assembly/staging.js';
import type { FileRefInput, Longshore } from '../../src/core/answers.js';
import { identify } from '../../src/core/file-ref.js';
import { createLongshore } from '../../src/core/longshore.js';
import type { Clock, DirectoryEntry, Host, HostRepository, MergeQueue } from '../../src/core/ports.js';
import { Fault } from '../../src/core/problems.js';
import type { MergeProgress } from '../../src/core/progress.js';
import type { RemotePath } from '../../src/core/remote-path.js';
import { startEmbeddedHost } from '../../src/embedded/embedded-host.js';
import type { EmbeddedHost } from '../../src/embedded/embedded-host.js';
import { MemoryLedger } from '../../src/memory/ledger.js';
import { MemoryLockRepository } from '../../src/memory/lock-repository.js';
import { MemoryMergeQueue } from '../../src/memory/merge-queue.js';
import { MemoryProgressFeed } from '../../src/memory/progress-feed.js';
import { createHostRepository } from '../../src/sftp/host-repository.js';
import { KIB, MIB, piecesOf } from '../support/bytes.js';
import { ManualClock, deferred } from '../support/manual-clock.js';
import { realHashing } from '../support/real-hashing.js';
import { WIDE_QUOTAS, keptAudit, keptLog, realClock } from '../support/roles.js';
import { hostProfile } from '../support/sshd-host.js';

const CHUNK = 64 * KIB;
const CONTENT = Buffer.alloc(2 * CHUNK + 5, 'longshore');
const ANNA = { person: 'anna', groups: [] };
const FILE: FileRefInput = { hostId: 'local', fullPath: '/film.mkv', hashCode: 'quick' };
const IDENTITY = identify(realHashing, {
  hostId: 'local',
  target: '/film.mkv' as RemotePath,
  person: 'anna',
  hashCode: 'quick',
});
const LIMITS = {
  ...WIDE_QUOTAS,
  chunkBytes: CHUNK,
  maxChunkBytes: MIB,
  maxFileBytes: 1_024 * MIB,
  chunksInFlightPerPerson: 16,
  claimTtlMs: 900_000,
  stagingTtlMs: 86_400_000,
};

let directory: string;
let embedded: EmbeddedHost;
let hosts: HostRepository;
let locks: MemoryLockRepository;
let feed: MemoryProgressFeed;
let queue: MemoryMergeQueue;
let longshore: Longshore;

/** Called instead of a port's method, with the method itself. */
type Interception = (method: string, args: readonly unknown[], proceed: () => Promise<unknown>) => Promise<unknown>;
let onHost: Interception;
let onLocks: Interception;
const proceedAlways: Interception = (_method, _args, proceed) => proceed();

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'longshore-interleaving-'));
  const log = keptLog();
  onHost = proceedAlways;
  onLocks = proceedAlways;
  const data = join(directory, 'data');
  embedded = await startEmbeddedHost({
    directory: data,
    stateDirectory: join(directory, 'state'),
    address: '127.0.0.1',
    port: 0,
    log,
  });
  const { port, username, privateKey, hostKeyFingerprint } = embedded;
  const profile = { ...hostProfile('local', '/'), verify: 'read-back' } as const;
  const authentication = { kind: 'key', privateKey } as const;
  const options = { profile, address: '127.0.0.1', port, username, authentication, hostKeys: [hostKeyFingerprint] };
  hosts = createHostRepository({ hosts: [options], clock: realClock, log });
  locks = new MemoryLockRepository({ clock: realClock });
  feed = new MemoryProgressFeed({ clock: realClock, ttlMs: LIMITS.stagingTtlMs });
  queue = new MemoryMergeQueue({ log, concurrency: 2, concurrencyPerHost: 2 });
  longshore = gateway(queue);
});

afterEach(async () => {
  await queue.close();
  await hosts.close();
  await embedded.close();
  rmSync(directory, { recursive: true, force: true });
});

/** A gateway that remembers nothing of the hosts. */
function gateway(merges: MergeQueue, clock: Clock = realClock): Longshore {
  return createLongshore({
    hosts: {
      profiles: hosts.profiles,
      use: (id, work, person) => hosts.use(id, (host) => work(intercepted<Host>(host, () => onHost)), person),
      close: () => hosts.close(),
    },
    locks: intercepted(locks, () => onLocks),
    feed,
    ledger: new MemoryLedger({ clock: realClock }),
    audit: keptAudit(),
    queue: merges,
    assembly: new HostAssembly({ clock: realClock, hashing: realHashing }),
    clock,
    hashing: realHashing,
    log: keptLog(),
    limits: LIMITS,
  });
}

function intercepted<T extends object>(port: T, current: () => Interception): T {
  return new Proxy(port, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      const call = (args: unknown[]) => Reflect.apply(member, target, args) as Promise<unknown>;
      // Lines of a command come as an iterable.
      if (name === 'run') return (...args: unknown[]) => call(args);
      return (...args: unknown[]) => current()(String(name), args, () => call(args));
    },
  });
}

/** Stops the next call of `method` until it is let go on. */
function stopAt(method: string) {
  const reached = deferred();
  const gate = deferred();
  let isArmed = true;
  const interception: Interception = async (name, _args, proceed) => {
    if (name === method && isArmed) {
      isArmed = false;
      reached.resolve();
      await gate.promise;
    }
    return proceed();
  };
  return { interception, reached: reached.promise, letGo: gate.resolve };
}

const local = (path: string) => join(directory, 'data', path);
const status = (input: { ifExists?: 'ASK' | 'REPLACE'; ifMatch?: string; takeOver?: boolean; hashCode?: string } = {}) => {
  const { hashCode = FILE.hashCode, ...wish } = input;
  return longshore.uploadStatus(ANNA, {
    file: { ...FILE, hashCode },
    size: CONTENT.length,
    chunkSize: CHUNK,
    ifExists: 'ASK',
    takeOver: false,
    ...wish,
  });
};
const put = (
  index: number,
  pieces: AsyncIterable<Uint8Array> = piecesOf(CONTENT.subarray((index - 1) * CHUNK, index * CHUNK)),
) => longshore.uploadChunk(ANNA, { file: FILE, index, pieces, signal: new AbortController().signal });
const merge = (wish: { ifExists?: 'ASK' | 'REPLACE'; ifMatch?: string } = {}) =>
  longshore.mergeFile(ANNA, { file: FILE, chunkCount: 3, ifExists: 'ASK', ...wish });

async function send(wish: Parameters<typeof status>[0] = {}): Promise<void> {
  expect(await status(wish)).toMatchObject({ kind: 'UploadReady' });
  for (const index of [1, 2, 3]) expect(await put(index)).toMatchObject({ kind: 'ChunkStored' });
}

async function end(): Promise<MergeProgress | undefined> {
  let last: MergeProgress | undefined;
  for await (const progress of longshore.mergeProgress(ANNA, FILE)) last = progress;
  return last;
}

it('a call that looked at the target before it was published does not forget that it was', async () => {
  await send();
  const stop = stopAt('finished');
  onLocks = stop.interception;
  const early = longshore.dirInfo(ANNA, FILE);
  await stop.reached;
  await merge();
  expect(await end()).toMatchObject({ phase: 'DONE' });
  stop.letGo();
  expect(await early).toMatchObject({ kind: 'UploadFinished' });
  expect(await status()).toMatchObject({ kind: 'UploadFinished' });
});

it('a call that came in before the upload ended is told that it did, and leaves no claim', async () => {
  await send();
  const stop = stopAt('claim');
  onLocks = stop.interception;
  const early = longshore.dirInfo(ANNA, FILE);
  await stop.reached;
  // The merge leases; it doesn't claim.
  expect(await longshore.mergeFile(ANNA, { file: FILE, chunkCount: 3, ifExists: 'ASK' })).toMatchObject({
    kind: 'MergeStarted',
  });
  expect(await end()).toMatchObject({ phase: 'DONE' });
  stop.letGo();
  expect(await early).toMatchObject({ kind: 'UploadFinished' });
  expect(await locks.holder(IDENTITY.targetKey)).toBeUndefined();
});

it('a status that fails on the host leaves no claim that it made', async () => {
  await send();
  await locks.release({ target: IDENTITY.targetKey, person: 'anna', upload: IDENTITY.uploadKey });
  longshore = gateway(new MemoryMergeQueue({ log: keptLog(), concurrency: 1, concurrencyPerHost: 1 }));
  onHost = (method, args, proceed) =>
    method === 'openAll' && String(args[0]).endsWith('/received')
      ? Promise.reject(new Fault('HOST_UNREACHABLE', 'the host went away'))
      : proceed();
  expect(await status()).toMatchObject({ kind: 'TryAgainLater', code: 'HOST_UNREACHABLE' });
  expect(await locks.holder(IDENTITY.targetKey)).toBeUndefined();
});

it('a merge that was asked for while its upload was given up changes nothing about that', async () => {
  await send();
  expect(await longshore.abortUpload(ANNA, FILE)).toMatchObject({ kind: 'UploadAborted' });
  // As by a mergeFile that was still on its way.
  await feed.publish(IDENTITY.id, { phase: 'QUEUED', doneBytes: 0, totalBytes: 1, percent: 0, proved: false, updatedAt: 0 });
  const ended = end();
  await queue.add({ ...IDENTITY });
  expect(await ended).toMatchObject({ phase: 'ABORTED' });
  await idle();
  expect(await feed.last(IDENTITY.id)).toMatchObject({ phase: 'ABORTED' });
  expect(await locks.holder(IDENTITY.targetKey)).toBeUndefined();
});

it('a merge that nobody asks for any more comes to an end for those who watch it', async () => {
  await send();
  await feed.publish(IDENTITY.id, { phase: 'QUEUED', doneBytes: 0, totalBytes: 1, percent: 0, proved: false, updatedAt: 0 });
  const ended = end();
  await queue.add({ ...IDENTITY });
  expect(await ended).toMatchObject({ phase: 'FAILED', problem: { code: 'MERGE_FAILED', retryable: true } });
  expect(await longshore.dirInfo(ANNA, FILE)).toMatchObject({ missing: [] });
});

it('a merge that was asked for twice and failed keeps the cause', async () => {
  await send();
  const stop = stopAt('leaseMerge');
  onLocks = stop.interception;
  await merge();
  await stop.reached;
  await merge();
  const data = await open(local(`.longshore/${IDENTITY.targetKey}/${IDENTITY.uploadKey}/data`), 'r+');
  await data.write(Buffer.from([0]), 0, 1, CHUNK + 7);
  await data.close();
  stop.letGo();
  expect(await end()).toMatchObject({ phase: 'FAILED', problem: { code: 'CHUNKS_MISSING' } });
  await idle();
  expect(await feed.last(IDENTITY.id)).toMatchObject({ phase: 'FAILED', problem: { code: 'CHUNKS_MISSING' } });
});

/** Until the queue has nothing left of this upload. */
async function idle(): Promise<void> {
  while (await queue.has(IDENTITY.id)) await new Promise((resolve) => setImmediate(resolve));
}

it('a chunk that ends after the upload was given up does not hide that it was', async () => {
  await status();
  await put(2);
  const gate = deferred();
  const begun = deferred();
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield CONTENT.subarray(0, 10);
    begun.resolve();
    await gate.promise;
    yield CONTENT.subarray(10, CHUNK);
  }
  const chunk = put(1, pieces());
  await begun.promise;
  expect(await longshore.abortUpload(ANNA, FILE)).toMatchObject({ kind: 'UploadAborted' });
  gate.resolve();
  await chunk;
  expect(await feed.last(IDENTITY.id)).toMatchObject({ phase: 'ABORTED' });
  expect(await longshore.abortUpload(ANNA, FILE)).toMatchObject({ kind: 'UploadAborted' });
});

it('a merge that is given up before it has read what was asked for tells no failure', async () => {
  await send();
  const staged = local(`.longshore/${IDENTITY.targetKey}/${IDENTITY.uploadKey}`);
  const { targetKey: target, uploadKey: upload, person } = IDENTITY;
  const looked = deferred();
  onHost = async (method, args, proceed) => {
    if (method !== 'readFile' || !String(args[0]).endsWith('/merge.json') || !existsSync(staged)) return proceed();
    // As abortUpload does through another process, before it tells the end.
    await locks.seizeMerge({ target, person, upload, ttlMs: 60_000, token: 'abort', leaseMs: 10_000 });
    renameSync(staged, local('.longshore/x.given-up'));
    looked.resolve();
    return proceed();
  };
  await merge();
  await looked.promise;
  await idle();
  expect(await feed.last(IDENTITY.id)).toMatchObject({ phase: 'QUEUED' });
});

it('an abort that meets an output on the way back to its first name gives the upload up', async () => {
  await send();
  const staged = local(`.longshore/${IDENTITY.targetKey}/${IDENTITY.uploadKey}`);
  onHost = (method, args, proceed) =>
    method === 'link' || (method === 'replace' && String(args[0]).includes('/out.'))
      ? Promise.reject(new Fault('FAILURE', 'cut off'))
      : proceed();
  await merge();
  await idle();
  const output = readdirSync(staged).find((name) => name.startsWith('out.')) ?? '';
  expect(output).not.toBe('');
  onHost = async (method, args, proceed) => {
    const answer = await proceed();
    if (method !== 'lstat' || !String(args[0]).endsWith(`/${output}`)) return answer;
    onHost = proceedAlways;
    renameSync(join(staged, output), join(staged, 'data'));
    return answer;
  };
  expect(await longshore.abortUpload(ANNA, FILE)).toMatchObject({ kind: 'UploadAborted' });
  expect(existsSync(staged)).toBe(false);
});

it('a host that offers links on a file system without them publishes by a rename that refuses', async () => {
  onHost = (method, _args, proceed) =>
    method === 'link' ? Promise.reject(new Fault('FAILURE', 'Operation not supported')) : proceed();
  await send();
  await merge();
  expect(await end()).toMatchObject({ phase: 'DONE' });
  expect(readFileSync(local('film.mkv')).equals(CONTENT)).toBe(true);
});

it('a target that changes while the new file is made durable is not replaced', async () => {
  writeFileSync(local('film.mkv'), 'first');
  const shown = await status();
  if (shown.kind !== 'FileExists') throw new Error(shown.kind);
  const wish = { ifExists: 'REPLACE', ifMatch: shown.etag } as const;
  await send(wish);
  onHost = async (method, args, proceed) => {
    if (method === 'makeFile' && String(args[0]).includes('/intent.json.'))
      writeFileSync(local('film.mkv'), 'changed by others');
    return proceed();
  };
  await merge(wish);
  expect(await end()).toMatchObject({ phase: 'FAILED', problem: { code: 'TARGET_CHANGED' } });
  expect(readFileSync(local('film.mkv'), 'utf8')).toBe('changed by others');
});

it('an upload that was published just before a crash is not shown to its person as a file in the way', async () => {
  await send();
  onLocks = (method, _args, proceed) => (method === 'finish' ? Promise.reject(new Error('killed')) : proceed());
  await merge();
  await end();
  await idle();
  onLocks = proceedAlways;
  expect(await status()).toMatchObject({ kind: 'UploadFinished' });
});

it('own other content that was touched this very moment gives way to takeOver, whatever second the host tells', async () => {
  await send();
  onHost = async (method, _args, proceed) => {
    const answer = await proceed();
    if (method !== 'list') return answer;
    return (answer as DirectoryEntry[]).map((entry) => ({ ...entry, modifiedAt: entry.modifiedAt + 2_000 }));
  };
  expect(await status({ hashCode: 'other', takeOver: true })).toMatchObject({ kind: 'UploadReady' });
});

it('a host whose root we may not write in is reachable', async () => {
  onHost = (method, _args, proceed) =>
    method === 'makeDirectory' ? Promise.reject(new Fault('PERMISSION_DENIED', 'Permission denied')) : proceed();
  expect(await longshore.hosts(ANNA)).toMatchObject([{ id: 'local', reachable: true, capabilities: [] }]);
});

it('a path that leads into the staging directory through a link is refused', async () => {
  await send();
  symlinkSync('.longshore', local('inside'));
  const fullPath = `/inside/${IDENTITY.targetKey}/${IDENTITY.uploadKey}/data`;
  const file = { ...FILE, fullPath };
  expect(await longshore.uploadStatus(ANNA, { file, size: 1, ifExists: 'REPLACE', takeOver: false })).toMatchObject({
    kind: 'Refused',
    code: 'INVALID_PATH',
  });
});

it('an upload that is given up while it is merged, after two requests, ends ABORTED for those who watch it', async () => {
  await send();
  const stop = stopAt('leaseMerge');
  onLocks = stop.interception;
  await merge();
  await stop.reached;
  await merge();
  const ended = end();
  const aborted = longshore.abortUpload(ANNA, FILE);
  stop.letGo();
  expect(await aborted).toMatchObject({ kind: 'UploadAborted' });
  expect(await ended).toMatchObject({ phase: 'ABORTED' });
});

it('a chunk that comes again while it is merged is there already, or in conflict', async () => {
  await send();
  const claim = { target: IDENTITY.targetKey, person: 'anna', upload: IDENTITY.uploadKey, ttlMs: LIMITS.claimTtlMs };
  expect(await locks.leaseMerge({ ...claim, token: 'a merge', leaseMs: 10_000 })).toMatchObject({ kind: 'held' });
  const { signal } = new AbortController();
  const again = (digest: string) =>
    longshore.uploadChunk(ANNA, { file: FILE, index: 1, digest, pieces: piecesOf('x'), signal });
  const digest = realHashing.sha256(CONTENT.subarray(0, CHUNK));
  expect(await again(digest)).toMatchObject({ kind: 'ChunkStored', alreadyStored: true });
  expect(await again('0'.repeat(64))).toMatchObject({ code: 'CHUNK_CONFLICT' });
});

it('a file that somebody makes in the last instant is never overwritten by ASK', async () => {
  await send();
  onHost = (_method, args, proceed) => {
    // Whatever is about to give the upload its name finds the name taken.
    if (args[1] === IDENTITY.target) writeFileSync(local('film.mkv'), 'by somebody');
    return proceed();
  };
  await merge();
  expect(await end()).toMatchObject({ phase: 'FAILED', problem: { code: 'FILE_EXISTS' } });
  expect(readFileSync(local('film.mkv'), 'utf8')).toBe('by somebody');
});

const QUEUED: MergeProgress = { phase: 'QUEUED', doneBytes: 0, totalBytes: 1, percent: 0, proved: false, updatedAt: 0 };
const request = () => local(`.longshore/${IDENTITY.targetKey}/${IDENTITY.uploadKey}/merge.json`);

it('who begins to watch in the instant in which the merge is asked for doesn’t hide that', async () => {
  await send();
  await feed.forget(IDENTITY.id);
  const stop = stopAt('holder');
  onLocks = stop.interception;
  const watching = longshore.mergeProgress(ANNA, FILE)[Symbol.asyncIterator]();
  const first = watching.next();
  await stop.reached;
  await feed.publish(IDENTITY.id, QUEUED);
  stop.letGo();
  expect((await first).value).toEqual(QUEUED);
  await watching.return?.();
});

it('those who watch one upload watch it together, from the first to the last', async () => {
  await send();
  let sources = 0;
  const watch = feed.watch.bind(feed);
  feed.watch = (id) => {
    sources += 1;
    return watch(id);
  };
  const begin = async () => {
    const watching = longshore.mergeProgress(ANNA, FILE)[Symbol.asyncIterator]();
    expect((await watching.next()).value).toMatchObject({ phase: 'RECEIVING' });
    return watching;
  };
  const viewers = [await begin(), await begin(), await begin()];
  expect(sources).toBe(1);
  for (const viewer of viewers) await viewer.return?.();
  await (await begin()).return?.();
  expect(sources).toBe(2);
  const [one, two] = [end(), end()];
  await merge();
  expect([await one, await two]).toMatchObject([{ phase: 'DONE' }, { phase: 'DONE' }]);
  expect(await end()).toMatchObject({ phase: 'DONE' });
});

it('a merge that is asked for anew in the instant in which the older one fails is made', async () => {
  await send();
  const withdrawing = deferred();
  const gate = deferred();
  onHost = async (method, args, proceed) => {
    if (args[1] === IDENTITY.target && method !== 'replace') writeFileSync(local('film.mkv'), 'by somebody');
    if (method === 'unlink' && String(args[0]).endsWith('/merge.json')) {
      withdrawing.resolve();
      await gate.promise;
    }
    return proceed();
  };
  await merge();
  await withdrawing.promise;
  expect(await merge({ ifExists: 'REPLACE' })).toMatchObject({ kind: 'MergeStarted' });
  const ended = end();
  gate.resolve();
  expect(await ended).toMatchObject({ phase: 'DONE' });
  expect(readFileSync(local('film.mkv')).equals(CONTENT)).toBe(true);
});

it('a merge that could not be queued is made, for who only watches', async () => {
  const hasty: Clock = { ...realClock, sleep: (ms, signal) => realClock.sleep(ms / 50, signal) };
  let isAway = true;
  longshore = gateway(
    intercepted(queue, () => (method, _args, proceed) => {
      if (method !== 'add' || !isAway) return proceed();
      isAway = false;
      return Promise.reject(new Fault('COORDINATION_UNAVAILABLE', 'away'));
    }),
    hasty,
  );
  await send();
  const ended = end();
  expect(await merge()).toMatchObject({ kind: 'TryAgainLater', code: 'COORDINATION_UNAVAILABLE' });
  expect(await ended).toMatchObject({ phase: 'DONE' });
});

it('a merge that nobody wants any more and has no job comes to an end for who only watches', async () => {
  longshore = gateway(queue, { ...realClock, sleep: (ms, signal) => realClock.sleep(ms / 50, signal) });
  await send();
  await feed.publish(IDENTITY.id, QUEUED);
  expect(await end()).toMatchObject({ phase: 'FAILED', problem: { code: 'MERGE_FAILED', retryable: true } });
});

describe('a merge that stands still', () => {
  const stall = async (clock: ManualClock, merges = queue) => {
    longshore = gateway(merges, clock);
    await send();
    const standing = deferred();
    onHost = (method, args, proceed) => {
      if (method !== 'openAll' || !String(args[0]).endsWith('/data')) return proceed();
      standing.resolve();
      return new Promise(() => undefined);
    };
    await merge();
    await standing.promise;
  };

  it('ends in MERGE_STALLED, and can be asked for again', async () => {
    const clock = new ManualClock();
    await stall(clock);
    const ended = end();
    await clock.advance(150_000);
    expect(await ended).toMatchObject({ phase: 'FAILED', problem: { code: 'MERGE_STALLED', retryable: true } });
    await idle();
    expect(existsSync(request())).toBe(false);
    onHost = proceedAlways;
    expect(await longshore.dirInfo(ANNA, FILE)).toMatchObject({ kind: 'DirInfo', missing: [] });
    await merge();
    expect(await end()).toMatchObject({ phase: 'DONE' });
    expect(readFileSync(local('film.mkv')).equals(CONTENT)).toBe(true);
  });

  it('holds no place of the queue any longer', async () => {
    const clock = new ManualClock();
    const narrow = new MemoryMergeQueue({ log: keptLog(), concurrency: 1, concurrencyPerHost: 1 });
    await stall(clock, narrow);
    const file = { ...FILE, fullPath: '/other.mkv' };
    await longshore.uploadStatus(ANNA, { file, size: 0, ifExists: 'ASK', takeOver: false });
    await longshore.dirInfo(ANNA, file);
    await longshore.mergeFile(ANNA, { file, chunkCount: 0, ifExists: 'ASK' });
    onHost = proceedAlways;
    await clock.advance(150_000);
    let last: MergeProgress | undefined;
    for await (const progress of longshore.mergeProgress(ANNA, file)) last = progress;
    expect(last).toMatchObject({ phase: 'DONE' });
    await narrow.close();
  });
});

describe('a merge that is given up', () => {
  const job = { ...IDENTITY };
  const claim = { target: IDENTITY.targetKey, person: 'anna', upload: IDENTITY.uploadKey, ttlMs: LIMITS.claimTtlMs };
  let giveUp: Parameters<MergeQueue['process']>[1];

  beforeEach(async () => {
    // A queue whose job isn't run: its processes died.
    const dead: MergeQueue = {
      add: async () => undefined,
      remove: async () => undefined,
      has: async () => true,
      process: (_, given) => (giveUp = given),
      close: async () => undefined,
    };
    longshore = gateway(dead);
    await send();
    await merge();
    await feed.publish(IDENTITY.id, { ...QUEUED, phase: 'VERIFYING' });
  });

  it('ends in MERGE_STALLED, keeps all chunks, and can be asked for again', async () => {
    await giveUp(job, new AbortController().signal);
    expect(await end()).toMatchObject({ phase: 'FAILED', problem: { code: 'MERGE_STALLED', retryable: true } });
    expect(existsSync(request())).toBe(false);
    longshore = gateway(queue);
    expect(await longshore.dirInfo(ANNA, FILE)).toMatchObject({ missing: [] });
    await merge();
    expect(await end()).toMatchObject({ phase: 'DONE' });
  });

  it('also while its host is away', async () => {
    onHost = () => Promise.reject(new Fault('HOST_UNREACHABLE', 'away'));
    await giveUp(job, new AbortController().signal);
    expect(await feed.last(IDENTITY.id)).toMatchObject({ phase: 'FAILED', problem: { code: 'MERGE_STALLED' } });
  });

  it('but runs in a process that was thought dead, tells its own end', async () => {
    const lease = { ...claim, token: 'alive', leaseMs: 10_000 };
    await locks.leaseMerge(lease);
    const busy = stopAt('leaseMerge');
    onLocks = busy.interception;
    const given = giveUp(job, new AbortController().signal);
    await busy.reached;
    busy.letGo();
    await feed.publish(IDENTITY.id, { ...QUEUED, phase: 'DONE' });
    await locks.releaseMerge(lease);
    await given;
    expect(await feed.last(IDENTITY.id)).toMatchObject({ phase: 'DONE' });
    expect(existsSync(request())).toBe(true);
  });

  it('by a process that ends is left to others', async () => {
    await locks.leaseMerge({ ...claim, token: 'alive', leaseMs: 10_000 });
    const stop = new AbortController();
    const given = giveUp(job, stop.signal);
    stop.abort(new Error('closing'));
    await expect(given).rejects.toThrow();
    expect(await feed.last(IDENTITY.id)).toMatchObject({ phase: 'VERIFYING' });
  });
});
