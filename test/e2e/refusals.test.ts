import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestGateway } from '../support/gateway.js';
import { startTestGateway } from '../support/gateway.js';
import type { FileRef } from '../support/outside-client.js';
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

describe('input that a program got wrong', () => {
  const badInput = (argument: string) => ({ extensions: { code: 'BAD_USER_INPUT', argument } });

  it.each([
    ['a chunk size of zero', { chunkSize: 0 }, 'chunkSize'],
    ['a negative chunk size', { chunkSize: -1 }, 'chunkSize'],
  ])('refuses %s', async (_, options, argument) => {
    await expect(ann.status(ref('bad'), 1, options)).rejects.toMatchObject(badInput(argument));
  });

  it('refuses a negative size', async () => {
    await expect(ann.status(ref('bad'), -1)).rejects.toMatchObject({ extensions: { code: 'BAD_USER_INPUT' } });
  });

  it.each([
    ['an empty hash code', ''],
    ['a hash code over 200 bytes', 'é'.repeat(101)],
    ['a hash code with a control character', 'a\u0007'],
    ['a SHA-256 that is too short', 'sha256:abc'],
    ['a SHA-256 in capitals', `sha256:${'A'.repeat(64)}`],
    ['an MD5 that is too long', `md5:${'a'.repeat(64)}`],
  ])('refuses %s', async (_, hashCode) => {
    await expect(ann.status(ref('bad', hashCode), 1)).rejects.toMatchObject(badInput('hashCode'));
  });

  it('refuses an index outside the chunks and a malformed digest, and keeps nothing of it', async () => {
    const file = ref('index');
    await ann.status(file, 2 * CHUNK, { chunkSize: CHUNK });
    for (const index of [0, -1, 3, 2_000_000_000]) {
      await expect(ann.chunk(file, index, randomBytes(CHUNK))).rejects.toMatchObject(badInput('index'));
    }
    for (const digest of ['', 'abc', 'G'.repeat(64), sha256(Buffer.of(1)).toUpperCase()]) {
      await expect(ann.chunk(file, 1, randomBytes(CHUNK), digest)).rejects.toMatchObject(badInput('digest'));
    }
    expect((await ann.dirInfo(file))['chunkList']).toEqual([]);
    await ann.abort(file);
  });

  it('refuses a merge whose digest is none, or contradicts the hash code', async () => {
    const file = ref('digest', `sha256:${'1'.repeat(64)}`);
    await ann.status(file, 0);
    await expect(ann.merge(file, 0, { digest: 'nonsense' })).rejects.toMatchObject(badInput('digest'));
    await expect(ann.merge(file, 0, { digest: `sha256:${'2'.repeat(64)}` })).rejects.toMatchObject(badInput('digest'));
    await expect(ann.merge(file, -1)).rejects.toMatchObject(badInput('chunkCount'));
    await ann.abort(file);
  });
});

