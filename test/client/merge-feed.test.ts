import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildSchema } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import WebSocket, { WebSocketServer } from 'ws';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { nodePlatform, NetworkError, type MergeProgress } from '../../src/client/index.js';
import { watchByWebSocket } from '../../src/client/merge-feed.js';
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
let endpoint: string;
let params: unknown;
let events: () => AsyncGenerator;
let sockets: WebSocketServer;

beforeEach(async () => {
  http = createServer();
  sockets = new WebSocketServer({ server: http, path: '/graphql' });
  useServer(
    {
      schema: SCHEMA,
      roots: { subscription: { mergeProgress: () => events() } },
      onConnect: ({ connectionParams }) => {
        params = connectionParams;
      },
    },
    sockets,
  );
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(http.address() as AddressInfo).port}/graphql`;
});
afterEach(async () => {
  for (const socket of sockets.clients) socket.terminate();
  await new Promise((resolve) => http.close(resolve));
});

function watch(onProgress: (progress: MergeProgress) => void, signal = new AbortController().signal): Promise<void> {
  const platform = nodePlatform({ webSocket: WebSocket });
  const transport = new Transport({ endpoint, token: () => 'secret', personId: 'ann' }, platform);
  const file = { hostId: 'local', fullPath: '/f', hashCode: 'fp1:x' };
  return watchByWebSocket({ endpoint, transport, platform, file, signal, onProgress });
}

it('follows a merge over a WebSocket to its end, with the identity in the connection', async () => {
  events = async function* () {
    yield await Promise.resolve({ mergeProgress: progress('VERIFYING', { percent: 50 }) });
    yield { mergeProgress: progress('DONE', { percent: 100 }) };
  };
  const phases: string[] = [];
  await watch(({ phase }) => phases.push(phase));
  expect(phases).toEqual(['VERIFYING', 'DONE']);
  expect(params).toEqual({ authorization: 'Bearer secret', personId: 'ann' });
});

it('rejects when the socket is lost', async () => {
  events = async function* () {
    yield await Promise.resolve({ mergeProgress: progress('VERIFYING') });
    await new Promise(() => undefined);
  };
  const watching = watch(() => {
    for (const socket of sockets.clients) socket.terminate();
  });
  await expect(watching).rejects.toBeInstanceOf(NetworkError);
});

it('ends with the signal', async () => {
  events = async function* () {
    yield await Promise.resolve({ mergeProgress: progress('VERIFYING') });
    await new Promise(() => undefined);
  };
  const ending = new AbortController();
  const watching = watch(() => {
    ending.abort(new Error('enough'));
  }, ending.signal);
  await expect(watching).rejects.toThrow('enough');
});
