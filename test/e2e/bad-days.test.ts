// Everything that goes wrong on a host and beside it, through two gateways in turn. Somebody on the host looks at the target all the
// while: it is absent, the old file whole, or the new one whole.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Cluster } from '../support/cluster.js';
import { inTurn, startCluster } from '../support/cluster.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import type { Answer, FileRef } from '../support/outside-client.js';
import { OutsideClient, chunkOf, sha256 } from '../support/outside-client.js';
import type { HostWatcher } from '../support/watcher.js';
import { watchFile } from '../support/watcher.js';

const CHUNK = 65_536;
/** Design §2: how long an answer may take, and one about a host that is away. */
const ANSWER_MS = 2_000;
const ABSENT = 'absent';
const OLD = Buffer.from('the old file');
const NEW = randomBytes(3 * CHUNK + 7);

let cluster: Cluster;
let gateways: readonly GatewayProcess[];
let ann: OutsideClient;
let bob: OutsideClient;
let watcher: HostWatcher;
let looks = 0;
let keys: string;

beforeAll(async () => {
  keys = mkdtempSync(join(tmpdir(), 'longshore-keys-'));
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(keys, 'stranger')]);
  cluster = await startCluster({
    config: ['limits: { maxFileBytes: 1GiB }'],
    hosts: ({ address, port, username, privateKeyFile, hostKeyFingerprint, root }) => [
      `  - { id: impostor, address: ${address}, port: ${port}, username: ${username}, privateKeyFile: ${privateKeyFile}, hostKeys: ["SHA256:${'A'.repeat(43)}"], roots: [${root}] }`,
      `  - { id: stranger, address: ${address}, port: ${port}, username: ${username}, privateKeyFile: ${join(keys, 'stranger')}, hostKeys: ["${hostKeyFingerprint}"], roots: [${root}] }`,
    ],
  });
  gateways = [await cluster.start(), await cluster.start()];
  ann = new OutsideClient(inTurn(gateways), 'ann');
  bob = new OutsideClient(inTurn(gateways), 'bob');
});
afterAll(async () => {
  await cluster.stop();
  rmSync(keys, { recursive: true });
  expect(looks).toBeGreaterThan(1_000);
});

const local = (name: string) => join(cluster.sshd.root, name);
const owned = (path: string) => execFileSync('chown', ['--reference', cluster.sshd.root, path]);
const ref = (name = 'target', hashCode = 'new') => ({ hostId: 'sshd', fullPath: local(name), hashCode });
const digest = { digest: sha256(NEW) };

beforeEach(() => {
  watcher = watchFile(local('target'));
});
afterEach(async () => {
  const { seen, ...watched } = await watcher.stop();
  looks += watched.looks;
  expect([ABSENT, sha256(OLD), sha256(NEW)]).toEqual(expect.arrayContaining([...seen]));
  await expect.poll(() => openFiles()).toEqual([]);
  for (const { pid } of gateways) expect(existsSync(`/proc/${pid}`)).toBe(true);
  for (const { url } of gateways) expect((await fetch(`${url}/health`)).status).toBe(200);
  await ann.abort(ref());
  rmSync(local('target'), { force: true });
});

/** What the SFTP servers of all sessions hold open below the root. */
function openFiles(): readonly string[] {
  return cluster.sshd.children('sftp-server').flatMap((pid) => {
    const handles = listed(`/proc/${pid}/fd`).map((fd) => linked(`/proc/${pid}/fd/${fd}`));
    return handles.filter((path) => path.startsWith(cluster.sshd.root));
  });
}

function listed(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return []; // The process has ended.
  }
}

function linked(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // Closed meanwhile.
  }
}

async function timely<T>(call: Promise<T>, limitMs = ANSWER_MS): Promise<T> {
  const began = performance.now();
  const answer = await call;
  expect(performance.now() - began).toBeLessThan(limitMs);
  return answer;
}

