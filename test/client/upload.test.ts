import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProblemError, SourceChangedError, StoppedError, type Platform } from '../../src/client/index.js';
import { bytes, MemorySource } from './sources.js';
import { problem, progress, sha256, type StubGateway } from './stub-gateway.js';
import { CHUNK, UploadRig } from './upload-rig.js';

let rig: UploadRig;
let gateway: StubGateway;

beforeEach(async () => {
  rig = await UploadRig.open();
  ({ gateway } = rig);
});
afterEach(() => rig.close());

describe('an upload', () => {
  it('brings every chunk with its digest, and the whole digest with the merge', async () => {
    const content = bytes(CHUNK * 7 + 5);
    const result = await rig.upload(new MemorySource(content)).done;
    expect(gateway.content().equals(content)).toBe(true);
    expect(gateway.of('MergeFile')[0]?.variables).toMatchObject({
      chunkCount: 8,
      digest: `sha256:${sha256(content)}`,
      ifExists: 'ASK',
    });
    expect(result).toMatchObject({ digest: `sha256:${sha256(content)}`, proved: true, alreadyThere: false, resumedBytes: 0 });
    expect(result.wireBytes).toBe(content.byteLength);
  });

  it('merges a file of zero bytes without a chunk', async () => {
    const result = await rig.upload(new MemorySource(Buffer.alloc(0))).done;
    expect(gateway.of('UploadChunk')).toHaveLength(0);
    expect(gateway.of('MergeFile')[0]?.variables).toMatchObject({ chunkCount: 0, digest: `sha256:${sha256(Buffer.alloc(0))}` });
    expect(result.size).toBe(0);
  });

  it('sends only what is missing when it goes on, over several pages of stored chunks', async () => {
    const content = bytes(CHUNK * 9);
    gateway.keep(content, 1, 2, 3, 5, 9);
    const result = await rig.upload(new MemorySource(content)).done;
    expect(rig.indexes().sort()).toEqual([4, 6, 7, 8]);
    expect(result).toMatchObject({ resumedBytes: CHUNK * 5, wireBytes: CHUNK * 4 });
    expect(gateway.content().equals(content)).toBe(true);
  });

  it('sends nothing of a source that differs from a stored chunk', async () => {
    const content = bytes(CHUNK * 4);
    gateway.keep(content, 1, 2);
    const other = Buffer.from(content);
    other[CHUNK + 1] = (other[CHUNK + 1] ?? 0) ^ 1;
    await expect(rig.upload(new MemorySource(other)).done).rejects.toBeInstanceOf(SourceChangedError);
    expect(gateway.of('UploadChunk')).toHaveLength(0);
  });

  it('does not ask for the merge of a source that changed while it was sent', async () => {
    const source = new MemorySource(bytes(CHUNK * 2));
    source.changed = true;
    await expect(rig.upload(source).done).rejects.toBeInstanceOf(SourceChangedError);
    expect(gateway.of('MergeFile')).toHaveLength(0);
  });

  it('never has more requests under way than `parallel`', async () => {
    let running = 0;
    let most = 0;
    const base = rig.platform();
    const send: Platform['send'] = async (request) => {
      running += 1;
      most = Math.max(most, running);
      try {
        return await base.send(request);
      } finally {
        running -= 1;
      }
    };
    const uploader = rig.uploader({ parallel: 3 }, { ...base, send });
    await uploader.upload(new MemorySource(bytes(CHUNK * 12)), { host: 'local', path: '/f' }).done;
    expect(most).toBe(3);
  });

  it('sends chunks in ascending order', async () => {
    await rig.upload(new MemorySource(bytes(CHUNK * 5)), {}, { parallel: 1 }).done;
    expect(rig.indexes()).toEqual([1, 2, 3, 4, 5]);
  });

  it('hashes only a bounded number of chunks ahead of the senders', async () => {
    const source = new MemorySource(bytes(CHUNK * 50));
    let furthest = 0;
    source.onRead = (offset) => (furthest = Math.max(furthest, offset));
    let seen = 0;
    gateway.interfere = ({ operation }) => {
      if (operation !== 'UploadChunk' || seen > 0) return undefined;
      seen = furthest;
      return undefined;
    };
    const started = rig.upload(source);
    started.on('phase', (phase) => {
      if (phase === 'sending') furthest = 0; // The fingerprint has read the end already.
    });
    await started.done;
    expect(seen).toBeLessThanOrEqual(CHUNK * 7);
  });
});

