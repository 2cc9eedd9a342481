// Hashing as programs on Node have it: by the built package, which has the worker's file. Each program tells how many bytes its main thread hashed.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FileSource, nodePlatform } from '../../src/client/index.js';
import { startTestGateway } from '../support/gateway.js';
import { pattern } from './behaviour.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MIB = 2 ** 20;
const CHUNK = 10 * MIB;
const LENGTH = 2 * CHUNK + 5;
const CONTENT = pattern(LENGTH, 1);
const SPANS = [
  [0, CHUNK],
  [CHUNK, CHUNK],
  [2 * CHUNK, 5],
] as const;
const DIGESTS = [...SPANS, [0, LENGTH] as const].map(([at, length]) => sha256(CONTENT.subarray(at, at + length)));

/** What the programs share; `report` is what they say in the end, and `exit` how long after that they ended. */
const PRELUDE = `
  import { Hash } from 'node:crypto';
  import fs from 'node:fs/promises';
  import { syncBuiltinESMExports } from 'node:module';
  import threads from 'node:worker_threads';
  const report = { hashedHere: 0, workers: 0 };
  const { update } = Hash.prototype;
  Hash.prototype.update = function (piece, encoding) {
    report.hashedHere += piece.length;
    return update.call(this, piece, encoding);
  };
  const workers = [];
  threads.Worker = class extends threads.Worker {
    constructor(...options) {
      super(...options);
      workers.push(this);
    }
  };
  syncBuiltinESMExports();
  const { FileSource, BlobSource, nodePlatform, Uploader } = await import('longshore/client');
  const [file, ...args] = process.argv.slice(1);
  const { signal } = new AbortController();
  const spans = ${JSON.stringify(SPANS.map(([offset, length]) => ({ offset, length })))};
  const codeOf = (promise) => promise.then(() => 'none', ({ code, message }) => code ?? message);
  async function digests(hashing, source) {
    const pass = hashing.pass(source, signal);
    const found = [];
    for (const span of spans) found.push(await pass.chunk(span));
    found.push(await pass.whole());
    pass.end();
    await source.close?.();
    return found;
  }
  let saidAt;
  function say(facts) {
    saidAt = performance.now();
    Object.assign(report, facts, { workers: workers.length });
  }
  process.once('exit', () => console.log(JSON.stringify({ ...report, endedAfterMs: performance.now() - saidAt })));
`;

interface Report {
  readonly hashedHere: number;
  readonly workers: number;
  readonly endedAfterMs: number;
  readonly [fact: string]: unknown;
}

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'longshore-hashing-'));
  file = join(directory, 'file');
  writeFileSync(file, CONTENT);
});
afterEach(() => rmSync(directory, { recursive: true }));

async function run(program: string, args: readonly string[] = [], nodeOptions: readonly string[] = []): Promise<Report> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...nodeOptions, '--input-type=module', '--eval', PRELUDE + program, '--', file, ...args],
    { cwd: ROOT, timeout: 25_000 },
  );
  return JSON.parse(stdout) as Report;
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

it('hashes files in one worker, no byte of them on the main thread, and lets the program end', async () => {
  const report = await run(`
    const { hashing } = nodePlatform();
    const found = await Promise.all([1, 2].map(async () => await digests(hashing, await FileSource.at(file))));
    found.push([await hashing.digest(await FileSource.open(file), spans, signal)]);
    say({ found });
  `);
  expect(report).toMatchObject({ found: [DIGESTS, DIGESTS, DIGESTS.slice(-1)], hashedHere: 0, workers: 1 });
  expect(report.endedAfterMs).toBeLessThan(1_000);
});

it('uploads a file, of which the main thread hashes no more than the samples', async () => {
  const gateway = await startTestGateway();
  try {
    const path = `${gateway.hosts.sshd.root}/file`;
    const report = await run(
      `
      const [endpoint, path] = args;
      const upload = new Uploader({ endpoint }).upload(await FileSource.at(file), { host: 'sshd', path });
      say({ digest: (await upload.done).digest });
      `,
      [new URL('/graphql', gateway.url).href, path],
    );
    expect(report).toMatchObject({ digest: `sha256:${DIGESTS.at(-1)}`, workers: 1 });
    expect(report.hashedHere).toBeLessThan(3 * MIB + 1_000); // And a WebSocket's handshake.
    expect(report.endedAfterMs).toBeLessThan(1_000);
    expect(readFileSync(path).equals(CONTENT)).toBe(true);
  } finally {
    await gateway.stop();
  }
});

it.each([
  ['what is no file', 'new BlobSource(await (await import("node:fs")).openAsBlob(file))', []],
  ['where no worker may run', 'await FileSource.at(file)', [permissionFlag(), '--allow-fs-read=*']],
])('hashes on the main thread: %s', async (_what, source, nodeOptions) => {
  const report = await run(`say({ found: await digests(nodePlatform().hashing, ${source}) });`, [], nodeOptions);
  expect(report).toMatchObject({ found: DIGESTS, hashedHere: 2 * LENGTH, workers: 0 });
});