/** All of NEW's chunks, not yet merged. */
async function sendChunks(file: FileRef, options: Readonly<Record<string, unknown>> = {}): Promise<void> {
  const ready = await timely(ann.status(file, NEW.length, { chunkSize: CHUNK, ...options }));
  expect(ready.__typename).toMatch(/^Upload(Ready|Resumable)$/);
  for (const index of [1, 2, 3, 4]) {
    expect(await timely(ann.chunk(file, index, chunkOf(NEW, CHUNK, index)))).toMatchObject({ __typename: 'ChunkStored' });
  }
}

const ending = async (file: FileRef): Promise<Answer | undefined> => (await ann.watch(file)).at(-1);
const staging = async (file: FileRef): Promise<string> => String((await ann.dirInfo(file))['dir']);

describe('what can not be a target', () => {
  it.each([
    ['a directory', () => mkdirSync(local('odd'))],
    ['a link to a file', () => symlinkSync('/etc/passwd', local('odd'))],
    ['a link that leads nowhere', () => symlinkSync('nowhere', local('odd'))],
    ['a FIFO', () => execFileSync('mkfifo', [local('odd')])],
    [
      'a socket',
      () => execFileSync('python3', ['-c', `import socket; socket.socket(1).bind(${JSON.stringify(local('odd'))})`]),
    ],
    ['a device', () => execFileSync('mknod', [local('odd'), 'c', '1', '3'])],
  ])('%s is refused, before and after the chunks were sent', async (_, make) => {
    const file = ref('odd');
    try {
      await sendChunks(file);
      make();
      expect(await timely(ann.merge(file, 4))).toMatchObject({ __typename: 'Refused', code: 'INVALID_TARGET' });
      expect(await timely(ann.status(file, NEW.length, { ifExists: 'REPLACE' }))).toMatchObject({ code: 'INVALID_TARGET' });
    } finally {
      rmSync(local('odd'), { recursive: true, force: true });
      await ann.abort(file);
    }
  });

  it('a path outside the roots, also once its links are followed', async () => {
    symlinkSync('/tmp', local('out'));
    for (const path of ['/etc/passwd', local('out/x'), `${local('a')}/../../x`]) {
      expect(await timely(ann.status({ ...ref(), fullPath: path }, 1))).toMatchObject({ code: 'INVALID_PATH' });
    }
  });

  it('a place where our account may not write', async () => {
    mkdirSync(local('closed'), { recursive: true });
    chmodSync(local('closed'), 0o500);
    expect(await timely(ann.status(ref('closed/x'), 1))).toMatchObject({ __typename: 'Refused', code: 'PERMISSION_DENIED' });
  });

  it('a host nobody knows', async () => {
    expect(await timely(ann.status({ ...ref(), hostId: 'nobody' }, 1))).toMatchObject({ code: 'HOST_UNKNOWN' });
  });
});

describe('a disk that is full', () => {
  const disk = () => local('small');

  beforeEach(() => {
    mkdirSync(disk());
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=0777', 'longshore-test', disk()]);
  });
  afterEach(() => {
    execFileSync('umount', ['-l', disk()]);
    rmSync(disk(), { recursive: true });
  });

  it('is told before a byte is sent', async () => {
    expect(await timely(ann.status(ref('small/x'), 2 ** 21))).toMatchObject({ code: 'NOT_ENOUGH_SPACE', retryable: true });
    expect(readdirSync(disk())).toEqual([]);
  });

  it('while chunks arrive refuses them, keeps those that are there, and takes them once there is room', async () => {
    const file = ref('small/x');
    await timely(ann.status(file, NEW.length, { chunkSize: CHUNK }));
    expect(await ann.chunk(file, 1, chunkOf(NEW, CHUNK, 1))).toMatchObject({ __typename: 'ChunkStored' });
    writeFileSync(join(disk(), 'filler'), Buffer.alloc(2 ** 20 - 20 * 4_096 - CHUNK / 2));
    const rest = [2, 3, 4].map((index) => ann.chunk(file, index, chunkOf(NEW, CHUNK, index)));
    const codes = (await timely(Promise.all(rest))).map((answer) => answer['code']);
    expect(codes).toContain('NOT_ENOUGH_SPACE');
    rmSync(join(disk(), 'filler'));
    for (const index of [2, 3, 4]) await ann.chunk(file, index, chunkOf(NEW, CHUNK, index));
    await ann.merge(file, 4, digest);
    expect(await ending(file)).toMatchObject({ phase: 'DONE', proved: true });
    expect(sha256(readFileSync(join(disk(), 'x')))).toBe(sha256(NEW));
    expect(readdirSync(disk())).toEqual(['x']);
  });
});

