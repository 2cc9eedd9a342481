import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
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
