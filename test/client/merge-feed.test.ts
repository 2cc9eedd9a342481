import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { buildSchema } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import WebSocket, { WebSocketServer } from 'ws';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodePlatform, NetworkError, type MergeProgress, type Platform, type TokenSource } from '../../src/client/index.js';
import { isTerminal, MergeFeeds } from '../../src/client/merge-feed.js';
import { follow } from '../../src/client/merging.js';
import { DEFAULT_RETRY_POLICY } from '../../src/client/retry.js';
import { Transport } from '../../src/client/transport.js';
import { progress } from './stub-gateway.js';

const SCHEMA = buildSchema(`
  input FileRef { hostId: ID! fullPath: String! hashCode: String! }
  interface Problem { code: String! message: String! retryable: Boolean! }
  type ChunkRange { first: Int! last: Int! }
  type FileExists implements Problem { code: String! message: String! retryable: Boolean! size: Float! modifiedAt: String! etag: String! }
  type ChunksMissing implements Problem { code: String! message: String! retryable: Boolean! ranges: [ChunkRange!]! missingCount: Int! }
  type TryAgainLater implements Problem { code: String! message: String! retryable: Boolean! retryAfterMs: Int! }
  type MergeProgress {
    phase: String! doneBytes: Float! totalBytes: Float! percent: Float! bytesPerSecond: Float etaSeconds: Float
    strategy: String digest: String proved: Boolean! problem: Problem updatedAt: String!
  }
  type Query { ok: Boolean }
  type Subscription { mergeProgress(file: FileRef!): MergeProgress! }
`);

let http: Server;
const connections = new Set<Socket>();
let sockets: WebSocketServer;
let endpoint: string;
/** What came with each connection. */
let params: unknown[];
/** Paths that were asked for over a WebSocket. */
let asked: string[];
let events: (path: string) => AsyncGenerator;
let accepted: string;
/** Server-sent events; the request has been read. */
let stream: (response: ServerResponse) => void;

