import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  NetworkError,
  nodePlatform,
  ProblemError,
  SourceChangedError,
  StoppedError,
  type Platform,
  type Upload,
} from '../../src/client/index.js';
import { Uploader, type UploaderOptions } from '../../src/client/uploader.js';
import type { UploadTarget } from '../../src/client/context.js';
import { bytes, MemorySource } from './sources.js';
import { problem, progress, sha256, StubGateway } from './stub-gateway.js';

const CHUNK = 1024;

let gateway: StubGateway;
let endpoint: string;
/** What the client waited for, in ms; waits end at once and move its clock. */
let waits: number[];

beforeEach(async () => {
  gateway = new StubGateway();
  endpoint = await gateway.listen();
  waits = [];
});
afterEach(() => gateway.close());

function platform(): Platform {
  let now = 0;
  return {
    ...nodePlatform(),
    webSocket: undefined,
    now: () => now,
    wait: (ms) => {
      waits.push(ms);
      now += ms;
      return Promise.resolve();
    },
    random: () => 0.5,
  };
}

function upload(source: MemorySource, target: Partial<UploadTarget> = {}, options: Partial<UploaderOptions> = {}): Upload {
  const uploader = new Uploader({ endpoint, ...options, parallel: options.parallel ?? 3 }, platform());
  return uploader.upload(source, { host: 'local', path: '/inbox/file', ...target });
}

const indexes = () => gateway.of('UploadChunk').map(({ variables }) => variables['index']);

describe('an upload', () => {
  it('brings every chunk with its digest, and the whole digest with the merge', async () => {
    const content = bytes(CHUNK * 7 + 5);
    const result = await upload(new MemorySource(content)).done;
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
    const result = await upload(new MemorySource(Buffer.alloc(0))).done;
    expect(gateway.of('UploadChunk')).toHaveLength(0);
    expect(gateway.of('MergeFile')[0]?.variables).toMatchObject({ chunkCount: 0, digest: `sha256:${sha256(Buffer.alloc(0))}` });
    expect(result.size).toBe(0);
  });

  it('sends only what is missing when it goes on, over several pages of stored chunks', async () => {
    const content = bytes(CHUNK * 9);
    gateway.keep(content, 1, 2, 3, 5, 9);
    const result = await upload(new MemorySource(content)).done;
    expect(indexes().sort()).toEqual([4, 6, 7, 8]);
    expect(result).toMatchObject({ resumedBytes: CHUNK * 5, wireBytes: CHUNK * 4 });
    expect(gateway.content().equals(content)).toBe(true);
  });

  it('sends nothing of a source that differs from a stored chunk', async () => {
    const content = bytes(CHUNK * 4);
    gateway.keep(content, 1, 2);
    const other = Buffer.from(content);
    other[CHUNK + 1] = (other[CHUNK + 1] ?? 0) ^ 1;
    await expect(upload(new MemorySource(other)).done).rejects.toBeInstanceOf(SourceChangedError);
    expect(gateway.of('UploadChunk')).toHaveLength(0);
  });

  it('does not ask for the merge of a source that changed while it was sent', async () => {
    const source = new MemorySource(bytes(CHUNK * 2));
    source.changed = true;
    await expect(upload(source).done).rejects.toBeInstanceOf(SourceChangedError);
    expect(gateway.of('MergeFile')).toHaveLength(0);
  });

  it('never has more requests under way than `parallel`', async () => {
    let running = 0;
    let most = 0;
    const base = platform();
    const send: Platform['send'] = async (request) => {
      running += 1;
      most = Math.max(most, running);
      try {
        return await base.send(request);
      } finally {
        running -= 1;
      }
    };
    const uploader = new Uploader({ endpoint, parallel: 3 }, { ...base, send });
    await uploader.upload(new MemorySource(bytes(CHUNK * 12)), { host: 'local', path: '/f' }).done;
    expect(most).toBe(3);
  });

  it('sends chunks in ascending order', async () => {
    await upload(new MemorySource(bytes(CHUNK * 5)), {}, { parallel: 1 }).done;
    expect(indexes()).toEqual([1, 2, 3, 4, 5]);
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
    const started = upload(source);
    started.on('phase', (phase) => {
      if (phase === 'sending') furthest = 0; // The fingerprint has read the end already.
    });
    await started.done;
    expect(seen).toBeLessThanOrEqual(CHUNK * 7);
  });
});

