// What viewers see while chunks come through several gateways, and after the queue has lost what they wait for.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { HostAssembly } from '../../src/assembly/staging.js';
import { createLongshore } from '../../src/core/longshore.js';
import type { MergeQueue } from '../../src/core/ports.js';
import type { MergeProgress } from '../../src/core/progress.js';
import { startEmbeddedHost } from '../../src/embedded/embedded-host.js';
import { connectRedis } from '../../src/redis/connection.js';
import { RedisLedger } from '../../src/redis/ledger.js';
import { RedisLockRepository } from '../../src/redis/lock-repository.js';
import { RedisMergeQueue } from '../../src/redis/merge-queue.js';
import { RedisProgressFeed } from '../../src/redis/progress-feed.js';
import { createHostRepository } from '../../src/sftp/host-repository.js';
import { piecesOf } from '../support/bytes.js';
import type { Cluster } from '../support/cluster.js';
import { startCluster } from '../support/cluster.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import { OutsideClient, chunkOf, sha256 } from '../support/outside-client.js';
import type { Answer, FileRef } from '../support/outside-client.js';
import { realHashing } from '../support/real-hashing.js';
import { startRedisServer } from '../support/redis-server.js';
import { WIDE_QUOTAS, keptAudit, keptLog, realClock } from '../support/roles.js';
import { hostProfile } from '../support/sshd-host.js';

const CHUNK = 65_536;
const MIB = 2 ** 20;

describe('bytes that come through two gateways', () => {
  let cluster: Cluster;
  let gateways: readonly [GatewayProcess, GatewayProcess];
  let names = 0;

  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster.stop());
  beforeEach(async () => {
    gateways = await Promise.all([cluster.start(), cluster.start()]);
  });
  afterEach(() => Promise.all(gateways.map((gateway) => gateway.stop('SIGKILL'))));

  const freshRef = (): FileRef => {
    names += 1;
    return { hostId: 'sshd', fullPath: join(cluster.sshd.root, `file-${names}`), hashCode: `content ${names}` };
  };
  const through = (at: 0 | 1) => new OutsideClient(gateways[at], 'ann');

  /** Sends the head of a chunk's request and some of its bytes; the rest never comes. Resolves with what drops it. */
  async function beginChunk(at: 0 | 1, file: FileRef, chunk: { readonly index: number; readonly bytes: Uint8Array }) {
    const query = `mutation ($file: FileRef!, $chunk: Upload!) { uploadChunk(file: $file, index: ${chunk.index}, chunk: $chunk) { __typename } }`;
    const part = (name: string, body: string) => `--b\r\ncontent-disposition: form-data; ${name}\r\n\r\n${body}`;
    const operations = JSON.stringify({ query, variables: { file, chunk: null } });
    const map = part('name="map"', '{"0":["variables.chunk"]}');
    const head = `${part('name="operations"', operations)}\r\n${map}\r\n${part('name="0"; filename="c"', '')}`;
    const headers = {
      'content-type': 'multipart/form-data; boundary=b',
      'apollo-require-preflight': '1',
      'x-person-id': 'ann',
    };
    const sending = request(`${gateways[at].url}/graphql`, { method: 'POST', headers });
    sending.on('error', () => undefined);
    sending.write(head);
    await new Promise<void>((resolve) => sending.write(chunk.bytes, () => resolve()));
    return () => sending.destroy();
  }

  it('are seen as they arrive, before any chunk is there, and the number never goes back', async () => {
    const file = freshRef();
    await through(0).status(file, 20 * MIB, { chunkSize: 10 * MIB });
    await through(0).dirInfo(file);
    const seen: Answer[] = [];
    const watching = through(1).watch(file, (state) => seen.push(state));
    const drops = [
      await beginChunk(0, file, { index: 1, bytes: randomBytes(6 * MIB) }),
      await beginChunk(1, file, { index: 2, bytes: randomBytes(3 * MIB) }),
    ];
    const shown = () => Number(seen.at(-1)?.['doneBytes']);
    // What one write holds back isn't counted.
    await expect.poll(shown, { timeout: 5_000 }).toBeGreaterThan(8.5 * MIB);
    for (const drop of drops) drop();
    await vi.waitFor(async () => {
      const stored = await through(0).chunk(file, 1, randomBytes(10 * MIB));
      expect(stored).toMatchObject({ __typename: 'ChunkStored', uploadedBytes: 10 * MIB });
    });
    await expect.poll(shown, { timeout: 5_000 }).toBe(10 * MIB);
    const numbers = seen.map((state) => Number(state['doneBytes']));
    expect(numbers).toEqual([...numbers].sort((one, other) => one - other));
    await through(0).abort(file);
    expect((await watching).at(-1)).toMatchObject({ phase: 'ABORTED' });
  }, 60_000);

  it('are told to each viewer at most five times a second, with a rate, to the last byte', async () => {
    const file = freshRef();
    const bytes = randomBytes(400 * CHUNK + 7);
    await through(0).status(file, bytes.length, { chunkSize: CHUNK });
    await through(0).dirInfo(file);
    const seen: { at: number; state: Answer }[] = [];
    const watching = through(1).watch(file, (state) => seen.push({ at: performance.now(), state }));
    let next = 1;
    const sender = async (at: 0 | 1) => {
      for (let index = next++; index <= 401; index = next++) {
        await through(at).chunk(file, index, chunkOf(bytes, CHUNK, index));
      }
    };
    const began = performance.now();
    await Promise.all([sender(0), sender(1), sender(0), sender(1)]);
    const tookMs = performance.now() - began;
    const done = () => seen.at(-1)?.state['doneBytes'];
    await expect.poll(done, { timeout: 2_000 }).toBe(bytes.length);
    const receiving = seen.filter(({ state }) => state['phase'] === 'RECEIVING');
    const times = receiving.map(({ at }) => at);
    const most = Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + 1_000).length));
    // One may come a little late, and the next in time.
    expect(most).toBeLessThanOrEqual(6);
    expect(receiving.length).toBeLessThanOrEqual(5 * (tookMs / 1_000) + 5);
    expect(receiving.filter(({ state }) => Number(state['bytesPerSecond']) > 0).length).toBeGreaterThan(0);
    await through(0).merge(file, 401, { digest: sha256(bytes) });
    expect((await watching).at(-1)).toMatchObject({ phase: 'DONE', proved: true });
    expect(sha256(readFileSync(file.fullPath))).toBe(sha256(bytes));
  }, 60_000);
});

