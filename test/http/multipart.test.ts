import { connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Longshore, UploadChunkInput } from '../../src/core/answers.js';
import { InputError, refused } from '../../src/core/problems.js';
import type { Part } from './support.js';
import {
  BOUNDARY,
  PREFLIGHT,
  ask,
  codeOf,
  countingLongshore,
  deferred,
  exchange,
  file,
  longshoreWith,
  map,
  memoryLog,
  multipart,
  operations,
  query,
  rawHead,
  sendMultipart,
  serve,
} from './support.js';

const MAX = 64 * 1024;
const fields = (): Buffer => {
  const body = multipart(operations(), map(), file(''));
  return body.subarray(0, body.indexOf(`\r\n--${BOUNDARY}--`));
};
const END = `\r\n--${BOUNDARY}--\r\n`;

/** Shows the test what core is given, and how reading it ends. */
function observed(read: (input: UploadChunkInput) => Promise<unknown>): { longshore: Longshore; outcome: Promise<unknown> } {
  const { promise: outcome, resolve } = deferred<unknown>();
  const longshore = longshoreWith({
    uploadChunk: async (_caller, input) => {
      try {
        resolve(await read(input));
      } catch (error) {
        resolve(error);
        throw error;
      }
      return refused('ABORTED', 'enough seen');
    },
  });
  return { longshore, outcome };
}

async function lengthOf(pieces: AsyncIterable<Uint8Array>): Promise<number> {
  let lengthBytes = 0;
  for await (const piece of pieces) lengthBytes += piece.length;
  return lengthBytes;
}