describe('what goes wrong on the way', () => {
  it('waits as long as the gateway asks for, then sends the chunk again', async () => {
    let asked = false;
    gateway.interfere = ({ operation }) => {
      if (operation !== 'UploadChunk' || asked) return undefined;
      asked = true;
      return problem('TryAgainLater', 'CHUNK_BUSY', { retryAfterMs: 4_000 });
    };
    const content = bytes(CHUNK);
    await upload(new MemorySource(content)).done;
    expect(indexes()).toEqual([1, 1]);
    expect(waits).toEqual([4_500]);
  });

  it('treats an unknown retryable problem as one to wait for, and an unknown final one as a refusal', async () => {
    const answers = [
      problem('FullMoon', 'FULL_MOON', { retryable: true }),
      problem('Eclipse', 'ECLIPSE', { retryable: false }),
    ];
    gateway.interfere = ({ operation }) => (operation === 'UploadStatus' ? answers.shift() : undefined);
    await expect(upload(new MemorySource(bytes(1))).done).rejects.toMatchObject({ name: 'ProblemError', code: 'ECLIPSE' });
    expect(gateway.of('UploadStatus')).toHaveLength(2);
  });

  it('repeats a request whose connection was cut, and counts its bytes once as sent and twice on the wire', async () => {
    let cut = false;
    gateway.interfere = ({ operation }) => {
      if (operation !== 'UploadChunk' || cut) return undefined;
      cut = true;
      return 'cut';
    };
    const content = bytes(CHUNK * 2);
    const started = upload(new MemorySource(content), {}, { parallel: 1 });
    const result = await started.done;
    expect(result.wireBytes).toBe(CHUNK * 3);
    expect(started.progress.sentBytes).toBe(CHUNK * 2);
    expect(gateway.content().equals(content)).toBe(true);
  });

  it('gives up within seconds when nobody ever answered, and says so', async () => {
    await gateway.close();
    await expect(upload(new MemorySource(bytes(1))).done).rejects.toMatchObject({
      code: 'GATEWAY_UNREACHABLE',
      resumable: true,
    });
    expect(waits.reduce((sum, ms) => sum + ms, 0)).toBeLessThanOrEqual(5_000);
    gateway = new StubGateway();
    await gateway.listen();
  });

  it('has more patience once the gateway has answered', async () => {
    gateway.interfere = ({ operation }) => (operation === 'UploadChunk' ? 'cut' : undefined);
    await expect(upload(new MemorySource(bytes(1))).done).rejects.toMatchObject({ code: 'GAVE_UP', resumable: true });
    const waited = waits.reduce((sum, ms) => sum + ms, 0);
    expect(waited).toBeGreaterThan(500_000);
    expect(waited).toBeLessThanOrEqual(600_000);
  });

  it('reads a mismatching chunk again, and sends it again when its bytes are the same', async () => {
    let first = true;
    gateway.interfere = ({ operation, variables }) => {
      if (operation !== 'UploadChunk' || !first) return undefined;
      first = false;
      return problem('DigestMismatch', 'DIGEST_MISMATCH', { index: variables['index'], expected: 'a', actual: 'b' });
    };
    const content = bytes(CHUNK);
    await upload(new MemorySource(content)).done;
    expect(indexes()).toEqual([1, 1]);
  });

  it('says that the source changed when a mismatching chunk reads differently now', async () => {
    const source = new MemorySource(bytes(CHUNK));
    gateway.interfere = ({ operation }) => {
      if (operation === 'DirInfo') source.onRead = (offset) => void (reads += offset === 0 ? 1 : 0);
      return undefined;
    };
    let reads = 0;
    const content = source.content;
    Object.defineProperty(source, 'content', { get: () => (reads >= 2 ? bytes(CHUNK, 2) : content) });
    await expect(upload(source).done).rejects.toBeInstanceOf(SourceChangedError);
    expect(gateway.stored.size).toBe(0);
  });

  it('says that the source is another one when the host has a chunk with other bytes', async () => {
    gateway.interfere = ({ operation }) => (operation === 'UploadChunk' ? problem('Refused', 'CHUNK_CONFLICT') : undefined);
    await expect(upload(new MemorySource(bytes(CHUNK))).done).rejects.toBeInstanceOf(SourceChangedError);
  });

  it('waits for code that hashes and cannot be loaded at the moment, at whatever step', async () => {
    const base = platform();
    const { hashing } = base;
    let failures = 0;
    const flaky = async <T>(work: () => Promise<T>) => {
      failures += 1;
      if (failures % 3 !== 0) throw new NetworkError('no way');
      return await work();
    };
    const uploader = new Uploader(
      { endpoint, parallel: 1 },
      {
        ...base,
        hashing: {
          digest: (...all) => flaky(() => hashing.digest(...all)),
          pass(...all) {
            const pass = hashing.pass(...all);
            return { ...pass, chunk: (span) => flaky(() => pass.chunk(span)) };
          },
        },
      },
    );
    const content = bytes(CHUNK * 3);
    const retries: string[] = [];
    const started = uploader.upload(new MemorySource(content), { host: 'local', path: '/f' });
    started.on('retry', ({ code }) => retries.push(code));
    await started.done;
    expect(gateway.content().equals(content)).toBe(true);
    expect(retries).toEqual(Array.from({ length: 8 }, () => 'NETWORK'));
  });

  it('begins again from the status when the gateway forgot the upload', async () => {
    let forgotten = false;
    gateway.interfere = ({ operation, variables }) => {
      if (operation !== 'UploadChunk' || variables['index'] !== 3 || forgotten) return undefined;
      forgotten = true;
      return problem('Refused', 'UPLOAD_UNKNOWN', { retryable: true });
    };
    const content = bytes(CHUNK * 4);
    await upload(new MemorySource(content), {}, { parallel: 1 }).done;
    expect(gateway.of('UploadStatus')).toHaveLength(2);
    expect(indexes()).toEqual([1, 2, 3, 3, 4]);
    expect(gateway.content().equals(content)).toBe(true);
  });

  it('ends well when another device finished the upload meanwhile', async () => {
    gateway.interfere = ({ operation }) =>
      operation === 'UploadChunk'
        ? { __typename: 'UploadFinished', finishedAt: '', size: 1, contentDigest: 'sha256:x', proved: true }
        : undefined;
    await expect(upload(new MemorySource(bytes(CHUNK * 5))).done).resolves.toMatchObject({
      alreadyThere: true,
      digest: 'sha256:x',
    });
  });

  it('repeats a masked internal error only a few times', async () => {
    gateway.interfere = ({ operation }) =>
      operation === 'DirInfo' ? { errors: [{ message: 'oops', extensions: { code: 'INTERNAL_SERVER_ERROR' } }] } : undefined;
    await expect(upload(new MemorySource(bytes(1))).done).rejects.toMatchObject({ code: 'INTERNAL_SERVER_ERROR' });
    expect(gateway.of('DirInfo')).toHaveLength(6);
  });

  it('fails at once with what the program got wrong', async () => {
    gateway.interfere = () => ({ errors: [{ message: 'who?', extensions: { code: 'UNAUTHENTICATED' } }] });
    await expect(upload(new MemorySource(bytes(1))).done).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(gateway.calls).toHaveLength(1);
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
    await upload(new MemorySource(bytes(1)), { onFileExists }).done;
    expect(shown).toEqual([existing]);
    expect(gateway.of('MergeFile')[0]?.variables).toMatchObject({ ifExists: 'REPLACE', ifMatch: 'e1' });
  });

  it('is kept when nobody decides', async () => {
    gateway.interfere = ({ operation }) => (operation === 'UploadStatus' ? existing : undefined);
    await expect(upload(new MemorySource(bytes(1))).done).rejects.toMatchObject({ code: 'FILE_EXISTS' });
    expect(gateway.of('DirInfo')).toHaveLength(0);
  });

  it('is asked about when it appears just before publication', async () => {
    gateway.mergeEvents = [progress('FAILED', { problem: existing })];
    const done = upload(new MemorySource(bytes(1)), {
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
    await upload(new MemorySource(bytes(1)), { onFileExists }).done;
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
    const started = upload(new MemorySource(content));
    gateway.interfere = ({ operation }) => {
      if (operation === 'MergeProgress') for (const index of [2, 3]) gateway.stored.delete(index);
      if (operation === 'UploadChunk' && gateway.of('MergeFile').length > 0) gateway.mergeEvents = [progress('DONE')];
      return undefined;
    };
    await started.done;
    expect(indexes().slice(4).sort()).toEqual([2, 3]);
    expect(gateway.of('MergeFile')).toHaveLength(2);
    expect(started.progress.chunksDone).toBe(4);
  });

  it('is asked for again when its subscription was lost, until it is done', async () => {
    gateway.mergeEvents = [progress('VERIFYING')];
    gateway.interfere = ({ operation }) => {
      if (operation === 'MergeFile' && gateway.of('MergeFile').length === 3) gateway.mergeEvents = [progress('DONE')];
      return undefined;
    };
    await upload(new MemorySource(bytes(1))).done;
    expect(gateway.of('MergeProgress')).toHaveLength(3);
    expect(gateway.of('UploadStatus')).toHaveLength(1); // The chunks are there: only the merge is asked for again.
  });

  it('fails with its own problem when that is final', async () => {
    gateway.mergeEvents = [progress('FAILED', { problem: problem('Refused', 'CONTENT_MISMATCH') })];
    const error: unknown = await upload(new MemorySource(bytes(1))).done.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ProblemError);
    expect(error).toMatchObject({ code: 'CONTENT_MISMATCH' });
  });
});

describe('ending it', () => {
  it('stops at once while requests are under way, and leaves what is there', async () => {
    const content = bytes(CHUNK * 5);
    const started = upload(new MemorySource(content), {}, { parallel: 1 });
    gateway.interfere = ({ variables }, response) => {
      if (variables['index'] !== 3) return undefined;
      started.stop();
      response.writeHead(200); // and never an end
      return {};
    };
    await expect(started.done).rejects.toBeInstanceOf(StoppedError);
    expect([...gateway.stored.keys()]).toEqual([1, 2]);
    expect(started.progress).toMatchObject({ phase: 'stopped', chunksDone: 2, chunkCount: 5 });
  });

  it('removes what is there when it is aborted', async () => {
    const started = upload(new MemorySource(bytes(CHUNK * 5)), {}, { parallel: 1 });
    const aborted = new Promise<void>((resolve, reject) => {
      started.on('chunk', ({ index }) => {
        if (index === 2) started.abort().then(resolve, reject);
      });
    });
    await expect(started.done).rejects.toMatchObject({ code: 'ABORTED' });
    await aborted;
    expect(gateway.of('AbortUpload')).toHaveLength(1);
    expect(gateway.stored.size).toBe(0);
  });
});

describe('pausing it', () => {
  it('is not counted as time in which nothing got through', async () => {
    let pausedMs = 0;
    const base = platform();
    const uploader = new Uploader({ endpoint, parallel: 1 }, { ...base, now: () => base.now() + pausedMs });
    const started = uploader.upload(new MemorySource(bytes(CHUNK)), { host: 'local', path: '/f' });
    let attempts = 0;
    gateway.interfere = ({ operation }) => {
      if (operation !== 'UploadChunk') return undefined;
      attempts += 1;
      if (attempts === 2) {
        started.pause();
        pausedMs = 3_600_000;
        setImmediate(() => started.resume());
      }
      return attempts <= 3 ? 'cut' : undefined;
    };
    await started.done;
    expect(attempts).toBe(4);
  });

  it('before the first step keeps everything from beginning, until it is stopped', async () => {
    const started = upload(new MemorySource(bytes(CHUNK)));
    started.pause();
    expect(started.progress.phase).toBe('paused');
    await new Promise(setImmediate);
    expect([gateway.calls.length, started.progress.phase]).toEqual([0, 'paused']);
    started.stop();
    await expect(started.done).rejects.toBeInstanceOf(StoppedError);
    started.resume();
    expect(started.progress.phase).toBe('stopped');
  });

  it('leaves an upload that can be aborted', async () => {
    const started = upload(new MemorySource(bytes(CHUNK * 5)), {}, { parallel: 1 });
    await new Promise<void>((resolve) => {
      started.on('chunk', ({ index }) => {
        if (index !== 2) return;
        started.pause();
        resolve();
      });
    });
    await started.abort();
    expect(gateway.stored.size).toBe(0);
  });
});

describe('the turns of one uploader', () => {
  const uploader = (filesAtOnce = 1) => new Uploader({ endpoint, parallel: 2, filesAtOnce }, platform());
  const begin = (room: Uploader, path: string, content = bytes(CHUNK * 3)) =>
    room.upload(new MemorySource(content), { host: 'local', path });
  const phase = (upload: Upload) => upload.progress.phase;
  const first = (upload: Upload, wanted: string) =>
    new Promise<void>((resolve) => {
      upload.on('phase', (now) => {
        if (now === wanted) resolve();
      });
    });
  /** Answers to `operation` about `path` wait for what this returns. */
  function hold(operation: string, path: string): () => void {
    let release: () => void = () => undefined;
    gateway.hold = (call) =>
      call.operation === operation && (call.variables['file'] as { fullPath: string }).fullPath === path
        ? new Promise<void>((resolve) => (release = resolve))
        : undefined;
    return () => release();
  }

  it('are for every upload, however it was begun', async () => {
    const room = uploader();
    const release = hold('UploadStatus', '/a');
    const single = begin(room, '/a');
    const batch = room.uploadAll([new MemorySource(bytes(CHUNK * 3))], { host: 'local', directory: '/' });
    const waiting: string[] = [];
    batch.uploads[0]?.on('phase', (now) => waiting.push(now));
    await gateway.asked('UploadStatus');
    expect([phase(single), batch.uploads.map(phase)]).toEqual(['preparing', ['waiting']]);
    expect(gateway.of('UploadStatus')).toHaveLength(1);
    release();
    await Promise.all([single.done, batch.done]);
    expect(waiting).toEqual(['preparing', 'sending', 'merging', 'done']);
  });

  it('are given back by one that is paused, which then waits for another', async () => {
    const room = uploader();
    const release = hold('UploadChunk', '/a');
    const [paused, other] = [begin(room, '/a'), begin(room, '/b')];
    await gateway.asked('UploadChunk');
    paused.pause();
    await first(other, 'sending');
    gateway.hold = () => undefined;
    const releaseOther = hold('UploadChunk', '/b');
    paused.resume();
    expect([phase(paused), phase(other)]).toEqual(['waiting', 'sending']);
    await gateway.asked('UploadChunk');
    paused.pause();
    expect(phase(paused)).toBe('paused');
    paused.resume();
    expect(phase(paused)).toBe('waiting');
    gateway.hold = () => undefined;
    release();
    releaseOther();
    await Promise.all([paused.done, other.done]);
    expect(gateway.of('UploadStatus')).toHaveLength(2); // Neither asked anew.
  });

  it('are given back by one that is being merged, and taken once more when chunks are missing', async () => {
    const room = uploader();
    const release = hold('MergeFile', '/a');
    const merged = begin(room, '/a');
    const phases: string[] = [];
    merged.on('phase', (now) => phases.push(now));
    const other = begin(room, '/b');
    await other.done;
    expect(phase(merged)).toBe('merging');
    gateway.hold = () => undefined;
    const ranges = [{ first: 1, last: 1 }];
    gateway.interfere = ({ operation }) => {
      if (operation !== 'MergeFile') return undefined;
      gateway.interfere = () => undefined;
      return problem('ChunksMissing', 'CHUNKS_MISSING', { ranges, missingCount: 1, retryable: true });
    };
    release();
    await merged.done;
    expect(phases).toEqual(['preparing', 'sending', 'merging', 'sending', 'merging', 'done']);
  });

  it('are not taken by one that was stopped while it waited', async () => {
    const room = uploader();
    const release = hold('UploadStatus', '/a');
    const [running, stopped, next] = [begin(room, '/a'), begin(room, '/b'), begin(room, '/c')];
    await gateway.asked('UploadStatus');
    stopped.stop();
    await expect(stopped.done).rejects.toBeInstanceOf(StoppedError);
    expect([phase(running), phase(stopped), phase(next)]).toEqual(['preparing', 'stopped', 'waiting']);
    release();
    await Promise.all([running.done, next.done]);
    expect(gateway.of('UploadStatus')).toHaveLength(2);
  });

  it('begin nothing for uploads that are paused or stopped together', async () => {
    const room = uploader();
    const uploads = ['/a', '/b', '/c', '/d'].map((path) => begin(room, path));
    await gateway.asked('UploadStatus');
    for (const upload of uploads) upload.pause();
    for (const upload of uploads) upload.stop();
    for (const { done } of uploads) await expect(done).rejects.toBeInstanceOf(StoppedError);
    expect(gateway.of('UploadStatus')).toHaveLength(1);
  });

  it('may be refused by a listener at the moment they come', async () => {
    const started = begin(uploader(), '/a');
    started.on('phase', (now) => {
      if (now === 'preparing') started.pause();
    });
    await first(started, 'paused');
    await new Promise(setImmediate);
    expect([phase(started), gateway.calls.length]).toEqual(['paused', 0]);
    started.stop();
  });
});

describe('the source', () => {
  it.each([
    ['done', () => undefined],
    ['failed', () => problem('Refused', 'QUOTA_EXCEEDED')],
  ])('is closed before an upload is %s', async (_phase, answer) => {
    gateway.interfere = ({ operation }) => (operation === 'UploadStatus' ? answer() : undefined);
    const source = new MemorySource(bytes(CHUNK));
    await upload(source).done.catch(() => undefined);
    expect(source.closed).toBe(1);
  });

  it('is closed when its upload is stopped before its turn', async () => {
    const source = new MemorySource(bytes(CHUNK));
    const started = upload(source);
    started.stop();
    await expect(started.done).rejects.toBeInstanceOf(StoppedError);
    expect(source.closed).toBe(1);
  });
});

describe('the states of chunks', () => {
  it('tell what is there from the start, what moves, and what has landed', async () => {
    const content = bytes(CHUNK * 4);
    gateway.keep(content, 2);
    const started = upload(new MemorySource(content), {}, { parallel: 1 });
    const seen: string[] = [];
    gateway.interfere = ({ operation, variables }) => {
      if (operation !== 'UploadChunk') return undefined;
      seen.push(started.chunkStates().join(''));
      return variables['index'] === 3 && seen.length === 2 ? 'cut' : undefined;
    };
    started.on('retry', () => seen.push(started.chunkStates().join('')));
    await started.done;
    expect(seen).toEqual(['1200', '2210', '2200', '2210', '2221']);
    expect(started.chunkStates().join('')).toBe('2222');
  });
});

describe('continuing what was begun', () => {
  const begun = { hostId: 'local', fullPath: '/inbox/file', uploadedBytes: 0, phase: 'RECEIVING', beganAt: '', touchedAt: '' };
  const uploader = () => new Uploader({ endpoint, parallel: 3 }, platform());

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

describe('a batch', () => {
  const target = { host: 'local', directory: '/inbox/' };
  const uploader = (filesAtOnce: number) => new Uploader({ endpoint, parallel: 3, filesAtOnce }, platform());

  it('begins as many files as it may, and the next when one has ended', async () => {
    const batch = uploader(1).uploadAll(
      [1, 2, 3].map(() => new MemorySource(bytes(CHUNK))),
      target,
    );
    const sending = () => batch.uploads.filter(({ progress: { phase } }) => phase === 'sending').length;
    const most: number[] = [];
    for (const each of batch.uploads) each.on('phase', () => most.push(sending()));
    expect(batch.uploads.map(({ progress: { phase } }) => phase)).toEqual(['waiting', 'waiting', 'waiting']);
    const outcomes = await batch.done;
    expect(outcomes.map(({ status }) => status)).toEqual(['done', 'done', 'done']);
    expect(Math.max(...most)).toBe(1);
    expect(batch.uploads.map((upload) => upload.target.path)).toEqual(Array.from({ length: 3 }, () => '/inbox/memory'));
  });

  it('goes on when a file fails, and counts it', async () => {
    let refused = false;
    gateway.interfere = ({ operation }) => {
      if (operation !== 'UploadStatus' || refused) return undefined;
      refused = true;
      return problem('Refused', 'QUOTA_EXCEEDED');
    };
    const sources = [bytes(CHUNK), bytes(CHUNK)].map((content) => new MemorySource(content));
    const batch = uploader(1).uploadAll(sources, target);
    expect(await batch.done).toMatchObject([{ status: 'failed', error: { code: 'QUOTA_EXCEEDED' } }, { status: 'done' }]);
    expect(batch.progress).toMatchObject({ files: 2, filesDone: 1, filesFailed: 1, totalBytes: CHUNK * 2, sentBytes: CHUNK });
  });

  it('ends as a whole, files that were not begun included', async () => {
    const sources = [1, 2, 3].map(() => new MemorySource(bytes(CHUNK)));
    const batch = uploader(1).uploadAll(sources, target);
    batch.stop();
    for (const outcome of await batch.done) expect(outcome).toMatchObject({ status: 'failed', error: { code: 'STOPPED' } });
    expect(gateway.calls).toHaveLength(0);
  });
});

describe('progress', () => {
  it('is whole when all was there before', async () => {
    gateway.interfere = ({ operation }) =>
      operation === 'UploadStatus'
        ? { __typename: 'UploadFinished', finishedAt: '', size: CHUNK, contentDigest: 'sha256:x', proved: true }
        : undefined;
    const started = upload(new MemorySource(bytes(CHUNK)));
    await started.done;
    expect(started.progress).toMatchObject({ phase: 'done', resumedBytes: CHUNK, sentBytes: 0, totalBytes: CHUNK });
  });

  it('never goes back and ends complete, whatever is cut on the way', async () => {
    let cuts = 0;
    gateway.interfere = ({ operation }) => (operation === 'UploadChunk' && ++cuts % 3 === 0 ? 'cut' : undefined);
    const started = upload(new MemorySource(bytes(CHUNK * 20)));
    const seen: number[] = [];
    started.on('progress', ({ sentBytes }) => seen.push(sentBytes));
    started.on('chunk', () => seen.push(started.progress.sentBytes));
    await started.done;
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(started.progress).toMatchObject({ sentBytes: CHUNK * 20, chunksDone: 20, phase: 'done' });
  });

  it('tells the phases in order', async () => {
    const started = upload(new MemorySource(bytes(1)));
    const phases: string[] = [];
    started.on('phase', (phase) => phases.push(phase));
    await started.done;
    expect(phases).toEqual(['preparing', 'sending', 'merging', 'done']);
  });
});
