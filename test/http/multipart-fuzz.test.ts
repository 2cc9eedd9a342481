import { connect } from 'node:net';
import { expect, it } from 'vitest';
import type { RunningServer } from '../../src/http/server.js';
import {
  BOUNDARY,
  codeOf,
  countingLongshore,
  file,
  map,
  memoryLog,
  multipart,
  operations,
  query,
  rawHead,
  sendMultipart,
  serve,
} from './support.js';

const ROUNDS = 2_500;
const AT_ONCE = 25;
const SEED = 20_261_122;

/** mulberry32: the same bodies in every run. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) % below) | 0;
  };
}

const TOKENS = [
  '\r\n',
  '--',
  `\r\n--${BOUNDARY}`,
  `--${BOUNDARY}--`,
  '\u0000',
  '"',
  ';',
  'content-disposition: form-data; name="map"',
  '{"0":["variables.__proto__"]}',
  '\r\n\r\n',
  "filename*=utf-8''%ff",
  '{}',
];

function mutate(body: Buffer, random: (below: number) => number): Buffer {
  let mutated = Buffer.from(body);
  for (let n = 1 + random(3); n > 0; n -= 1) {
    const at = random(mutated.length);
    const to = Math.min(mutated.length, at + random(60));
    const before = mutated.subarray(0, at);
    const inserted = Buffer.from(TOKENS[random(TOKENS.length)] ?? '');
    const ways = [
      () => Buffer.concat([before, Buffer.of(random(256)), mutated.subarray(at + 1)]),
      () => Buffer.concat([before, mutated.subarray(to)]),
      () => Buffer.concat([before, inserted, mutated.subarray(at)]),
      () => Buffer.concat([before, mutated.subarray(at, to), mutated.subarray(at)]),
      () => before,
    ];
    mutated = ways[random(ways.length)]?.() ?? mutated;
    if (mutated.length === 0) return mutated;
  }
  return mutated;
}

/** Sends a body in a few writes, sometimes fewer bytes than it promised, and waits for an answer or the end. */
function provoke(server: RunningServer, body: Buffer, random: (below: number) => number): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect(server.port, '127.0.0.1');
    socket.setNoDelay(true);
    let status = 0;
    socket.on('data', (piece) => {
      status ||= Number(/^HTTP\/1\.1 (\d+)/.exec(piece.toString('latin1'))?.[1] ?? 0);
      socket.destroy();
    });
    socket.on('error', () => {
      // The server may reset what it can't answer.
    });
    socket.on('close', () => resolve(status));
    const missingBytes = random(10) === 0 ? random(50) : 0;
    socket.write(rawHead(server, body.length + missingBytes));
    for (let at = 0; at < body.length;) {
      const size = 1 + random(body.length);
      socket.write(body.subarray(at, at + size));
      at += size;
    }
    if (missingBytes > 0) socket.end();
  });
}

it(`survives ${ROUNDS} broken multipart bodies, and answers or closes each`, async () => {
  const random = randomFrom(SEED);
  const log = memoryLog();
  const server = await serve(countingLongshore, { log, limits: { maxChunkBytes: 505, idleTimeoutMs: 200 } });
  const good = multipart(operations(), map(), file(Buffer.alloc(500, 'chunk\r\n--')));
  const statuses = new Map<number, number>();
  for (let round = 0; round < ROUNDS; round += AT_ONCE) {
    const batch = Array.from({ length: AT_ONCE }, () => provoke(server, mutate(good, random), random));
    for (const status of await Promise.all(batch)) statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }
  // Broken bodies are the client's mistake: none may be a fault of ours.
  expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  expect([...statuses.keys()].filter((status) => ![0, 200, 400, 413].includes(status))).toEqual([]);
  expect(statuses.get(200)).toBeGreaterThan(100);
  expect(statuses.get(400)).toBeGreaterThan(500);
  expect((await query(server, '{ hosts { id } }')).json.data).toEqual({ hosts: [] });
  expect(codeOf(await sendMultipart(server, operations(), map(), file('x')))).toBeUndefined();
  // Nothing is left open: with connections still at work this would take the whole grace, and the test its limit.
  await server.close(60_000);
});
