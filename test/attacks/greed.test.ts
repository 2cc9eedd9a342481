// One person takes more than a share: uploads, bytes, claims, room on the host.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { startCluster } from '../support/cluster.js';
import type { TestGateway } from '../support/gateway.js';
import { startTestGateway } from '../support/gateway.js';
import type { FileRef } from '../support/outside-client.js';
import { OutsideClient } from '../support/outside-client.js';
import { startSshd } from '../support/sshd.js';
import { sshdHostOptions } from '../support/sshd-host.js';
import { startServices, useServices } from '../assembly/support.js';

const CHUNK = 65_536;
const MIB = 2 ** 20;
const exceeded = (retryable = false) => ({ __typename: 'Refused', code: 'QUOTA_EXCEEDED', retryable });
const ready = { __typename: 'UploadReady' };

describe('a person’s unfinished uploads', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway({
      config: ['limits: { uploadsPerPerson: 3, bytesPerPerson: 1MiB, claimsPerPerson: 2 }'],
    });
  });
  afterAll(() => gateway.stop());

  const ref = (name: string, hashCode = name) => ({
    hostId: 'sshd',
    fullPath: join(gateway.sshd.root, name),
    hashCode,
  });

  it('are not too many; each that is given up or published makes room', async () => {
    const ann = new OutsideClient(gateway, 'many');
    const begin = async (name: string) => {
      const status = await ann.status(ref(name), 10);
      if (status.__typename === 'UploadReady') await ann.chunk(ref(name), 1, Buffer.alloc(10));
      return status;
    };
    for (const name of ['m1', 'm2', 'm3']) expect(await begin(name)).toMatchObject(ready);
    expect(await begin('m4')).toMatchObject({ ...exceeded(), message: 'you have 3 unfinished uploads already; 3 are allowed' });
    expect(await ann.status(ref('m2'), 10)).toMatchObject({ __typename: 'UploadResumable' });
    await ann.abort(ref('m1'));
    expect(await begin('m4')).toMatchObject(ready);
    expect(await ann.put(ref('m2'), Buffer.alloc(10))).toMatchObject({ phase: 'DONE' });
    expect(await begin('m5')).toMatchObject(ready);
    expect(await begin('m6')).toMatchObject(exceeded());
    expect(await new OutsideClient(gateway, 'others').status(ref('m6'), 10)).toMatchObject(ready);
  });

  it('are not too large together; a refused one claims nothing', async () => {
    const ann = new OutsideClient(gateway, 'large');
    expect(await ann.status(ref('l1'), 0.75 * MIB)).toMatchObject(ready);
    expect(await ann.status(ref('l2'), 0.5 * MIB)).toMatchObject(exceeded());
    expect(await new OutsideClient(gateway, 'late').status(ref('l2'), 0.5 * MIB)).toMatchObject(ready);
    await ann.abort(ref('l1'));
    expect(await ann.status(ref('l3'), MIB)).toMatchObject(ready);
  });

  it('are not claims alone: who sends nothing holds few targets, and others get the next', async () => {
    const squatter = new OutsideClient(gateway, 'squatter');
    for (const name of ['s1', 's2']) expect(await squatter.status(ref(name), 10)).toMatchObject(ready);
    expect(await squatter.status(ref('s3'), 10)).toMatchObject(exceeded(true));
    expect(await new OutsideClient(gateway, 'honest').status(ref('s3', 'other'), 10)).toMatchObject(ready);
    await squatter.chunk(ref('s1'), 1, randomBytes(10));
    expect(await squatter.status(ref('s4'), 10)).toMatchObject(ready);
  });

  it('that are refused after all leave no trace in the books', async () => {
    const one = new OutsideClient(gateway, 'one');
    expect(await one.status(ref('held'), 10)).toMatchObject(ready);
    const locked = (mine: boolean) => ({ __typename: 'UploadLocked', mine });
    for (const hashCode of ['a', 'b', 'c']) expect(await one.status(ref('held', hashCode), 10)).toMatchObject(locked(true));
    expect(await one.status(ref('h1'), 10)).toMatchObject(ready);
    await one.dirInfo(ref('held'));
    // Claims and books are gone; what is on the host still locks.
    await gateway.restart();
    const other = new OutsideClient(gateway, 'other');
    for (const hashCode of ['a', 'b', 'c']) expect(await other.status(ref('held', hashCode), 10)).toMatchObject(locked(false));
    for (const name of ['h2', 'h3']) expect(await other.status(ref(name), 10)).toMatchObject(ready);
  });
});

