// A Longshore by hand, a server of it on port 0, and clients that speak HTTP as plainly as the tests need.
import { request } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { onTestFinished } from 'vitest';
import type { Caller, Longshore } from '../../src/core/answers.js';
import type { Audit, AuditEvent, Log, LogFields } from '../../src/core/ports.js';
import { refused } from '../../src/core/problems.js';
import type { RunningServer, ServerOptions } from '../../src/http/server.js';
import { startServer } from '../../src/http/server.js';

export const PREFLIGHT = { 'x-graphql-yoga-csrf': '1' };
export const FILE = { hostId: 'local', fullPath: '/film.mov', hashCode: 'a-film' };
export const UPLOAD =
  'mutation($file: FileRef!, $index: Int!, $chunk: Upload!) { uploadChunk(file: $file, index: $index, chunk: $chunk) { __typename ... on ChunkStored { digest uploadedBytes } ... on Problem { code message } } }';

const nothing = refused('UPLOAD_UNKNOWN', 'not in this test');

/** Answers `Refused` to everything but what the test says. */
export function longshoreWith(own: Partial<Longshore> = {}): Longshore {
  return {
    hosts: async () => [],
    uploadStatus: async () => nothing,
    dirInfo: async () => nothing,
    uploads: async () => ({ items: [], problems: [] }),
    uploadChunk: async () => nothing,
    mergeFile: async () => nothing,
    abortUpload: async () => nothing,
    mergeProgress: () => {
      throw new Error('not in this test');
    },
    ...own,
  };
}

/** Counts the bytes of a chunk as they come. */
export const countingLongshore = longshoreWith({
  uploadChunk: async (_caller, { index, pieces }) => {
    let uploadedBytes = 0;
    for await (const piece of pieces) uploadedBytes += piece.length;
    return { kind: 'ChunkStored', index, digest: '', alreadyStored: false, uploadedBytes, uploadedCount: 1 };
  },
});

export interface LogLine {
  readonly level: keyof Log;
  readonly fields: LogFields;
  readonly event: string;
}

export function memoryLog(): Log & { readonly lines: readonly LogLine[] } {
  const lines: LogLine[] = [];
  const at = (level: keyof Log) => (fields: LogFields, event: string) => void lines.push({ level, fields, event });
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** Keeps what it is told. */
export function memoryAudit(): Audit & { readonly events: readonly AuditEvent[] } {
  const events: AuditEvent[] = [];
  return { events, record: (event) => void events.push(event) };
}

type TestServerOptions = Partial<Omit<ServerOptions, 'longshore' | 'limits'>> & { limits?: Partial<ServerOptions['limits']> };

/** Listens on a free port until the test is over. */
export async function serve(longshore: Longshore, { limits, ...options }: TestServerOptions = {}): Promise<RunningServer> {
  const server = await startServer({
    longshore,
    log: memoryLog(),
    address: '127.0.0.1',
    port: 0,
    limits: { maxChunkBytes: 1024 * 1024, ...limits },
    ...options,
  });
  onTestFinished(() => server.close(0));
  return server;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: GraphQLAnswer;
}

export interface GraphQLAnswer {
  readonly data?: Record<string, Record<string, unknown>> | null;
  readonly errors?: readonly { readonly message: string; readonly extensions?: Record<string, unknown> }[];
}

interface Asking {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
}

export function ask(
  server: RunningServer,
  { path = '/graphql', method = 'POST', headers = {}, body }: Asking,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const req = request(
      `${server.url}${path}`,
      { method, headers, agent: false },
      (res) => void readAnswer(res).then(resolve, reject),
    );
    req.on('error', reject);
    req.end(body);
  });
}

/** A JSON POST, the way most clients speak. */
export function query(
  server: RunningServer,
  text: string,
  variables?: object,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const body = JSON.stringify({ query: text, variables });
  return ask(server, { headers: { 'content-type': 'application/json', ...headers }, body });
}

export async function readAnswer(res: IncomingMessage): Promise<Answer> {
  const pieces: Buffer[] = [];
  for await (const piece of res) pieces.push(piece as Buffer);
  const text = Buffer.concat(pieces).toString();
  const isJson = res.headers['content-type']?.includes('json') === true;
  return { status: res.statusCode ?? 0, headers: res.headers, text, json: isJson ? (JSON.parse(text) as GraphQLAnswer) : {} };
}

export function codeOf({ json }: Answer): unknown {
  return json.errors?.[0]?.extensions?.['code'];
}

export const BOUNDARY = 'longshore-test';
export const MULTIPART_TYPE = `multipart/form-data; boundary=${BOUNDARY}`;

export interface Part {
  readonly name: string;
  readonly value: string | Buffer;
  readonly isFile?: boolean;
}

export const operations = (extra: object = {}): Part => ({
  name: 'operations',
  value: JSON.stringify({ query: UPLOAD, variables: { file: FILE, index: 1, chunk: null }, ...extra }),
});
export const map = (value: unknown = { 0: ['variables.chunk'] }): Part => ({ name: 'map', value: JSON.stringify(value) });
export const file = (value: string | Buffer, name = '0'): Part => ({ name, value, isFile: true });

/** The parts as a body, closed by the last boundary. */
export function multipart(...parts: readonly Part[]): Buffer {
  const encoded = parts.flatMap(({ name, value, isFile }) => [
    `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${name}"${isFile ? '; filename="blob"' : ''}\r\n`,
    `${isFile ? 'content-type: application/octet-stream\r\n' : ''}\r\n`,
    value,
    '\r\n',
  ]);
  return Buffer.concat([...encoded, `--${BOUNDARY}--\r\n`].map((piece) => Buffer.from(piece)));
}

export function sendMultipart(server: RunningServer, ...parts: readonly Part[]): Promise<Answer> {
  return ask(server, { headers: { 'content-type': MULTIPART_TYPE, ...PREFLIGHT }, body: multipart(...parts) });
}

/** Head of a multipart request as it goes over the wire. */
export function rawHead(server: RunningServer, lengthBytes: number, headers: Record<string, string> = {}): string {
  const all = {
    host: `127.0.0.1:${server.port}`,
    'content-type': MULTIPART_TYPE,
    'content-length': lengthBytes,
    ...PREFLIGHT,
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST /graphql HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** Sends bytes over a socket of its own and resolves with all that came back when the server closed or answered in full. */
export function exchange(server: RunningServer, ...pieces: readonly (string | Buffer)[]): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(server.port, '127.0.0.1');
    let received = '';
    socket.on('data', (piece) => {
      received += piece.toString('latin1');
      if (isWholeResponse(received)) socket.destroy();
    });
    socket.on('error', () => {
      // The server may reset the connection: what came until then counts.
    });
    socket.on('close', () => resolve(received));
    for (const piece of pieces) socket.write(piece);
  });
}

function isWholeResponse(received: string): boolean {
  const end = received.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const [, length] = /content-length: (\d+)/i.exec(received.slice(0, end)) ?? [];
  if (length !== undefined) return received.length >= end + 4 + Number(length);
  return received.endsWith('0\r\n\r\n');
}

export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

export function deferred<T = void>(): Deferred<T> {
  let settle: Pick<Deferred<T>, 'resolve' | 'reject'> | undefined;
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject };
  });
  if (settle === undefined) throw new Error('a promise runs its executor at once');
  return { promise, ...settle };
}

export const ANYONE: Caller = { person: 'anonymous', groups: [] };