describe('a host that is away', () => {
  it('gives an answer in time, loses nothing, and goes on when it is back', async () => {
    const file = ref();
    await sendChunks(file);
    await cluster.sshd.kill('everything');
    expect(await timely(ann.chunk(file, 1, chunkOf(NEW, CHUNK, 1)), 12_000)).toMatchObject({ code: 'HOST_UNREACHABLE' });
    expect(await timely(ann.dirInfo(file), 12_000)).toMatchObject({ __typename: 'TryAgainLater', code: 'HOST_UNREACHABLE' });
    expect(await timely(ann.uploads(), 12_000)).toMatchObject({
      items: [],
      problems: expect.arrayContaining([expect.objectContaining({ code: 'HOST_UNREACHABLE' })]) as unknown,
    });
    expect(await timely(ann.hosts(), 12_000)).toMatchObject([{ reachable: false }, { reachable: false }, { reachable: false }]);
    await cluster.sshd.restart();
    await expect.poll(async () => (await ann.dirInfo(file))['uploadedCount'], { timeout: 25_000 }).toBe(4);
    // A merge that met the host on its way back fails, and says that it may be asked for again.
    const end = async () => ((await ann.merge(file, 4, digest)).__typename === 'MergeStarted' ? await ending(file) : undefined);
    await expect.poll(end, { timeout: 30_000 }).toMatchObject({ phase: 'DONE', proved: true });
  }, 90_000);

  it('that hangs is noticed within 12 s', async () => {
    const file = ref();
    await sendChunks(file);
    cluster.sshd.pause();
    try {
      const calls = [ann.dirInfo(file), ann.dirInfo(file), ann.chunk(file, 9, NEW), ann.abort(file)];
      for (const answer of await timely(Promise.all(calls), 12_500)) expect(answer).toMatchObject({ code: 'HOST_UNREACHABLE' });
    } finally {
      cluster.sshd.resume();
    }
    await expect.poll(async () => (await ann.dirInfo(file))['uploadedCount'], { timeout: 25_000 }).toBe(4);
  }, 60_000);
});

describe('a host that is not what it should be', () => {
  it.each([
    ['shows another key', 'impostor', 'HOST_KEY_MISMATCH'],
    ['does not take our login', 'stranger', 'HOST_AUTH_FAILED'],
  ])('%s: every call says so in time, and the other host is not disturbed', async (_, hostId, code) => {
    const file = { ...ref(), hostId };
    const calls = [ann.status(file, 1), ann.dirInfo(file), ann.chunk(file, 1, NEW), ann.merge(file, 1), ann.abort(file)];
    for (const answer of await timely(Promise.all(calls))) expect(answer).toMatchObject({ __typename: 'Refused', code });
    expect(await timely(ann.hosts())).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ id: hostId, reachable: false }),
        expect.objectContaining({ id: 'sshd', reachable: true }),
      ]),
    );
    expect(await timely(ann.uploads())).toMatchObject({
      problems: expect.arrayContaining([expect.objectContaining({ code })]),
    });
  });
});

