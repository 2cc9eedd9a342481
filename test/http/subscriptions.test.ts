import { request } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { createClient } from 'graphql-ws';
import type { Client, ClientOptions } from 'graphql-ws';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import type { Longshore } from '../../src/core/answers.js';
import { InputError } from '../../src/core/problems.js';
import type { MergeProgress } from '../../src/core/progress.js';
import type { RunningServer } from '../../src/http/server.js';
import { startServer } from '../../src/http/server.js';
import type { Deferred } from './support.js';
import { FILE, deferred, longshoreWith, memoryLog, query, serve } from './support.js';

const WATCH = 'subscription($file: FileRef!) { mergeProgress(file: $file) { phase percent problem { code } } }';
const watch = { query: WATCH, variables: { file: FILE } };

const state = (own: Partial<MergeProgress> = {}): MergeProgress => ({
  ...{ phase: 'ASSEMBLING', doneBytes: 1, totalBytes: 2, percent: 50, proved: false, updatedAt: 0 },
  ...own,
});

interface IdleFeed {
  readonly longshore: Longshore;
  readonly ended: Promise<void>;
}

/** Gives one state, then nothing until it is returned. */
function idleFeed(): IdleFeed {
  const ended: Deferred<void> = deferred();
  const longshore = longshoreWith({
    mergeProgress: () => {
      const states = [state()];
      const end = deferred<IteratorResult<MergeProgress, undefined>>();
      return {
        [Symbol.asyncIterator]: () => ({
          next: () => {
            const value = states.shift();
            return value ? Promise.resolve({ done: false, value }) : end.promise;
          },
          return: async () => {
            end.resolve({ done: true, value: undefined });
            ended.resolve();
            return { done: true, value: undefined };
          },
        }),
      };
    },
  });
  return { longshore, ended: ended.promise };
}

const finished = longshoreWith({
  async *mergeProgress() {
    yield state();
    yield state({
      phase: 'FAILED',
      percent: 60,
      problem: { kind: 'Refused', code: 'MERGE_FAILED', message: 'm', retryable: false },
    });
  },
});

/** Gives one state, then fails. */
function failingFeed(failure: Error): Longshore {
  return longshoreWith({
    async *mergeProgress() {
      yield state();
      throw failure;
    },
  });
}

function client({ url }: RunningServer, options: Partial<ClientOptions> = {}): Client {
  const opened = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    ...options,
  });
  onTestFinished(async () => opened.dispose());
  return opened;
}

/** The event with which a connection ends that isn't let in. */
function closeEvent(server: RunningServer, options: Partial<ClientOptions>): Promise<unknown> {
  const { promise, resolve } = deferred<unknown>();
  client(server, { lazy: false, ...options, on: { closed: resolve }, onNonLazyError: () => undefined });
  return promise;
}

/** One state for all who watch, and how often something was made of it. */
function sharedState(own: Partial<MergeProgress> = {}) {
  let looks = 0;
  const shared: MergeProgress = Object.defineProperty(state(own), 'phase', {
    get() {
      looks += 1;
      return 'ASSEMBLING';
    },
  });
  const longshore = longshoreWith({
    async *mergeProgress() {
      yield shared;
    },
  });
  return { longshore, looks: () => looks };
}

