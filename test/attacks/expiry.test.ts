// Somebody whose token has ended goes on watching: a subscription lasts no longer than what it was begun with.
import { createClient } from 'graphql-ws';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { Longshore } from '../../src/core/answers.js';
import type { MergeProgress } from '../../src/core/progress.js';
import { atTime, endingAt } from '../../src/graphql/expiry.js';
import type { RunningServer } from '../../src/http/server.js';
import { deferred, FILE, longshoreWith, serve } from '../http/support.js';
import { keptAudit } from '../support/roles.js';
import { inSeconds, jwtAuthentication, rsaKeys, token } from './identity.js';

const WATCH = 'subscription($file: FileRef!) { mergeProgress(file: $file) { percent } }';
const DAY_MS = 86_400_000;

/** Each subscriber is told how many there were before, and then nothing until it leaves. */
function quietMerge(): { readonly longshore: Longshore; readonly left: Promise<void> } {
  let watching = 0;
  const left = deferred();
  const longshore = longshoreWith({
    mergeProgress: () => {
      const percent = watching++;
      const states: MergeProgress[] = [{ phase: 'QUEUED', doneBytes: 0, totalBytes: 1, percent, proved: false, updatedAt: 0 }];
      const end = deferred<IteratorResult<MergeProgress, undefined>>();
      return {
        [Symbol.asyncIterator]: () => ({
          next: () => {
            const value = states.shift();
            return value === undefined ? end.promise : Promise.resolve({ done: false, value });
          },
          return: async () => {
            left.resolve();
            end.resolve({ done: true, value: undefined });
            return { done: true, value: undefined };
          },
        }),
      };
    },
  });
  return { longshore, left: left.promise };
}

const jwtServer = (longshore: Longshore) => serve(longshore, { authenticate: jwtAuthentication({ clockToleranceMs: 0 }) });
/** A token of ann's that ends within two seconds, and not at once. */
const shortLived = () => token({ exp: inSeconds(2) });

