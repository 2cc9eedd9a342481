// A client of the WebSocket that breaks its rules, asks for too much, says nothing, or doesn't listen.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { Longshore } from '../../src/core/answers.js';
import type { MergeProgress } from '../../src/core/progress.js';
import { releasing } from '../../src/graphql/expiry.js';
import type { RunningServer } from '../../src/http/server.js';
import { deferred, FILE, longshoreWith, memoryLog, query, serve } from '../http/support.js';
import { keptAudit } from '../support/roles.js';
import { BINARY, closeCodeOf, frame, INIT, PING, PONG, rawSocket, TEXT, text } from './raw-socket.js';

const KIB = 1_024;
const WATCH = 'subscription($file: FileRef!) { mergeProgress(file: $file) { phase problem { message } } }';

const subscribe = (id: string, payload: object = { query: WATCH, variables: { file: FILE } }) => ({
  id,
  type: 'subscribe',
  payload,
});
const hostsQuery = (id: string) => subscribe(id, { query: '{ hosts { id } }' });

/** Never says anything. */
const silent: Pick<Longshore, 'mergeProgress'> = {
  mergeProgress: () => {
    const end = deferred<IteratorResult<MergeProgress, undefined>>();
    return {
      [Symbol.asyncIterator]: () => ({
        next: () => end.promise,
        return: async () => {
          end.resolve({ done: true, value: undefined });
          return { done: true, value: undefined };
        },
      }),
    };
  },
};

interface Talk {
  readonly socket: WebSocket;
  say(message: object | string): void;
  /** The next message of that type. */
  hear(type: string): Promise<Record<string, unknown>>;
  readonly closed: Promise<number>;
}

/** An honest socket, as far as frames go. */
async function talk(server: RunningServer, init: object | 'none' = INIT): Promise<Talk> {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  onTestFinished(() => socket.terminate());
  const heard: Record<string, unknown>[] = [];
  const waiting = new Set<() => void>();
  socket.on('error', () => undefined);
  socket.on('message', (data: Buffer) => {
    heard.push(JSON.parse(data.toString()) as Record<string, unknown>);
    for (const look of waiting) look();
  });
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  await once(socket, 'open');
  const talking: Talk = {
    socket,
    closed,
    say: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    hear: (type) =>
      new Promise((resolve) => {
        const look = () => {
          const at = heard.findIndex((message) => message['type'] === type);
          if (at < 0) return;
          waiting.delete(look);
          resolve(heard.splice(at, 1)[0] ?? {});
        };
        waiting.add(look);
        look();
      }),
  };
  if (init === 'none') return talking;
  talking.say(init);
  await talking.hear('connection_ack');
  return talking;
}

const isServing = async (server: RunningServer) =>
  expect((await query(server, '{ hosts { id } }')).json).toEqual({ data: { hosts: [] } });

const codeIn = ({ payload }: Record<string, unknown>) =>
  (payload as readonly { readonly extensions?: { readonly code?: string } }[])[0]?.extensions?.code;

