import { connect } from 'node:net';
import { expect, it } from 'vitest';
import type { RunningServer } from '../../src/http/server.js';
import {
  BOUNDARY,
  deferred,
  exchange,
  file,
  longshoreWith,
  map,
  multipart,
  operations,
  rawHead,
  sendMultipart,
  serve,
  codeOf,
} from '../http/support.js';
import { sendStorm } from '../support/hostile-bodies.js';

const SEED = 20_261_123;
const CHUNK = Buffer.alloc(2_000, 'x');

/** A server whose core counts the chunks that came to a good end. */
async function counting(): Promise<{ server: RunningServer; ended: () => number }> {
  let ended = 0;
  const longshore = longshoreWith({
    uploadChunk: async (_caller, { index, pieces }) => {
      let uploadedBytes = 0;
      for await (const piece of pieces) uploadedBytes += piece.length;
      ended += 1;
      return { kind: 'ChunkStored', index, digest: '', alreadyStored: false, uploadedBytes, uploadedCount: 1 };
    },
  });
  return { server: await serve(longshore), ended: () => ended };
}

it('a body that lacks its end is broken, wherever it ends, though the file in it may be whole', async () => {
  const { server, ended } = await counting();
  const body = multipart(operations(), map(), file(CHUNK));
  const end = `\r\n--${BOUNDARY}--\r\n`;
  // With the line after the last boundary left out it is whole (RFC 2046 section 5.1.1).
  const longestBroken = body.length - '-\r\n'.length;
  for (let lengthBytes = body.length - end.length - 10; lengthBytes <= longestBroken; lengthBytes += 1) {
    const answer = await exchange(server, rawHead(server, lengthBytes), body.subarray(0, lengthBytes));
    expect([lengthBytes, answer.slice(0, 12), answer.includes('"code":"BAD_MULTIPART"')]).toEqual([
      lengthBytes,
      'HTTP/1.1 400',
      true,
    ]);
  }
  expect(ended()).toBe(0);
  const whole = await exchange(server, rawHead(server, body.length - 2), body.subarray(0, body.length - 2));
  expect(whole).toContain(`"uploadedBytes":${CHUNK.length}`);
});

it.each([
  ['another boundary and then nothing', `\r\n--${BOUNDARY}\r\n`],
  ['the boundary with one dash', `\r\n--${BOUNDARY}-\r\n`],
  ['the boundary in another case', `\r\n--${BOUNDARY.toUpperCase()}--\r\n`],
  ['the boundary after a bare line feed', `\n--${BOUNDARY}--\r\n`],
  ['a part without an end', `\r\n--${BOUNDARY}\r\ncontent-disposition: form-data; name="x"\r\n\r\ny`],
  ['a head without an end', `\r\n--${BOUNDARY}\r\ncontent-disposition: form-data; name="x`],
  [
    'a second file',
    `\r\n--${BOUNDARY}\r\ncontent-disposition: form-data; name="1"; filename="f"\r\n\r\ny\r\n--${BOUNDARY}--\r\n`,
  ],
  ['another field', `\r\n--${BOUNDARY}\r\ncontent-disposition: form-data; name="extra"\r\n\r\ny\r\n--${BOUNDARY}--\r\n`],
])('a file that is followed by %s is not taken', async (_what, end) => {
  const { server, ended } = await counting();
  const good = multipart(operations(), map(), file(CHUNK));
  const body = Buffer.concat([good.subarray(0, good.length - `\r\n--${BOUNDARY}--\r\n`.length), Buffer.from(end)]);
  const answer = await exchange(server, rawHead(server, body.length), body);
  expect([answer.slice(0, 12), answer.includes('"code":"BAD_MULTIPART"'), ended()]).toEqual(['HTTP/1.1 400', true, 0]);
});

it('a client that leaves between the file’s end and the body’s is not taken at its word', async () => {
  const told = deferred<unknown>();
  const longshore = longshoreWith({
    uploadChunk: async (_caller, { pieces }) => {
      let lengthBytes = 0;
      try {
        for await (const piece of pieces) {
          lengthBytes += piece.length;
          if (lengthBytes === CHUNK.length) socket.destroy();
        }
        told.resolve('ended');
      } catch (error) {
        told.resolve(error);
      }
      throw new Error('enough seen');
    },
  });
  const server = await serve(longshore);
  const body = multipart(operations(), map(), file(CHUNK));
  const socket = connect(server.port, '127.0.0.1');
  socket.write(rawHead(server, body.length));
  socket.write(body.subarray(0, body.length - '--\r\n'.length));
  expect(await told.promise).toMatchObject({ extensions: { code: 'BAD_MULTIPART' } });
});

it('a file name leads nowhere, whatever it is', async () => {
  const { server, ended } = await counting();
  for (const name of [
    '../../etc/passwd',
    '..\\..\\x',
    '/etc/passwd',
    'CON',
    '\u202egnp.exe',
    'a'.repeat(5_000),
    '%00',
    'x.php',
  ]) {
    const body = multipart(operations(), map(), file(CHUNK))
      .toString('latin1')
      .replace('filename="blob"', `filename="${name}"`);
    const bytes = Buffer.from(body, 'latin1');
    await exchange(server, rawHead(server, bytes.length), bytes);
  }
  // The target's name is what the operation says; a file's own is never looked at.
  expect(ended()).toBe(8);
  expect(codeOf(await sendMultipart(server, operations(), map(), file(CHUNK)))).toBeUndefined();
});

it('2 500 broken bodies leave the same process, its built-ins and the host as they were', async () => {
  const storm = await sendStorm({ bodies: 2_500, seed: SEED });
  expect(storm.troubles).toEqual([]);
  expect(storm.files).toEqual([]);
  expect(storm.after.pid).toBe(storm.before.pid);
  expect(storm.after.uptimeS).toBeGreaterThan(storm.before.uptimeS);
  expect([...storm.statuses.keys()].filter((status) => ![0, 200, 400, 413].includes(status))).toEqual([]);
  expect(storm.statuses.get(200)).toBeGreaterThan(200);
  expect(storm.statuses.get(400)).toBeGreaterThan(500);
}, 60_000);