describe('two at one place', () => {
  it('a chunk that comes twice at once is told to wait, and stored once', async () => {
    const file = ref('busy');
    const bytes = randomBytes(8 * 2 ** 20);
    await ann.status(file, bytes.length, { chunkSize: bytes.length });
    const answers = await Promise.all(Array.from({ length: 8 }, () => ann.chunk(file, 1, bytes)));
    const stored = answers.filter((answer) => answer.__typename === 'ChunkStored');
    expect(stored.filter((answer) => answer['alreadyStored'] === false)).toHaveLength(1);
    for (const answer of answers) {
      if (answer.__typename !== 'ChunkStored') expect(answer).toMatchObject({ code: 'CHUNK_BUSY', retryable: true });
    }
    expect(await ann.dirInfo(file)).toMatchObject({ uploadedCount: 1, chunks: [{ index: 1, digest: sha256(bytes) }] });
    await ann.merge(file, 1, { digest: sha256(bytes) });
    expect(await ending(file)).toMatchObject({ phase: 'DONE', proved: true });
    expect(sha256(readFileSync(local('busy')))).toBe(sha256(bytes));
  });

  it('other bytes for a chunk that is there are a conflict, through whichever gateway', async () => {
    const file = ref();
    await sendChunks(file);
    for (let call = 0; call < 2; call++) {
      expect(await timely(ann.chunk(file, 1, randomBytes(CHUNK)))).toMatchObject({ code: 'CHUNK_CONFLICT', retryable: false });
    }
    await ann.merge(file, 4, digest);
    expect(await ending(file)).toMatchObject({ phase: 'DONE', proved: true });
  });

  it("another person's target is locked, and own other content too unless it is taken over", async () => {
    await sendChunks(ref());
    for (let call = 0; call < 2; call++) {
      expect(await timely(bob.status(ref('target', 'theirs'), 1))).toMatchObject({ code: 'UPLOAD_LOCKED', mine: false });
      expect(await timely(ann.status(ref('target', 'other'), 1))).toMatchObject({ code: 'UPLOAD_LOCKED', mine: true });
    }
    const moved = await timely(ann.status(ref('target', 'other'), 1, { takeOver: true }));
    expect(moved).toMatchObject({ __typename: 'UploadReady' });
    for (let call = 0; call < 2; call++) {
      expect(await timely(ann.chunk(ref(), 1, chunkOf(NEW, CHUNK, 1)))).toMatchObject({ code: 'UPLOAD_UNKNOWN' });
    }
    await ann.abort(ref('target', 'other'));
  });
});

