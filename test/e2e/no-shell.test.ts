// A host that runs no commands and hashes nothing: what is checked on the way in is all that is known.
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestGateway } from '../support/gateway.js';
import { startTestGateway } from '../support/gateway.js';
import { chunkOf, OutsideClient, sha256 } from '../support/outside-client.js';

const CHUNK = 65_536;

describe.each(['host', 'read-back'] as const)('verify: %s', (verify) => {
  let gateway: TestGateway;
  let ann: OutsideClient;

  beforeAll(async () => {
    gateway = await startTestGateway({ sshd: { sftpOnly: true }, host: [`verify: ${verify}`] });
    ann = new OutsideClient(gateway);
  });
  afterAll(() => gateway.stop());

  const local = (name: string) => join(gateway.sshd.root, name);
  const ref = (name: string) => ({ hostId: 'sshd', fullPath: `${gateway.sshd.root}/${name}`, hashCode: name });
  const isProved = verify === 'read-back';

  it('says whether the bytes were looked at again', async () => {
    const bytes = randomBytes(3 * CHUNK + 1);
    const last = await ann.put(ref('file'), bytes, { merge: { digest: sha256(bytes) } });
    expect(last).toMatchObject({ phase: 'DONE', proved: isProved, digest: `sha256:${sha256(bytes)}` });
    expect(sha256(readFileSync(local('file')))).toBe(sha256(bytes));
    expect(existsSync(local('.longshore'))).toBe(false);
  });

  it('sees that the data was cut short', async () => {
    const bytes = randomBytes(2 * CHUNK);
    await ann.status(ref('cut'), bytes.length, { chunkSize: CHUNK });
    for (const index of [1, 2]) await ann.chunk(ref('cut'), index, chunkOf(bytes, CHUNK, index));
    const data = readdirSync(local('.longshore'), { recursive: true, encoding: 'utf8' }).find((path) => path.endsWith('/data'));
    truncateSync(join(local('.longshore'), data ?? ''), CHUNK + 1);
    await ann.merge(ref('cut'), 2);
    expect((await ann.watch(ref('cut'))).at(-1)).toMatchObject({
      phase: 'FAILED',
      problem: { code: 'CHUNKS_MISSING', ranges: [{ first: 2, last: 2 }] },
    });
    expect(await ann.put(ref('cut'), bytes)).toMatchObject({ phase: 'DONE', proved: isProved });
    expect(sha256(readFileSync(local('cut')))).toBe(sha256(bytes));
  });
});