describe('over WebSocket', () => {
  it('the connection ends with 4403 when its token does, also for who asked nothing', async () => {
    const { longshore, left } = quietMerge();
    const server = await jwtServer(longshore);
    const [exp, authorization] = [inSeconds(2), `Bearer ${await shortLived()}`];
    const closed = deferred<{ readonly code: number; readonly reason: string }>();
    const client = createClient({
      url: `${server.url.replace('http', 'ws')}/graphql`,
      ...{ webSocketImpl: WebSocket, retryAttempts: 0, lazy: false, onNonLazyError: () => undefined },
      connectionParams: { authorization },
      on: { closed: (event) => closed.resolve(event as { code: number; reason: string }) },
    });
    onTestFinished(() => void client.dispose());
    const states = client.iterate({ query: WATCH, variables: { file: FILE } });
    await states.next();
    const lost = expect(states.next()).rejects.toMatchObject({ code: 4403 });
    expect(await closed.promise).toMatchObject({ code: 4403, reason: 'The token has expired' });
    expect(Date.now()).toBeGreaterThanOrEqual(exp * 1_000);
    await Promise.all([left, lost]);
  });

  it('graphql-ws’s own client connects again by itself, with what connectionParams gives it then', async () => {
    const server = await jwtServer(quietMerge().longshore);
    let asked = 0;
    const client = createClient({
      url: `${server.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      retryWait: async () => undefined,
      connectionParams: async () => {
        asked += 1;
        return { authorization: `Bearer ${asked === 1 ? await shortLived() : await token()}` };
      },
    });
    onTestFinished(() => void client.dispose());
    const states = client.iterate({ query: WATCH, variables: { file: FILE } });
    expect([(await states.next()).value, (await states.next()).value]).toEqual([
      { data: { mergeProgress: { percent: 0 } } },
      { data: { mergeProgress: { percent: 1 } } },
    ]);
    expect(asked).toBe(2);
  });

  it('a token that has ended, or none, lets nobody in: 4401, and a line in the audit', async () => {
    const audit = keptAudit();
    const server = await serve(longshoreWith(), { authenticate: jwtAuthentication(), audit });
    expect(await closeCode(server, { authorization: `Bearer ${await token({ exp: inSeconds(-60) })}` })).toBe(4401);
    expect(await closeCode(server, undefined)).toBe(4401);
    expect(await closeCode(server, { authorization: [`Bearer ${await token()}`] })).toBe(4401);
    expect(await closeCode(server, { personId: 'ann' })).toBe(4401);
    expect(audit.events).toContainEqual(
      expect.objectContaining({ result: 'UNAUTHENTICATED', address: '127.0.0.1', requestId: expect.any(String) }),
    );
  });

  it('an issuer that can’t be asked: come again, 1013', async () => {
    const key = { kind: 'jwks', url: 'http://127.0.0.1:1/jwks' } as const;
    const server = await serve(longshoreWith(), { authenticate: jwtAuthentication({ key }) });
    expect(await closeCode(server, { authorization: `Bearer ${await token({}, { kid: 'x' })}` })).toBe(4401);
    const other = `Bearer ${await unknownKeyToken()}`;
    expect(await closeCode(server, { authorization: other })).toBe(1013);
  });
});

async function unknownKeyToken(): Promise<string> {
  return await token({}, { alg: 'RS256', kid: 'x', key: rsaKeys().privateKey });
}

function closeCode(server: RunningServer, payload: object | undefined): Promise<number> {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  socket.once('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload })));
  return new Promise((resolve) => socket.once('close', resolve));
}

describe('over server-sent events', () => {
  it('the stream ends with UNAUTHENTICATED when its token does', async () => {
    const { longshore, left } = quietMerge();
    const server = await jwtServer(longshore);
    const exp = inSeconds(2);
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: {
        ...{ 'content-type': 'application/json', accept: 'text/event-stream' },
        authorization: `Bearer ${await shortLived()}`,
      },
      body: JSON.stringify({ query: WATCH, variables: { file: FILE } }),
    });
    const told = await response.text();
    expect(Date.now()).toBeGreaterThanOrEqual(exp * 1_000);
    const events = [...told.matchAll(/^data: (\{.*\})$/gm)].map(([, data]) => JSON.parse(data ?? '') as object);
    expect(events).toMatchObject([
      { data: { mergeProgress: { percent: 0 } } },
      { errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] },
    ]);
    expect(told.trimEnd()).toMatch(/event: complete\ndata:$/);
    await left;
  });
});

describe('the end of a token', () => {
  const fakeTime = () => {
    vi.useFakeTimers({ now: 0 });
    onTestFinished(() => void vi.useRealTimers());
  };

  it('that is further away than timers count comes neither at once nor never', () => {
    fakeTime();
    const end = vi.fn();
    atTime(60 * DAY_MS, end);
    vi.advanceTimersByTime(60 * DAY_MS - 1);
    expect(end).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(end).toHaveBeenCalledOnce();
  });

  it('leaves no timer behind with who left before', async () => {
    fakeTime();
    atTime(DAY_MS, () => undefined)();
    const reason = () => new Error('ended');
    const three = async function* () {
      yield* [1, 2, 3];
    };
    const all: number[] = [];
    for await (const each of endingAt(three(), DAY_MS, reason)) all.push(each);
    for await (const each of endingAt(three(), DAY_MS, reason)) if (each === 2) break;
    expect([all, vi.getTimerCount()]).toEqual([[1, 2, 3], 0]);
  });

  it('is told to who comes for the next value only later, once', async () => {
    fakeTime();
    const values = endingAt(
      (async function* () {
        yield 1;
        yield 2;
      })(),
      1_000,
      () => new Error('ended'),
    );
    expect((await values.next()).value).toBe(1);
    vi.advanceTimersByTime(1_000);
    await expect(values.next()).rejects.toThrow('ended');
    expect((await values.next()).done).toBe(true);
  });
});
