// What a gateway tells an operator in numbers, read as Prometheus reads it, while real uploads go through it.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startCluster } from '../support/cluster.js';
import { parseExposition, valueOf } from '../support/exposition.js';
import type { TestGateway } from '../support/gateway.js';
import { startTestGateway } from '../support/gateway.js';
import { freePort } from '../support/port.js';
import { OutsideClient, sha256 } from '../support/outside-client.js';
import { startWorkerProcess } from '../support/worker-process.js';

const CHUNK = 65_536;
const metricsOf = async ({ url }: { readonly url: string }) => (await fetch(`${url}/metrics`)).text();

describe('the metrics of a gateway', () => {
  let gateway: TestGateway;
  let deadPort: number;
  beforeAll(async () => {
    deadPort = await freePort();
    gateway = await startTestGateway({ hosts: (root) => [{ id: 'down', port: deadPort, roots: [root] }] });
  });
  afterAll(() => gateway.stop());

  const fileOf = (name: string, hashCode = name) => ({ hostId: 'sshd', fullPath: join(gateway.sshd.root, name), hashCode });
  const read = () => metricsOf(gateway);
  /** How much a number grew while `work` went on. */
  const grown = async (
    asked: Readonly<Record<string, readonly [string, Readonly<Record<string, string>>?]>>,
    work: () => Promise<unknown>,
  ) => {
    const look = async () => {
      const text = await read();
      return Object.entries(asked).map(([key, [name, labels]]) => [key, valueOf(text, name, labels)] as const);
    };
    const before = Object.fromEntries(await look());
    await work();
    return Object.fromEntries((await look()).map(([key, value]) => [key, value - (before[key] ?? 0)]));
  };

  it('are in the format of Prometheus, each with its HELP and TYPE', async () => {
    const response = await fetch(`${gateway.url}/metrics`);
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
    const families = parseExposition(await response.text());
    for (const [name, { type }] of families) {
      expect(name).toMatch(/^longshore_/);
      expect(name.endsWith('_total')).toBe(type === 'counter');
      if (type === 'histogram') expect(name).toMatch(/_seconds$/);
    }
    expect(families.size).toBeGreaterThan(10);
  });

  it('count an upload from its beginning to its publication, with its chunks, bytes and phases', async () => {
    const bytes = randomBytes(3 * CHUNK + 5);
    const file = fileOf('counted', `sha256:${sha256(bytes)}`);
    const ann = new OutsideClient(gateway, 'ann');
    const numbers = await grown(
      {
        begun: ['longshore_uploads_total', { stage: 'begun' }],
        published: ['longshore_uploads_total', { stage: 'published' }],
        failed: ['longshore_uploads_total', { stage: 'failed' }],
        stored: ['longshore_chunks_total', { outcome: 'stored' }],
        again: ['longshore_chunks_total', { outcome: 'already_stored' }],
        bytes: ['longshore_received_bytes_total'],
        chunkCalls: ['longshore_call_seconds_count', { operation: 'uploadChunk' }],
        queued: ['longshore_merge_seconds_count', { strategy: 'IN_PLACE', phase: 'queued' }],
        verified: ['longshore_merge_seconds_count', { strategy: 'IN_PLACE', phase: 'verifying' }],
        published_: ['longshore_merge_seconds_count', { strategy: 'IN_PLACE', phase: 'publishing' }],
      },
      async () => {
        await ann.status(file, bytes.length, { chunkSize: CHUNK });
        // Asked twice, begun once.
        await ann.status(file, bytes.length, { chunkSize: CHUNK });
        expect(await ann.put(file, bytes)).toMatchObject({ phase: 'DONE' });
      },
    );
    const once = { begun: 1, published: 1, queued: 1, verified: 1, published_: 1 };
    expect(numbers).toEqual({ ...once, failed: 0, stored: 4, again: 0, bytes: bytes.length, chunkCalls: 4 });
  });

  it('count what was sent again, refused and given up, with the code of each problem', async () => {
    const [ann, bob] = [new OutsideClient(gateway, 'ann'), new OutsideClient(gateway, 'bob')];
    const file = fileOf('refused');
    const bytes = randomBytes(CHUNK);
    const numbers = await grown(
      {
        again: ['longshore_chunks_total', { outcome: 'already_stored' }],
        refused: ['longshore_chunks_total', { outcome: 'refused' }],
        locked: ['longshore_problems_total', { operation: 'uploadStatus', code: 'UPLOAD_LOCKED' }],
        mismatch: ['longshore_problems_total', { operation: 'uploadChunk', code: 'DIGEST_MISMATCH' }],
        missing: ['longshore_problems_total', { operation: 'mergeFile', code: 'CHUNKS_MISSING' }],
        away: ['longshore_problems_total', { operation: 'uploadStatus', code: 'HOST_UNREACHABLE' }],
        aborted: ['longshore_uploads_total', { stage: 'aborted' }],
      },
      async () => {
        await ann.status(file, 2 * CHUNK, { chunkSize: CHUNK });
        await bob.status(file, 2 * CHUNK);
        await ann.chunk(file, 1, bytes);
        await ann.chunk(file, 1, bytes);
        await ann.chunk(file, 2, bytes, sha256(Buffer.of(1)));
        await ann.merge(file, 2);
        await ann.status({ ...file, hostId: 'down' }, 5);
        await ann.abort(file);
      },
    );
    expect(numbers).toEqual({ again: 1, refused: 1, locked: 1, mismatch: 1, missing: 1, away: 1, aborted: 1 });
  });

  it('count a merge that failed, by its code', async () => {
    const numbers = await grown(
      {
        failed: ['longshore_uploads_total', { stage: 'failed' }],
        code: ['longshore_problems_total', { operation: 'publish', code: 'CONTENT_MISMATCH' }],
        published: ['longshore_merge_seconds_count', {}],
      },
      async () => {
        const file = fileOf('failing', `sha256:${'0'.repeat(64)}`);
        expect(await new OutsideClient(gateway).put(file, randomBytes(10))).toMatchObject({ phase: 'FAILED' });
      },
    );
    expect(numbers).toEqual({ failed: 1, code: 1, published: 0 });
  });

  it('show what is under way: chunks, subscriptions, WebSockets, connections and channels of each host', async () => {
    const ann = new OutsideClient(gateway, 'ann');
    const file = fileOf('watched');
    await ann.status(file, CHUNK);
    const socket = createClient({
      url: `${gateway.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { personId: 'ann' },
    });
    onTestFinished(() => socket.dispose());
    const query = 'subscription ($file: FileRef!) { mergeProgress(file: $file) { phase } }';
    const states = socket.iterate({ query, variables: { file } });
    await states.next();
    const slow = await slowChunk(gateway.url, file);
    await expect.poll(async () => valueOf(await read(), 'longshore_chunks_in_flight')).toBe(1);
    const text = await read();
    expect(valueOf(text, 'longshore_subscriptions')).toBe(1);
    expect(valueOf(text, 'longshore_websockets')).toBe(1);
    expect(valueOf(text, 'longshore_host_connections', { host: 'sshd' })).toBeGreaterThan(0);
    expect(valueOf(text, 'longshore_host_channels', { host: 'sshd' })).toBeGreaterThan(1);
    expect(valueOf(text, 'longshore_host_calls_in_flight', { host: 'sshd' })).toBeGreaterThan(0);
    expect(['sshd', 'down', 'local'].map((host) => valueOf(text, 'longshore_host_away', { host }))).toEqual([0, 1, 0]);
    slow.abort();
    await states.return?.();
    await socket.dispose();
    const over = ['chunks_in_flight', 'subscriptions', 'websockets', 'host_calls_in_flight'].map((name) => `longshore_${name}`);
    const left = async () => {
      const now = await read();
      return over.map((name) => valueOf(now, name));
    };
    await expect.poll(left).toEqual([0, 0, 0, 0]);
    expect(valueOf(await read(), 'longshore_chunks_total', { outcome: 'broken_off' })).toBe(1);
    const problem = { operation: 'uploadChunk', code: 'CLIENT_LEFT' };
    expect(valueOf(await read(), 'longshore_problems_total', problem)).toBe(1);
  });

  it('have no label that a caller chooses', async () => {
    const name = 'a-name-of-mine';
    const ann = new OutsideClient(gateway, name);
    await ann.status({ hostId: name, fullPath: `/${name}`, hashCode: name }, 5);
    await ann.put(fileOf(name), randomBytes(5));
    await fetch(`${gateway.url}/${name}`, { headers: { 'x-person-id': name, 'user-agent': name } });
    await fetch(`${gateway.url}/graphql?query={${name.replaceAll('-', '')}}`, { headers: { 'x-graphql-yoga-csrf': '1' } });
    expect(await read()).not.toContain(name);
  });
});

describe('the metrics of a process', () => {
  it('tell of Node, of the event loop, and of the merges that wait for Redis', async () => {
    const cluster = await startCluster();
    onTestFinished(() => cluster.stop());
    const gateway = await cluster.start();
    const text = await metricsOf(gateway);
    const names = [...parseExposition(text).keys()];
    for (const name of ['process_resident_memory_bytes', 'process_cpu_seconds_total', 'nodejs_eventloop_lag_p99_seconds']) {
      expect(names).toContain(name);
    }
    const jobs = (of: string) =>
      parseExposition(of)
        .get('longshore_merge_jobs')
        ?.samples.map(({ value }) => value);
    expect(jobs(text)).toEqual([0, 0]);
    await cluster.redis.kill();
    await expect.poll(async () => jobs(await metricsOf(gateway))).toEqual([]);
    await cluster.redis.restart();
    await expect.poll(async () => jobs(await metricsOf(gateway))).toEqual([0, 0]);
  });
});

describe('reading the metrics', () => {
  const SECRET = 's'.repeat(32);
  const TOKEN = 'a-token-for-prometheus-of-32-bytes-or-more';
  const JWT = `auth: { mode: jwt, jwt: { secret: ${SECRET} } }`;
  const start = async (...config: readonly string[]) => {
    const gateway = await startTestGateway({ config });
    onTestFinished(() => gateway.stop());
    return gateway;
  };
  const statusOf = async ({ url }: { readonly url: string }, authorization?: string) => {
    const response = await fetch(`${url}/metrics`, { headers: authorization === undefined ? {} : { authorization } });
    const text = await response.text();
    if (response.status !== 200) expect(text).not.toContain('longshore_');
    return response.status;
  };
  const personToken = () =>
    new SignJWT({}).setProtectedHeader({ alg: 'HS256' }).setSubject('ann').setExpirationTime('5m').sign(Buffer.from(SECRET));

  it('is for nobody where callers have to log in, unless there is a token for it', async () => {
    const gateway = await start(JWT);
    expect([await statusOf(gateway), await statusOf(gateway, `Bearer ${await personToken()}`)]).toEqual([404, 404]);
  });

  it('takes the token, and no other', async () => {
    const gateway = await start(JWT, `metrics: { token: ${TOKEN} }`);
    const wrong = [undefined, 'Bearer', `Bearer ${TOKEN}x`, `Basic ${TOKEN}`, `Bearer ${await personToken()}`];
    for (const each of wrong) expect(await statusOf(gateway, each)).toBe(401);
    expect(await statusOf(gateway, `Bearer ${TOKEN}`)).toBe(200);
    const text = await (await fetch(`${gateway.url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } })).text();
    expect(valueOf(text, 'longshore_problems_total', { operation: 'request', code: 'UNAUTHENTICATED' })).toBeGreaterThan(0);
  });

  it('is free on loopback where nobody has to log in, but not under a foreign name', async () => {
    const gateway = await start();
    expect(await statusOf(gateway)).toBe(200);
    expect(await foreignStatus(gateway.url)).toBe(403);
  });
});