describe('paths', () => {
  it.each([
    ['a relative one', 'a'],
    ['the root', '/'],
    ['a .. segment', '/a/../b'],
    ['a . segment', '/./b'],
    ['an empty segment', '//b'],
    ['a closing slash', '/b/'],
    ['a NUL', '/b\u0000'],
    ['a line break', '/b\n'],
    ['half a surrogate pair', '/b\ud800'],
    ['a segment of 256 bytes', `/${'a'.repeat(256)}`],
    ['the staging directory', '/.longshore/x'],
    ['another root', '/etc/passwd'],
  ])('refuses %s', async (what, path) => {
    const fullPath = what === 'another root' || !path.startsWith('/') || path === '/' ? path : `${host().root}${path}`;
    const answer = await ann.status({ hostId: host().id, fullPath, hashCode: 'x' }, 1);
    expect(answer).toMatchObject({ __typename: 'Refused', code: 'INVALID_PATH', retryable: false });
  });

  it('refuses a path that leaves the root through a link, or goes through a file', async () => {
    symlinkSync('/tmp', local('out'));
    expect(await ann.status(ref('out/x'), 1)).toMatchObject({ code: 'INVALID_PATH' });
    expect(await ann.status(ref('out/new/x'), 1)).toMatchObject({ code: 'INVALID_PATH' });
    symlinkSync('nowhere', local('dangling-parent'));
    symlinkSync('looping', local('looping'));
    expect(await ann.status(ref('dangling-parent/x'), 1)).toMatchObject({ code: 'INVALID_PATH' });
    expect(await ann.status(ref('looping/x'), 1)).toMatchObject({ code: 'INVALID_PATH' });
    writeFileSync(local('plain'), 'x');
    expect(await ann.status(ref('plain/x'), 1)).toMatchObject({ code: 'INVALID_PATH' });
    expect(existsSync('/tmp/x')).toBe(false);
  });

  it('an alias through a link inside the root is the same target', async () => {
    mkdirSync(local('real'));
    owner(local('real'));
    symlinkSync('real', local('alias'));
    await ann.status(ref('real/file', 'same'), CHUNK, { chunkSize: CHUNK });
    await ann.chunk(ref('alias/file', 'same'), 1, randomBytes(CHUNK));
    expect(await ann.dirInfo(ref('real/file', 'same'))).toMatchObject({ name: 'file', chunkList: [1] });
    expect(await bob.status(ref('alias/file', 'other'), 1)).toMatchObject({
      code: 'UPLOAD_LOCKED',
      holder: 'ann',
      mine: false,
    });
    await ann.abort(ref('alias/file', 'same'));
  });

  const oddNames = [
    `it's`,
    'with space',
    ' leading and trailing ',
    '"double"',
    'a:b',
    'a:1',
    '100%',
    '%2e%2e',
    'a;rm -rf b',
    '$(touch x)',
    '`id`',
    '-rf',
    '--',
    'back\\slash',
    'quote\'"mix',
    '🚢 ahoy',
    '上传文件',
    'ไฟล์',
    'e\u0301',
    '*?[a]',
    '~root',
    '#hash&amp;',
    'n'.repeat(255),
    '文'.repeat(85),
  ];
  it.each(['sshd', 'embedded'] as const)(
    'legal odd names arrive byte-exact on %s',
    async (which) => {
      const { id, root, directory } = gateway.hosts[which];
      const bytes = randomBytes(CHUNK + 3);
      for (const name of oddNames) {
        const last = await ann.put({ hostId: id, fullPath: `${root}/odd/${name}`, hashCode: 'odd' }, bytes, {
          merge: { digest: sha256(bytes) },
        });
        expect(last, name).toMatchObject({ phase: 'DONE', proved: true });
      }
      expect(readdirSync(join(directory, 'odd')).sort()).toEqual([...oddNames].sort());
      for (const name of oddNames) expect(sha256(readFileSync(join(directory, 'odd', name))), name).toBe(sha256(bytes));
    },
    60_000,
  );
});

describe('hosts and targets', () => {
  it('an unknown host is refused in every call', async () => {
    const file = { hostId: 'nowhere', fullPath: '/x', hashCode: 'x' };
    const refused = { __typename: 'Refused', code: 'HOST_UNKNOWN' };
    expect(await ann.status(file, 1)).toMatchObject(refused);
    expect(await ann.dirInfo(file)).toMatchObject(refused);
    expect(await ann.chunk(file, 1, Buffer.of(1))).toMatchObject(refused);
    expect(await ann.merge(file, 1)).toMatchObject(refused);
    expect(await ann.abort(file)).toMatchObject(refused);
    expect(await ann.watch(file)).toMatchObject([{ phase: 'FAILED', problem: { code: 'HOST_UNKNOWN' } }]);
    expect(await ann.uploads({ hostId: 'nowhere' })).toMatchObject({ items: [], problems: [{ code: 'HOST_UNKNOWN' }] });
  });

  it('a directory, a link, a FIFO and a device are no targets', async () => {
    mkdirSync(local('directory'));
    symlinkSync('/etc/passwd', local('link'));
    symlinkSync('nothing', local('dangling'));
    execFileSync('mkfifo', [local('fifo')]);
    for (const name of ['directory', 'link', 'dangling', 'fifo']) {
      expect(await ann.status(ref(name), 1, { ifExists: 'REPLACE' }), name).toMatchObject({ code: 'INVALID_TARGET' });
    }
  });

  it('where our account may not write nothing begins', async () => {
    mkdirSync(local('closed'));
    chmodSync(local('closed'), 0o555);
    expect(await ann.status(ref('closed/x'), 1)).toMatchObject({ __typename: 'Refused', code: 'PERMISSION_DENIED' });
    mkdirSync(local('locked'));
    chmodSync(local('locked'), 0o700);
    expect(await ann.status(ref('locked/x'), 1)).toMatchObject({ __typename: 'Refused', code: 'PERMISSION_DENIED' });
  });

  it('a file that is too large or has no room on the host is refused before a byte is sent', async () => {
    expect(await ann.status(ref('large'), 2 ** 30 + 1)).toMatchObject({ code: 'QUOTA_EXCEEDED' });
  });
});

