import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOfFile, MIB } from '../support/bytes.js';
import type { TestGateway } from '../support/gateway.js';
import { startTestGateway } from '../support/gateway.js';
import { chunkOf, OutsideClient, sha256 } from '../support/outside-client.js';

const CHUNK = 65_536;
let gateway: TestGateway;
let ann: OutsideClient;

beforeAll(async () => {
  gateway = await startTestGateway();
  ann = new OutsideClient(gateway);
});
afterAll(() => gateway.stop());

describe.each(['sshd', 'embedded'] as const)('on %s', (which) => {
  const host = () => gateway.hosts[which];
  const local = (name: string) => join(host().directory, name);
  const ref = (name: string, hashCode: string) => ({ hostId: host().id, fullPath: `${host().root}/${name}`, hashCode });
  const stagingLeft = () => existsSync(local('.longshore'));

  it.each([
    ['no byte', 0],
    ['one byte', 1],
    ['one whole chunk', CHUNK],
    ['three chunks less a byte', 3 * CHUNK - 1],
    ['three whole chunks', 3 * CHUNK],
    ['three chunks and a byte', 3 * CHUNK + 1],
  ])('a file of %s arrives whole and proved', async (name, size) => {
    const bytes = randomBytes(size);
    const file = ref(`sizes/${name}`, `sha256:${sha256(bytes)}`);
    const last = await ann.put(file, bytes);
    expect(last).toMatchObject({ phase: 'DONE', percent: 100, proved: true, digest: file.hashCode, problem: null });
    expect(sha256(readFileSync(local(`sizes/${name}`)))).toBe(sha256(bytes));
    expect(stagingLeft()).toBe(false);
  });

  it('takes chunks in any order, in parallel and twice, and says which were there', async () => {
    const bytes = randomBytes(12 * CHUNK + 77);
    const file = ref('order', 'quick-1');
    await ann.status(file, bytes.length, { chunkSize: CHUNK });
    const first = await Promise.all([13, 2, 7, 1, 12].map((index) => ann.chunk(file, index, chunkOf(bytes, CHUNK, index))));
    expect(first.every((answer) => answer.__typename === 'ChunkStored' && answer['alreadyStored'] === false)).toBe(true);
    expect(await ann.chunk(file, 7, chunkOf(bytes, CHUNK, 7))).toMatchObject({ alreadyStored: true, uploadedCount: 5 });
    expect(await ann.chunk(file, 7, chunkOf(bytes, CHUNK, 7), null)).toMatchObject({ alreadyStored: true });
    expect(await ann.chunk(file, 7, chunkOf(bytes, CHUNK, 8))).toMatchObject({ __typename: 'Refused', code: 'CHUNK_CONFLICT' });

    const info = await ann.dirInfo(file, { first: 2, after: 2 });
    expect(info).toMatchObject({
      name: 'order',
      dir: expect.stringMatching(/\/\.longshore\/[0-9a-f]{32}\/[0-9a-f]{32}$/),
      dirHashCode: expect.stringMatching(/^[0-9a-f]{32}$/),
      size: bytes.length,
      chunkSize: CHUNK,
      chunkCount: 13,
      uploadedCount: 5,
      uploadedBytes: 4 * CHUNK + 77,
      chunkList: [1, 2, 7, 12, 13],
      chunks: [7, 12].map((index) => ({ index, digest: sha256(chunkOf(bytes, CHUNK, index)) })),
      missing: [
        { first: 3, last: 6 },
        { first: 8, last: 11 },
      ],
      strategy: 'IN_PLACE',
    });
    expect(await ann.status(file, bytes.length)).toMatchObject({
      __typename: 'UploadResumable',
      uploadedCount: 5,
      chunkSize: CHUNK,
    });
    expect(await ann.merge(file, 13)).toMatchObject({ __typename: 'ChunksMissing', missingCount: 8, ranges: info['missing'] });

    await Promise.all([3, 4, 5, 6, 8, 9, 10, 11].map((index) => ann.chunk(file, index, chunkOf(bytes, CHUNK, index))));
    await ann.merge(file, 13, { digest: `sha256:${sha256(bytes)}` });
    expect((await ann.watch(file)).at(-1)).toMatchObject({ phase: 'DONE', proved: true });
    expect(sha256(readFileSync(local('order')))).toBe(sha256(bytes));
  });

  it('the same chunk from many connections at once is written by one, and the others are told to wait', async () => {
    const bytes = randomBytes(4 * MIB);
    const file = ref('eight', 'eight');
    await ann.status(file, bytes.length, { chunkSize: 4 * MIB });
    const answers = await Promise.all(Array.from({ length: 8 }, () => ann.chunk(file, 1, bytes)));
    const stored = answers.filter((answer) => answer.__typename === 'ChunkStored');
    expect(stored.filter((answer) => answer['alreadyStored'] === false)).toHaveLength(1);
    const others = answers.filter((answer) => answer.__typename !== 'ChunkStored');
    expect(others.every((answer) => answer['code'] === 'CHUNK_BUSY')).toBe(true);
    await ann.merge(file, 1, { digest: `sha256:${sha256(bytes)}` });
    expect((await ann.watch(file)).at(-1)).toMatchObject({ phase: 'DONE', proved: true });
  });

  it('counts no chunk whose digest or length is wrong, and takes it when it comes right', async () => {
    const bytes = randomBytes(2 * CHUNK + 10);
    const file = ref('wrong', 'wrong');
    const wrong = 'f'.repeat(64);
    await ann.status(file, bytes.length, { chunkSize: CHUNK });
    expect(await ann.chunk(file, 1, chunkOf(bytes, CHUNK, 1), wrong)).toMatchObject({
      __typename: 'DigestMismatch',
      index: 1,
      expected: wrong,
      actual: sha256(chunkOf(bytes, CHUNK, 1)),
      retryable: true,
    });
    const short = chunkOf(bytes, CHUNK, 1).subarray(1);
    expect(await ann.chunk(file, 1, short)).toMatchObject({ __typename: 'Refused', code: 'SIZE_MISMATCH' });
    const long = randomBytes(CHUNK * 20);
    expect(await ann.chunk(file, 1, long)).toMatchObject({ __typename: 'Refused', code: 'SIZE_MISMATCH' });
    expect(await ann.chunk(file, 3, randomBytes(11))).toMatchObject({ code: 'SIZE_MISMATCH' });
    expect((await ann.dirInfo(file))['chunkList']).toEqual([]);
    for (const index of [1, 2, 3]) expect(await ann.chunk(file, index, chunkOf(bytes, CHUNK, index))).toMatchObject({ index });
    await ann.merge(file, 3, { digest: sha256(bytes) });
    expect((await ann.watch(file)).at(-1)).toMatchObject({ phase: 'DONE', proved: true });
    expect(sha256(readFileSync(local('wrong')))).toBe(sha256(bytes));
  });

  it('a flipped bit on the host fails the merge, names the chunk, and is healed by sending that chunk again', async () => {
    const bytes = randomBytes(5 * CHUNK);
    const file = ref('flipped', `sha256:${sha256(bytes)}`);
    await ann.status(file, bytes.length, { chunkSize: CHUNK });
    for (let index = 1; index <= 5; index++) await ann.chunk(file, index, chunkOf(bytes, CHUNK, index));
    const data = stagedFile(local('.longshore'), 'data');
    await flipBit(data, 3 * CHUNK + 5);
    await ann.merge(file, 5);
    const failed = (await ann.watch(file)).at(-1);
    expect(failed).toMatchObject({
      phase: 'FAILED',
      problem: { code: 'CHUNKS_MISSING', ranges: [{ first: 4, last: 4 }], missingCount: 1 },
    });
    expect(existsSync(local('flipped'))).toBe(false);
    expect((await ann.dirInfo(file))['chunkList']).toEqual([1, 2, 3, 5]);
    expect(await ann.chunk(file, 4, chunkOf(bytes, CHUNK, 4))).toMatchObject({ alreadyStored: false });
    await ann.merge(file, 5);
    expect((await ann.watch(file)).at(-1)).toMatchObject({ phase: 'DONE', proved: true });
    expect(sha256(readFileSync(local('flipped')))).toBe(sha256(bytes));
  });

  it('content that is not what its hash says is never published', async () => {
    const bytes = randomBytes(CHUNK + 1);
    const file = ref('liar', `sha256:${'0'.repeat(64)}`);
    expect(await ann.put(file, bytes)).toMatchObject({ phase: 'FAILED', problem: { code: 'CONTENT_MISMATCH' } });
    expect(existsSync(local('liar'))).toBe(false);
    expect(await ann.abort(file)).toMatchObject({ __typename: 'UploadAborted' });
    expect(stagingLeft()).toBe(false);
  });

  it('proves an MD5, and each chunk where no hash of the whole is known', async () => {
    const bytes = randomBytes(CHUNK + 1);
    const { createHash } = await import('node:crypto');
    const md5 = `md5:${createHash('md5').update(bytes).digest('hex')}`;
    expect(await ann.put(ref('md5', md5), bytes)).toMatchObject({ phase: 'DONE', digest: md5, proved: true });
    expect(await ann.put(ref('no-hash', 'whatever'), bytes)).toMatchObject({ phase: 'DONE', digest: null, proved: true });
  });

  it('after DONE every call about that content says so, as long as the target is unchanged', async () => {
    const bytes = randomBytes(CHUNK + 1);
    const file = ref('done', `sha256:${sha256(bytes)}`);
    await ann.put(file, bytes);
    const finished = { __typename: 'UploadFinished', size: bytes.length, contentDigest: file.hashCode, proved: true };
    expect(await ann.status(file, bytes.length)).toMatchObject(finished);
    expect(await ann.dirInfo(file)).toMatchObject(finished);
    expect(await ann.chunk(file, 1, chunkOf(bytes, CHUNK, 1))).toMatchObject(finished);
    expect(await ann.abort(file)).toMatchObject(finished);
    expect(await ann.merge(file, 2)).toMatchObject({ __typename: 'MergeStarted', progress: { phase: 'DONE', percent: 100 } });
    expect(await ann.watch(file)).toMatchObject([{ phase: 'DONE', percent: 100 }]);

    const { appendFileSync } = await import('node:fs');
    appendFileSync(local('done'), 'more');
    expect(await ann.status(file, bytes.length)).toMatchObject({ __typename: 'FileExists', size: bytes.length + 4 });
  });

  it('300 MiB in chunks of 10 MiB arrive byte-exact, seen over WebSocket and server-sent events', async () => {
    const size = 300 * MIB;
    const block = randomBytes(11 * MIB);
    const chunk = (index: number) => block.subarray(index * 1_000, index * 1_000 + 10 * MIB);
    const { createHash } = await import('node:crypto');
    const hash = createHash('sha256');
    for (let index = 1; index <= 30; index++) hash.update(chunk(index));
    const digest = `sha256:${hash.digest('hex')}`;
    const file = ref('big', 'big');
    await ann.status(file, size);
    const watched = Promise.all([ann.watch(file), ann.watchEvents(file)]);
    const indexes = Array.from({ length: 30 }, (_, at) => at + 1);
    const send = async (): Promise<void> => {
      for (let index = indexes.shift(); index !== undefined; index = indexes.shift()) {
        expect(await ann.chunk(file, index, chunk(index))).toMatchObject({ __typename: 'ChunkStored' });
      }
    };
    await Promise.all([send(), send(), send(), send()]);
    expect(await ann.merge(file, 30, { digest })).toMatchObject({ __typename: 'MergeStarted' });
    for (const states of await watched) {
      expect(states[0]).toMatchObject({ phase: 'RECEIVING' });
      expect(states.at(-1)).toMatchObject({ phase: 'DONE', percent: 100, doneBytes: size, proved: true, digest });
      const phases = [...new Set(states.map((state) => state['phase']))];
      expect(phases).toContain('VERIFYING');
      for (const phase of phases) {
        const percents = states.filter((state) => state['phase'] === phase).map((state) => Number(state['percent']));
        expect(percents).toEqual([...percents].sort((a, b) => a - b));
      }
    }
    expect(await digestOfFile(local('big'))).toBe(digest.slice('sha256:'.length));
    expect(stagingLeft()).toBe(false);
  }, 120_000);

  it('the file gets the rights that the host gives to new files, and a replaced one keeps its own', async () => {
    const { chmodSync } = await import('node:fs');
    const file = ref('rights', 'one');
    await ann.put(file, randomBytes(10));
    expect((statSync(local('rights')).mode & 0o777).toString(8)).toBe('644');
    chmodSync(local('rights'), 0o640);
    const again = ref('rights', 'two');
    const ifExists = { ifExists: 'REPLACE' };
    expect(await ann.put(again, randomBytes(10), { status: ifExists, merge: ifExists })).toMatchObject({ phase: 'DONE' });
    expect((statSync(local('rights')).mode & 0o777).toString(8)).toBe('640');
  });
});

function stagedFile(staging: string, name: string): string {
  const found = readdirSync(staging, { recursive: true, encoding: 'utf8' }).find((path) => path.endsWith(`/${name}`));
  if (found === undefined) throw new Error(`no ${name} below ${staging}`);
  return join(staging, found);
}

async function flipBit(path: string, offset: number): Promise<void> {
  const { open } = await import('node:fs/promises');
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, offset);
  byte[0] = (byte[0] ?? 0) ^ 0x10;
  await file.write(byte, 0, 1, offset);
  await file.close();
}