describe('a file that is there', () => {
  const existing = problem('FileExists', 'FILE_EXISTS', { size: 3, modifiedAt: '2026-01-01T00:00:00Z', etag: 'e1' });

  it('is replaced only as the one that was shown', async () => {
    gateway.interfere = ({ operation, variables }) =>
      operation === 'UploadStatus' && variables['ifExists'] === 'ASK' ? existing : undefined;
    const shown: unknown[] = [];
    const onFileExists = (facts: unknown) => {
      shown.push(facts);
      return 'replace' as const;
    };
    await rig.upload(new MemorySource(bytes(1)), { onFileExists }).done;
    expect(shown).toEqual([existing]);
    expect(gateway.of('MergeFile')[0]?.variables).toMatchObject({ ifExists: 'REPLACE', ifMatch: 'e1' });
  });

  it('is kept when nobody decides', async () => {
    gateway.interfere = ({ operation }) => (operation === 'UploadStatus' ? existing : undefined);
    await expect(rig.upload(new MemorySource(bytes(1))).done).rejects.toMatchObject({ code: 'FILE_EXISTS' });
    expect(gateway.of('DirInfo')).toHaveLength(0);
  });

  it('is asked about when it appears just before publication', async () => {
    gateway.mergeEvents = [progress('FAILED', { problem: existing })];
    const done = rig.upload(new MemorySource(bytes(1)), {
      onFileExists: () => {
        gateway.mergeEvents = [progress('DONE')];
        return 'replace';
      },
    }).done;
    await done;
    expect(gateway.of('MergeFile').map(({ variables }) => variables['ifMatch'])).toEqual([undefined, 'e1']);
  });

  it('is asked about again when it is no longer the one that was shown', async () => {
    const asked: string[] = [];
    gateway.interfere = ({ operation, variables }) => {
      if (operation !== 'UploadStatus') return undefined;
      if (variables['ifExists'] === 'ASK') return { ...existing, etag: asked.length === 0 ? 'e1' : 'e2' };
      return variables['ifMatch'] === 'e1' ? problem('Refused', 'TARGET_CHANGED') : undefined;
    };
    const onFileExists = ({ etag }: { etag: string }) => {
      asked.push(etag);
      return 'replace' as const;
    };
    await rig.upload(new MemorySource(bytes(1)), { onFileExists }).done;
    expect(asked).toEqual(['e1', 'e2']);
  });
});

describe('the merge', () => {
  it('is healed by sending the chunks the host rejects', async () => {
    const missing = problem('ChunksMissing', 'CHUNKS_MISSING', {
      ranges: [{ first: 2, last: 3 }],
      missingCount: 2,
      retryable: true,
    });
    gateway.mergeEvents = [progress('VERIFYING'), progress('FAILED', { problem: missing })];
    const content = bytes(CHUNK * 4);
    const started = rig.upload(new MemorySource(content));
    gateway.interfere = ({ operation }) => {
      if (operation === 'MergeProgress') for (const index of [2, 3]) gateway.stored.delete(index);
      if (operation === 'UploadChunk' && gateway.of('MergeFile').length > 0) gateway.mergeEvents = [progress('DONE')];
      return undefined;
    };
    await started.done;
    expect(rig.indexes().slice(4).sort()).toEqual([2, 3]);
    expect(gateway.of('MergeFile')).toHaveLength(2);
    expect(started.progress.chunksDone).toBe(4);
  });

  it('is asked for again when its subscription was lost, until it is done', async () => {
    gateway.mergeEvents = [progress('VERIFYING')];
    gateway.interfere = ({ operation }) => {
      if (operation === 'MergeFile' && gateway.of('MergeFile').length === 3) gateway.mergeEvents = [progress('DONE')];
      return undefined;
    };
    const upload = rig.upload(new MemorySource(bytes(1)));
    const attempts: number[] = [];
    upload.on('retry', ({ attempt }) => attempts.push(attempt));
    await upload.done;
    expect(attempts).toEqual([1, 1]); // Something was heard in between.
    expect(gateway.of('MergeProgress')).toHaveLength(3);
    expect(gateway.of('UploadStatus')).toHaveLength(1); // The chunks are there: only the merge is asked for again.
  });

  it('fails with its own problem when that is final', async () => {
    gateway.mergeEvents = [progress('FAILED', { problem: problem('Refused', 'CONTENT_MISMATCH') })];
    const error: unknown = await rig.upload(new MemorySource(bytes(1))).done.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ProblemError);
    expect(error).toMatchObject({ code: 'CONTENT_MISMATCH' });
  });
});

describe('the source', () => {
  it.each([
    ['done', () => undefined],
    ['failed', () => problem('Refused', 'QUOTA_EXCEEDED')],
  ])('is closed before an upload is %s', async (_phase, answer) => {
    gateway.interfere = ({ operation }) => (operation === 'UploadStatus' ? answer() : undefined);
    const source = new MemorySource(bytes(CHUNK));
    await rig.upload(source).done.catch(() => undefined);
    expect(source.closed).toBe(1);
  });

  it('is closed when its upload is stopped before its turn', async () => {
    const source = new MemorySource(bytes(CHUNK));
    const started = rig.upload(source);
    started.stop();
    await expect(started.done).rejects.toBeInstanceOf(StoppedError);
    expect(source.closed).toBe(1);
  });
});

describe('continuing what was begun', () => {
  const begun = { hostId: 'local', fullPath: '/inbox/file', uploadedBytes: 0, phase: 'RECEIVING', beganAt: '', touchedAt: '' };
  const uploader = () => rig.uploader();

  it('asks the gateway nothing when size or samples are those of other content', async () => {
    const content = bytes(CHUNK * 4);
    const hashCode = await uploader().hashCode(new MemorySource(content));
    for (const other of [bytes(CHUNK * 4, 2), bytes(CHUNK * 3)]) {
      const { done } = uploader().continue({ ...begun, hashCode, size: content.byteLength }, new MemorySource(other));
      await expect(done).rejects.toBeInstanceOf(SourceChangedError);
    }
    expect(gateway.calls).toHaveLength(0);
  });

  it('keeps the hash code under which it was begun', async () => {
    const content = bytes(CHUNK * 2);
    const { done } = uploader().continue(
      { ...begun, hashCode: 'chosen by another program', size: CHUNK * 2 },
      new MemorySource(content),
    );
    expect((await done).file).toEqual({ hostId: 'local', fullPath: '/inbox/file', hashCode: 'chosen by another program' });
  });
});