describe('claims', () => {
  it("another person's target is locked for every call, and free after an abort", async () => {
    const mine = ref('claimed', 'mine');
    const theirs = ref('claimed', 'theirs');
    await ann.status(mine, CHUNK);
    const locked = { __typename: 'UploadLocked', code: 'UPLOAD_LOCKED', holder: 'ann', mine: false };
    expect(await bob.status(theirs, 1)).toMatchObject(locked);
    expect(await bob.dirInfo(theirs)).toMatchObject(locked);
    expect(await bob.chunk(theirs, 1, Buffer.of(1))).toMatchObject(locked);
    expect(await bob.merge(theirs, 1)).toMatchObject(locked);
    expect(await bob.abort(theirs)).toMatchObject(locked);
    expect(await bob.status(theirs, 1, { takeOver: true })).toMatchObject(locked);
    expect(await ann.abort(mine)).toMatchObject({ __typename: 'UploadAborted' });
    expect(await bob.status(theirs, 1)).toMatchObject({ __typename: 'UploadReady' });
    await bob.abort(theirs);
  });

  it('own other content moves the claim only with takeOver while it is active, and only by uploadStatus', async () => {
    const one = ref('moved', 'one');
    const other = ref('moved', 'other');
    await ann.status(one, CHUNK);
    expect(await ann.status(other, CHUNK)).toMatchObject({ __typename: 'UploadLocked', mine: true });
    expect(await ann.chunk(other, 1, randomBytes(CHUNK))).toMatchObject({ code: 'UPLOAD_UNKNOWN' });
    expect(await ann.status(other, CHUNK, { takeOver: true })).toMatchObject({ __typename: 'UploadReady' });
    expect(await ann.dirInfo(one)).toMatchObject({ code: 'UPLOAD_UNKNOWN' });
    await ann.abort(other);
  });

  it('a lost claim comes back with the next call, and still locks others', async () => {
    const file = ref('lost', 'lost');
    const bytes = randomBytes(2 * CHUNK);
    await ann.status(file, bytes.length, { chunkSize: CHUNK });
    await ann.chunk(file, 2, chunkOf(bytes, CHUNK, 2));
    await gateway.restart();
    expect(await bob.status(ref('lost', 'theirs'), 1)).toMatchObject({ __typename: 'UploadLocked', holder: 'ann' });
    expect(await ann.status(ref('lost', 'changed'), 1)).toMatchObject({ __typename: 'UploadLocked', mine: true });
    expect(await ann.chunk(file, 1, chunkOf(bytes, CHUNK, 1))).toMatchObject({ uploadedCount: 2 });
    await ann.merge(file, 2, { digest: sha256(bytes) });
    expect((await ann.watch(file)).at(-1)).toMatchObject({ phase: 'DONE', proved: true });
  });

  it('a resume with another size is refused', async () => {
    const file = ref('size', 'size');
    await ann.status(file, CHUNK);
    await ann.dirInfo(file);
    expect(await ann.status(file, CHUNK + 1)).toMatchObject({ __typename: 'Refused', code: 'SIZE_MISMATCH' });
    expect(await ann.merge(file, 7)).toMatchObject({ __typename: 'Refused', code: 'SIZE_MISMATCH' });
    await ann.abort(file);
  });

  it('calls about an upload that never began are UPLOAD_UNKNOWN, and those after an abort ABORTED', async () => {
    const file = ref('never', 'never');
    const unknown = { __typename: 'Refused', code: 'UPLOAD_UNKNOWN' };
    expect(await ann.dirInfo(file)).toMatchObject(unknown);
    expect(await ann.chunk(file, 1, Buffer.of(1))).toMatchObject(unknown);
    expect(await ann.merge(file, 1)).toMatchObject(unknown);
    expect(await ann.abort(file)).toMatchObject(unknown);
    expect(await ann.watch(file)).toMatchObject([{ phase: 'FAILED', problem: { code: 'UPLOAD_UNKNOWN' } }]);
    await ann.status(file, CHUNK);
    await ann.chunk(file, 1, randomBytes(CHUNK));
    const aborted = await ann.abort(file);
    expect(aborted).toMatchObject({ __typename: 'UploadAborted' });
    expect(await ann.abort(file)).toEqual(aborted);
    expect(await ann.dirInfo(file)).toMatchObject({ code: 'ABORTED' });
    expect(await ann.watch(file)).toMatchObject([{ phase: 'ABORTED' }]);
    expect(existsSync(local('.longshore'))).toBe(false);
    expect(await ann.status(file, CHUNK)).toMatchObject({ __typename: 'UploadReady' });
    await ann.abort(file);
  });

  it("a person's unfinished uploads are listed, and nobody else's", async () => {
    for (const name of ['list/a', 'list/b', 'list/c']) {
      await ann.status(ref(name), 3 * CHUNK, { chunkSize: CHUNK });
      await ann.chunk(ref(name), 2, randomBytes(CHUNK));
    }
    await bob.status(ref('list/d'), CHUNK);
    await bob.dirInfo(ref('list/d'));
    const page = await ann.uploads({ first: 2 });
    const rest = await ann.uploads({ first: 2, after: page['nextAfter'] });
    expect(rest).toMatchObject({ nextAfter: null, problems: [] });
    const items = [page, rest].flatMap((answer) => answer['items'] as readonly FileRef[]);
    expect(items.map((item) => item.fullPath).sort()).toEqual(['list/a', 'list/b', 'list/c'].map((name) => ref(name).fullPath));
    expect(items[0]).toMatchObject({ hostId: 'sshd', size: 3 * CHUNK, uploadedBytes: CHUNK, phase: 'RECEIVING' });
    for (const item of items) await ann.abort({ hostId: item.hostId, fullPath: item.fullPath, hashCode: item.hashCode });
    await bob.abort(ref('list/d'));
    expect((await ann.uploads())['items']).toEqual([]);
  });
});

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
      await ann.chunk(file, 1, bytes);
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