describe('the connection ends, and nothing else, for', () => {
  const deep = '['.repeat(50_000) + ']'.repeat(50_000);

  it.each([
    ['a second greeting', [INIT, INIT], 4429],
    ['a second greeting at once', [INIT, INIT, INIT], 4429],
    ['a subscription before the greeting', [hostsQuery('1')], 4401],
    ['a subscription before the greeting is answered', [{ ...INIT, payload: {} }, subscribe('1')], 4401],
    ['no JSON', ['{'], 4400],
    ['JSON that is no message', ['[]'], 4400],
    ['a message without a type', ['{}'], 4400],
    ['a message of a type that nobody knows', ['{"type":"__proto__"}'], 4400],
    ['a message without an end to its depth', [deep], 4400],
    ['a subscription without an id', [INIT, { type: 'subscribe', payload: {} }], 4400],
    ['a subscription with nothing to do', [INIT, { id: '1', type: 'subscribe' }], 4400],
  ])('%s', async (_what, messages, code) => {
    const log = memoryLog();
    const server = await serve(longshoreWith(silent), { log });
    const { say, closed } = await talk(server, 'none');
    for (const message of messages) say(message);
    expect(await closed).toBe(code);
    expect(log.lines.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([]);
    await isServing(server);
  });

  it.each([
    ['an id that is taken', [subscribe('1'), subscribe('1')], 4409],
    ['an id as long as a message', [subscribe('x'.repeat(100_000))], 4400],
    ['what only servers say', [{ id: '1', type: 'next', payload: {} }], 4400],
    ['an acknowledgement of ours', [{ type: 'connection_ack' }], 4400],
  ])('%s', async (_what, messages, code) => {
    const log = memoryLog();
    const server = await serve(longshoreWith(silent), { log });
    const { say, closed } = await talk(server);
    for (const message of messages) say(message);
    expect(await closed).toBe(code);
    expect(log.lines.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([]);
  });

  it.each([
    ['a binary message', [frame(BINARY, JSON.stringify(INIT))], 1003],
    ['a frame without a mask', [frame(TEXT, JSON.stringify(INIT), { isMasked: false })], 1002],
    ['a frame that says it is compressed', [frame(TEXT, JSON.stringify(INIT), { reserved: 4 })], 1002],
    ['a frame of no kind', [frame(5, '')], 1002],
    ['a continuation of nothing', [frame(0, 'x')], 1002],
    ['a ping in pieces', [frame(PING, 'x', { isLast: false })], 1002],
    ['a ping of 126 bytes', [frame(PING, 'x'.repeat(126))], 1002],
    ['text that is no UTF-8', [frame(TEXT, Buffer.from([0xff, 0xfe]))], 1007],
    ['a message over 256 KiB', [frame(TEXT, 'x'.repeat(256 * KIB + 1))], 1009],
    ['a message that will be of 2^53 bytes', [frame(TEXT, '', { claimedBytes: 2 ** 53 - 1 })], 1009],
    ['a message over 256 KiB in pieces', pieces(300 * KIB, 2 * KIB), 1009],
    ['a message in a thousand pieces', pieces(1_000, 1), 1008],
    ['a message of nothing in a thousand pieces', pieces(1_000, 0), 1008],
  ])('%s', async (_what, frames, code) => {
    const server = await serve(longshoreWith(silent));
    const socket = await rawSocket(server);
    for (const each of frames) socket.write(each);
    expect(await closeCodeOf(socket)).toBe(code);
    await isServing(server);
  });
});

function pieces(length: number, each: number): readonly Buffer[] {
  const count = each === 0 ? length : length / each;
  return Array.from({ length: count }, (_, index) => frame(index === 0 ? TEXT : 0, ' '.repeat(each), { isLast: false }));
}

describe('what is offered to no client:', () => {
  it('compression, which would cost each connection a compressor', async () => {
    const server = await serve(longshoreWith());
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
      perMessageDeflate: true,
    });
    onTestFinished(() => socket.terminate());
    await once(socket, 'open');
    expect(socket.extensions).toBe('');
  });

  it('the older protocol', async () => {
    const socket = await rawSocket(await serve(longshoreWith()), { 'sec-websocket-protocol': 'graphql-ws' });
    expect(await closeCodeOf(socket)).toBe(4406);
  });
});

it('a client that doesn’t say who it is has three seconds, and keeps nobody out', async () => {
  const server = await serve(longshoreWith());
  const idle = await Promise.all(Array.from({ length: 50 }, () => talk(server, 'none')));
  // They are told, and say nothing to that either.
  const silentOnes = await Promise.all(Array.from({ length: 50 }, () => rawSocket(server)));
  const began = performance.now();
  await talk(server);
  expect(await Promise.all(idle.map(({ closed }) => closed))).toEqual(idle.map(() => 4408));
  for (const socket of silentOnes) socket.resume();
  const isClosed = async (socket: Socket) => void (socket.closed || (await once(socket, 'close')));
  await Promise.all(silentOnes.map(isClosed));
  expect(performance.now() - began).toBeLessThan(4_500);
});

