import { performance } from 'node:perf_hooks';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { RunningServer } from '../../src/http/server.js';
import { RateLimit } from '../../src/http/admission/rate-limit.js';
import { networkOf } from '../../src/http/admission/addresses.js';
import { Refusals } from '../../src/http/admission/refusals.js';
import { graphqlError } from '../../src/graphql/errors.js';
import { ask, codeOf, exchange, longshoreWith, memoryAudit, query, rawHead, serve } from '../http/support.js';

const QUERY = '{ hosts { id } }';
const from = (address: string): Record<string, string> => ({ 'x-forwarded-for': address });

describe('a person who calls all the time', () => {
  it('is asked to wait after ten seconds’ worth, while others are served', async () => {
    const audit = memoryAudit();
    const server = await serve(longshoreWith(), { audit, limits: { callsPerSecondPerPerson: 1 } });
    const call = (personId: string) => query(server, QUERY, {}, { 'x-person-id': personId });
    for (let n = 0; n < 10; n += 1) expect((await call('greedy')).status).toBe(200);
    const refused = await call('greedy');
    expect([refused.status, codeOf(refused)]).toEqual([429, 'RATE_LIMITED']);
    const { retryAfterMs, retryable } = refused.json.errors?.[0]?.extensions ?? {};
    expect(retryAfterMs).toBeGreaterThan(0);
    expect(retryAfterMs).toBeLessThanOrEqual(1_000);
    expect(retryable).toBe(true);
    expect(refused.headers['retry-after']).toBe('1');
    expect((await call('modest')).status).toBe(200);
    expect(audit.events[0]).toMatchObject({ result: 'RATE_LIMITED', address: '127.0.0.1' });
  });

  it('has each field at the top counted as a call', async () => {
    const server = await serve(longshoreWith(), { limits: { callsPerSecondPerPerson: 2 } });
    const twenty = `{ ${Array.from({ length: 20 }, (_, n) => `a${n}: hosts { id }`).join(' ')} }`;
    expect((await query(server, twenty)).status).toBe(200);
    expect((await query(server, QUERY)).status).toBe(429);
  });

  it('is refused before a byte of a body is read', async () => {
    const server = await serve(longshoreWith(), { limits: { callsPerSecondPerPerson: 0.1 } });
    await query(server, QUERY);
    expect(await exchange(server, rawHead(server, 1_000_000))).toContain('HTTP/1.1 429');
  });
});

describe('an address that calls all the time', () => {
  it('is refused before anybody is authenticated, whoever it says to be', async () => {
    let asked = 0;
    const server = await serve(longshoreWith(), {
      limits: { callsPerSecondPerAddress: 1 },
      authenticate: ({ personId = '' }) => {
        asked += 1;
        return Promise.resolve({ caller: { person: personId, groups: [] } });
      },
    });
    for (let n = 0; n < 10; n += 1) await query(server, QUERY, {}, { 'x-person-id': `person-${n}` });
    const refused = await query(server, QUERY, {}, { 'x-person-id': 'another' });
    expect([refused.status, codeOf(refused), asked]).toEqual([429, 'RATE_LIMITED', 10]);
    expect((await ask(server, { method: 'GET', path: '/' })).status).toBe(429);
  });

  it('can still be asked for its health, by those who watch it', async () => {
    const server = await serve(longshoreWith(), { limits: { callsPerSecondPerAddress: 0.1 } });
    await query(server, QUERY);
    for (let n = 0; n < 20; n += 1) {
      expect((await ask(server, { method: 'GET', path: '/health' })).status).toBe(200);
      expect((await ask(server, { method: 'GET', path: '/ready' })).status).toBe(200);
    }
  });

  it('that guesses tokens is refused ten times as soon', async () => {
    const server = await serve(longshoreWith(), {
      limits: { callsPerSecondPerAddress: 10 },
      authenticate: () => Promise.reject(graphqlError('UNAUTHENTICATED', 'no', { status: 401 })),
    });
    const statuses: number[] = [];
    for (let n = 0; n < 20; n += 1) statuses.push((await query(server, QUERY)).status);
    const tries = statuses.filter((status) => status === 401).length;
    expect([tries >= 10 && tries < 13, statuses.at(-1)]).toEqual([true, 429]);
  });

  it('whose tokens have keys that nobody knows is refused ten times as soon', async () => {
    const server = await serve(longshoreWith(), {
      limits: { callsPerSecondPerAddress: 10 },
      authenticate: () => Promise.reject(graphqlError('AUTHENTICATION_UNAVAILABLE', 'no', { status: 503 })),
    });
    const statuses: number[] = [];
    for (let n = 0; n < 20; n += 1) statuses.push((await query(server, QUERY)).status);
    const tries = statuses.filter((status) => status === 503).length;
    expect([tries >= 10 && tries < 13, statuses.at(-1)]).toEqual([true, 429]);
  });

  it('opens no more WebSockets either', async () => {
    const server = await serve(longshoreWith(), { limits: { callsPerSecondPerAddress: 0.1 } });
    const upgrade = `GET /graphql HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${'A'.repeat(22)}==\r\nsec-websocket-protocol: graphql-transport-ws\r\n\r\n`;
    await query(server, QUERY);
    const answer = await exchange(server, upgrade);
    expect(answer).toContain('HTTP/1.1 429');
    expect(answer).toContain('retry-after: ');
    expect(answer).toContain('"code":"RATE_LIMITED"');
  });
});

