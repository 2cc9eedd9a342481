// Somebody with a token of his own reaches for hosts and uploads that aren't his: every operation of the schema, every person, every
// host.
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { isObjectType } from 'graphql';
import type { GraphQLObjectType } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadSchema } from '../../src/graphql/schema.js';
import type { TestGateway } from '../support/gateway.js';
import { startTestGateway } from '../support/gateway.js';
import type { Answer, FileRef, OutsideClient } from '../support/outside-client.js';
import { chunkOf, sha256 } from '../support/outside-client.js';
import { JWT_MODE, clientOf } from './support.js';

const CHUNK = 65_536;

/** The operations about one file. */
const ABOUT_A_FILE: Readonly<Record<string, (client: OutsideClient, file: FileRef) => Promise<Answer | undefined>>> = {
  uploadStatus: (client, file) => client.status(file, 3 * CHUNK, { chunkSize: CHUNK }),
  dirInfo: (client, file) => client.dirInfo(file),
  uploadChunk: (client, file) => client.chunk(file, 1, randomBytes(CHUNK)),
  mergeFile: (client, file) => client.merge(file, 3),
  abortUpload: (client, file) => client.abort(file),
  mergeProgress: async (client, file) => problemIn((await client.watch(file)).at(-1)),
};

function problemIn(state: Answer | undefined): Answer | undefined {
  return (state?.['problem'] ?? undefined) as Answer | undefined;
}

let gateway: TestGateway;
let clients: Readonly<Record<'ann' | 'bob' | 'eve', OutsideClient>>;

beforeAll(async () => {
  gateway = await startTestGateway({
    config: [JWT_MODE],
    hosts: (root) => [
      { id: 'everybody', roots: [join(root, 'everybody')] },
      { id: 'editors', roots: [join(root, 'editors')], allow: { groups: ['editors'] } },
      { id: 'ann-only', roots: [join(root, 'ann-only')], allow: { persons: ['ann'] } },
      { id: 'homes', roots: [join(root, 'homes/{person}/in')] },
    ],
  });
  for (const name of ['everybody', 'editors', 'ann-only', 'homes']) make(name);
  clients = {
    ann: await clientOf(gateway, 'ann', { groups: ['editors'] }),
    bob: await clientOf(gateway, 'bob', { groups: ['readers'] }),
    // Whoever tries what a comparison may overlook.
    eve: await clientOf(gateway, 'Ann', { groups: ['Editors', 'editors ', 'ann', '*', ''] }),
  };
});
afterAll(() => gateway.stop());

/** A directory of the account's. */
function make(name: string): void {
  const { uid, gid } = statSync(gateway.sshd.root);
  mkdirSync(join(gateway.sshd.root, name));
  chownSync(join(gateway.sshd.root, name), uid, gid);
}

const fileOn = (hostId: string, name: string, hashCode = 'quick') => ({
  hostId,
  fullPath: join(gateway.sshd.root, hostId, name),
  hashCode,
});

describe('the operations', () => {
  it('of the schema are all tried here', () => {
    const schema = loadSchema();
    const types: readonly (GraphQLObjectType | null | undefined)[] = [
      schema.getQueryType(),
      schema.getMutationType(),
      schema.getSubscriptionType(),
    ];
    const names = types.flatMap((type) => Object.keys(type?.getFields() ?? {}));
    expect(names.sort()).toEqual([...Object.keys(ABOUT_A_FILE), 'hosts', 'uploads'].sort());
  });

  it('are asked for every field of what they answer', () => {
    const asked = readFileSync(new URL('../support/outside-client.ts', import.meta.url), 'utf8');
    const types = Object.values(loadSchema().getTypeMap()).filter((type) => isObjectType(type) && !type.name.startsWith('__'));
    const fields = types.flatMap((type) => Object.keys((type as GraphQLObjectType).getFields()));
    expect(fields.length).toBeGreaterThan(80);
    expect([...new Set(fields)].filter((field) => !new RegExp(`\\b${field}\\b`).test(asked))).toEqual([]);
  });
});