describe('a chunk', () => {
  it('reaches the resolver while its bytes still arrive', async () => {
    const first = deferred<string>();
    const { longshore, outcome } = observed(async ({ pieces }) => {
      let text = '';
      for await (const piece of pieces) first.resolve((text += Buffer.from(piece).toString()));
      return text;
    });
    const server = await serve(longshore);
    const socket = connect(server.port, '127.0.0.1');
    socket.write(rawHead(server, fields().length + 4 + END.length));
    socket.write(Buffer.concat([fields(), Buffer.from('ab')]));
    expect(await first.promise).toBe('ab');
    socket.write(`cd${END}`);
    expect(await outcome).toBe('abcd');
    socket.destroy();
  });

  it.each([0, 1, MAX - 1, MAX])('of %d bytes arrives whole', async (lengthBytes) => {
    const server = await serve(countingLongshore, { limits: { maxChunkBytes: MAX } });
    const answer = await sendMultipart(server, operations(), map(), file(Buffer.alloc(lengthBytes, '\r\n-')));
    expect(answer.json.data?.['uploadChunk']).toMatchObject({ uploadedBytes: lengthBytes });
  });

  it.each([1, MAX, 3 * MAX])('over the limit by %d bytes errors, and never seems to end', async (surplus) => {
    const { longshore, outcome } = observed(({ pieces }) => lengthOf(pieces));
    const server = await serve(longshore, { limits: { maxChunkBytes: MAX } });
    const answer = await sendMultipart(server, operations(), map(), file(Buffer.alloc(MAX + surplus)));
    expect(await outcome).toMatchObject({ extensions: { code: 'PAYLOAD_TOO_LARGE' } });
    expect([answer.status, codeOf(answer)]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
  });

  it('tells what was wrong with it, whatever core made of the broken stream', async () => {
    const { longshore } = observed(({ pieces }) => lengthOf(pieces).catch(() => Promise.reject(new Error('write failed'))));
    const server = await serve(longshore, { limits: { maxChunkBytes: MAX } });
    expect(codeOf(await sendMultipart(server, operations(), map(), file(Buffer.alloc(MAX + 1))))).toBe('PAYLOAD_TOO_LARGE');
  });

  it('may be refused as input without a look at its bytes', async () => {
    const { longshore } = observed(() => Promise.reject(new InputError('index', 'no such chunk')));
    const server = await serve(longshore);
    const answer = await sendMultipart(server, operations(), map(), file(Buffer.alloc(MAX)));
    expect(answer.json.errors?.[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', argument: 'index' });
  });

  it('cannot be read by two fields', async () => {
    const server = await serve(countingLongshore);
    const two =
      'mutation($file: FileRef!, $chunk: Upload!) { a: uploadChunk(file: $file, index: 1, chunk: $chunk) { __typename } b: uploadChunk(file: $file, index: 2, chunk: $chunk) { __typename } }';
    expect(codeOf(await sendMultipart(server, operations({ query: two }), map(), file('x')))).toBe('BAD_MULTIPART');
  });

  it('must come as a file, not in JSON', async () => {
    const server = await serve(countingLongshore);
    const upload =
      'mutation($chunk: Upload!) { uploadChunk(file: { hostId: "h", fullPath: "p", hashCode: "c" }, index: 1, chunk: $chunk) { __typename } }';
    const answer = await query(server, upload, { chunk: { promise: 1 } });
    expect(answer.json.errors?.[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', argument: 'chunk' });
  });
});

describe('a multipart body is BAD_MULTIPART', () => {
  const cases: [string, ...Part[]][] = [
    ['with nothing in it'],
    ['without operations', map(), file('x')],
    ['without map', operations(), file('x')],
    ['without file', operations(), map()],
    ['with the file first', file('x'), operations(), map()],
    ['with the file before map', operations(), file('x'), map()],
    ['with map before operations', map(), operations(), file('x')],
    ['with operations twice', operations(), operations(), map(), file('x')],
    ['with map twice', operations(), map(), map(), file('x')],
    ['with another field', operations(), { name: 'extra', value: '' }, map(), file('x')],
    ['with the file as a field', operations(), map(), { name: '0', value: 'x' }],
    ['with a file that map doesn’t name', operations(), map(), file('x', '1')],
    [
      'with a batch',
      { name: 'operations', value: '[{"query":"{ hosts { id } }"}]' },
      map({ 0: ['0.variables.chunk'] }),
      file('x'),
    ],
    ['with a path to a prototype', operations(), map({ 0: ['variables.__proto__.chunk'] }), file('x')],
    ['with a path to what is not null', operations(), map({ 0: ['variables.file'] }), file('x')],
    ['with a file as operations', { name: 'operations', value: '{}', isFile: true }, map(), file('x')],
  ];

  it.each(cases)('%s', async (_what, ...parts) => {
    const server = await serve(longshoreWith());
    const answer = await sendMultipart(server, ...parts);
    expect([answer.status, codeOf(answer)]).toEqual([400, 'BAD_MULTIPART']);
  });

  it.each(['multipart/form-data', 'multipart/form-data; boundary=', 'multipart/form-data; boundary="'])(
    'of type %s',
    async (type) => {
      const server = await serve(longshoreWith());
      const answer = await ask(server, { headers: { 'content-type': type, ...PREFLIGHT }, body: fields() });
      expect([answer.status, codeOf(answer)]).toEqual([400, 'BAD_MULTIPART']);
    },
  );

  it('with a second file, also after the first has gone through', async () => {
    const { longshore, outcome } = observed(({ pieces }) => lengthOf(pieces));
    const server = await serve(longshore);
    const answer = await sendMultipart(server, operations(), map(), file(Buffer.alloc(MAX)), file('y', '1'));
    expect([MAX, 'BAD_MULTIPART']).toContain(codeOf(answer) ?? (await outcome));
  });

  it('that ends in the middle of the file', async () => {
    const { longshore, outcome } = observed(({ pieces }) => lengthOf(pieces));
    const server = await serve(longshore);
    const answer = await exchange(server, rawHead(server, fields().length + 3), fields(), 'abc');
    expect(answer).toContain('"code":"BAD_MULTIPART"');
    expect(await outcome).toBeInstanceOf(Error);
  });

  it('with an illegal byte in a part’s head', async () => {
    const { longshore, outcome } = observed(({ pieces }) => lengthOf(pieces));
    const server = await serve(longshore);
    const more = `\r\n--${BOUNDARY}\r\ncontent-dis\u0000position: form-data\r\n\r\n`;
    const early = await exchange(server, rawHead(server, more.length), more);
    expect(early).toContain('"code":"BAD_MULTIPART"');
    await exchange(server, rawHead(server, fields().length + more.length), fields(), more);
    await outcome;
    expect((await query(server, '{ hosts { id } }')).status).toBe(200);
  });
});

describe('a body that is too large', () => {
  it('is refused by its declared length, before a byte of it is read', async () => {
    const server = await serve(longshoreWith(), { limits: { maxChunkBytes: MAX } });
    const answer = await exchange(server, rawHead(server, 10 * 1024 * 1024));
    expect(answer).toContain('413 Payload Too Large');
    expect(answer).toContain('"code":"PAYLOAD_TOO_LARGE"');
  });

  it('is not even invited by a client that asks first', async () => {
    const server = await serve(countingLongshore, { limits: { maxChunkBytes: MAX } });
    const expecting = { expect: '100-continue' };
    expect(await exchange(server, rawHead(server, 10 * 1024 * 1024, expecting))).toMatch(/^HTTP\/1.1 413/);
    const body = multipart(operations(), map(), file('x'));
    const invited = await new Promise<string>((resolve) => {
      const socket = connect(server.port, '127.0.0.1', () => socket.write(rawHead(server, body.length, expecting)));
      socket.once('data', (piece) => {
        resolve(piece.toString());
        socket.destroy();
      });
    });
    expect(invited).toBe('HTTP/1.1 100 Continue\r\n\r\n');
  });

  it('is refused by the size of its fields', async () => {
    const server = await serve(longshoreWith(), { limits: { maxChunkBytes: 64 * MAX } });
    const filler = { name: 'operations', value: `{"query":"${'x'.repeat(1024 * 1024)}"}` };
    const answer = await sendMultipart(server, filler, map(), file('x'));
    expect([answer.status, codeOf(answer)]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
  });
});

describe('a client', () => {
  it('that breaks off makes the stream throw and the signal abort, and is no fault of ours', async () => {
    const begun = deferred();
    const log = memoryLog();
    const { longshore, outcome } = observed(async ({ pieces, signal }) => {
      const aborted = new Promise((resolve) => signal.addEventListener('abort', () => resolve('aborted')));
      const thrown = await lengthOf(
        (async function* () {
          for await (const piece of pieces) {
            begun.resolve();
            yield piece;
          }
        })(),
      ).catch((error: unknown) => error);
      return [thrown, await aborted];
    });
    const server = await serve(longshore, { log });
    const socket = connect(server.port, '127.0.0.1');
    socket.write(rawHead(server, 1000_000));
    socket.write(Buffer.concat([fields(), Buffer.alloc(1000)]));
    await begun.promise;
    socket.destroy();
    expect(await outcome).toEqual([
      expect.objectContaining({ extensions: expect.objectContaining({ code: 'BAD_MULTIPART' }) as unknown }),
      'aborted',
    ]);
    expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('that falls silent is given up, and its connection closed', async () => {
    const { longshore, outcome } = observed(({ pieces }) => lengthOf(pieces));
    const server = await serve(longshore, { limits: { idleTimeoutMs: 50 } });
    const socket = connect(server.port, '127.0.0.1');
    let text = '';
    socket.on('data', (piece) => (text += piece.toString()));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(rawHead(server, 1000_000));
    socket.write(Buffer.concat([fields(), Buffer.from('abc')]));
    expect(await outcome).toMatchObject({ message: 'Nothing of the body arrived for 50 ms.' });
    await closed;
    expect(text).toContain('408 Request Timeout');
  });

  it('that falls silent in the middle of JSON is given up too', async () => {
    const server = await serve(longshoreWith(), { limits: { idleTimeoutMs: 50 } });
    const answer = await exchange(server, rawHead(server, 1000, { 'content-type': 'application/json' }), '{');
    expect(answer).toContain('408 Request Timeout');
    expect(answer.toLowerCase()).toContain('connection: close');
  });

  it('is not blamed for a silence that the reader makes', async () => {
    const idleTimeoutMs = 30;
    const { longshore, outcome } = observed(async ({ pieces }) => {
      const silent = deferred();
      setTimeout(() => silent.resolve(), 4 * idleTimeoutMs);
      await silent.promise;
      return lengthOf(pieces);
    });
    const server = await serve(longshore, { limits: { idleTimeoutMs } });
    await sendMultipart(server, operations(), map(), file(Buffer.alloc(512 * 1024)));
    expect(await outcome).toBe(512 * 1024);
  });

  it('reads the answer of a resolver that left its file unread, on a connection that goes on', async () => {
    const server = await serve(longshoreWith({ uploadChunk: async () => refused('HOST_UNKNOWN', 'no such host') }), {
      limits: { maxChunkBytes: 8 * 1024 * 1024 },
    });
    const body = multipart(operations(), map(), file(Buffer.alloc(8 * 1024 * 1024)));
    const health = 'GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n';
    const socket = connect(server.port, '127.0.0.1');
    let text = '';
    socket.on('data', (piece) => (text += piece.toString()));
    socket.write(rawHead(server, body.length));
    socket.write(body);
    socket.write(health);
    await new Promise((resolve) => socket.once('close', resolve));
    expect(text).toContain('"code":"HOST_UNKNOWN"');
    expect(text).toContain('{"status":"ok"}');
  });

  it('that never stops sending after its answer is cut off', async () => {
    const server = await serve(longshoreWith({ uploadChunk: async () => refused('HOST_UNKNOWN', 'no such host') }), {
      limits: { maxChunkBytes: MAX },
    });
    const socket = connect(server.port, '127.0.0.1');
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined).resume();
    const chunk = (bytes: Buffer): Buffer =>
      Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
    const more = (): void => {
      while (socket.writable && socket.write(chunk(Buffer.alloc(MAX))));
    };
    socket.on('drain', more);
    socket.write(rawHead(server, 0).replace('content-length: 0', 'transfer-encoding: chunked'));
    socket.write(chunk(fields()));
    more();
    await closed;
  });

  it('can’t make the server take more than the reader takes', async () => {
    const goOn = deferred();
    const { longshore, outcome } = observed(async ({ pieces }) => {
      await goOn.promise;
      return lengthOf(pieces);
    });
    const maxChunkBytes = 64 * 1024 * 1024;
    const server = await serve(longshore, { limits: { maxChunkBytes } });
    const body = multipart(operations(), map(), file(Buffer.alloc(maxChunkBytes)));
    const socket = connect(server.port, '127.0.0.1');
    socket.write(rawHead(server, body.length));
    socket.write(body);
    let last = -1;
    while (socket.bytesWritten - socket.writableLength !== last) {
      last = socket.bytesWritten - socket.writableLength;
      for (let i = 0; i < 50; i += 1) await turn();
    }
    // What the two kernels' socket buffers hold, not what the server does.
    expect(socket.writableLength).toBeGreaterThan(maxChunkBytes / 2);
    goOn.resolve();
    expect(await outcome).toBe(maxChunkBytes);
    socket.destroy();
  });
});
