import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { RunningServer } from '../../src/http/server.js';
import type { HostAnswer } from '../../src/core/answers.js';
import {
  BOUNDARY,
  codeOf,
  countingLongshore,
  deferred,
  file,
  longshoreWith,
  map,
  memoryAudit,
  multipart,
  operations,
  query,
  rawHead,
  serve,
} from '../http/support.js';

const SOCKETS = 2_000;
const QUERY = '{ hosts { id } }';

interface Slow {
  readonly socket: Socket;
  /** All that came back, once the connection is closed. */
  readonly closed: Promise<string>;
}

async function open(server: RunningServer): Promise<Slow> {
  const socket = connect(server.port, '127.0.0.1');
  let received = '';
  socket.on('data', (piece) => (received += piece.toString('latin1')));
  socket.on('error', () => undefined);
  const closed = once(socket, 'close').then(() => received);
  await once(socket, 'connect');
  return { socket, closed };
}

/** Sends `bytes` of filler at each tick until the connection is closed, `total` bytes have gone, or what `after` says. */
async function drip(
  socket: Socket,
  { bytes, everyMs, total }: { bytes: number; everyMs: number; total: number },
): Promise<void> {
  for (let sent = 0; sent < total && socket.writable; sent += bytes) {
    socket.write(Buffer.alloc(Math.min(bytes, total - sent), 'x'));
    await wait(everyMs);
  }
}

function startOfChunk(lengthBytes: number): { head: Buffer; end: Buffer; bodyBytes: number } {
  const body = multipart(operations(), map(), file(Buffer.alloc(lengthBytes, 'x')));
  const end = Buffer.from(`\r\n--${BOUNDARY}--\r\n`);
  return { head: body.subarray(0, body.length - end.length - lengthBytes), end, bodyBytes: body.length };
}

describe('slow headers', () => {
  it(`on ${SOCKETS} sockets keep nobody else from being served, and are all cut off`, async () => {
    const audit = memoryAudit();
    const server = await serve(longshoreWith(), { audit, limits: { headersTimeoutMs: 2_000 } });
    const beganAt = performance.now();
    const slow = await Promise.all(Array.from({ length: SOCKETS }, () => open(server)));
    const all = Promise.all(slow.map(({ closed }) => closed));
    const over = new AbortController();
    void all.then(() => over.abort());
    const dripping = (async () => {
      for (let n = 0; !over.signal.aborted; n += 1) {
        for (const { socket } of slow)
          if (socket.writable) socket.write(n === 0 ? 'POST /graphql HTTP/1.1\r\n' : `x-${n}: y\r\n`);
        await wait(200);
      }
    })();
    const times: number[] = [];
    while (!over.signal.aborted) {
      const askedAt = performance.now();
      expect((await query(server, QUERY)).json.data).toEqual({ hosts: [] });
      times.push(performance.now() - askedAt);
      await wait(10);
    }
    const answers = await all;
    await dripping;
    expect(performance.now() - beganAt).toBeLessThan(15_000);
    expect(
      answers.filter((answer) => answer.startsWith('HTTP/1.1 408 ') && answer.includes('"code":"REQUEST_TIMEOUT"')).length,
    ).toBe(SOCKETS);
    expect(times.length).toBeGreaterThan(10);
    expect(times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]).toBeLessThan(250);
    expect(audit.events.length).toBeLessThan(15);
  });

  it('that never begin are cut off, too', async () => {
    const server = await serve(longshoreWith(), { limits: { headersTimeoutMs: 200 } });
    const { closed } = await open(server);
    expect(await closed).toMatch(/^HTTP\/1\.1 408 /);
  });
});

