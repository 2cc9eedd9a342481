// Answers to what never became a request: broken HTTP, headers that don't come, upgrades that are refused. Over the bare socket, with the
// same headers and in the same form as all others, and the connection is closed.
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { securityHeaders } from '../responses.js';

export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What Node's parser found wrong (https://nodejs.org/docs/latest-v20.x/api/errors.html#http-parser-errors). */
export function refusalOf({ code }: NodeJS.ErrnoException): Refusal {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return { status: 431, code: 'HEADERS_TOO_LARGE', message: 'The headers are too large.' };
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return { status: 413, code: 'PAYLOAD_TOO_LARGE', message: 'The chunk extensions are too large.' };
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: 408, code: 'REQUEST_TIMEOUT', message: 'The headers did not come in time.' };
    default:
      return { status: 400, code: 'BAD_REQUEST', message: 'This is not HTTP as it should be.' };
  }
}

interface RefusalOptions {
  readonly requestId: string;
  readonly isSecure: boolean;
}

/** Answers and closes. Nothing more is read, and a client that doesn't take the answer is not waited for. */
export function refuseSocket(socket: Duplex, { status, code, message, headers }: Refusal, options: RefusalOptions): void {
  const body = JSON.stringify({ errors: [{ message, extensions: { code } }] });
  const all = {
    ...securityHeaders(options),
    ...headers,
    'x-request-id': options.requestId,
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.once('finish', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`);
  const cut = setTimeout(() => socket.destroy(), CLOSE_MAX_MS);
  socket.once('close', () => clearTimeout(cut));
}

const CLOSE_MAX_MS = 5_000;
