// Multipart bodies broken at random, the same in every run with the same seed, sent to a gateway's process over bare sockets.
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BOUNDARY, MULTIPART_TYPE, PREFLIGHT, file, map, multipart, operations } from '../http/support.js';
import type { GatewayProcess } from './gateway-process.js';
import { startGatewayProcess } from './gateway-process.js';
import { OutsideClient } from './outside-client.js';
import { seededRandom } from './seeded-random.js';

const WATCH = fileURLToPath(new URL('watch-built-ins.mjs', import.meta.url));
const AT_ONCE = 25;
/** Bodies for one upload; each of them may be the one that is stored. */
const ROUND = 500;
const CHUNK_BYTES = 500;

export interface Storm {
  readonly bodies: number;
  /** How often each status came; 0: the connection was closed without an answer. */
  readonly statuses: ReadonlyMap<number, number>;
  readonly seconds: number;
  /** What the process said of itself before and after. */
  readonly before: Report;
  readonly after: Report;
  /** Exceptions and warnings, and which built-ins are no longer what they were. */
  readonly troubles: readonly string[];
  /** Files on the host when all uploads were aborted. */
  readonly files: readonly string[];
}

interface Report {
  readonly pid: number;
  readonly uptimeS: number;
  readonly changed: readonly string[];
  /** Of what is still in use. */
  readonly heapBytes: number;
}

type Random = (below: number) => number;

/** Integers from 0 to `below` - 1. */
export function randomFrom(seed: number): Random {
  const random = seededRandom(seed);
  return (below) => Math.floor(random() * below);
}

/** Starts a gateway over an embedded host, sends `bodies` broken ones with this seed, and ends it. */
export async function sendStorm({ bodies, seed }: { readonly bodies: number; readonly seed: number }): Promise<Storm> {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-storm-'));
  const watchFile = join(directory, 'watch.jsonl');
  writeFileSync(
    join(directory, 'longshore.yaml'),
    'limits: { callsPerSecondPerPerson: 1000000, callsPerSecondPerAddress: 1000000 }\nhosts: [{ id: local, embedded: { directory: ./data, port: 0 } }]\n',
  );
  const gateway = await startGatewayProcess({
    directory,
    env: { WATCH_FILE: watchFile, LOG_LEVEL: 'info' },
    nodeOptions: ['--expose-gc', '--import', WATCH],
  });
  try {
    const random = randomFrom(seed);
    const statuses = new Map<number, number>();
    await sendRound(gateway, { name: 'warm', random: randomFrom(1), bodies: ROUND, statuses: new Map() });
    const before = await report(gateway, watchFile);
    const beganAt = performance.now();
    for (let sent = 0; sent < bodies; sent += ROUND) {
      await sendRound(gateway, { name: `${sent}`, random, bodies: Math.min(ROUND, bodies - sent), statuses });
    }
    const seconds = (performance.now() - beganAt) / 1_000;
    const after = await report(gateway, watchFile);
    return {
      ...{ bodies, statuses, seconds, before, after },
      troubles: [...linesOf(watchFile).flatMap((line) => ('origin' in line ? [JSON.stringify(line)] : [])), ...after.changed],
      files: filesIn(join(directory, 'data')),
    };
  } finally {
    await gateway.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Round {
  readonly name: string;
  readonly random: Random;
  readonly bodies: number;
  readonly statuses: Map<number, number>;
}

async function sendRound(gateway: GatewayProcess, { name, random, bodies, statuses }: Round): Promise<void> {
  const client = new OutsideClient(gateway, 'anonymous');
  const upload = { hostId: 'local', fullPath: `/storm/${name}`, hashCode: `storm-${name}` };
  await client.status(upload, CHUNK_BYTES);
  await client.dirInfo(upload);
  const good = multipart(
    operations({ variables: { file: upload, index: 1, chunk: null } }),
    map(),
    file(Buffer.alloc(CHUNK_BYTES, 'chunk\r\n--')),
  );
  let left = bodies;
  const send = async (): Promise<void> => {
    for (; left > 0;) {
      left -= 1;
      const status = await provoke(gateway, good, random);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, send));
  await client.abort(upload);
}

/** Sends a body in a few writes, sometimes fewer bytes than it promised, and waits for an answer or the end. */
async function provoke({ url }: GatewayProcess, good: Buffer, random: Random): Promise<number> {
  const body = mutate(good, random);
  const missingBytes = random(10) === 0 ? random(50) : 0;
  const cut = random(body.length + 1);
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.setNoDelay(true);
  let status = 0;
  socket.on('data', (piece) => {
    status ||= Number(/^HTTP\/1\.1 (\d+)/.exec(piece.toString('latin1'))?.[1] ?? 0);
    socket.destroy();
  });
  socket.on('error', () => {
    // The gateway may reset what it can't answer.
  });
  socket.write(Buffer.concat([headOf(body.length + missingBytes), body.subarray(0, cut)]));
  setImmediate(() => {
    if (!socket.writable) return;
    socket.write(body.subarray(cut));
    if (missingBytes > 0) socket.end();
  });
  await once(socket, 'close');
  return status;
}

function headOf(lengthBytes: number): Buffer {
  const headers = { host: 'localhost', 'content-type': MULTIPART_TYPE, 'content-length': lengthBytes, ...PREFLIGHT };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`POST /graphql HTTP/1.1\r\n${lines.join('')}\r\n`);
}

const TOKENS = [
  '\r\n',
  '--',
  `\r\n--${BOUNDARY}`,
  `\r\n--${BOUNDARY}--`,
  `--${BOUNDARY}--`,
  '\u0000',
  '"',
  ';',
  'content-disposition: form-data; name="map"',
  'content-disposition: form-data; name="__proto__"; filename="__proto__"',
  '{"0":["variables.__proto__"]}',
  '{"0":["variables.chunk.constructor.prototype.polluted"]}',
  '"__proto__":{"polluted":1},',
  '\r\n\r\n',
  "filename*=utf-8''%ff",
  'content-type: text/plain; charset=utf-16\r\n',
  'content-transfer-encoding: base64\r\n',
  '{}',
  '\ud800',
];

function mutate(body: Buffer, random: Random): Buffer {
  let mutated = Buffer.from(body);
  for (let n = 1 + random(3); n > 0 && mutated.length > 0; n -= 1) {
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
  }
  return mutated;
}

/** Asks the process for a report, and waits for it. */
async function report({ pid }: GatewayProcess, watchFile: string): Promise<Report> {
  const known = reportsIn(watchFile).length;
  process.kill(pid, 'SIGUSR2');
  for (;;) {
    const found = reportsIn(watchFile)[known];
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function reportsIn(watchFile: string): Report[] {
  return linesOf(watchFile).flatMap((line) => ('pid' in line ? [line as unknown as Report] : []));
}

function linesOf(path: string): Record<string, unknown>[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>);
}

function filesIn(directory: string): string[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
}