describe('a slow body', () => {
  it.each(['application/json', 'application/x-www-form-urlencoded', 'application/graphql'])(
    'of an operation is cut off by its whole time: %s',
    async (type) => {
      const server = await serve(longshoreWith(), { limits: { operationTimeoutMs: 300 } });
      const { socket, closed } = await open(server);
      socket.write(rawHead(server, 1_000, { 'content-type': type }));
      void drip(socket, { bytes: 10, everyMs: 20, total: 1_000 });
      const answer = await closed;
      expect(answer).toMatch(/^HTTP\/1\.1 408 /);
      expect(answer).toContain('"code":"BAD_REQUEST"');
    },
  );

  it('of an operation is cut off by its rate', async () => {
    const server = await serve(longshoreWith(), { limits: { rateWindowMs: 300 } });
    const { socket, closed } = await open(server);
    socket.write(rawHead(server, 1_000, { 'content-type': 'application/json' }));
    void drip(socket, { bytes: 1, everyMs: 20, total: 1_000 });
    expect(await closed).toContain('The body arrives too slowly');
  });

  it('of a chunk is cut off by its rate, and core is told', async () => {
    const told = deferred<unknown>();
    const longshore = longshoreWith({
      uploadChunk: async (...args) => {
        try {
          return await countingLongshore.uploadChunk(...args);
        } catch (error) {
          told.resolve(error);
          throw error;
        }
      },
    });
    const server = await serve(longshore, { limits: { rateWindowMs: 300 } });
    const { head, bodyBytes } = startOfChunk(100_000);
    const { socket, closed } = await open(server);
    socket.write(Buffer.concat([Buffer.from(rawHead(server, bodyBytes)), head]));
    void drip(socket, { bytes: 1, everyMs: 20, total: 1_000 });
    expect(await closed).toMatch(/^HTTP\/1\.1 408 [^]*"code":"BAD_MULTIPART"/);
    expect(await told.promise).toMatchObject({ extensions: { code: 'BAD_MULTIPART' } });
  });

  it('of an honest sender at 4 KiB a second is never cut off', async () => {
    const server = await serve(countingLongshore, { limits: { rateWindowMs: 500, idleTimeoutMs: 500 } });
    const lengthBytes = 10_000;
    const { head, end, bodyBytes } = startOfChunk(lengthBytes);
    const { socket, closed } = await open(server);
    socket.write(Buffer.concat([Buffer.from(rawHead(server, bodyBytes, { connection: 'close' })), head]));
    await drip(socket, { bytes: 410, everyMs: 100, total: lengthBytes });
    socket.write(end);
    const answer = await closed;
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toContain(`"uploadedBytes":${lengthBytes}`);
  });

  it('that waits for a slow host isn’t the client’s fault', async () => {
    const windowMs = 50;
    const longshore = longshoreWith({
      uploadChunk: async (_caller, { index, pieces }) => {
        let uploadedBytes = 0;
        for await (const piece of pieces) {
          uploadedBytes += piece.length;
          if (uploadedBytes < 1_000_000) await wait(3 * windowMs);
        }
        return { kind: 'ChunkStored', index, digest: '', alreadyStored: false, uploadedBytes, uploadedCount: 1 };
      },
    });
    const server = await serve(longshore, {
      limits: { maxChunkBytes: 8 * 2 ** 20, rateWindowMs: windowMs, idleTimeoutMs: windowMs },
    });
    const body = multipart(operations(), map(), file(Buffer.alloc(8 * 2 ** 20)));
    const { socket, closed } = await open(server);
    socket.write(rawHead(server, body.length, { connection: 'close' }));
    socket.write(body);
    expect(await closed).toContain(`"uploadedBytes":${8 * 2 ** 20}`);
  });
});

describe('an answer that is not read', () => {
  const hosts: HostAnswer[] = Array.from({ length: 20_000 }, (_, n) => ({
    id: `host-${n}`,
    name: 'x'.repeat(1_000),
    roots: ['/'],
    reachable: true,
    capabilities: [],
  }));
  const body = JSON.stringify({ query: '{ hosts { id name } }' });

  it('is given up, and its connection closed', async () => {
    const server = await serve(longshoreWith({ hosts: async () => hosts }), { limits: { unreadTimeoutMs: 300 } });
    const { socket, closed } = await open(server);
    socket.pause();
    const aborted = once(socket, 'close');
    socket.write(`${rawHead(server, body.length, { 'content-type': 'application/json' })}${body}`);
    await wait(1_500);
    // The rest of what the kernels hold, and then the end: never all of it.
    socket.resume();
    await aborted;
    expect((await closed).length).toBeLessThan(20_000_000);
  });

  it('is given to a reader that is merely slow', async () => {
    const server = await serve(longshoreWith({ hosts: async () => hosts }), { limits: { unreadTimeoutMs: 500 } });
    const { socket, closed } = await open(server);
    let untilPause = 0;
    socket.on('data', (piece) => {
      untilPause += piece.length;
      if (untilPause < 2_000_000) return;
      untilPause = 0;
      socket.pause();
      setTimeout(() => socket.resume(), 100);
    });
    socket.write(`${rawHead(server, body.length, { 'content-type': 'application/json', connection: 'close' })}${body}`);
    const answer = await closed;
    expect(answer.length).toBeGreaterThan(20_000_000);
  });

  it('is given up when it is an event stream, and core hears that nobody is there', async () => {
    const left = deferred();
    let published = 0;
    const longshore = longshoreWith({
      mergeProgress: () => ({
        [Symbol.asyncIterator]: () => ({
          next: async () => {
            published += 1;
            await wait(0);
            return {
              done: false,
              value: {
                phase: 'ASSEMBLING',
                doneBytes: published,
                totalBytes: 1e12,
                percent: 0,
                proved: false,
                updatedAt: 0,
                digest: 'x'.repeat(10_000),
              },
            };
          },
          return: () => {
            left.resolve();
            return Promise.resolve({ done: true, value: undefined });
          },
        }),
      }),
    });
    const server = await serve(longshore, { limits: { unreadTimeoutMs: 300 } });
    const subscription = JSON.stringify({
      query: 'subscription { mergeProgress(file: { hostId: "h", fullPath: "p", hashCode: "c" }) { doneBytes digest } }',
    });
    const { socket } = await open(server);
    socket.pause();
    socket.write(
      `${rawHead(server, subscription.length, { 'content-type': 'application/json', accept: 'text/event-stream' })}${subscription}`,
    );
    await left.promise;
    const atEnd = published;
    await wait(200);
    expect(published).toBe(atEnd);
    socket.destroy();
  });
});

it('a connection that was answered and waits is not cut off with those that are slow', async () => {
  const server = await serve(longshoreWith(), { limits: { headersTimeoutMs: 200, unreadTimeoutMs: 200 } });
  const { socket } = await open(server);
  const health = 'GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n';
  socket.write(health);
  await once(socket, 'data');
  await wait(800);
  socket.write(health);
  await once(socket, 'data');
  socket.destroy();
  expect(codeOf(await query(server, QUERY))).toBeUndefined();
});