it('clients that don’t say who they are leave no more than a bounded number of connections open', async () => {
  const server = await serve(longshoreWith(), { limits: { maxUngreeted: 3 } });
  const [first] = [await rawSocket(server), await rawSocket(server), await rawSocket(server)];
  await expect(rawSocket(server)).rejects.toThrow('503 Service Unavailable');
  first.write(text(INIT));
  await acknowledged([first]);
  await rawSocket(server);
  await expect(rawSocket(server)).rejects.toThrow('503 Service Unavailable');
});

it('a network that leaves many connections ungreeted makes room for others, and not they for it', async () => {
  const server = await serve(longshoreWith(), { limits: { maxUngreeted: 4 }, trustedProxies: ['127.0.0.1'] });
  const from = (address: string) => rawSocket(server, { 'x-forwarded-for': address });
  const [oldest, ...younger] = [await from('1.1.1.1'), await from('1.1.1.1'), await from('1.1.1.1'), await from('1.1.1.1')];
  const cutOff = closeCodeOf(oldest);
  const other = await from('2.2.2.2');
  expect(await cutOff).toBeUndefined();
  await expect(from('1.1.1.1')).rejects.toThrow('503 Service Unavailable');
  await from('2.2.2.2');
  await expect(from('2.2.2.2')).rejects.toThrow('503 Service Unavailable');
  other.write(text(INIT));
  await acknowledged([other]);
  expect(younger.filter(({ closed }) => !closed).length).toBeGreaterThan(0);
});

it('two thousand clients may come at once from one address', async () => {
  const server = await serve(longshoreWith(), { limits: { callsPerSecondPerAddress: 10_000 } });
  const all = await Promise.all(Array.from({ length: 2_000 }, () => rawSocket(server)));
  for (const socket of all) socket.write(text(INIT));
  await acknowledged(all);
});

describe('a handshake that is none is refused like everything else, and noted:', () => {
  it.each([
    ['an older version', { 'sec-websocket-version': '7' }],
    ['no version', { 'sec-websocket-version': '' }],
    ['a key of another length', { 'sec-websocket-key': 'AAAA' }],
    ['another protocol to upgrade to', { upgrade: 'h2c' }],
    ['a list of protocols that is none', { 'sec-websocket-protocol': ',' }],
  ])('%s', async (_what, headers) => {
    const audit = keptAudit();
    const server = await serve(longshoreWith(), { audit });
    const answer = await rawSocket(server, headers).then(() => 'opened', String);
    expect(answer).toContain('HTTP/1.1 400 ');
    expect(answer).toContain('"code":"BAD_REQUEST"');
    expect(answer).toContain('sec-websocket-version: 13');
    const [, requestId] = /x-request-id: (\S+)/.exec(answer) ?? [];
    expect(audit.events).toEqual([expect.objectContaining({ result: 'BAD_REQUEST', address: '127.0.0.1', requestId })]);
  });
});