describe('what a state becomes', () => {
  const told = async (server: RunningServer, text: string, variables: object = {}) => {
    const first = await client(server)
      .iterate({ query: text, variables: { file: FILE, ...variables } })
      .next();
    return first.value as { data?: unknown; errors?: readonly { readonly extensions: { readonly id: string } }[] };
  };

  it('is made once for all who ask the same, over WebSocket and as events', async () => {
    const { longshore, looks } = sharedState();
    const server = await serve(longshore);
    const data = { mergeProgress: { phase: 'ASSEMBLING', percent: 50, problem: null } };
    for (let viewer = 1; viewer <= 3; viewer++) expect(await told(server, WATCH)).toEqual({ data });
    const events = await query(server, WATCH, { file: FILE }, { accept: 'text/event-stream' });
    expect(events.text).toContain(`event: next\ndata: ${JSON.stringify({ data })}`);
    expect(looks()).toBe(1);
  });

  it('is what each asks for, in words, variables and the operation', async () => {
    const server = await serve(sharedState().longshore);
    const one = 'subscription A($file: FileRef!) { mergeProgress(file: $file) { phase } }';
    const two = 'subscription B($file: FileRef!) { p: mergeProgress(file: $file) { doneBytes } }';
    expect(await told(server, one)).toEqual({ data: { mergeProgress: { phase: 'ASSEMBLING' } } });
    expect(await told(server, two)).toEqual({ data: { p: { doneBytes: 1 } } });
    const both = { query: `${one} ${two}`, variables: { file: FILE } };
    for (const [operationName, data] of [
      ['A', { mergeProgress: { phase: 'ASSEMBLING' } }],
      ['B', { p: { doneBytes: 1 } }],
    ] as const) {
      const first = await client(server)
        .iterate({ ...both, operationName })
        .next();
      expect(first.value).toEqual({ data });
    }
    const maybe =
      'subscription($file: FileRef!, $more: Boolean!) { mergeProgress(file: $file) { phase percent @include(if: $more) } }';
    for (const more of [true, false, true]) {
      const data = { mergeProgress: { phase: 'ASSEMBLING', ...(more && { percent: 50 }) } };
      expect(await told(server, maybe, { more })).toEqual({ data });
    }
  });

  it('is kept for some of those who ask all kinds of things, and right for all', async () => {
    const { longshore, looks } = sharedState();
    const server = await serve(longshore);
    const ask = (name: string) =>
      told(server, `subscription($file: FileRef!) { ${name}: mergeProgress(file: $file) { phase } }`);
    for (let round = 1; round <= 2; round++) {
      for (let asker = 1; asker <= 20; asker++)
        expect(await ask(`a${asker}`)).toEqual({ data: { [`a${asker}`]: { phase: 'ASSEMBLING' } } });
    }
    expect(looks()).toBe(16 + 2 * 4);
  });

  it('is made anew where it goes wrong, so that each error has the id of who asked', async () => {
    const { longshore, looks } = sharedState({ percent: Number.NaN });
    const server = await serve(longshore);
    const [one, two] = [await told(server, WATCH), await told(server, WATCH)];
    const ids = [one, two].map(({ errors }) => errors?.[0]?.extensions.id);
    expect(new Set(ids.filter((id) => id !== undefined)).size).toBe(2);
    expect(looks()).toBe(2);
  });
});