describe('somebody on the host', () => {
  it('makes the target while chunks arrive: ASK shows it, REPLACE replaces what was shown', async () => {
    const file = ref();
    await sendChunks(file);
    writeFileSync(local('target'), OLD);
    owned(local('target'));
    const shown = await timely(ann.merge(file, 4, digest));
    expect(shown).toMatchObject({ __typename: 'FileExists', size: OLD.length });
    await ann.merge(file, 4, { ...digest, ifExists: 'REPLACE', ifMatch: shown['etag'] });
    expect(await ending(file)).toMatchObject({ phase: 'DONE', proved: true });
  });

  it('changes the target after it was shown: it stays', async () => {
    writeFileSync(local('target'), 'changed before the new one was sent');
    const watched = await watcher.stop();
    looks += watched.looks;
    owned(local('target'));
    const shown = await ann.status(ref(), NEW.length, { chunkSize: CHUNK });
    writeFileSync(local('target'), OLD);
    watcher = watchFile(local('target'));
    const wish = { ifExists: 'REPLACE', ifMatch: shown['etag'] };
    expect(await timely(ann.status(ref(), NEW.length, wish))).toMatchObject({ code: 'TARGET_CHANGED' });
    await sendChunks(ref(), { ifExists: 'REPLACE' });
    expect(await timely(ann.merge(ref(), 4, { ...digest, ...wish }))).toMatchObject({ code: 'TARGET_CHANGED' });
    expect(readFileSync(local('target'))).toEqual(OLD);
  });

  it.each([
    ['changes bytes', (dir: string) => writeFileSync(join(dir, 'data'), randomBytes(NEW.length))],
    ['cuts the data short', (dir: string) => truncateSync(join(dir, 'data'), CHUNK + 1)],
    ['appends to the data', (dir: string) => appendFileSync(join(dir, 'data'), 'more')],
    ['wipes the received map', (dir: string) => truncateSync(join(dir, 'received'), 0)],
    ['scribbles over the received map', (dir: string) => writeFileSync(join(dir, 'received'), randomBytes(1_000))],
    ['edits the manifest', (dir: string) => writeFileSync(join(dir, 'manifest.json'), '{')],
    ['removes the data', (dir: string) => rmSync(join(dir, 'data'))],
    ['removes the received map', (dir: string) => rmSync(join(dir, 'received'))],
    ['removes the directory', (dir: string) => rmSync(dir, { recursive: true })],
    [
      'puts a directory in the place of the data',
      (dir: string) => {
        rmSync(join(dir, 'data'));
        mkdirSync(join(dir, 'data'));
      },
    ],
  ])('%s in the staging directory: nothing wrong is ever published, and sending again heals', async (_, edit) => {
    const file = ref();
    await sendChunks(file);
    edit(await staging(file));
    const started = await timely(ann.merge(file, 4, digest));
    if (started.__typename === 'MergeStarted') await ending(file);
    for (let attempt = 0; attempt < 3 && !existsSync(local('target')); attempt++) {
      const status = await timely(ann.status(file, NEW.length, { chunkSize: CHUNK }));
      if (status.__typename === 'UploadFinished') break;
      expect(status.__typename).toMatch(/^Upload(Ready|Resumable)$/);
      for (const index of [1, 2, 3, 4]) await ann.chunk(file, index, chunkOf(NEW, CHUNK, index));
      if ((await ann.merge(file, 4, digest)).__typename === 'MergeStarted') await ending(file);
    }
    expect(sha256(readFileSync(local('target')))).toBe(sha256(NEW));
  });

  it('leaves a file of his own in the staging directory: it stays', async () => {
    const file = ref();
    await sendChunks(file);
    const directory = await staging(file);
    writeFileSync(join(directory, 'notes.txt'), 'mine');
    await ann.merge(file, 4, digest);
    expect(await ending(file)).toMatchObject({ phase: 'DONE', proved: true });
    const found = execFileSync('find', [local('.longshore'), '-type', 'f'], { encoding: 'utf8' })
      .trim()
      .split('\n');
    expect(found).toEqual([expect.stringMatching(/notes\.txt$/)]);
    expect(readFileSync(found[0] ?? '', 'utf8')).toBe('mine');
    rmSync(local('.longshore'), { recursive: true });
  });
});

describe('requests that are none', () => {
  const post = async (headers: Readonly<Record<string, string>>, body: string) =>
    (await timely(fetch(`${gateways[0]?.url}/graphql`, { method: 'POST', headers, body }))).json() as Promise<{
      errors: { extensions: { code: string } }[];
    }>;

  it('a malformed multipart body is refused', async () => {
    const headers = { 'content-type': 'multipart/form-data; boundary=b', 'apollo-require-preflight': '1' };
    for (const body of [
      '',
      '--b',
      '--b\r\n\r\n--b--',
      '--b\r\ncontent-disposition: form-data; name="operations"\r\n\r\n{\r\n--b--',
    ]) {
      expect((await post(headers, body)).errors[0]?.extensions.code).toBe('BAD_MULTIPART');
    }
  });

  it('JSON that is too large is refused', async () => {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ query: `{ hosts { id } } #${'x'.repeat(4 * 2 ** 20)}` });
    expect((await post(headers, body)).errors[0]?.extensions.code).toBe('PAYLOAD_TOO_LARGE');
  });
});
