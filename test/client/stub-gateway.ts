// A peer for the client's tests: the protocol of one upload over a real HTTP server, with its chunks in memory and a say in
// every answer. The real gateway is met in the end-to-end tests.

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import busboy from 'busboy';
import { WebSocketServer, type WebSocket } from 'ws';

export interface Call {
  readonly operation: string;
  readonly variables: Record<string, unknown>;
  readonly headers: IncomingMessage['headers'];
  /** The file of a multipart request. */
  readonly chunk: Buffer | undefined;
}

type Answer = Record<string, unknown>;
/** An answer in place of the usual one; `cut`: the connection is destroyed; `undefined`: as usual. */
type Interference = (call: Call, response: ServerResponse) => Answer | 'cut' | undefined;

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export function problem(typename: string, code: string, facts: Answer = {}): Answer {
  return { __typename: typename, code, message: `${code} for the test`, retryable: typename === 'TryAgainLater', ...facts };
}

export function progress(phase: string, facts: Answer = {}): Answer {
  const nothing = { bytesPerSecond: null, etaSeconds: null, strategy: 'IN_PLACE', digest: null, problem: null };
  return {
    phase,
    doneBytes: 0,
    totalBytes: 0,
    percent: 0,
    proved: false,
    updatedAt: '2026-01-01T00:00:00Z',
    ...nothing,
    ...facts,
  };
}

export class StubGateway {
  readonly stored = new Map<number, Buffer>();
  readonly calls: Call[] = [];
  chunkSize = 1024;
  size = 0;
  /** What is unfinished. */
  unfinished: readonly Answer[] = [];
  interfere: Interference = () => undefined;
  /** What an answer waits for. */
  hold: (call: Call) => Promise<void> | undefined = () => undefined;
  #whenCalled: (() => void)[] = [];
  /** Progress events of each merge. */
  mergeEvents: readonly Answer[] = [progress('VERIFYING', { percent: 50 }), progress('DONE', { percent: 100, proved: true })];
  readonly #server: Server = createServer((request, response) => void this.#serve(request, response));