describe('too much at once is refused with TOO_MANY_OPERATIONS, and the connection goes on:', () => {
  it('more than 200 subscriptions; one that ends makes room', async () => {
    const { say, hear } = await talk(await serve(longshoreWith(silent)));
    for (let id = 0; id <= 200; id += 1) say(subscribe(String(id)));
    const refused = await hear('error');
    expect([refused['id'], codeIn(refused)]).toEqual(['200', 'TOO_MANY_OPERATIONS']);
    say({ id: '7', type: 'complete' });
    say(hostsQuery('201'));
    expect(await hear('next')).toMatchObject({ id: '201', payload: { data: { hosts: [] } } });
  });

  it('more than 32 queries and mutations that aren’t answered yet', async () => {
    const hold = deferred<readonly never[]>();
    const { say, hear } = await talk(await serve(longshoreWith({ hosts: () => hold.promise })));
    for (let id = 0; id <= 32; id += 1) say(hostsQuery(String(id)));
    const refused = await hear('error');
    expect([refused['id'], codeIn(refused)]).toEqual(['32', 'TOO_MANY_OPERATIONS']);
    hold.resolve([]);
    await hear('complete');
    say(hostsQuery('again'));
    await hear('next');
  });

  it('subscriptions that are large together', async () => {
    const { say, hear } = await talk(await serve(longshoreWith(silent)));
    const padded = (id: string) =>
      subscribe(id, { query: WATCH, variables: { file: FILE }, extensions: { x: 'x'.repeat(200 * KIB) } });
    for (let id = 0; id < 6; id += 1) say(padded(String(id)));
    expect(codeIn(await hear('error'))).toBe('TOO_MANY_OPERATIONS');
  });
});

describe('a person’s subscriptions are counted over all connections, event streams among them:', () => {
  const events = async (server: RunningServer): Promise<Response> => {
    const gone = new AbortController();
    onTestFinished(() => gone.abort());
    const headers = { 'content-type': 'application/json', accept: 'text/event-stream', 'x-person-id': 'ann' };
    const body = JSON.stringify({ query: WATCH, variables: { file: FILE } });
    return await fetch(`${server.url}/graphql`, { method: 'POST', headers, body, signal: gone.signal });
  };
  const ann = { ...INIT, payload: { personId: 'ann' } };

  it('one too many is refused, others have their own, and one that ends makes room', async () => {
    const audit = keptAudit();
    const server = await serve(longshoreWith(silent), { audit, limits: { subscriptionsPerPerson: 3 } });
    const [first, second, bob] = [await talk(server, ann), await talk(server, ann), await talk(server)];
    first.say(subscribe('1'));
    second.say(subscribe('2'));
    const stream = await events(server);
    expect(stream.status).toBe(200);

    second.say(subscribe('3'));
    const { payload } = (await second.hear('next')) as { payload: { errors: readonly unknown[] } };
    expect(payload.errors).toMatchObject([{ extensions: { code: 'TOO_MANY_OPERATIONS' } }]);
    expect(audit.events).toMatchObject([{ result: 'TOO_MANY_OPERATIONS', address: '127.0.0.1' }]);
    expect([(await events(server)).status, await (await events(server)).text()]).toEqual([
      ...[429, expect.stringContaining('TOO_MANY_OPERATIONS')],
    ]);
    bob.say(subscribe('1'));
    bob.say(hostsQuery('2'));
    expect(await bob.hear('next')).toMatchObject({ id: '2', payload: { data: { hosts: [] } } });

    // Each of the three ends in its own way.
    const again = async () => expect.poll(async () => (await events(server)).status).toBe(200);
    first.socket.terminate();
    await again();
    second.say({ id: '2', type: 'complete' });
    await again();
    await stream.body?.cancel();
    await again();
    expect((await events(server)).status).toBe(429);
  });
});

it('a subscription counts no longer than it is there, also when its source says nothing more', async () => {
  let released = 0;
  const mute = { [Symbol.asyncIterator]: () => ({ next: () => deferred<IteratorResult<never>>().promise }) };
  const values = releasing(
    () => (released += 1),
    () => mute,
  );
  void values.next();
  await values.return?.();
  expect(released).toBe(1);
});

