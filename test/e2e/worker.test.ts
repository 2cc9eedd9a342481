// `longshore worker`: processes that run merges beside the gateways, or after them.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { MergeProgress } from '../../src/core/progress.js';
import { connectRedis } from '../../src/redis/connection.js';
import { RedisProgressFeed } from '../../src/redis/progress-feed.js';
import type { Cluster } from '../support/cluster.js';
import { startCluster } from '../support/cluster.js';
import { OutsideClient, chunkOf, sha256 } from '../support/outside-client.js';
import type { FileRef } from '../support/outside-client.js';
import { keptLog } from '../support/roles.js';
import type { WorkerProcess } from '../support/worker-process.js';
import { startWorkerProcess } from '../support/worker-process.js';

const MIB = 2 ** 20;
const TAKEN_OVER_MS = 15_000;

let cluster: Cluster;
let embedded: string;
const workers: WorkerProcess[] = [];

beforeAll(async () => {
  embedded = mkdtempSync(join(tmpdir(), 'longshore-embedded-'));
  const entry = ['  - id: local', `    embedded: { directory: ${join(embedded, 'data')}, port: 0 }`, '    roots: [/]'];
  cluster = await startCluster({ hosts: () => entry });
});
afterAll(async () => {
  await cluster.stop();
  rmSync(embedded, { recursive: true, force: true });
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.stop('SIGKILL')));
});

function start(configFile = cluster.configFile): WorkerProcess {
  const worker = startWorkerProcess(configFile);
  workers.push(worker);
  return worker;
}

const events = (worker: WorkerProcess) => worker.log.map((entry) => entry['msg']);

/** Inodes of the sockets on which the process listens (Linux). */
function listeners(pid: number): readonly string[] {
  const sockets = new Set(
    readdirSync(`/proc/${pid}/fd`).map((fd) => /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1]),
  );
  const rows = ['tcp', 'tcp6'].flatMap((table) => readFileSync(`/proc/${pid}/net/${table}`, 'utf8').split('\n').slice(1));
  const fields = rows.map((row) => row.trim().split(/\s+/));
  return fields.filter((row) => row[3] === '0A' && sockets.has(row[9])).map((row) => row[9] ?? '');
}

describe('a worker', () => {
  it('goes on with the merge of a gateway that is killed, when only it is left', async () => {
    const gateway = await cluster.start();
    const ann = new OutsideClient(gateway, 'ann');
    const file: FileRef = { hostId: 'sshd', fullPath: join(cluster.sshd.root, 'taken-over'), hashCode: 'taken over' };
    const bytes = Buffer.alloc(400 * MIB, randomBytes(MIB));
    await ann.status(file, bytes.length, { chunkSize: 50 * MIB });
    for (let index = 1; index <= 8; index++) await ann.chunk(file, index, chunkOf(bytes, 50 * MIB, index));
    const info = await ann.dirInfo(file);
    // As the watchers of any gateway watch.
    const redis = connectRedis({ url: cluster.redis.url, log: keptLog() });
    const feed = new RedisProgressFeed({ redis, ttlMs: 60_000 });
    const seen: MergeProgress[] = [];
    const watching = (async () => {
      for await (const state of feed.watch(String(info['dirHashCode']))) seen.push(state);
    })();
    await ann.merge(file, 8, { digest: sha256(bytes) });
    await expect.poll(() => seen.some((state) => state.phase === 'VERIFYING'), { interval: 5 }).toBe(true);
    const killedAt = performance.now();
    const worker = start();
    await gateway.stop('SIGKILL');
    await watching;
    const tookMs = performance.now() - killedAt;
    expect(seen.at(-1)).toMatchObject({ phase: 'DONE', proved: true });
    expect(tookMs).toBeLessThan(TAKEN_OVER_MS);
    await expect.poll(() => events(worker)).toContain('published');
    expect(sha256(readFileSync(file.fullPath))).toBe(sha256(bytes));
    // Never back, though it began anew.
    const verified = seen.filter((state) => state.phase === 'VERIFYING').map((state) => state.percent);
    expect(verified).toEqual([...verified].sort((one, other) => one - other));
    const next = await cluster.start();
    expect((await new OutsideClient(next, 'ann').watch(file)).at(-1)).toMatchObject({ phase: 'DONE', proved: true });
    await next.stop();
    feed.close();
    redis.close();
  }, 60_000);

  it('leaves embedded hosts, and their merges, to their gateway', async () => {
    const worker = start();
    await worker.working;
    expect(worker.log.find((entry) => entry['msg'] === 'working')).toMatchObject({ hosts: ['sshd'] });
    const gateway = await cluster.start();
    const ann = new OutsideClient(gateway, 'ann');
    for (let round = 0; round < 5; round++) {
      const file = { hostId: 'local', fullPath: `/file-${round}`, hashCode: `embedded ${round}` };
      expect(await ann.put(file, randomBytes(100_000))).toMatchObject({ phase: 'DONE' });
    }
    expect(events(worker)).not.toContain('published');
    expect(events(worker)).not.toContain('merge failed');
    await gateway.stop();
  }, 60_000);

  it('listens to nobody, and ends when it is told to', async () => {
    const worker = start();
    await worker.working;
    expect(listeners(worker.pid)).toEqual([]);
    expect(await worker.stop('SIGTERM')).toBe(0);
    expect(events(worker)).toEqual(expect.arrayContaining(['stopping', 'stopped']));
  });

  it('says what is missing in a configuration that is no worker’s', async () => {
    const file = join(embedded, 'gateway-alone.yaml');
    writeFileSync(file, ['hosts:', '  - id: local', '    embedded: { directory: ./data }', '    roots: [/]'].join('\n'));
    const { code, stderr } = await start(file).ended;
    expect(code).toBe(1);
    expect(stderr).toContain('  redis: a worker needs');
    expect(stderr).toContain('  hosts: a worker has nothing to do');
  });
});
