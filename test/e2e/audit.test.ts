// What is left to ask about: who did what, where, and what came of it.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { AuditEvent } from '../../src/core/ports.js';
import type { TestGateway } from '../support/gateway.js';
import { startTestGateway } from '../support/gateway.js';
import { OutsideClient, sha256 } from '../support/outside-client.js';

const CHUNK = 65_536;
let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway.stop());

const fileOf = (name: string, hashCode = name) => ({ hostId: 'sshd', fullPath: join(gateway.sshd.root, name), hashCode });

function eventsOf(name: string): readonly AuditEvent[] {
  const events = gateway.log.entries.flatMap(({ event, fields }) => (event === 'audit' ? [fields['audit'] as AuditEvent] : []));
  return events.filter(({ fullPath }) => fullPath === fileOf(name).fullPath);
}

const lines = (name: string) => eventsOf(name).map(({ person, action, result }) => [person, action, result].join(' '));

describe('the audit', () => {
  it('tells an upload from its claim to its publication, without a line for each chunk', async () => {
    const bytes = randomBytes(3 * CHUNK);
    const file = fileOf('told', `sha256:${sha256(bytes)}`);
    expect(await new OutsideClient(gateway, 'ann').put(file, bytes)).toMatchObject({ phase: 'DONE' });
    await vi.waitFor(() =>
      expect([...lines('told')].sort()).toEqual(
        ['ann mergeFile done', 'ann mergeProgress done', 'ann publish done', 'ann uploadStatus done'].sort(),
      ),
    );
    const published = eventsOf('told').find(({ action }) => action === 'publish');
    const details = { sizeBytes: bytes.length, proved: true, strategy: 'IN_PLACE', digest: file.hashCode };
    const ms = expect.any(Number);
    const times = { queuedMs: ms, verifyingMs: ms, publishingMs: ms };
    expect(published).toEqual({ action: 'publish', result: 'done', person: 'ann', ...file, details: { ...details, ...times } });
    for (const event of eventsOf('told').filter(({ action }) => action !== 'publish')) {
      expect(event).toMatchObject({
        requestId: expect.stringMatching(/^[\w-]{20,}/),
        address: expect.stringMatching(/127\.0\.0\.1|::1/),
      });
    }
  });

  it('tells refusals by their code, of chunks, too', async () => {
    const [ann, bob] = [new OutsideClient(gateway, 'ann'), new OutsideClient(gateway, 'bob')];
    const file = fileOf('refused');
    await ann.status(file, CHUNK);
    await bob.status(file, CHUNK);
    await ann.chunk(file, 1, randomBytes(CHUNK), sha256(Buffer.of(1)));
    await expect(ann.chunk(file, 2, randomBytes(1))).rejects.toThrow();
    await ann.merge(file, 1);
    await ann.abort(file);
    expect(lines('refused')).toEqual([
      'ann uploadStatus done',
      'bob uploadStatus UPLOAD_LOCKED',
      'ann uploadChunk DIGEST_MISMATCH',
      'ann uploadChunk BAD_USER_INPUT',
      'ann mergeFile CHUNKS_MISSING',
      'ann abortUpload done',
    ]);
  });

  it('tells a merge that failed', async () => {
    const ann = new OutsideClient(gateway, 'ann');
    const file = fileOf('failed', `sha256:${'0'.repeat(64)}`);
    expect(await ann.put(file, randomBytes(10))).toMatchObject({ phase: 'FAILED' });
    await vi.waitFor(() => expect(lines('failed')).toContain('ann publish CONTENT_MISMATCH'));
  });
});