  async listen(): Promise<string> {
    // Ends with its HTTP server.
    new WebSocketServer({ server: this.#server, path: '/graphql' }).on('connection', (socket) => {
      socket.on('message', (data: Buffer) => {
        this.#converse(socket, JSON.parse(data.toString()) as { id?: string; type: string });
      });
    });
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/graphql`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  of(operation: string): Call[] {
    return this.calls.filter((call) => call.operation === operation);
  }

  /** Resolves when there was such a call. */
  async asked(operation: string): Promise<void> {
    while (this.of(operation).length === 0) await new Promise<void>((resolve) => this.#whenCalled.push(resolve));
  }

  content(): Buffer {
    return Buffer.concat([...this.stored].sort(([a], [b]) => a - b).map(([, bytes]) => bytes));
  }

  /** As if an earlier run had brought these chunks of `content`. */
  keep(content: Buffer, ...indexes: readonly number[]): void {
    for (const index of indexes) this.stored.set(index, content.subarray((index - 1) * this.chunkSize, index * this.chunkSize));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let call: Call;
    try {
      call = await readCall(request);
    } catch {
      return; // The client went away: what some tests are about.
    }
    this.calls.push(call);
    for (const tell of this.#whenCalled.splice(0)) tell();
    await this.hold(call);
    const answer = this.interfere(call, response) ?? this.#usual(call);
    if (answer === 'cut') request.socket.destroy();
    else if (response.headersSent) return;
    else if (call.operation === 'MergeProgress') this.#stream(response);
    else
      response
        .setHeader('content-type', 'application/json')
        .end(JSON.stringify('errors' in answer ? answer : { data: { answer, uploads: answer } }));
  }

  #stream(response: ServerResponse): void {
    response.setHeader('content-type', 'text/event-stream');
    for (const event of this.mergeEvents)
      response.write(`event: next\ndata: ${JSON.stringify({ data: { mergeProgress: event } })}\n\n`);
    response.end('event: complete\ndata:\n\n');
  }

  /** graphql-transport-ws, as much as one subscription needs. */
  #converse(socket: WebSocket, { id, type }: { id?: string; type: string }): void {
    const send = (message: object) => {
      socket.send(JSON.stringify(message));
    };
    if (type === 'connection_init') send({ type: 'connection_ack' });
    if (type !== 'subscribe') return;
    for (const event of this.mergeEvents) send({ id, type: 'next', payload: { data: { mergeProgress: event } } });
    send({ id, type: 'complete' });
  }

  #counts() {
    return { chunkSize: this.chunkSize, chunkCount: Math.ceil(this.size / this.chunkSize) };
  }

  #usual({ operation, variables, chunk }: Call): Answer {
    const uploaded = { uploadedBytes: this.content().byteLength, uploadedCount: this.stored.size };
    switch (operation) {
      case 'UploadStatus':
        this.size = variables['size'] as number;
        return {
          __typename: this.stored.size > 0 ? 'UploadResumable' : 'UploadReady',
          claimedUntil: '',
          ...this.#counts(),
          ...uploaded,
        };
      case 'DirInfo': {
        const all = [...this.stored]
          .map(([index, bytes]) => ({ index, digest: sha256(bytes) }))
          .sort((a, b) => a.index - b.index);
        // Two to a page, whatever was asked for: a gateway may give fewer.
        const chunks = all.filter(({ index }) => index > (variables['after'] as number)).slice(0, 2);
        return { __typename: 'DirInfo', size: this.size, strategy: 'IN_PLACE', chunks, ...this.#counts(), ...uploaded };
      }
      case 'UploadChunk': {
        const index = variables['index'] as number;
        const digest = sha256(chunk ?? Buffer.alloc(0));
        if (digest !== variables['digest']) {
          return problem('DigestMismatch', 'DIGEST_MISMATCH', {
            index,
            expected: variables['digest'],
            actual: digest,
            retryable: true,
          });
        }
        const alreadyStored = this.stored.has(index);
        this.stored.set(index, chunk ?? Buffer.alloc(0));
        return { __typename: 'ChunkStored', index, digest, alreadyStored, ...uploaded };
      }
      case 'MergeFile':
        return { __typename: 'MergeStarted', progress: progress('QUEUED') };
      case 'Uploads':
        return { items: this.unfinished, nextAfter: null, problems: [] };
      case 'AbortUpload':
        this.stored.clear();
        return { __typename: 'UploadAborted', abortedAt: '' };
      default:
        return {};
    }
  }
}

async function readCall(request: IncomingMessage): Promise<Call> {
  const isMultipart = request.headers['content-type']?.startsWith('multipart/') === true;
  const { body, chunk } = isMultipart ? await readMultipart(request) : { body: await readAll(request), chunk: undefined };
  const { query, variables } = JSON.parse(body.toString()) as { query: string; variables: Record<string, unknown> };
  const operation = /^\w+ (\w+)/.exec(query)?.[1] ?? '';
  return { operation, variables, headers: request.headers, chunk };
}

async function readMultipart(request: IncomingMessage): Promise<{ body: Buffer; chunk: Buffer | undefined }> {
  const parser = busboy({ headers: request.headers });
  const fields = new Map<string, string>();
  let chunk: Promise<Buffer> | undefined;
  parser.on('field', (name, value) => fields.set(name, value));
  parser.on('file', (name, file) => {
    const map = JSON.parse(fields.get('map') ?? '{}') as Record<string, string[]>;
    if (map[name]?.[0] !== 'variables.chunk') throw new Error('the map names no variable');
    chunk = readAll(file);
    chunk.catch(() => undefined);
  });
  await new Promise((resolve, reject) => {
    request.once('close', () => {
      if (!request.complete) reject(new Error('cut'));
    });
    parser.once('close', resolve).once('error', reject);
    request.pipe(parser);
  });
  return { body: Buffer.from(fields.get('operations') ?? ''), chunk: await chunk };
}

async function readAll(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}