describe('a port for monitoring', () => {
  const TOKEN = 'a-token-for-prometheus-of-32-bytes-or-more';
  const start = async (metrics: string) => {
    const cluster = await startCluster({ config: [`metrics: ${metrics}`] });
    onTestFinished(() => cluster.stop());
    const gateway = await cluster.start();
    const listening = gateway.log().map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
    return { cluster, gateway, url: String(listening.find(({ msg }) => msg === 'listening')?.['monitoringUrl']) };
  };
  const statusOf = async (url: string, headers = {}) => (await fetch(url, { headers })).status;

  it('has the metrics alone there, with a token when one is set', async () => {
    const { gateway, url } = await start(`{ port: 0, token: ${TOKEN} }`);
    expect(await statusOf(`${gateway.url}/metrics`, { authorization: `Bearer ${TOKEN}` })).toBe(404);
    expect(await statusOf(`${url}/metrics`)).toBe(401);
    expect(await statusOf(`${url}/metrics`, { authorization: `Bearer ${TOKEN}` })).toBe(200);
    const paths = ['/health', '/ready', '/graphql', '/'];
    expect(await Promise.all(paths.map((path) => statusOf(url + path)))).toEqual([200, 200, 404, 404]);
    expect(await foreignStatus(url)).toBe(403);
  });

  it('says that the gateway is stopping, as long as what is under way goes on', async () => {
    const { cluster, gateway, url } = await start('{ port: 0 }');
    const file = { hostId: 'sshd', fullPath: join(cluster.sshd.root, 'slow'), hashCode: 'slow' };
    await new OutsideClient(gateway).status(file, CHUNK);
    const slow = await slowChunk(gateway.url, file);
    await expect.poll(async () => valueOf(await metricsOf({ url }), 'longshore_chunks_in_flight')).toBe(1);
    const stopped = gateway.stop();
    const readiness = async () => (await fetch(`${url}/ready`)).json() as Promise<unknown>;
    await expect.poll(readiness).toEqual({ status: 'not ready', reasons: ['STOPPING'] });
    slow.abort();
    expect(await stopped).toBe(0);
  });

  it('tells of Redis that is away, and comes back', async () => {
    const { cluster, url } = await start('{ port: 0 }');
    const readiness = async () => (await fetch(`${url}/ready`)).json() as Promise<unknown>;
    expect(await readiness()).toEqual({ status: 'ready' });
    await cluster.redis.kill();
    await expect.poll(readiness).toEqual({ status: 'not ready', reasons: ['COORDINATION_UNAVAILABLE'] });
    expect(await statusOf(`${url}/health`)).toBe(200);
    await cluster.redis.restart();
    await expect.poll(readiness).toEqual({ status: 'ready' });
  });

  it('is a worker’s as well, with the merges that it ran', async () => {
    const { cluster, gateway } = await start('{ port: 0 }');
    const file = { hostId: 'sshd', fullPath: join(cluster.sshd.root, 'by-worker'), hashCode: 'by worker' };
    const worker = startWorkerProcess(cluster.configFile);
    onTestFinished(async () => void (await worker.stop('SIGKILL')));
    await worker.working;
    const url = String(worker.log.find(({ msg }) => msg === 'working')?.['monitoringUrl']);
    const published = async () => valueOf(await metricsOf({ url }), 'longshore_uploads_total', { stage: 'published' });
    expect(await published()).toBe(0);
    // Which of the two takes a merge is Redis' choice: until the worker has had one.
    for (let count = 0; (await published()) === 0 && count < 50; count += 1) {
      const next = { ...file, fullPath: `${file.fullPath}-${count}` };
      expect(await new OutsideClient(gateway).put(next, randomBytes(10))).toMatchObject({ phase: 'DONE' });
    }
    expect(await published()).toBeGreaterThan(0);
    const phase = { strategy: 'IN_PLACE', phase: 'publishing' };
    expect(valueOf(await metricsOf({ url }), 'longshore_merge_seconds_count', phase)).toBe(await published());
  });
});