it("hashes on the main thread where the worker's file is missing", async () => {
  const source = await FileSource.at(file); // From sources, which have no built file.
  const pass = nodePlatform().hashing.pass(source, new AbortController().signal);
  const found: string[] = [];
  for (const [offset, length] of SPANS) found.push(await pass.chunk({ offset, length }));
  found.push(await pass.whole());
  pass.end();
  await source.close();
  expect(found).toEqual(DIGESTS);
});

it('starts no worker for a file that is hashed sooner than that', async () => {
  const report = await run(`
    await fs.truncate(file, 1000);
    spans.splice(0, 3, { offset: 0, length: 1000 });
    say({ found: await digests(nodePlatform().hashing, await FileSource.at(file)) });
  `);
  const digest = sha256(CONTENT.subarray(0, 1_000));
  expect(report).toMatchObject({ found: [digest, digest], workers: 0 });
});

it('notices a file that was changed before it is hashed, and one that shrinks meanwhile', async () => {
  const report = await run(`
    const { hashing } = nodePlatform();
    const source = await FileSource.open(file);
    await fs.appendFile(file, 'more');
    const before = await codeOf(hashing.pass(source, signal).chunk(spans[0]));
    await source.close();

    const shrinking = await FileSource.open(file);
    const pass = hashing.pass(shrinking, signal);
    await pass.chunk(spans[0]);
    await fs.truncate(file, 15_000_000);
    const meanwhile = await codeOf(pass.chunk(spans[1]));
    pass.end();
    await shrinking.close();
    say({ before, meanwhile });
  `);
  expect(report).toMatchObject({ before: 'SOURCE_CHANGED', meanwhile: 'SOURCE_CHANGED', workers: 1, hashedHere: 0 });
});

it('hashes the file that is open, whatever its name has come to mean', async () => {
  const report = await run(`
    const { hashing } = nodePlatform();
    const moved = await FileSource.open(file);
    await fs.rename(file, file + '.moved');
    const gone = await digests(hashing, moved);
    const replaced = await FileSource.open(file + '.moved');
    await fs.writeFile(file, 'other');
    await fs.rename(file, file + '.moved');
    say({ found: [gone, await digests(hashing, replaced)] });
  `);
  expect(report).toMatchObject({ found: [DIGESTS, DIGESTS] });
});

it('stops reading at once when it is aborted, and leaves no file open', async () => {
  const report = await run(`
    const open = async () => {
      const names = await fs.readdir('/proc/self/fd');
      const links = await Promise.all(names.map((name) => fs.readlink('/proc/self/fd/' + name).catch(() => '')));
      return links.filter((link) => link === file).length;
    };
    await fs.truncate(file, 4 * 2 ** 30); // Takes several seconds to hash, and no room.
    const ending = new AbortController();
    const source = await FileSource.at(file);
    const pass = nodePlatform().hashing.pass(source, ending.signal);
    await pass.chunk(spans[0]);
    const openBefore = await open();
    const aborted = codeOf(pass.chunk({ offset: spans[0].length, length: source.size - spans[0].length }));
    await new Promise(setImmediate); // By now the worker was told.
    ending.abort(new Error('enough'));
    const reason = await aborted;
    pass.end();
    await source.close();
    // Nobody tells when a worker has closed what nobody wants any more.
    const until = performance.now() + 2_000;
    let openAfter;
    while ((openAfter = await open()) > 0 && performance.now() < until);
    say({ openBefore, reason, openAfter });
  `);
  expect(report).toMatchObject({ openBefore: 2, reason: 'enough', openAfter: 0, workers: 1 });
  expect(report.endedAfterMs).toBeLessThan(1_000);
});

it('lets the program end when it is aborted while its worker starts', async () => {
  const report = await run(`
    const ending = new AbortController();
    const pass = nodePlatform().hashing.pass(await FileSource.at(file), ending.signal);
    const aborted = codeOf(pass.chunk(spans[0]));
    ending.abort(new Error('enough'));
    const reason = await aborted;
    pass.end();
    say({ reason });
  `);
  expect(report).toMatchObject({ reason: 'enough', hashedHere: 0, workers: 1 });
  expect(report.endedAfterMs).toBeLessThan(1_000);
});

it('hashes by itself when the worker dies before the first chunk, and by another one later', async () => {
  const report = await run(`
    const { hashing } = nodePlatform();
    const first = digests(hashing, await FileSource.at(file));
    while (workers.length === 0) await new Promise(setImmediate);
    await new Promise((resolve) => workers[0].once('message', resolve));
    await workers[0].terminate();
    const found = [await first, await digests(hashing, await FileSource.at(file))];
    say({ found });
  `);
  expect(report).toMatchObject({ found: [DIGESTS, DIGESTS], hashedHere: 2 * LENGTH, workers: 2 });
});

it('ends a worker that nobody needs for a while', async () => {
  const report = await run(`
    await digests(nodePlatform().hashing, await FileSource.at(file));
    const staying = setTimeout(() => undefined, 20_000);
    await new Promise((resolve) => workers[0].once('exit', resolve));
    clearTimeout(staying);
    say({});
  `);
  expect(report).toMatchObject({ workers: 1, hashedHere: 0 });
  expect(report.endedAfterMs).toBeLessThan(1_000);
});

/** Its name until Node 23.5. */
function permissionFlag(): string {
  return process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission';
}