describe('an operation is refused as over HTTP:', () => {
  it.each([
    ['a document of many aliases', `{ ${Array.from({ length: 500 }, (_, i) => `a${i}: hosts { id }`).join(' ')} }`],
    ['a document of many tokens', `{ hosts { ${'id '.repeat(5_000)} } }`],
    ['a document without an end to its depth', `{ ${'a{'.repeat(2_000)}b${'}'.repeat(2_000)} }`],
  ])('%s', async (_what, document) => {
    const { say, hear } = await talk(await serve(longshoreWith()));
    say(subscribe('1', { query: document }));
    expect(codeIn(await hear('error'))).toBe('QUERY_TOO_COMPLEX');
  });

  it('variables without an end to their depth', async () => {
    const { say, hear } = await talk(await serve(longshoreWith(silent)));
    say(
      `{"id":"1","type":"subscribe","payload":{"query":${JSON.stringify(WATCH)},"variables":{"file":${'['.repeat(20_000)}${']'.repeat(20_000)}}}}`,
    );
    expect(codeIn(await hear('error'))).toBe('QUERY_TOO_COMPLEX');
    say(hostsQuery('2'));
    await hear('next');
  });

  it('more calls than the person may make', async () => {
    const audit = keptAudit();
    const server = await serve(longshoreWith(), { audit, limits: { callsPerSecondPerPerson: 1 } });
    const { say, hear } = await talk(server);
    for (let id = 0; id < 20; id += 1) say(hostsQuery(String(id)));
    const refused = await hear('error');
    expect(codeIn(refused)).toBe('RATE_LIMITED');
    expect(JSON.stringify(refused)).toMatch(/"retryAfterMs":\d+/);
    expect(audit.events).toContainEqual(expect.objectContaining({ result: 'RATE_LIMITED', address: '127.0.0.1' }));
  });
});

it('each field at the top of an operation is a call of its own', async () => {
  const server = await serve(longshoreWith(), { limits: { callsPerSecondPerPerson: 2 } });
  const { say, hear } = await talk(server);
  const many = `query one { hosts { id } } query all { ${Array.from({ length: 20 }, (_, n) => `a${n}: hosts { id }`).join(' ')} }`;
  say(subscribe('1', { query: many, operationName: 'one' }));
  await hear('next');
  say(subscribe('2', { query: many, operationName: 'all' }));
  await hear('next');
  say(hostsQuery('3'));
  expect(codeIn(await hear('error'))).toBe('RATE_LIMITED');
});

describe('a flood of', () => {
  it.each([
    ['messages', Buffer.concat(Array.from({ length: 3_000 }, () => text({ type: 'ping' })))],
    [
      'large messages',
      Buffer.concat(Array.from({ length: 30 }, () => text({ type: 'ping', payload: { x: 'x'.repeat(200 * KIB) } }))),
    ],
    ['pongs', Buffer.concat(Array.from({ length: 3_000 }, () => frame(PONG, '')))],
  ])('%s ends the connection', async (_what, flood) => {
    const server = await serve(longshoreWith());
    const socket = await rawSocket(server);
    socket.write(text(INIT));
    socket.write(flood);
    expect(await closeCodeOf(socket)).toBe(1008);
    await isServing(server);
  });

  it('pings ends the connection, also of who hears the answers', async () => {
    const { socket, closed } = await talk(await serve(longshoreWith()));
    const isOpen = () => socket.readyState === WebSocket.OPEN;
    let pongs = 0;
    socket.on('pong', () => (pongs += 1));
    // More unanswered ones than this would end it, too, by ws's own rule.
    for (let pings = 50; isOpen(); pings += 50) {
      for (let each = 0; each < 50; each += 1) socket.ping('', undefined, () => undefined);
      while (pongs < pings && isOpen()) await nextTurn();
    }
    expect(await closed).toBe(1008);
  });

  it('the answer to a ping has nothing of it: nothing is sent back larger, or deeper, than can be written', async () => {
    const { say, hear } = await talk(await serve(longshoreWith()));
    say(`{"type":"ping","payload":{"x":${'['.repeat(20_000)}${']'.repeat(20_000)}}}`);
    expect(await hear('pong')).toEqual({ type: 'pong' });
    say(hostsQuery('1'));
    await hear('next');
  });
});