/** Asked for under a name that isn't loopback's. */
async function foreignStatus(url: string): Promise<number | undefined> {
  const foreign = request(`${url}/metrics`, { headers: { host: 'evil.example' } }).end();
  const [answer] = (await once(foreign, 'response')) as [IncomingMessage];
  answer.resume();
  return answer.statusCode;
}

/** A chunk whose first bytes are there, and no more of it. */
async function slowChunk(url: string, file: Readonly<Record<string, string>>): Promise<{ abort(): void }> {
  const query =
    'mutation ($file: FileRef!, $chunk: Upload!) { uploadChunk(file: $file, index: 1, chunk: $chunk) { __typename } }';
  const part = (name: string, text: string) => `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${text}\r\n`;
  const headers = { 'content-type': 'multipart/form-data; boundary=b', 'apollo-require-preflight': '1', 'x-person-id': 'ann' };
  const sending = request(`${url}/graphql`, { method: 'POST', headers });
  sending.on('error', () => undefined); // Cut off, below.
  sending.write(part('operations', JSON.stringify({ query, variables: { file, chunk: null } })));
  sending.write(part('map', JSON.stringify({ 0: ['variables.chunk'] })));
  sending.write('--b\r\ncontent-disposition: form-data; name="0"; filename="chunk"\r\n\r\nabc');
  await once(sending, 'socket');
  return { abort: () => void sending.destroy() };
}
