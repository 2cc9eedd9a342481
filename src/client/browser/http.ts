// HTTP for browsers. `fetch` tells nothing of how much of a body has left, and over HTTP/1.1 can't stream one; XMLHttpRequest tells, and
// reads a Blob from the disk as the network takes it.

import { NetworkError } from '../errors.js';
import type { HttpBody, HttpRequest, HttpResponse } from '../platform.js';

/** See `Platform.send`. A body that isn't a Blob is gathered in memory first. */
export async function send(request: HttpRequest): Promise<HttpResponse> {
  request.signal.throwIfAborted();
  const content = request.body.blob?.() ?? (await gather(request.body));
  request.signal.throwIfAborted();
  return await exchange(request, content);
}

async function gather(body: HttpBody): Promise<Blob> {
  const pieces: BlobPart[] = [];
  for await (const piece of body.pieces()) pieces.push(piece as Uint8Array<ArrayBuffer>);
  return new Blob(pieces);
}

async function exchange({ url, headers, idleTimeoutMs, signal, ...on }: HttpRequest, content: Blob): Promise<HttpResponse> {
  const xhr = new XMLHttpRequest();
  const cut = () => xhr.abort();
  const silence = new Silence(idleTimeoutMs, cut);
  let told = 0;
  let sent = 0;
  try {
    return await new Promise<HttpResponse>((resolve, reject) => {
      const fail = (message: string) => reject(signal.aborted ? (signal.reason as Error) : new NetworkError(message));
      xhr.upload.onprogress = ({ loaded }) => {
        silence.broken();
        // A browser may begin a request anew on another connection; its bytes then are the same ones.
        if (loaded <= sent) return;
        on.onBytesSent?.(loaded - sent);
        sent = loaded;
      };
      xhr.onprogress = () => {
        silence.broken();
        if (xhr.status === 200) told += tell(xhr.responseText.slice(told), on.onText);
      };
      xhr.onload = () => {
        if (xhr.status === 200) told += tell(xhr.responseText.slice(told), on.onText);
        resolve({
          status: xhr.status,
          retryAfter: xhr.getResponseHeader('retry-after') ?? undefined,
          text: xhr.responseText.slice(told),
        });
      };
      xhr.onerror = () => fail('the gateway could not be reached, or the connection was lost');
      xhr.onabort = () => fail(`no byte in either direction for ${idleTimeoutMs / 1_000} s`);
      signal.addEventListener('abort', cut);
      xhr.open('POST', url);
      for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
      silence.broken();
      xhr.send(content);
    });
  } finally {
    silence.end();
    signal.removeEventListener('abort', cut);
  }
}

/** How much of the answer was passed on as it came. */
function tell(text: string, onText: ((text: string) => void) | undefined): number {
  if (onText === undefined || text === '') return 0;
  onText(text);
  return text.length;
}

/** Bites after `ms` without a sign of life. */
class Silence {
  readonly #ms: number;
  readonly #bite: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ms: number, bite: () => void) {
    this.#ms = ms;
    this.#bite = bite;
  }

  broken(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#bite, this.#ms);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