describe('the room of a host', () => {
  /** What the host says is free, and what is to be kept of it. */
  let freeBytes: number;
  const KEPT = 1_000 * MIB;
  const { services, upload, present } = useServices(async () => {
    const sshd = await startSshd();
    const options = sshdHostOptions(sshd);
    const profile = { ...options.profile, keepFreeBytes: KEPT };
    const services = await startServices({ ...options, profile });
    freeBytes = KEPT + 100 * MIB;
    services.onHost = (method, _args, proceed) =>
      method === 'space' ? Promise.resolve({ fileSystem: '1', freeBytes }) : proceed();
    return { place: { hostId: 'sshd', root: sshd.root }, services, stop: () => sshd.stop() };
  });
  const status = (person: string, file: FileRef, size: number) =>
    services().longshore.uploadStatus({ person, groups: [] }, { file, size, ifExists: 'ASK', takeOver: false });
  const noRoom = { kind: 'Refused', code: 'NOT_ENOUGH_SPACE', retryable: true };

  it('is not taken to the last byte', async () => {
    const { file } = upload('film', randomBytes(1));
    expect(await status('ann', file, 100 * MIB + 1)).toMatchObject(noRoom);
    expect(present()).toEqual([]);
    expect(await status('ann', file, 100 * MIB)).toMatchObject({ kind: 'UploadReady' });
  });

  it('is promised once', async () => {
    const [first, second] = [upload('first', randomBytes(1)).file, upload('second', randomBytes(1)).file];
    expect(await status('ann', first, 60 * MIB)).toMatchObject({ kind: 'UploadReady' });
    expect(await status('bob', second, 60 * MIB)).toMatchObject(noRoom);
    await services().longshore.abortUpload({ person: 'ann', groups: [] }, first);
    expect(await status('bob', second, 60 * MIB)).toMatchObject({ kind: 'UploadReady' });
  });

  it('that somebody else takes is refused to the chunks that still come, and these are kept for later', async () => {
    const film = upload('film', randomBytes(2 * CHUNK));
    await film.status(services().longshore);
    expect(await film.put(services().longshore, 1)).toMatchObject({ kind: 'ChunkStored' });
    freeBytes = KEPT;
    const soon = { timeout: 15_000, interval: 500 };
    await vi.waitFor(
      async () => expect(await film.put(services().longshore, 2, { bytes: Buffer.of(1) })).toMatchObject(noRoom),
      soon,
    );
    freeBytes = KEPT + MIB;
    await vi.waitFor(async () => {
      expect(await film.put(services().longshore, 2)).toMatchObject({ kind: 'ChunkStored', uploadedCount: 2 });
    }, soon);
  }, 60_000);
});

describe('chunks under way', () => {
  it('are bounded for each person; one more is refused before its bytes are read', async () => {
    const gateway = await startTestGateway({ config: ['limits: { chunksInFlightPerPerson: 2 }'] });
    onTestFinished(() => gateway.stop());
    const file = { hostId: 'sshd', fullPath: join(gateway.sshd.root, 'slow'), hashCode: 'slow' };
    const ann = new OutsideClient(gateway);
    await ann.status(file, 8 * CHUNK, { chunkSize: CHUNK });
    const slow = [1, 2].map((index) => beginChunk(gateway, file, index));
    onTestFinished(() => slow.forEach((request) => void request.destroy()));
    const answered = async (index: number) => {
      const [response] = (await once(beginChunk(gateway, file, index), 'response')) as [IncomingMessage];
      const { data } = JSON.parse(Buffer.concat(await response.toArray()).toString()) as { data: Record<string, unknown> };
      return data['uploadChunk'];
    };
    await vi.waitFor(async () => {
      const answer = await Promise.race([answered(3), sleep(500, 'none')]);
      expect(answer).toMatchObject({ __typename: 'TryAgainLater', code: 'RATE_LIMITED', retryAfterMs: expect.any(Number) });
    });
    expect(await new OutsideClient(gateway, 'bob').chunk({ ...file, hashCode: 'b' }, 1, randomBytes(1))).not.toMatchObject({
      code: 'RATE_LIMITED',
    });
    slow[0]?.destroy();
    await vi.waitFor(async () => {
      expect(await ann.chunk(file, 4, randomBytes(CHUNK))).toMatchObject({ __typename: 'ChunkStored' });
    });
  });
});

/** Sends a chunk's request up to its first byte, and no further. */
function beginChunk(gateway: TestGateway, file: object, index: number): ClientRequest {
  const query =
    'mutation ($file: FileRef!, $index: Int!, $chunk: Upload!) { uploadChunk(file: $file, index: $index, chunk: $chunk) { __typename ... on Problem { code } ... on TryAgainLater { retryAfterMs } } }';
  const part = (name: string, text: string, more = '') =>
    `--x\r\ncontent-disposition: form-data; name="${name}"${more}\r\n\r\n${text}`;
  const sent = request(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'multipart/form-data; boundary=x', 'x-graphql-yoga-csrf': '1', 'x-person-id': 'ann' },
  });
  sent.on('error', () => undefined);
  const operations = JSON.stringify({ query, variables: { file, index, chunk: null } });
  sent.write(`${part('operations', operations)}\r\n${part('map', '{"0":["variables.chunk"]}')}\r\n`);
  sent.write(part('0', 'first', '; filename="chunk"'));
  return sent;
}

describe('through several gateways', () => {
  it('a person has no more than through one', async () => {
    const cluster = await startCluster({ config: ['limits: { uploadsPerPerson: 1 }'] });
    onTestFinished(() => cluster.stop());
    const [one, other] = [new OutsideClient(await cluster.start()), new OutsideClient(await cluster.start())];
    const ref = (name: string) => ({ hostId: 'sshd', fullPath: `${cluster.sshd.root}/${name}`, hashCode: name });
    expect(await one.status(ref('a'), 10)).toMatchObject(ready);
    expect(await other.status(ref('b'), 10)).toMatchObject(exceeded());
    await other.abort(ref('a'));
    expect(await other.status(ref('b'), 10)).toMatchObject(ready);
  });
});