describe("a host that isn't the caller's", () => {
  const MAY_USE = {
    ann: ['sshd', 'local', 'everybody', 'editors', 'ann-only', 'homes'],
    bob: ['sshd', 'local', 'everybody', 'homes'],
    eve: ['sshd', 'local', 'everybody', 'homes'],
  };
  const persons = ['ann', 'bob', 'eve'] as const;

  it.each(persons)('is not among those that %s is told of', async (person) => {
    const hosts = await clients[person].hosts();
    expect(hosts.map(({ id }) => id).sort()).toEqual([...MAY_USE[person]].sort());
  });

  const cells = persons.flatMap((person) =>
    ['editors', 'ann-only'].flatMap((host) => Object.keys(ABOUT_A_FILE).map((operation) => ({ person, host, operation }))),
  );

  it.each(cells)('$operation by $person on $host', async ({ person, host, operation }) => {
    const call = (hostId: string) => ABOUT_A_FILE[operation]?.(clients[person], { ...fileOn(host, `${person}.bin`), hostId });
    const answer = await call(host);
    if (MAY_USE[person].includes(host)) {
      expect(answer?.['code']).not.toBe('HOST_UNKNOWN');
      return;
    }
    expect(answer).toMatchObject({ __typename: 'Refused', code: 'HOST_UNKNOWN', retryable: false });
    // As if it did not exist: the same answer, to the letter.
    expect(JSON.stringify(answer)).toBe(JSON.stringify(await call('nowhere')).replaceAll('nowhere', host));
  });

  it.each(['editors', 'ann-only'])('has no uploads to show: %s', async (host) => {
    const { items, problems } = await clients.bob.uploads({ hostId: host });
    const nowhere = await clients.bob.uploads({ hostId: 'nowhere' });
    expect(items).toEqual([]);
    expect(JSON.stringify(problems)).toBe(JSON.stringify(nowhere['problems']).replaceAll('nowhere', host));
  });
});

describe("another's upload", () => {
  const HASH_CODE = "ann's own content";
  const SIZE = 3 * CHUNK;
  const bytes = randomBytes(SIZE);

  it('is told of by UploadLocked alone, and nothing ends or changes it', async () => {
    const file = fileOn('everybody', 'film.mov', HASH_CODE);
    await clients.ann.status(file, SIZE, { chunkSize: CHUNK });
    await clients.ann.chunk(file, 1, chunkOf(bytes, CHUNK, 1));
    await clients.ann.chunk(file, 2, chunkOf(bytes, CHUNK, 2));
    const before = await clients.ann.dirInfo(file);
    for (const [operation, call] of Object.entries(ABOUT_A_FILE)) {
      for (const hashCode of [HASH_CODE, 'something else']) {
        const answer = await call(clients.bob, { ...file, hashCode });
        expect([operation, answer?.__typename]).toEqual([
          operation,
          operation === 'mergeProgress' ? 'Refused' : 'UploadLocked',
        ]);
        const told = JSON.stringify({ ...answer, holder: undefined, since: undefined, until: undefined });
        for (const secret of ['ann', String(SIZE), String(2 * CHUNK), sha256(chunkOf(bytes, CHUNK, 1)), HASH_CODE]) {
          expect(told).not.toContain(secret);
        }
      }
    }
    expect(await clients.bob.uploads()).toMatchObject({ items: [], problems: [] });
    expect(await clients.ann.dirInfo(file)).toEqual(before);
  });

  it('of the same content elsewhere is no upload of the caller', async () => {
    const file = fileOn('everybody', 'own.mov', HASH_CODE);
    expect(await clients.bob.dirInfo(file)).toMatchObject({ code: 'UPLOAD_UNKNOWN' });
    expect(await clients.bob.chunk(file, 1, chunkOf(bytes, CHUNK, 1))).toMatchObject({ code: 'UPLOAD_UNKNOWN' });
    expect(await clients.bob.status(file, SIZE, { chunkSize: CHUNK })).toMatchObject({ __typename: 'UploadReady' });
    expect(await clients.bob.dirInfo(file)).toMatchObject({ chunkList: [] });
  });

  it('that was published is a file, and nothing more is told of it', async () => {
    const file = fileOn('everybody', 'film.mov', HASH_CODE);
    await clients.ann.chunk(file, 3, chunkOf(bytes, CHUNK, 3));
    await clients.ann.merge(file, 3);
    expect((await clients.ann.watch(file)).at(-1)).toMatchObject({ phase: 'DONE' });
    expect(readFileSync(file.fullPath).equals(bytes)).toBe(true);
    const answer = await clients.bob.status(file, SIZE);
    expect(answer).toMatchObject({ __typename: 'FileExists', size: SIZE });
    expect(JSON.stringify(answer)).not.toContain('ann');
    for (const operation of ['dirInfo', 'uploadChunk', 'mergeFile', 'abortUpload', 'mergeProgress']) {
      expect(await ABOUT_A_FILE[operation]?.(clients.bob, file)).toMatchObject({ code: 'UPLOAD_UNKNOWN' });
    }
    expect(readFileSync(file.fullPath).equals(bytes)).toBe(true);
  });
});