describe('over WebSocket', () => {
  it('a merge is told from the present state to its end', async () => {
    const seen: unknown[] = [];
    for await (const { data } of client(await serve(finished)).iterate(watch)) seen.push(data);
    expect(seen).toEqual([
      { mergeProgress: { phase: 'ASSEMBLING', percent: 50, problem: null } },
      { mergeProgress: { phase: 'FAILED', percent: 60, problem: { code: 'MERGE_FAILED' } } },
    ]);
  });

  it('an idle source ends at once when the client stops watching', async () => {
    const { longshore, ended } = idleFeed();
    const states = client(await serve(longshore)).iterate(watch);
    await states.next();
    await states.return?.();
    await ended;
  });

  it('an idle source ends at once when the client is gone', async () => {
    const { longshore, ended } = idleFeed();
    const server = await serve(longshore);
    const socket = deferred<WebSocket>();
    const states = client(server, { on: { connected: (opened) => socket.resolve(opened as WebSocket) } }).iterate(watch);
    await states.next();
    (await socket.promise).terminate();
    await ended;
    await expect(states.next()).rejects.toBeDefined();
  });

  it('queries are answered, for the person of the connection', async () => {
    const asked = deferred<string>();
    const longshore = longshoreWith({
      hosts: async ({ person }) => {
        asked.resolve(person);
        return [];
      },
    });
    const opened = client(await serve(longshore), { connectionParams: { personId: 'ada' } });
    expect((await opened.iterate({ query: '{ hosts { id } }' }).next()).value).toEqual({ data: { hosts: [] } });
    expect(await asked.promise).toBe('ada');
  });

  it('errors are as over HTTP: masked, validated, with argument, and the connection goes on', async () => {
    const log = memoryLog();
    const longshore = longshoreWith({
      hosts: () => Promise.reject(new Error('swordfish')),
      // eslint-disable-next-line require-yield
      async *mergeProgress() {
        throw new InputError('file', 'no such file');
      },
    });
    const opened = client(await serve(longshore, { log }));
    const codeOf = async (payload: { query: string; variables?: Record<string, unknown> }): Promise<unknown> => {
      const iterator = opened.iterate(payload);
      const { errors } = await iterator.next().then(
        ({ value }) => value as { errors: unknown },
        (errors: unknown) => ({ errors }),
      );
      return (errors as { extensions: unknown }[])[0]?.extensions;
    };
    expect(await codeOf({ query: '{ hosts {' })).toEqual({ code: 'GRAPHQL_PARSE_FAILED' });
    expect(await codeOf({ query: '{ nothing }' })).toEqual({ code: 'GRAPHQL_VALIDATION_FAILED' });
    expect(await codeOf({ query: 'query($n: Int!) { uploads(first: $n) { nextAfter } }', variables: { n: 'x' } })).toEqual({
      code: 'BAD_USER_INPUT',
      argument: 'first',
    });
    expect(await codeOf(watch)).toEqual({ code: 'BAD_USER_INPUT', argument: 'file' });
    expect(await codeOf(watch)).toEqual({ code: 'BAD_USER_INPUT', argument: 'file' });
    expect(await codeOf({ query: '{ hosts { id } }' })).toEqual({
      code: 'INTERNAL_SERVER_ERROR',
      id: log.lines.at(-1)?.fields['requestId'],
    });
  });

  it('a source that fails is masked as well', async () => {
    const log = memoryLog();
    const failure = new Error('swordfish');
    const states = client(await serve(failingFeed(failure), { log })).iterate(watch);
    await states.next();
    const errors = await states.next().catch((thrown: unknown) => thrown);
    expect(errors).toMatchObject([
      { extensions: { code: 'INTERNAL_SERVER_ERROR', id: log.lines.at(-1)?.fields['requestId'] } },
    ]);
    expect(JSON.stringify(errors)).not.toContain('swordfish');
    expect(log.lines).toMatchObject([{ level: 'error', fields: { err: failure } }]);
  });

  it('a person’s id that doesn’t do ends the connection with 4401', async () => {
    const server = await serve(longshoreWith());
    expect(await closeEvent(server, { connectionParams: { personId: 'x'.repeat(201) } })).toMatchObject({ code: 4401 });
  });

  it('another protocol is not spoken', async () => {
    const { port } = await serve(longshoreWith());
    const socket = new WebSocket(`ws://127.0.0.1:${port}/graphql`, 'graphql-ws');
    await expect(new Promise((_resolve, reject) => socket.once('error', reject))).rejects.toThrow('no subprotocol');
  });

  it.each([
    ['too large a message', 'x'.repeat(256 * 1024 + 1), 1009],
    ['no JSON', 'nonsense', 4400],
    ['an operation before the greeting', '{"id":"1","type":"subscribe","payload":{"query":"{ hosts { id } }"}}', 4401],
  ])('%s ends the connection, and nothing else', async (_what, message, code) => {
    const server = await serve(longshoreWith());
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.once('open', () => socket.send(message));
    expect(await closed).toBe(code);
    expect((await client(server).iterate({ query: '{ hosts { id } }' }).next()).value).toEqual({ data: { hosts: [] } });
  });

  it('closing the server says that it goes away', async () => {
    const { longshore, ended } = idleFeed();
    const server = await startServer({
      longshore,
      log: memoryLog(),
      address: '127.0.0.1',
      port: 0,
      limits: { maxChunkBytes: 1 },
    });
    const closed = deferred<unknown>();
    const states = client(server, { on: { closed: closed.resolve } }).iterate(watch);
    await states.next();
    const lost = expect(states.next()).rejects.toBeDefined();
    await server.close();
    expect(await closed.promise).toMatchObject({ code: 1001 });
    await Promise.all([ended, lost]);
  });
});