it('a merge that waits while Redis is emptied is made, for who only watches', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-watching-'));
  const [server, log] = [await startRedisServer(), keptLog()];
  const address = '127.0.0.1';
  const data = join(directory, 'data');
  const embedded = await startEmbeddedHost({
    directory: data,
    stateDirectory: join(directory, 'state'),
    address,
    port: 0,
    log,
  });
  const { port, username, privateKey, hostKeyFingerprint } = embedded;
  const authentication = { kind: 'key', privateKey } as const;
  const login = { address, port, username, authentication, hostKeys: [hostKeyFingerprint] };
  const profile = { ...hostProfile('local', '/'), verify: 'read-back' } as const;
  const hosts = createHostRepository({ hosts: [{ profile, ...login }], clock: realClock, log });
  const redis = connectRedis({ url: server.url, log });
  const queue = new RedisMergeQueue({ ttlMs: 60_000, redis, log, concurrency: 1, concurrencyPerHost: 1 });
  const feed = new RedisProgressFeed({ redis, ttlMs: 600_000 });
  // Nobody takes jobs before the test says so.
  let take: () => void = () => undefined;
  const held: MergeQueue = {
    add: (job) => queue.add(job),
    remove: (id) => queue.remove(id),
    has: (id) => queue.has(id),
    close: () => queue.close(),
    process: (work, giveUp) => (take = () => queue.process(work, giveUp)),
  };
  const [chunkBytes, ttl] = [CHUNK, 600_000];
  const limits = {
    ...WIDE_QUOTAS,
    chunkBytes,
    maxChunkBytes: MIB,
    maxFileBytes: MIB,
    chunksInFlightPerPerson: 4,
    claimTtlMs: ttl,
    stagingTtlMs: ttl,
  };
  const longshore = createLongshore({
    ...{ hosts, feed, log, limits, queue: held, clock: realClock, hashing: realHashing },
    locks: new RedisLockRepository({ redis }),
    ledger: new RedisLedger({ redis }),
    audit: keptAudit(),
    assembly: new HostAssembly({ clock: realClock, hashing: realHashing }),
  });
  const anna = { person: 'anna', groups: [] };
  const file = { hostId: 'local', fullPath: '/film.mkv', hashCode: 'quick' };
  const { signal } = new AbortController();
  await vi.waitFor(async () => {
    const status = await longshore.uploadStatus(anna, { file, size: 5, ifExists: 'ASK', takeOver: false });
    expect(status).toMatchObject({ kind: 'UploadReady' });
  });
  expect(await longshore.uploadChunk(anna, { file, index: 1, pieces: piecesOf('bytes'), signal })).toMatchObject({
    kind: 'ChunkStored',
  });
  expect(await longshore.mergeFile(anna, { file, chunkCount: 1, ifExists: 'ASK' })).toMatchObject({ kind: 'MergeStarted' });
  const seen: MergeProgress[] = [];
  const watching = (async () => {
    for await (const state of longshore.mergeProgress(anna, file)) seen.push(state);
  })();
  await expect.poll(() => seen.at(-1)?.phase).toBe('QUEUED');
  await server.restart();
  await vi.waitFor(() => redis.ping(), { timeout: 5_000 });
  expect(await redis.call((client) => client.keys('*merges:[0-9]*'))).toEqual([]);
  take();
  await watching;
  expect(seen.at(-1)).toMatchObject({ phase: 'DONE' });
  expect(readFileSync(join(data, 'film.mkv'), 'utf8')).toBe('bytes');
  await queue.close();
  feed.close();
  redis.close();
  await hosts.close();
  await embedded.close();
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
}, 60_000);