it('a chunk that is cut off in the middle counts for nothing and comes again', async () => {
  const bytes = randomBytes(4 * CHUNK);
  const file = ref('cut', 'cut');
  await ann.status(file, bytes.length, { chunkSize: 4 * CHUNK });
  const { hostname, port } = new URL(gateway.url);
  const boundary = 'b';
  const operations = JSON.stringify({
    query: 'mutation ($file: FileRef!, $chunk: Upload!) { uploadChunk(file: $file, index: 1, chunk: $chunk) { __typename } }',
    variables: { file, chunk: null },
  });
  const part = (name: string, body: string) => `--${boundary}\r\ncontent-disposition: form-data; ${name}\r\n\r\n${body}`;
  const head = `${part('name="operations"', operations)}\r\n${part('name="map"', '{"0":["variables.chunk"]}')}\r\n${part('name="0"; filename="c"', '')}`;
  const socket = connect(Number(port), hostname);
  const length = Buffer.byteLength(head) + bytes.length + 9;
  socket.write(
    `POST /graphql HTTP/1.1\r\nhost: ${hostname}:${port}\r\nx-person-id: ann\r\napollo-require-preflight: 1\r\ncontent-type: multipart/form-data; boundary=${boundary}\r\ncontent-length: ${length}\r\n\r\n${head}`,
  );
  await new Promise<void>((resolve) => socket.write(bytes.subarray(0, 3 * CHUNK), () => resolve()));
  socket.destroy();
  await expect.poll(async () => (await ann.chunk(file, 1, bytes)).__typename, { timeout: 5_000 }).toBe('ChunkStored');
  await ann.merge(file, 1, { digest: sha256(bytes) });
  expect((await ann.watch(file)).at(-1)).toMatchObject({ phase: 'DONE', proved: true });
});

it('tells what each host is and can', async () => {
  const hosts = await ann.hosts();
  expect(hosts).toMatchObject([
    { id: 'sshd', reachable: true, strategy: 'IN_PLACE', roots: [host().root] },
    { id: 'local', reachable: true, strategy: 'IN_PLACE', roots: ['/'] },
  ]);
  for (const { freeBytes } of hosts) expect(freeBytes).toBeGreaterThan(0);
  const both = ['RANDOM_WRITE', 'COPY_DATA', 'HARD_LINK', 'POSIX_RENAME', 'FSYNC', 'SPACE', 'HASH_COMMAND'];
  expect(hosts.map(({ capabilities }) => capabilities)).toEqual([
    expect.toSatisfy((list: string[]) => sameSet(list, [...both, 'COMMAND'])),
    expect.toSatisfy((list: string[]) => sameSet(list, both)),
  ]);
});

function sameSet(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((item) => other.includes(item));
}
