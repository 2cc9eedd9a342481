import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  linkSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestGateway } from '../support/gateway.js';
import { startTestGateway } from '../support/gateway.js';
import { chunkOf, OutsideClient, sha256 } from '../support/outside-client.js';

const CHUNK = 65_536;
let gateway: TestGateway;
let ann: OutsideClient;
let bob: OutsideClient;

beforeAll(async () => {
  gateway = await startTestGateway({ config: ['limits: { maxFileBytes: 1GiB }'] });
  ann = new OutsideClient(gateway, 'ann');
  bob = new OutsideClient(gateway, 'bob');
});
afterAll(() => gateway.stop());

const host = () => gateway.hosts.sshd;
const local = (name: string) => join(host().directory, name);
const ref = (name: string, hashCode = name) => ({ hostId: host().id, fullPath: `${host().root}/${name}`, hashCode });
const owner = (path: string) => execFileSync('chown', ['--reference', host().directory, path]);

describe('publication', () => {
  const fresh = async (name: string, bytes: Uint8Array, status: Readonly<Record<string, unknown>> = {}) => {
    await ann.status(ref(name), bytes.length, { chunkSize: CHUNK, ...status });
    for (let index = 1; index <= Math.ceil(bytes.length / CHUNK); index++)
      await ann.chunk(ref(name), index, chunkOf(bytes, CHUNK, index));
  };
  const old = 'the old content';

  it('ASK shows what is there; REPLACE with its etag puts the new file in its place', async () => {
    writeFileSync(local('asked'), old);
    owner(local('asked'));
    const bytes = randomBytes(CHUNK + 1);
    const exists = await ann.status(ref('asked'), bytes.length);
    expect(exists).toMatchObject({ __typename: 'FileExists', code: 'FILE_EXISTS', size: old.length });
    expect(await bob.status(ref('asked', 'theirs'), 1)).toMatchObject({ __typename: 'FileExists' });
    const replace = { ifExists: 'REPLACE', ifMatch: exists['etag'] };
    expect(await ann.put(ref('asked'), bytes, { status: replace, merge: replace })).toMatchObject({ phase: 'DONE' });
    expect(sha256(readFileSync(local('asked')))).toBe(sha256(bytes));
  });

  it('REPLACE is refused when the file is not the one that was shown', async () => {
    writeFileSync(local('changed'), old);
    const exists = await ann.status(ref('changed'), 1);
    writeFileSync(local('changed'), `${old} by somebody`);
    const replace = { ifExists: 'REPLACE', ifMatch: exists['etag'] };
    expect(await ann.status(ref('changed'), 1, replace)).toMatchObject({ __typename: 'Refused', code: 'TARGET_CHANGED' });
    expect(await ann.status(ref('changed-none'), 1, replace)).toMatchObject({ code: 'TARGET_CHANGED' });
  });

  it('a file that somebody made meanwhile is never overwritten by ASK', async () => {
    const bytes = randomBytes(CHUNK + 1);
    await fresh('meanwhile', bytes);
    writeFileSync(local('meanwhile'), old);
    expect(await ann.merge(ref('meanwhile'), 2)).toMatchObject({ __typename: 'FileExists', size: old.length });
    expect(readFileSync(local('meanwhile'), 'utf8')).toBe(old);
    expect(await ann.merge(ref('meanwhile'), 2, { ifExists: 'REPLACE' })).toMatchObject({ __typename: 'MergeStarted' });
    expect((await ann.watch(ref('meanwhile'))).at(-1)).toMatchObject({ phase: 'DONE' });
    expect(sha256(readFileSync(local('meanwhile')))).toBe(sha256(bytes));
  });

  const staged = () => {
    const path = readdirSync(local('.longshore'), { recursive: true, encoding: 'utf8' }).find((entry) =>
      entry.endsWith('/data'),
    );
    return join(local('.longshore'), (path ?? '').slice(0, -'/data'.length));
  };
  const writeIntent = (directory: string, ifExists: string, size: number) => {
    const modifiedAt = Math.floor(statSync(join(directory, 'data')).mtimeMs / 1_000) * 1_000;
    const text = JSON.stringify({ output: 'data', ifExists, size, modifiedAt, verified: { proved: true } });
    writeFileSync(join(directory, 'intent.json'), text, { mode: 0o644 });
    writeFileSync(join(directory, 'merge.json'), JSON.stringify({ ifExists, askedAt: 1 }), { mode: 0o644 });
    for (const name of ['intent.json', 'merge.json']) owner(join(directory, name));
  };

  it('a run that was cut off between link and unlink is finished by whoever comes next', async () => {
    const bytes = randomBytes(CHUNK + 1);
    await fresh('half', bytes);
    const directory = staged();
    writeIntent(directory, 'ASK', bytes.length);
    linkSync(join(directory, 'data'), local('half'));
    await gateway.restart();
    await ann.merge(ref('half'), 2);
    expect((await ann.watch(ref('half'))).at(-1)).toMatchObject({ phase: 'DONE', proved: true });
    expect(sha256(readFileSync(local('half')))).toBe(sha256(bytes));
    expect(existsSync(local('.longshore'))).toBe(false);
  });

  it('a run that was cut off after the rename, before it had cleaned, is finished by the next look', async () => {
    const bytes = randomBytes(CHUNK + 1);
    await fresh('renamed', bytes);
    const directory = staged();
    const { renameSync } = await import('node:fs');
    writeIntent(directory, 'REPLACE', bytes.length);
    renameSync(join(directory, 'data'), local('renamed'));
    await gateway.restart();
    expect((await ann.watch(ref('renamed'))).at(-1)).toMatchObject({ phase: 'DONE', proved: true });
    expect(existsSync(local('.longshore'))).toBe(false);
  });

  it('a merge that was asked for goes on after the gateway was started anew', async () => {
    const bytes = randomBytes(CHUNK + 1);
    await fresh('asked-for', bytes);
    writeFileSync(join(staged(), 'merge.json'), JSON.stringify({ ifExists: 'ASK', askedAt: 1 }), { mode: 0o644 });
    owner(join(staged(), 'merge.json'));
    await gateway.restart();
    expect((await ann.watch(ref('asked-for'))).at(-1)).toMatchObject({ phase: 'DONE', proved: true });
    expect(sha256(readFileSync(local('asked-for')))).toBe(sha256(bytes));
  });

  it('uploadStatus never shows a person its own content as a file in the way', async () => {
    for (let round = 0; round < 10; round++) {
      const bytes = randomBytes(100);
      const file = ref(`own-${round}`);
      await ann.status(file, bytes.length);
      expect(await ann.chunk(file, 1, bytes)).toMatchObject({ __typename: 'ChunkStored' });
      await ann.merge(file, 1);
      const seen = new Set<string>();
      while (!seen.has('UploadFinished')) seen.add((await ann.status(file, bytes.length)).__typename);
      expect([...seen].filter((name) => name !== 'UploadFinished' && name !== 'UploadResumable')).toEqual([]);
    }
  });

  it('content of another size is not what was published, whatever its hash code says', async () => {
    await ann.put(ref('fingerprint'), randomBytes(10));
    expect(await ann.status(ref('fingerprint'), 11)).toMatchObject({ __typename: 'Refused', code: 'SIZE_MISMATCH' });
  });

  it('whoever watches after a failed merge was taken up again sees the next one', async () => {
    const bytes = randomBytes(100);
    const file = ref('again');
    await fresh('again', bytes);
    await ann.merge(file, 1, { digest: sha256(randomBytes(1)) });
    expect((await ann.watch(file)).at(-1)).toMatchObject({ phase: 'FAILED', problem: { code: 'CONTENT_MISMATCH' } });
    expect(await ann.status(file, bytes.length)).toMatchObject({ __typename: 'UploadResumable' });
    const watched = ann.watch(file, (state) => {
      if (state['phase'] === 'RECEIVING') void ann.merge(file, 1, { digest: sha256(bytes) });
    });
    expect((await watched).at(-1)).toMatchObject({ phase: 'DONE', proved: true });
  });

  it('data that somebody removed on the host fails the upload, which starts afresh', async () => {
    const bytes = randomBytes(CHUNK + 1);
    await fresh('removed', bytes);
    unlinkSync(join(staged(), 'data'));
    await ann.merge(ref('removed'), 2);
    const failed = (await ann.watch(ref('removed'))).at(-1);
    expect(failed).toMatchObject({ phase: 'FAILED', problem: { code: 'UPLOAD_UNKNOWN' } });
    expect(existsSync(local('removed'))).toBe(false);
    expect(await ann.put(ref('removed'), bytes)).toMatchObject({ phase: 'DONE', proved: true });
  });

  it('a staging directory that somebody removed on the host is noticed by uploadStatus, and the upload starts afresh', async () => {
    const bytes = randomBytes(CHUNK + 1);
    await fresh('wiped', bytes);
    rmSync(local('.longshore'), { recursive: true });
    expect(await ann.status(ref('wiped'), bytes.length, { chunkSize: CHUNK })).toMatchObject({ __typename: 'UploadReady' });
    expect(await ann.put(ref('wiped'), bytes)).toMatchObject({ phase: 'DONE', proved: true });
  });

  it.each([
    ['cut short', (path: string) => truncateSync(path, CHUNK), [{ first: 2, last: 2 }]],
    ['made longer', (path: string) => appendFileSync(path, 'more'), []],
  ])('data that somebody has %s on the host is never published so', async (what, edit, ranges) => {
    const bytes = randomBytes(CHUNK + 1);
    await fresh(what, bytes);
    edit(join(staged(), 'data'));
    await ann.merge(ref(what), 2);
    const last = (await ann.watch(ref(what))).at(-1);
    if (ranges.length > 0) {
      expect(last).toMatchObject({ phase: 'FAILED', problem: { code: 'CHUNKS_MISSING', ranges } });
      expect(await ann.put(ref(what), bytes)).toMatchObject({ phase: 'DONE', proved: true });
    }
    expect(sha256(readFileSync(local(what)))).toBe(sha256(bytes));
  });

  it('foreign files in the staging directory stay, and keep only their directory', async () => {
    const bytes = randomBytes(10);
    await fresh('foreign', bytes);
    writeFileSync(join(staged(), 'notes.txt'), 'not ours');
    await ann.merge(ref('foreign'), 1);
    expect((await ann.watch(ref('foreign'))).at(-1)).toMatchObject({ phase: 'DONE' });
    const left = readdirSync(local('.longshore'), { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.includes('.txt'),
    );
    expect(left).toHaveLength(1);
  });
});
