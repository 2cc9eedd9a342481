import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestGateway } from '../support/gateway.js';
import { startTestGateway } from '../support/gateway.js';
import { OutsideClient, sha256 } from '../support/outside-client.js';

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
