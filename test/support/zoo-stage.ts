// One server of the zoo with a gateway in front of it, both fresh, and what a client does there.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, createReadStream, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Gateway } from '../../src/compose.js';
import { startGateway } from '../../src/compose.js';
import { loadConfig } from '../../src/config.js';
import type { Answer, FileRef } from './outside-client.js';
import { chunkOf, OutsideClient } from './outside-client.js';
import { keptLog } from './roles.js';
import type { Prepare, RunningServer, ZooPlace } from './zoo-kinds.js';
import { isRoot } from './zoo-kinds.js';
import type { Strategy, ZooServer } from './zoo-servers.js';

export const CHUNK = 65_536;
const HOST_ID = 'zoo';
const AT_ONCE = 4;
/** Design §2: an answer about a host that is away. */
const ANSWER_LIMIT_MS = 12_500;
/** How long an upload may go on failing, and a merge may take: files are small here. */
const PATIENCE_MS = 60_000;
const RETRY_MS = 200;

export interface Stage {
  readonly server: RunningServer;
  readonly ann: OutsideClient;
  /** `name` below the root, as clients call it. */
  ref(name: string): FileRef;
  /** The same on the local disk. */
  local(name: string): string;
  /** Everything below the root that is no directory, and every empty directory. */
  present(): readonly string[];
  /** A file that the host's own people have put there. */
  place(name: string, content: string): void;
  /** Bytes of the disk that everything below the root takes. */
  usedBytes(): number;
  /** How often a connection of the gateway to the server has ended so far. */
  disconnections(): number;
  /** Begins a chunk; what follows its first half is sent when `atHalf` resolves. */
  chunkInHalves(file: FileRef, index: number, bytes: Uint8Array, atHalf: () => Promise<void>): Promise<Answer>;
  /** Ends the gateway and starts another: what was only in memory is gone. */
  restartGateway(): Promise<void>;
}

export interface StageOptions {
  readonly strategy: 'auto' | Strategy;
  readonly prepare?: Prepare;
}

/** Everything is gone when it resolves. */
export async function withStage(zoo: ZooServer, options: StageOptions, work: (stage: Stage) => Promise<void>): Promise<void> {
  const server = await zoo.start(options.prepare ?? (() => undefined));
  const directory = mkdtempSync(join(tmpdir(), 'longshore-zoo-'));
  const configFile = join(directory, 'longshore.yaml');
  const host = { id: HOST_ID, roots: [server.root || '/'], strategy: options.strategy, ...server.login };
  // JSON is YAML.
  writeFileSync(configFile, JSON.stringify({ listen: { address: '127.0.0.1', port: 0 }, hosts: [host] }));
  const log = keptLog();
  const start = () => startGateway(loadConfig({ configFile, env: {}, cwd: directory }), log);
  let gateway: Gateway | undefined;
  const current = {
    get url() {
      return gateway?.url ?? '';
    },
  };
  const restartGateway = async () => {
    await gateway?.close();
    gateway = await start();
  };
  try {
    await restartGateway();
    await work({
      ...onDisk(server),
      server,
      ann: new OutsideClient(current),
      disconnections: () => log.entries.filter(({ event }) => event === 'host disconnected').length,
      chunkInHalves: (...chunk) => chunkInHalves(current.url, ...chunk),
      restartGateway,
    });
  } finally {
    await gateway?.close();
    unmountBelow(server.directory);
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

function onDisk({ directory, account, root }: RunningServer): Pick<Stage, 'ref' | 'local' | 'present' | 'usedBytes' | 'place'> {
  const local = (name: string) => join(directory, name);
  return {
    // A hash code is printable.
    ref: (name) => ({ hostId: HOST_ID, fullPath: `${root}/${name}`, hashCode: name.replace(/\p{Cc}/gu, '') }),
    local,
    present: () => present(directory),
    usedBytes: () => Number(execFileSync('du', ['-s', '--block-size=1', directory], { encoding: 'utf8' }).split('\t')[0]),
    place: (name, content) => {
      writeFileSync(local(name), content);
      chownSync(local(name), account.uid, account.gid);
    },
  };
}

function present(directory: string): readonly string[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true, encoding: 'utf8' });
  const paths = entries.map((entry) => ({ path: join(entry.parentPath, entry.name), isDirectory: entry.isDirectory() }));
  const leaves = paths.filter(({ path, isDirectory }) => !isDirectory || readdirSync(path).length === 0);
  return leaves.map(({ path }) => path.slice(directory.length + 1)).sort();
}

const CHUNK_MUTATION = `mutation ($file: FileRef!, $index: Int!, $chunk: Upload!) {
  uploadChunk(file: $file, index: $index, chunk: $chunk) { __typename ... on Problem { code message retryable } } }`;