describe('a client that doesn’t listen', () => {
  /** As many states as are asked for, each of 2 KiB, and how many that were. */
  function gushing(): { readonly longshore: Longshore; pulled(): number } {
    let pulled = 0;
    const problem = { kind: 'Refused', code: 'MERGE_FAILED', message: 'x'.repeat(2 * KIB), retryable: false } as const;
    const state: MergeProgress = {
      ...{ phase: 'ASSEMBLING', doneBytes: 1, totalBytes: 2, percent: 50, proved: false, updatedAt: 0, problem },
    };
    const longshore = longshoreWith({
      mergeProgress: () => ({
        [Symbol.asyncIterator]: () => ({
          next: async () => {
            pulled += 1;
            // The feed's states come from elsewhere, too.
            if (pulled % 50 === 0) await nextTurn();
            return { done: false, value: state };
          },
          return: async () => ({ done: true, value: undefined }),
        }),
      }),
    });
    return { longshore, pulled: () => pulled };
  }

  /** Resolves when nothing more was asked for during a tenth of a second. */
  const standstill = async (pulled: () => number) => {
    let before = -1;
    await vi.waitFor(
      () => {
        const [last, now] = [before, pulled()];
        before = now;
        expect(now).toBe(last);
      },
      { interval: 100, timeout: 20_000 },
    );
  };

  it('costs 64 KiB at most: states wait where they come from, not here', async () => {
    const { longshore, pulled } = gushing();
    const server = await serve(longshore);
    const collect = garbageCollector();
    const gush = async (subscribeAll: () => void) => {
      const before = pulled();
      subscribeAll();
      await vi.waitFor(() => expect(pulled()).toBeGreaterThan(before + 1_000));
      await standstill(pulled);
    };
    await gush(await deafClients(server, 3)); // What is only needed once.
    const deaf = 40;
    const subscribeAll = await deafClients(server, deaf);
    const before = heldBytes(collect);
    await gush(subscribeAll);
    expect((heldBytes(collect) - before - V8_CACHES_BYTES) / deaf).toBeLessThan(64 * KIB);
    await isServing(server);
  });

  it('is cut off within two pings', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const server = await serve(longshoreWith());
    const socket = await rawSocket(server);
    socket.write(text(INIT));
    await acknowledged([socket]);
    vi.advanceTimersByTime(24_000);
    expect(await closeCodeOf(socket)).toBeUndefined();
  });

  it('has no more taken from it once 64 KiB wait for it, and goes on when it listens', async () => {
    const big = { id: 'x'.repeat(30 * KIB), name: '', roots: [], reachable: true, capabilities: [] };
    let calls = 0;
    const server = await serve(longshoreWith({ hosts: async () => ((calls += 1), Array.from({ length: 100 }, () => big)) }));
    const socket = await rawSocket(server);
    socket.write(text(INIT));
    await acknowledged([socket]);
    const asked = 20;
    for (let id = 0; id < asked; id += 1) {
      socket.write(text(hostsQuery(String(id))));
      await standstill(() => calls);
    }
    expect(calls).toBeLessThan(asked);
    socket.on('data', () => undefined).resume();
    await vi.waitFor(() => expect(calls).toBe(asked));
  });
});

/** Until each was told that it is welcome, which it reads, and nothing after. */
async function acknowledged(sockets: readonly Socket[]): Promise<void> {
  await Promise.all(
    sockets.map(async (socket) => {
      const heard = once(socket, 'data');
      socket.resume();
      await heard;
      socket.pause();
    }),
  );
}

/** Connected and greeted; they subscribe when they are told to, and never read again. */
async function deafClients(server: RunningServer, count: number): Promise<() => void> {
  const program = fileURLToPath(new URL('./deaf-clients.child.mjs', import.meta.url));
  const child = spawn(process.execPath, [program, String(server.port), String(count)], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill());
  await once(child.stdout, 'data');
  return () => void child.stdin.write('subscribe\n');
}

function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

/** V8's own tables grow with what passes, up to this, whoever it was for. */
const V8_CACHES_BYTES = 3 * 1_024 * KIB;

/** Of this process, without what the kernel holds. */
function heldBytes(collect: () => void): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
