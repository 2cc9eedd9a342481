// However an upload ends, and by whichever strategy: afterwards nothing of it is on the host, and all that Redis still knows it will forget.
import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Cluster } from '../support/cluster.js';
import { inTurn, startCluster } from '../support/cluster.js';
import type { FileRef } from '../support/outside-client.js';
import { OutsideClient, chunkOf, sha256 } from '../support/outside-client.js';

const CHUNK = 65_536;
const BYTES = randomBytes(5 * CHUNK + 3);
const COUNT = 6;
const STRATEGIES = ['in-place', 'copy-data', 'command', 'relay'] as const;
/** The shortest there are; the sweeper comes twice in the longer one. */
const CLAIM_TTL_MS = 30_000;
const STAGING_TTL_MS = 60_000;
/** Kept for ever: when the store's memory began. There is one, whatever was uploaded. */
const MEMORY = '{longshore}:memory';

let cluster: Cluster;
let ann: OutsideClient;
let redis: Redis;
/** Begun before all else and left alone, since the sweeper takes half a minute to come. */
let expiring: readonly FileRef[];
/** Where they wait. */
const waiting = new Set<string>();

beforeAll(async () => {
  const limits = `limits: { claimTtl: ${CLAIM_TTL_MS}ms, stagingTtl: ${STAGING_TTL_MS}ms }`;
  cluster = await startCluster({ strategies: STRATEGIES, config: [limits] });
  const gateways = await Promise.all([cluster.start(), cluster.start()]);
  ann = new OutsideClient(inTurn(gateways), 'ann');
  redis = new Redis(cluster.redis.url);
  expiring = STRATEGIES.map((strategy) => ref(strategy, 'left'));
  for (const file of expiring) await send(file);
  for (const file of expiring) {
    const staging = String((await ann.dirInfo(file))['dir']);
    age(staging);
    waiting.add(dirname(staging)).add(dirname(dirname(staging)));
  }
  // Claims keep the sweeper away.
  cluster.redis.advance(CLAIM_TTL_MS + 1_000);
});
afterAll(async () => {
  redis.disconnect();
  await cluster.stop();
});

const ref = (hostId: string, name: string): FileRef => ({
  hostId,
  fullPath: join(cluster.sshd.root, `${hostId}-${name}`),
  hashCode: `${hostId} ${name}`,
});

async function send(file: FileRef): Promise<void> {
  expect(await ann.status(file, BYTES.length, { chunkSize: CHUNK })).toMatchObject({ chunkCount: COUNT });
  for (let index = 1; index <= COUNT; index++) {
    expect(await ann.chunk(file, index, chunkOf(BYTES, CHUNK, index))).toMatchObject({ __typename: 'ChunkStored' });
  }
}

/** As if nobody had touched anything in it for longer than it is kept. */
function age(staging: string): void {
  const then = (Date.now() - 2 * STAGING_TTL_MS) / 1_000;
  for (const path of [...readdirSync(staging).map((name) => join(staging, name)), staging]) utimesSync(path, then, then);
}

/** All that lies below the host's root, but for published files and what waits to expire. */
function present(): readonly string[] {
  const paths = readdirSync(cluster.sshd.root, { recursive: true, encoding: 'utf8' });
  const isWaiting = (path: string) => waiting.has(path) || waiting.has(dirname(dirname(path))) || waiting.has(dirname(path));
  return paths.filter((path) => !path.endsWith('-published') && !isWaiting(join(cluster.sshd.root, path)));
}

/** Names of keys that Redis doesn't forget by itself, or not as soon as it may. */
async function keysKept(): Promise<readonly string[]> {
  const found = new Set<string>();
  for await (const names of redis.scanStream() as AsyncIterable<readonly string[]>) {
    for (const name of names) {
      const leftMs = await redis.pttl(name);
      // The memory is of no upload, and lapses when nothing was uploaded for a month.
      if (leftMs === -1 || (name !== MEMORY && leftMs > STAGING_TTL_MS)) found.add(name);
    }
  }
  return [...found].sort();
}

const nothingLeft = () => vi.waitFor(() => expect(present()).toEqual([]), { timeout: 5_000, interval: 50 });

describe.each(STRATEGIES)('by strategy %s', (strategy) => {
  it('nothing is left beside the file, when it is published', async () => {
    const file = ref(strategy, 'published');
    await send(file);
    expect(await ann.merge(file, COUNT, { digest: sha256(BYTES) })).toMatchObject({ __typename: 'MergeStarted' });
    const name = strategy.replace('-', '_').toUpperCase();
    expect((await ann.watch(file)).at(-1)).toMatchObject({ phase: 'DONE', strategy: name, proved: true });
    expect(sha256(readFileSync(file.fullPath))).toBe(sha256(BYTES));
    await nothingLeft();
  });

  it('nothing is left when it is given up', async () => {
    const file = ref(strategy, 'aborted');
    await send(file);
    expect(await ann.abort(file)).toMatchObject({ __typename: 'UploadAborted' });
    await nothingLeft();
  });
});

it('nothing is left of uploads that nobody finished, by any strategy', async () => {
  waiting.clear();
  await vi.waitFor(() => expect(present()).toEqual([]), { timeout: 45_000, interval: 250 });
  for (const file of expiring) expect((await ann.watch(file)).at(-1)).toMatchObject({ phase: 'ABORTED' });
}, 60_000);

it('whatever is in Redis about them has an end', async () => {
  expect(await keysKept()).toEqual([]);
});
