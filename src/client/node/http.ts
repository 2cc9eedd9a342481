// HTTP for Node. `fetch` neither tells how many bytes have left nor lets an answer be read that comes before the body's end;
// `node:http` does both, and its agent keeps the connections of parallel chunks alive.

import * as http from 'node:http';
import * as https from 'node:https';
import { describeError, NetworkError } from '../errors.js';
import type { HttpRequest, HttpResponse } from '../platform.js';
import type { Throttle } from './throttle.js';

/** A `Platform['send']` with connections of its own; they don't keep the process alive while idle. Bodies leave as `throttle` lets them. */
export function createSend(throttle?: Throttle): (request: HttpRequest) => Promise<HttpResponse> {
  // Without a limit on sockets: there are as many as parallel requests, which is bounded elsewhere.
  const agents = { plain: new http.Agent({ keepAlive: true }), tls: new https.Agent({ keepAlive: true }) };
  return async (request) => {
    request.signal.throwIfAborted();
    const url = new URL(request.url);
    const options: http.RequestOptions = {
      method: 'POST',
      headers: { ...request.headers, 'content-length': request.body.lengthBytes },
      timeout: request.idleTimeoutMs,
    };
    const outgoing =
      url.protocol === 'https:'
        ? https.request(url, { ...options, agent: agents.tls })
        : http.request(url, { ...options, agent: agents.plain });
    return await exchange(outgoing, request, throttle);
  };
}

async function exchange(
  outgoing: http.ClientRequest,
  request: HttpRequest,
  throttle: Throttle | undefined,
): Promise<HttpResponse> {
  const { body, idleTimeoutMs, signal, onBytesSent, onText } = request;
  const cut = () => outgoing.destroy();
  signal.addEventListener('abort', cut, { once: true });
  outgoing.once('timeout', () => outgoing.destroy(new Error(`no byte in either direction for ${idleTimeoutMs / 1_000} s`)));

  const answered = new Promise<http.IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve);
    // Not `once`: an error may also follow the response, when what we still send meets a closed connection.
    outgoing.on('error', reject);
    outgoing.once('close', () => reject(new Error('the connection was closed before an answer')));
  });
  const state: { bodySent: boolean; bodyFailure?: { readonly error: unknown } } = { bodySent: false };
  const pieces = throttle === undefined ? body.pieces() : throttle.slow(body.pieces(), answered);
  const pumping = pump(outgoing, { pieces, answered, onBytesSent }).then(
    (sent) => void (state.bodySent = sent),
    (error: unknown) => {
      state.bodyFailure = { error };
      cut();
    },
  );

  try {
    const incoming = await answered;
    const text = await readText(incoming, onText);
    return { status: incoming.statusCode ?? 0, retryAfter: incoming.headers['retry-after'], text };
  } catch (error) {
    signal.throwIfAborted();
    if (state.bodyFailure !== undefined) throw state.bodyFailure.error;
    throw new NetworkError(describeError(error), error);
  } finally {
    signal.removeEventListener('abort', cut);
    // A connection on which the rest of a body is still owed can't be used again.
    if (!state.bodySent) cut();
    await pumping;
  }
}

interface Pumping {
  readonly pieces: AsyncIterable<Uint8Array>;
  readonly answered: Promise<unknown>;
  readonly onBytesSent: HttpRequest['onBytesSent'];
}

/**
 * Writes the body as fast as the network takes it, with two pieces at most on their way to the kernel. Resolves with whether
 * all of it was handed over; ends early when the answer has come or the connection has gone.
 */
async function pump(outgoing: http.ClientRequest, { pieces, answered, onBytesSent }: Pumping): Promise<boolean> {
  const state = { ended: false };
  const end = () => void (state.ended = true);
  const ending = answered.then(end, end);
  let previous: Promise<void> | undefined;
  for await (const piece of pieces) {
    if (state.ended) return false;
    const flushed = new Promise<void>((resolve) => {
      outgoing.write(piece, (error) => {
        if (error === null || error === undefined) onBytesSent?.(piece.byteLength);
        resolve();
      });
    });
    // A write whose connection died before it was made never calls back: hence `ending`.
    await Promise.race([previous, ending]);
    previous = flushed;
  }
  if (state.ended) return false;
  outgoing.end();
  return true;
}

async function readText(incoming: http.IncomingMessage, onText: ((text: string) => void) | undefined): Promise<string> {
  let text = '';
  // Only a good answer is streamed; the text of an error is wanted whole.
  const listener = incoming.statusCode === 200 ? onText : undefined;
  incoming.setEncoding('utf8');
  for await (const part of incoming as AsyncIterable<string>) {
    if (listener === undefined) text += part;
    else listener(part);
  }
  return text;
}