describe('a WebSocket upgrade', () => {
  const listed = 'https://files.example.com';

  /** `open`, or the status with which it is refused. */
  const upgrade = async (headers: Record<string, string>, path = '/graphql', loopbackOnly = true): Promise<unknown> => {
    const server = await serve(longshoreWith(), { origins: [listed], loopbackOnly });
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}${path}`, 'graphql-transport-ws', { headers });
    return new Promise((resolve) => {
      socket.once('open', () => {
        socket.close();
        resolve('open');
      });
      socket.once('error', () => undefined);
      socket.once('unexpected-response', (_request, { statusCode }: IncomingMessage) => resolve(statusCode));
    });
  };

  it('is for pages of ours, of listed origins, and for programs', async () => {
    expect(await upgrade({})).toBe('open');
    expect(await upgrade({ origin: listed })).toBe('open');
    expect(await upgrade({ host: 'localhost:4000', origin: 'http://localhost:4000' })).toBe('open');
  });

  it.each(['https://evil.example', 'null', 'http://localhost:9', `${listed}.evil.example`, 'http://files.example.com'])(
    'is refused to a page of %s',
    async (origin) => {
      expect(await upgrade({ host: 'localhost:4000', origin })).toBe(403);
    },
  );

  it('is refused to a name that only resolves to loopback', async () => {
    expect(await upgrade({ host: 'evil.example', origin: 'http://evil.example' })).toBe(403);
    expect(await upgrade({ host: 'files.example', origin: 'http://files.example' }, '/graphql', false)).toBe('open');
  });

  it('is refused at other paths', async () => {
    expect(await upgrade({}, '/')).toBe(404);
  });
});

describe('over server-sent events', () => {
  function open({ url }: RunningServer): { req: ClientRequest; response: Promise<IncomingMessage> } {
    const headers = { 'content-type': 'application/json', accept: 'text/event-stream' };
    const req = request(`${url}/graphql`, { method: 'POST', headers, agent: false });
    const response = new Promise<IncomingMessage>((resolve) => req.once('response', resolve));
    req.on('error', () => undefined);
    req.end(JSON.stringify(watch));
    return { req, response };
  }

  it('a merge is told to its end', async () => {
    let text = '';
    for await (const piece of await open(await serve(finished)).response) text += String(piece);
    expect(text).toContain('event: next\ndata: {"data":{"mergeProgress":{"phase":"ASSEMBLING"');
    expect(text).toContain('"phase":"FAILED","percent":60,"problem":{"code":"MERGE_FAILED"}');
    expect(text.trimEnd()).toMatch(/event: complete\ndata:$/);
  });

  it('a source that fails is masked, and ends the stream', async () => {
    const log = memoryLog();
    let text = '';
    for await (const piece of await open(await serve(failingFeed(new Error('swordfish')), { log })).response)
      text += String(piece);
    expect(text).toContain(`"id":"${String(log.lines.at(-1)?.fields['requestId'])}"`);
    expect(text).not.toContain('swordfish');
    expect(text.match(/"errors"/g)).toHaveLength(1);
    expect(text.trimEnd()).toMatch(/event: complete\ndata:$/);
  });

  it('an idle source ends when the client is gone', async () => {
    const { longshore, ended } = idleFeed();
    const { req, response } = open(await serve(longshore));
    const res = await response;
    res.on('error', () => undefined);
    await new Promise((resolve) => res.once('data', resolve));
    req.destroy();
    await ended;
  });

  it('a stream ends when the server closes, without waiting for the grace', async () => {
    const { longshore, ended } = idleFeed();
    const server = await startServer({
      longshore,
      log: memoryLog(),
      address: '127.0.0.1',
      port: 0,
      limits: { maxChunkBytes: 1 },
    });
    const res = await open(server).response;
    const closed = new Promise((resolve) => res.on('error', () => undefined).once('close', resolve));
    res.resume();
    await server.close(60_000);
    await Promise.all([closed, ended]);
  });
});
