import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { multipartBody } from '../../src/client/multipart.js';
import {
  nodePlatform,
  NetworkError,
  type NodePlatformOptions,
  type Platform,
  type TransportOptions,
} from '../../src/client/index.js';
import { Transport } from '../../src/client/transport.js';
import { bytes } from './sources.js';

let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => server?.close(resolve) ?? resolve(undefined));
});

async function transport(
  listener: RequestListener,
  { maxBytesPerSecond, ...options }: Partial<TransportOptions> & NodePlatformOptions = {},
): Promise<Transport> {
  // Without time limits of its own: what ends a connection here is the client.
  const listening = (server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, listener));
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(listening.address() as AddressInfo).port}/graphql`;
  return new Transport({ endpoint, ...options }, nodePlatform({ maxBytesPerSecond }));
}

async function readAll(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

async function* inPieces(content: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.byteLength; at += size) yield await Promise.resolve(content.subarray(at, at + size));
}

const never = () => new AbortController().signal;
const fileOf = (content: Buffer) => ({ length: content.byteLength, pieces: () => inPieces(content, 1_000) });
const upload = (client: Transport, content: Buffer, onFileBytes = (_: number): void => undefined, signal = never()) =>
  client.upload('mutation M { x }', { a: 'é' }, { fileVariable: 'chunk', file: fileOf(content), onFileBytes, signal });

describe('a multipart body', () => {
  it('announces exactly the bytes it has, and puts the file last', async () => {
    const file = bytes(12_345);
    const variables = { path: '/日本/"x"' };
    const body = multipartBody({ query: 'q', variables, fileVariable: 'chunk', file: fileOf(file), boundary: 'b' });
    // As long as may be.
    const boundary = 'b'.padStart(70, '-');
    expect(body.contentType).toBe(`multipart/form-data; boundary=${boundary}`);
    const all = await readAll(body.pieces());
    expect(all.byteLength).toBe(body.lengthBytes);
    expect(all.subarray(body.prefixBytes, body.prefixBytes + file.byteLength).equals(file)).toBe(true);
    const operations = JSON.stringify({ query: 'q', variables: { path: '/日本/"x"', chunk: null } });
    expect(all.subarray(0, body.prefixBytes).toString()).toBe(
      `--${boundary}\r\nContent-Disposition: form-data; name="operations"\r\n\r\n${operations}\r\n` +
        `--${boundary}\r\nContent-Disposition: form-data; name="map"\r\n\r\n{"0":["variables.chunk"]}\r\n` +
        `--${boundary}\r\nContent-Disposition: form-data; name="0"; filename="chunk"\r\nContent-Type: application/octet-stream\r\n\r\n`,
    );
    expect(all.subarray(body.prefixBytes + file.byteLength).toString()).toBe(`\r\n--${boundary}--\r\n`);
  });
});

describe('a request', () => {
  it('carries the preflight header, the renewed token and the person', async () => {
    const seen: IncomingMessage['headers'][] = [];
    let token = 0;
    const client = await transport(
      (request, response) => {
        seen.push(request.headers);
        response.end('{"data":{"ok":true}}');
      },
      { token: () => `t${(token += 1)}`, personId: 'ann' },
    );
    await client.request('{ ok }', {}, never());
    await client.request('{ ok }', {}, never());
    expect(seen[0]).toMatchObject({ 'apollo-require-preflight': '1', authorization: 'Bearer t1', 'x-person-id': 'ann' });
    expect(seen[1]?.authorization).toBe('Bearer t2');
  });

  it('keeps its connection for the next one, also after a file', async () => {
    const ports = new Set<number | undefined>();
    const client = await transport((request, response) => {
      ports.add(request.socket.remotePort);
      request.resume().once('end', () => response.end('{"data":{"ok":true}}'));
    });
    for (let i = 0; i < 3; i += 1) await upload(client, bytes(100_000));
    expect(ports.size).toBe(1);
  });

  it('sends a file byte by byte, and counts only its own bytes', async () => {
    const content = bytes(300_001);
    let received = Buffer.alloc(0);
    let length = '';
    const client = await transport((request, response) => {
      length = request.headers['content-length'] ?? '';
      void readAll(request).then((all) => {
        received = Buffer.from(all);
        response.end('{"data":{"ok":true}}');
      });
    });
    let counted = 0;
    await upload(client, content, (sent) => (counted += sent));
    expect(received.byteLength).toBe(Number(length));
    expect(received.includes(content)).toBe(true);
    expect(counted).toBe(content.byteLength);
  });

  it('does not count what comes before the file as bytes of the file', async () => {
    const counts: number[] = [];
    let counted = 0;
    const send: Platform['send'] = async ({ body, onBytesSent }) => {
      for await (const piece of body.pieces()) {
        onBytesSent?.(piece.byteLength);
        counts.push(counted);
      }
      return { status: 200, retryAfter: undefined, text: '{"data":{"ok":true}}' };
    };
    const client = new Transport({ endpoint: 'http://127.0.0.1/graphql' }, { ...nodePlatform(), send });
    await upload(client, bytes(2_500), (sent) => (counted += sent));
    expect(counts).toEqual([0, 1_000, 2_000, 2_500, 2_500]);
  });

  it('reads an answer that comes before the body is sent, then stops sending and gives the connection up', async () => {
    const sockets: Socket[] = [];
    const client = await transport((request, response) => {
      sockets.push(request.socket);
      // Without reading the body: it backs up until nothing more can be written.
      response.end('{"data":{"early":true}}');
    });
    const piece = Buffer.alloc(65_536);
    const endless = {
      length: 2 ** 40,
      async *pieces() {
        for (let i = 0; i < 5_000; i += 1) yield await Promise.resolve(piece);
        throw new Error('nobody stopped it');
      },
    };
    const file = { fileVariable: 'c', file: endless, onFileBytes: () => undefined, signal: never() };
    expect(await client.upload('mutation M { x }', {}, file)).toEqual({ early: true });
    const [socket] = sockets;
    // Not `events.once`: to the server the cut body is also a parse error.
    if (socket?.closed === false) await new Promise((resolve) => socket.once('close', resolve));
    expect(socket?.closed).toBe(true);
  });

  it('takes from the source only what the network takes', async () => {
    const client = await transport(() => undefined, { idleTimeoutMs: 50 }); // Nobody reads, so that it ends by its silence.
    const piece = Buffer.alloc(1024 * 1024);
    let opened = 0;
    let flushed = 0;
    const endless = {
      length: 2 ** 40,
      async *pieces() {
        // The kernel's buffers take some; far beyond them means that nobody waited.
        for (; opened < 500; opened += 1) yield await Promise.resolve(piece);
        throw new Error('ran ahead of the network');
      },
    };
    const onFileBytes = (sent: number) => (flushed += sent);
    const sending = client.upload('mutation M { x }', {}, { fileVariable: 'c', file: endless, onFileBytes, signal: never() });
    await expect(sending).rejects.toThrow('no byte in either direction');
    expect(opened - flushed / piece.byteLength).toBeLessThanOrEqual(3);
  });

  it('fails as a network error when the connection is cut, refused or silent', async () => {
    const cutting = await transport((request) => request.socket.destroy());
    await expect(upload(cutting, bytes(10))).rejects.toBeInstanceOf(NetworkError);
    const silent = await transport(() => undefined, { idleTimeoutMs: 20 });
    await expect(silent.request('{ ok }', {}, never())).rejects.toThrow('no byte in either direction for 0.02 s');
  });

  it('ends with the signal, and with the reason it gives', async () => {
    const ending = new AbortController();
    const client = await transport(() => {
      ending.abort(new Error('enough'));
    });
    await expect(client.request('{ ok }', {}, ending.signal)).rejects.toThrow('enough');
  });

  it.each([
    ['is not there yet', undefined],
    ['was refused and is being renewed', 'stale'],
  ])('ends with the signal while its token %s', async (_when, stale) => {
    const unauthenticated = { errors: [{ message: 'who?', extensions: { code: 'UNAUTHENTICATED' } }] };
    const ending = new AbortController();
    const client = await transport((_request, response) => response.end(JSON.stringify(unauthenticated)), {
      token: ({ refused }) => {
        if (refused === undefined && stale !== undefined) return stale;
        setImmediate(() => ending.abort(new Error('enough')));
        return new Promise(() => undefined);
      },
    });
    await expect(client.request('{ ok }', {}, ending.signal)).rejects.toThrow('enough');
  });

  it('fails with what the source throws, not with the connection it had to cut', async () => {
    const client = await transport((request) => request.resume());
    const broken = {
      length: 1_000,
      async *pieces() {
        yield await Promise.resolve(bytes(10));
        throw new Error('the disk is gone');
      },
    };
    const sending = client.upload(
      'mutation M { x }',
      {},
      { fileVariable: 'c', file: broken, onFileBytes: () => undefined, signal: never() },
    );
    await expect(sending).rejects.toThrow('the disk is gone');
  });

  it("tells a proxy's page from an answer, and when to come back", async () => {
    const client = await transport((_request, response) => {
      response.writeHead(503, { 'retry-after': '7' }).end('<h1>later</h1>');
    });
    const failure = { code: 'NOT_GRAPHQL', retryable: true, retryAfterMs: 7_000 };
    await expect(client.request('{ ok }', {}, never())).rejects.toMatchObject(failure);
  });
});

describe('a limit on bytes per second', () => {
  /** Tells when each piece of any body has come, in ms since the first. */
  function recorder() {
    const arrivals: { readonly atMs: number; readonly bytes: number }[] = [];
    const listener: RequestListener = (request, response) => {
      request.on('data', (piece: Buffer) => arrivals.push({ atMs: performance.now(), bytes: piece.byteLength }));
      request.once('end', () => response.end('{"data":{"ok":true}}'));
    };
    return { arrivals, listener };
  }

  it('holds for all requests together, without bursts, and none looks idle', async () => {
    const { arrivals, listener } = recorder();
    const rate = 200_000;
    const client = await transport(listener, { maxBytesPerSecond: rate, idleTimeoutMs: 700 });
    const began = performance.now();
    await Promise.all([1, 2, 3, 4].map(() => upload(client, bytes(100_000))));
    const seconds = (performance.now() - began) / 1_000;
    const sent = arrivals.reduce((sum, { bytes: piece }) => sum + piece, 0);
    expect(sent / seconds / rate).toBeGreaterThan(0.9); // A busy machine may be late.
    expect(sent / seconds / rate).toBeLessThan(1.05);
    for (const { atMs } of arrivals) {
      const second = arrivals.filter((other) => other.atMs >= atMs && other.atMs < atMs + 1_000);
      expect(second.reduce((sum, { bytes: piece }) => sum + piece, 0)).toBeLessThan(1.25 * rate);
    }
  });

  it('keeps nobody who has ended', async () => {
    const ending = new AbortController();
    const client = await transport(() => undefined, { maxBytesPerSecond: 10 });
    const sending = upload(client, bytes(1_000), undefined, ending.signal);
    ending.abort(new Error('enough'));
    await expect(sending).rejects.toThrow('enough');
  });

  it('is refused when nothing could ever leave', () => {
    expect(() => nodePlatform({ maxBytesPerSecond: 0 })).toThrow(RangeError);
  });
});

describe('a stream of events', () => {
  it('gives each result, however the text is cut, and knows an end from a cut', async () => {
    const text = `event: next\ndata: {"data":{"n":1}}\n\n:\n\nevent: next\ndata: {"data":{"n":"é"}}\n\n`;
    let end = 'event: complete\ndata:\n\n';
    const client = await transport((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (const byte of Buffer.from(text + end)) response.write(Buffer.of(byte));
      response.end();
    });
    const seen: unknown[] = [];
    await client.stream('subscription S { n }', {}, (data) => seen.push(data), never());
    expect(seen).toEqual([{ n: 1 }, { n: 'é' }]);
    end = '';
    await expect(client.stream('subscription S { n }', {}, () => undefined, never())).rejects.toBeInstanceOf(NetworkError);
  });
});