describe("another's home", () => {
  const home = (person: string, name = 'x.bin', hashCode = 'quick') => ({
    hostId: 'homes',
    fullPath: join(gateway.sshd.root, 'homes', person, 'in', name),
    hashCode,
  });

  it('is told of before it is there', async () => {
    const host = (await clients.bob.hosts()).find(({ id }) => id === 'homes');
    expect(host).toMatchObject({ reachable: true, strategy: 'IN_PLACE', freeBytes: expect.any(Number) });
    expect(existsSync(join(gateway.sshd.root, 'homes', 'bob'))).toBe(false);
  });

  it('is made for whoever comes first to his own, and found again', async () => {
    const bytes = randomBytes(100);
    expect(await clients.ann.put(home('ann', 'a.bin', `sha256:${sha256(bytes)}`), bytes)).toMatchObject({ phase: 'DONE' });
    expect(readFileSync(home('ann', 'a.bin').fullPath).equals(bytes)).toBe(true);
    await clients.ann.status(home('ann', 'half.bin'), SIZE_OF_TWO, { chunkSize: CHUNK });
    await clients.ann.chunk(home('ann', 'half.bin'), 1, randomBytes(CHUNK));
    expect(await clients.ann.uploads({ hostId: 'homes' })).toMatchObject({
      items: [{ fullPath: home('ann', 'half.bin').fullPath }],
    });
    expect(await clients.bob.uploads({ hostId: 'homes' })).toMatchObject({ items: [], problems: [] });
  });

  it.each(Object.keys(ABOUT_A_FILE))('is outside the roots, for %s', async (operation) => {
    const answer = await ABOUT_A_FILE[operation]?.(clients.bob, home('ann', 'a.bin'));
    expect(answer).toMatchObject({ code: 'INVALID_PATH' });
    const nobodys = await ABOUT_A_FILE[operation]?.(clients.bob, home('nobody', 'a.bin'));
    expect(JSON.stringify(answer)).toBe(JSON.stringify(nobodys));
    expect(existsSync(join(gateway.sshd.root, 'homes', 'nobody'))).toBe(false);
  });

  it('is listed to nobody else, and by no placeholder', async () => {
    const roots = (await clients.bob.hosts()).find(({ id }) => id === 'homes')?.['roots'];
    expect(roots).toEqual([join(gateway.sshd.root, 'homes/bob/in')]);
  });

  it('can not be had by a link in the place of one’s own', async () => {
    const dan = await clientOf(gateway, 'dan');
    symlinkSync('ann', join(gateway.sshd.root, 'homes', 'dan'));
    expect(await dan.status(home('dan'), 1)).toMatchObject({ code: 'INVALID_PATH' });
    const fay = await clientOf(gateway, 'fay');
    make('homes/fay');
    symlinkSync('../ann/in', join(gateway.sshd.root, 'homes', 'fay', 'in'));
    expect(await fay.status(home('fay'), 1)).toMatchObject({ code: 'INVALID_PATH' });
  });

  it.each(['..', '.', 'ann/../ann', 'ann/in/..', '../homes/ann', '.longshore'])(
    'can not be had by a name such as %s',
    async (name) => {
      const climber = await clientOf(gateway, name);
      expect((await climber.hosts()).map(({ id }) => id)).not.toContain('homes');
      expect(await climber.status(home('ann'), 1)).toMatchObject({ code: 'HOST_UNKNOWN' });
    },
  );
});

const SIZE_OF_TWO = 2 * CHUNK;