async function chunkInHalves(
  url: string,
  file: FileRef,
  index: number,
  bytes: Uint8Array,
  atHalf: () => Promise<void>,
): Promise<Answer> {
  const operations = JSON.stringify({ query: CHUNK_MUTATION, variables: { file, index, chunk: null } });
  const map = JSON.stringify({ 0: ['variables.chunk'] });
  const field = (name: string, value: string) => `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  async function* body() {
    yield Buffer.from(field('operations', operations) + field('map', map));
    yield Buffer.from('--b\r\ncontent-disposition: form-data; name="0"; filename="chunk"\r\n\r\n');
    yield bytes.subarray(0, bytes.length / 2);
    await atHalf();
    yield bytes.subarray(bytes.length / 2);
    yield Buffer.from('\r\n--b--\r\n');
  }
  const request = httpRequest(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'multipart/form-data; boundary=b', 'apollo-require-preflight': '1', 'x-person-id': 'ann' },
  });
  // The answer may come before the rest was sent, and then nobody reads that.
  pipeline(body, request).catch(() => undefined);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return ((await json(response)) as { data: { uploadChunk: Answer } }).data.uploadChunk;
}

// ── Places that are not as they should be ────────────────────────────────────────────────────────────────────────────────

/** A file system of 1 MiB at `small`. */
export function mountSmallDisk({ directory }: ZooPlace): void {
  mkdirSync(join(directory, 'small'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=0777', 'longshore-test', join(directory, 'small')]);
}

/** `closed`, where the server may not write: by its mode, or, where the server is root, by a mount that is read-only. */
export function closeDirectory({ directory, account }: ZooPlace): void {
  const closed = join(directory, 'closed');
  mkdirSync(closed);
  chownSync(closed, account.uid, account.gid);
  chmodSync(closed, 0o500);
  if (account.uid !== 0) return;
  execFileSync('mount', ['--bind', closed, closed]);
  execFileSync('mount', ['-o', 'remount,ro,bind', closed]);
}

function unmountBelow(directory: string): void {
  if (!isRoot) return;
  const mounts = execFileSync('findmnt', ['-rn', '-o', 'TARGET'], { encoding: 'utf8' }).split('\n');
  for (const mount of mounts) if (mount.startsWith(`${directory}/`)) execFileSync('umount', ['-l', mount]);
}

// ── A client that was told to carry on ───────────────────────────────────────────────────────────────────────────────────

/** Asks again while the answer says that this may help. Each answer comes in time. */
export async function patiently(
  call: () => Promise<Answer>,
  onRefusal: (answer: Answer) => void = () => undefined,
): Promise<Answer> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = await timely(call());
    const isFinal = answer.__typename !== 'TryAgainLater' && answer['retryable'] !== true;
    if (isFinal || performance.now() > until) return answer;
    onRefusal(answer);
    await sleep(RETRY_MS);
  }
}

export function timely<T>(answer: Promise<T>): Promise<T> {
  return within(ANSWER_LIMIT_MS, answer, () => 'an answer');
}

async function within<T>(limitMs: number, result: Promise<T>, what: () => string): Promise<T> {
  const over = new AbortController();
  const late = sleep(limitMs, undefined, { signal: over.signal }).then(
    () => Promise.reject(new Error(`${what()} did not come within ${limitMs} ms`)),
    () => result,
  );
  try {
    return await Promise.race([result, late]);
  } finally {
    over.abort();
  }
}

/** The chunks with these numbers, several at a time, the last first. */
export async function sendChunks(
  stage: Stage,
  file: FileRef,
  bytes: Uint8Array,
  { indexes, chunkSize = CHUNK, onAnswer = () => undefined }: Sending,
): Promise<void> {
  const waiting = [...indexes];
  const sender = async (): Promise<void> => {
    for (let index = waiting.pop(); index !== undefined; index = waiting.pop()) {
      const number = index;
      const piece = chunkOf(bytes, chunkSize, number);
      const stored = await patiently(() => stage.ann.chunk(file, number, piece), onAnswer);
      expect(stored, `chunk ${number}`).toMatchObject({ __typename: 'ChunkStored' });
      onAnswer(stored);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, sender));
}

export interface Sending {
  readonly indexes: readonly number[];
  readonly chunkSize?: number;
  readonly onAnswer?: (answer: Answer) => void;
}

export function upTo(count: number): readonly number[] {
  return Array.from({ length: count }, (_, at) => at + 1);
}

/** Asks for the merge, and again when it ended for a reason that may pass. Resolves with the last state. */
export async function mergeToEnd(
  stage: Stage,
  file: FileRef,
  count: number,
  options: Merging = {},
): Promise<Answer | undefined> {
  const { onState = () => undefined, ...wish } = options;
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    const started = await patiently(() => stage.ann.merge(file, count, wish));
    expect(started, JSON.stringify(started)).toMatchObject({ __typename: 'MergeStarted' });
    const seen: unknown[] = [];
    const watching = stage.ann.watch(file, (state) => {
      seen.push(state['phase']);
      onState(state);
    });
    const last = (await within(PATIENCE_MS, watching, () => `the end of a merge (seen: ${seen.join(' ')})`)).at(-1);
    const problem = last?.['problem'] as Answer | null | undefined;
    if (problem?.['retryable'] !== true || performance.now() > until) return last;
    await sleep(RETRY_MS);
  }
}

export interface Merging {
  readonly digest?: string;
  readonly ifExists?: 'REPLACE';
  readonly ifMatch?: unknown;
  readonly onState?: (state: Answer) => void;
}

/** The whole way. Resolves with the refusal, or with the last state. */
export async function upload(
  stage: Stage,
  file: FileRef,
  bytes: Uint8Array,
  options: Merging = {},
): Promise<Answer | undefined> {
  const status = await timely(stage.ann.status(file, bytes.length, { chunkSize: CHUNK }));
  if (status.__typename !== 'UploadReady') return status;
  const count = Math.ceil(bytes.length / CHUNK);
  await sendChunks(stage, file, bytes, { indexes: upTo(count) });
  return mergeToEnd(stage, file, count, options);
}

export async function digestOfLocal(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  return hash.digest('hex');
}

/** As the schema calls it. */
export function merges(strategy: Strategy): string {
  return strategy.toUpperCase().replace('-', '_');
}