beforeEach(async () => {
  [params, asked, accepted] = [[], [], 'Bearer first'];
  events = forever;
  stream = (response) => response.writeHead(503).end();
  http = createServer((request, response) => void request.resume().once('end', () => stream(response)));
  http.on('connection', (socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  sockets = new WebSocketServer({ server: http, path: '/graphql' });
  useServer(
    {
      schema: SCHEMA,
      roots: {
        subscription: {
          mergeProgress: ({ file: { fullPath } }: { file: { fullPath: string } }) => {
            asked.push(fullPath);
            return events(fullPath);
          },
        },
      },
      onConnect: ({ connectionParams, extra }) => {
        params.push(connectionParams);
        if (connectionParams?.['authorization'] !== accepted) extra.socket.close(4401, 'Unauthorized');
      },
    },
    sockets,
  );
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(http.address() as AddressInfo).port}/graphql`;
});
afterEach(async () => {
  for (const connection of connections) connection.destroy();
  await new Promise((resolve) => http.close(resolve));
});

async function* forever(): AsyncGenerator {
  yield await Promise.resolve({ mergeProgress: progress('VERIFYING') });
  await new Promise(() => undefined);
}
async function* toTheEnd(): AsyncGenerator {
  yield await Promise.resolve({ mergeProgress: progress('VERIFYING', { percent: 50 }) });
  yield { mergeProgress: progress('DONE', { percent: 100 }) };
}

const never = () => new AbortController().signal;
const fileAt = (fullPath: string) => ({ hostId: 'local', fullPath, hashCode: 'fp1:x' });
/** Pauses are over in no time, and silence is never noticed. */
const hasty: Partial<Platform> = {
  wait: async (ms, signal) => {
    if (ms >= 10_000) await new Promise((_, reject) => signal.addEventListener('abort', reject));
    await new Promise(setImmediate);
    signal.throwIfAborted();
  },
};

function feedsWith(options: { readonly platform?: Partial<Platform>; readonly token?: TokenSource } = {}) {
  const platform = { ...nodePlatform({ webSocket: WebSocket }), ...options.platform };
  const transport = new Transport({ endpoint, token: options.token ?? (() => 'first'), personId: 'ann' }, platform);
  return { platform, feeds: new MergeFeeds(endpoint, transport, platform) };
}

interface Watching {
  readonly path?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: MergeProgress) => void;
}

function watch(
  feeds: MergeFeeds,
  { path = '/f', signal = never(), onProgress = () => undefined }: Watching = {},
): Promise<void> {
  return feeds.watch({ file: fileAt(path), signal, onProgress });
}

/** Resolves when the first state was heard; rejects when the watching ends before. */
async function heard(feeds: MergeFeeds, path: string, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    watch(feeds, { path, signal, onProgress: () => resolve() }).catch(reject);
  });
}

const closed = async (): Promise<void> => {
  for (const socket of sockets.clients) await new Promise((resolve) => socket.once('close', resolve));
};

describe('a feed', () => {
  it('follows a merge over a WebSocket to its end, with the identity in the connection', async () => {
    events = toTheEnd;
    const phases: string[] = [];
    await watch(feedsWith().feeds, { onProgress: ({ phase }) => phases.push(phase) });
    expect(phases).toEqual(['VERIFYING', 'DONE']);
    expect(params).toEqual([{ authorization: 'Bearer first', personId: 'ann' }]);
  });

  it('rejects when the socket is lost, with all others on it', async () => {
    const { feeds } = feedsWith();
    const ending = new AbortController();
    const watching = ['/a', '/b'].map((path) => watch(feeds, { path, signal: ending.signal }));
    const outcomes = Promise.allSettled(watching);
    await heard(feeds, '/c', ending.signal).catch(() => undefined);
    for (const socket of sockets.clients) socket.terminate();
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: expect.any(NetworkError) });
    ending.abort();
  });

  it('does not connect by itself again when the gateway closes in good order', async () => {
    const { feeds } = feedsWith();
    const watching = watch(feeds, {
      onProgress: () => {
        for (const socket of sockets.clients) socket.close(1000);
      },
    });
    await expect(watching).rejects.toBeInstanceOf(NetworkError);
    events = toTheEnd;
    await watch(feedsWith().feeds); // Another one's: the first would have come before it.
    expect(params).toHaveLength(2);
  });

  it('ends with the signal, and with the reason it gives', async () => {
    const ending = new AbortController();
    const watching = watch(feedsWith().feeds, { signal: ending.signal, onProgress: () => ending.abort(new Error('enough')) });
    await expect(watching).rejects.toThrow('enough');
  });

  it('shares its connection, which is closed when nobody watches any more', async () => {
    const { feeds } = feedsWith();
    const ending = new AbortController();
    await Promise.all(['/a', '/b', '/c'].map((path) => heard(feeds, path, ending.signal)));
    expect([params.length, sockets.clients.size, asked.length]).toEqual([1, 1, 3]);
    const gone = closed();
    ending.abort(new Error('enough'));
    await gone;
    events = toTheEnd;
    await watch(feeds); // Over another one.
    expect(params).toHaveLength(2);
  });

  it('has more than one connection where a gateway would refuse so many on one', async () => {
    const { feeds } = feedsWith();
    const ending = new AbortController();
    await Promise.all(Array.from({ length: 250 }, (_, i) => heard(feeds, `/${i}`, ending.signal)));
    expect([params.length, asked.length]).toEqual([3, 250]);
    ending.abort(new Error('enough'));
  });

  it('asks for another token when the connection is refused, and then connects anew', async () => {
    accepted = 'Bearer second';
    events = toTheEnd;
    const refusals: (string | undefined)[] = [];
    let current = 'first';
    const token: TokenSource = ({ refused }) => {
      refusals.push(refused);
      if (refused !== undefined) current = 'second';
      return current;
    };
    const { feeds } = feedsWith({ token });
    await expect(watch(feeds)).rejects.toMatchObject({ code: 'UNAUTHENTICATED', retryable: true });
    await watch(feeds);
    expect(refusals).toEqual([undefined, 'first', undefined]);
  });

  it('says so when there is no other token', async () => {
    accepted = 'Bearer second';
    await expect(watch(feedsWith().feeds)).rejects.toMatchObject({ code: 'UNAUTHENTICATED', retryable: false });
  });

  it('ends with its signal while another token is being asked for', async () => {
    accepted = 'Bearer second';
    const ending = new AbortController();
    const token: TokenSource = ({ refused }) => {
      if (refused === undefined) return 'first';
      setImmediate(() => ending.abort(new Error('enough')));
      return new Promise(() => undefined);
    };
    await expect(watch(feedsWith({ token }).feeds, { signal: ending.signal })).rejects.toThrow('enough');
  });

  it('gives a connection up that never answers', async () => {
    const { feeds } = feedsWith({ platform: { wait: () => new Promise(setImmediate) } });
    http.removeAllListeners('upgrade').on('upgrade', () => undefined);
    await expect(watch(feeds)).rejects.toMatchObject({ code: 'NOT_GRAPHQL' }); // By the stream, which was next.
  });
});

describe('server-sent events', () => {
  const event = (phase: string) => `event: next\ndata: ${JSON.stringify({ data: { mergeProgress: progress(phase) } })}\n\n`;
  const opened = (response: ServerResponse) => response.writeHead(200, { 'content-type': 'text/event-stream' });

  it('take over at once where no WebSocket can be had, until it is time to look again', async () => {
    let now = 0;
    const { feeds } = feedsWith({ platform: { ...hasty, now: () => now } });
    let streams = 0;
    stream = (response) => {
      streams += 1;
      opened(response).end(`${event('DONE')}event: complete\ndata:\n\n`);
    };
    const sabotage = (request: { socket: { destroy(): void } }) => request.socket.destroy();
    const upgrades = http.listeners('upgrade') as (() => void)[];
    http.removeAllListeners('upgrade').on('upgrade', sabotage);
    await watch(feeds);
    http.removeAllListeners('upgrade');
    for (const upgrade of upgrades) http.on('upgrade', upgrade);
    await watch(feeds);
    expect([streams, params.length]).toEqual([2, 0]);
    now = 60_000;
    events = toTheEnd;
    await watch(feeds);
    expect([streams, params.length]).toEqual([2, 1]);
  });

  it('take turns where only one stream may be open', async () => {
    const turns: (() => void)[] = [];
    const wait = () => new Promise<void>((resolve) => turns.push(resolve));
    const { feeds } = feedsWith({ platform: { wait, webSocket: undefined, eventStreams: 1 } });
    let open = 0;
    let most = 0;
    stream = (response) => {
      open += 1;
      most = Math.max(most, open);
      response.once('close', () => (open -= 1));
      opened(response).write(event('VERIFYING'));
    };
    const ending = new AbortController();
    const heardOf = new Set<string>();
    await new Promise<void>((resolve) => {
      for (const path of ['/a', '/b', '/c']) {
        const onProgress = () => {
          if (heardOf.add(path).size === 3) resolve();
          turns.shift()?.();
        };
        watch(feeds, { path, signal: ending.signal, onProgress }).catch(() => undefined);
      }
    });
    expect(most).toBe(1);
    ending.abort();
  });
});

describe('following an upload', () => {
  const followed = (rig: ReturnType<typeof feedsWith>, onProgress: (progress: MergeProgress) => void, signal = never()) =>
    follow(fileAt('/f'), { ...rig, contact: { hasAnswered: false }, policy: DEFAULT_RETRY_POLICY, onProgress, signal });

  it('goes on over connections that are lost, as often as that is, and knows the end', async () => {
    let lost = 0;
    events = () => (lost < 30 ? forever() : toTheEnd());
    const end = await followed(feedsWith({ platform: hasty }), (state) => {
      if (isTerminal(state) || lost >= 30) return;
      lost += 1;
      for (const socket of sockets.clients) socket.terminate();
    });
    expect([end.phase, asked.length]).toEqual(['DONE', 31]);
  });

  it('gives up when it hears nothing for as long as the policy allows', async () => {
    let now = 0;
    const wait: Platform['wait'] = async (ms, signal) => {
      await new Promise(setImmediate);
      signal.throwIfAborted();
      now += ms;
    };
    const rig = feedsWith({ platform: { webSocket: undefined, now: () => now, wait } });
    await expect(followed(rig, () => undefined)).rejects.toMatchObject({ code: 'GATEWAY_UNREACHABLE' });
    expect(now).toBeGreaterThan(500_000);
  });

  it('fails at once with what the gateway refuses', async () => {
    events = () => {
      throw new Error('no such upload');
    };
    await expect(followed(feedsWith(), () => undefined)).rejects.toMatchObject({ message: 'no such upload' });
  });
});