it('who asks all the time whether we are ready makes us find out once a second', async () => {
  let asked = 0;
  const server = await serve(longshoreWith(), {
    obstacles: async () => {
      asked += 1;
      await wait(50);
      return asked === 1 ? [] : ['COORDINATION_UNAVAILABLE'];
    },
  });
  const ready = async (): Promise<number> => (await ask(server, { method: 'GET', path: '/ready' })).status;
  expect(await Promise.all([ready(), ready(), ready()])).toEqual([200, 200, 200]);
  for (let n = 0; n < 20; n += 1) expect(await ready()).toBe(200);
  expect(asked).toBe(1);
  await expect.poll(ready, { timeout: 3_000 }).toBe(503);
  expect(asked).toBe(2);
});

it('more connections than there may be are closed at once, and the others are served', async () => {
  const server = await serve(longshoreWith(), { limits: { maxConnections: 3 } });
  const sockets = [open(server), open(server), open(server)];
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  const beganAt = performance.now();
  await once(open(server), 'close');
  // Long before its headers would be missed.
  expect(performance.now() - beganAt).toBeLessThan(5_000);
  sockets[0]?.destroy();
  await expect.poll(async () => (await query(server, QUERY)).status).toBe(200);
});

function open(server: RunningServer): Socket {
  const socket = connect(server.port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  return socket.on('error', () => undefined).resume();
}

describe('a forged X-Forwarded-For', () => {
  const seen = async (trustedProxies: readonly string[], value: string): Promise<unknown> => {
    let address: unknown;
    const longshore = longshoreWith({
      hosts: async ({ request }) => {
        address = request?.address;
        return [];
      },
    });
    const server = await serve(longshore, { trustedProxies });
    await query(server, QUERY, {}, from(value));
    return address;
  };

  it('counts for nothing without a trusted proxy', async () => {
    expect(await seen([], '1.2.3.4')).toBe('127.0.0.1');
    expect(await seen(['10.0.0.0/8'], '1.2.3.4')).toBe('127.0.0.1');
  });

  it.each([
    ['1.2.3.4', '1.2.3.4'],
    ['9.9.9.9, 1.2.3.4', '1.2.3.4'],
    ['1.2.3.4, 10.1.2.3', '1.2.3.4'],
    ['9.9.9.9, 1.2.3.4, 10.1.2.3, 127.0.0.1', '1.2.3.4'],
    ['2001:db8::1', '2001:db8::1'],
    ['::ffff:1.2.3.4', '1.2.3.4'],
    ['', '127.0.0.1'],
    ['unknown', '127.0.0.1'],
    ['1.2.3.4, garbage', '127.0.0.1'],
    ['1.2.3.4, 10.1.2.3, "><script>', '127.0.0.1'],
    ['1.2.3.4:5678', '127.0.0.1'],
    ['1.2.3.999', '127.0.0.1'],
    ['0x7f.1', '127.0.0.1'],
    [', ,,', '127.0.0.1'],
    ['::1%eth0', '::1%eth0'],
  ])('behind a trusted proxy is the right-most address that isn’t one: %j', async (value, address) => {
    expect(await seen(['127.0.0.1', '10.0.0.0/8'], value)).toBe(address);
  });

  it('gives each of its clients a limit of its own, and one to all that hide', async () => {
    const server = await serve(longshoreWith(), { trustedProxies: ['127.0.0.1'], limits: { callsPerSecondPerAddress: 0.1 } });
    const status = async (address: string): Promise<number> => (await query(server, QUERY, {}, from(address))).status;
    expect([await status('1.2.3.4'), await status('1.2.3.4'), await status('1.2.3.5')]).toEqual([200, 429, 200]);
    expect([await status('2001:db8::1'), await status('2001:db8::ffff:1'), await status('2001:db8:0:1::1')]).toEqual([
      200, 429, 200,
    ]);
    expect([await status('nonsense'), await status('other nonsense')]).toEqual([200, 429]);
  });

  it('of 16 KiB costs little', async () => {
    const server = await serve(longshoreWith(), { trustedProxies: ['127.0.0.1', '10.0.0.0/8'] });
    const beganAt = performance.now();
    const answer = await query(server, QUERY, {}, from('10.0.0.1,'.repeat(1_500)));
    expect([answer.status, performance.now() - beganAt < 500]).toEqual([200, true]);
  });
});

describe('the limit', () => {
  it('lets ten seconds’ worth through at once, and then as many as the rate', () => {
    let now = 0;
    const limit = new RateLimit({ perSecond: 5, now: () => now });
    const taken = (): number => {
      let count = 0;
      while (limit.take('a') === 0) count += 1;
      return count;
    };
    expect(taken()).toBe(50);
    expect(limit.take('a')).toBe(200);
    now += 1_000;
    expect(taken()).toBe(5);
    now += 100;
    expect(limit.take('a')).toBe(100);
    now += 60_000;
    expect(taken()).toBe(50);
  });

  it('asks for no more patience than it needs, however much is charged', () => {
    let now = 0;
    const limit = new RateLimit({ perSecond: 1, now: () => now });
    for (let n = 0; n < 1_000; n += 1) limit.charge('a', 9);
    expect(limit.take('a')).toBeLessThanOrEqual(10_000);
    now += 20_000;
    expect(limit.take('a')).toBe(0);
  });

  it('remembers no more than it may, and forgets what is quiet', () => {
    let now = 0;
    const limit = new RateLimit({ perSecond: 100, now: () => now, maxKeys: 1_000 });
    for (let n = 0; n < 1_000_000; n += 1) limit.take(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`);
    expect(limit.keys).toBe(1_000);
    now += 60_000;
    for (let n = 0; n < 1_000; n += 1) limit.take('one');
    expect(limit.keys).toBe(1);
  });

  it.each([
    ['1.2.3.4', '1.2.3.4'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8:0:0:ffff::', '2001:db8:0:0::/64'],
    ['2001:0DB8:0000:0001::9', '2001:db8:0:1::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4::/64'],
    ['1::', '1:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['unknown', 'unknown'],
  ])('counts %s as %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});

describe('the audit of a flood', () => {
  it('names a request only where it is about that one', () => {
    const audit = memoryAudit();
    const refusals = new Refusals(audit);
    for (const [id, code] of [
      ['1', 'CSRF_BLOCKED'],
      ['2', 'FORBIDDEN'],
      ['3', 'RATE_LIMITED'],
    ] as const)
      refusals.record({ id, address: 'a' }, code);
    refusals.close();
    expect(audit.events).toEqual([
      { action: 'request', result: 'CSRF_BLOCKED', requestId: '1', address: 'a' },
      { action: 'request', result: 'RATE_LIMITED', address: 'a', details: { count: 2 } },
    ]);
  });

  it('from many addresses has a line for each, up to a thousand, and one for the others', () => {
    const audit = memoryAudit();
    const refusals = new Refusals(audit);
    for (let n = 0; n < 50_000; n += 1) refusals.record({ id: `r${n}`, address: `a${n}` }, 'RATE_LIMITED');
    expect(audit.events.length).toBe(1_001);
    refusals.close();
    expect(audit.events.length).toBe(1_002);
    expect(audit.events.at(-1)).toMatchObject({ address: 'others', details: { count: 48_999 } });
  });
});

it('a client that waits as it is asked gets through', async () => {
  const server = await serve(longshoreWith(), { limits: { callsPerSecondPerPerson: 5 } });
  let refused = await query(server, QUERY);
  while (refused.status === 200) refused = await query(server, QUERY);
  await wait(Number(refused.json.errors?.[0]?.extensions?.['retryAfterMs']));
  expect((await query(server, QUERY)).status).toBe(200);
});
