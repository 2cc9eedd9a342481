import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NetworkError, SourceChangedError } from '../../src/client/index.js';
import { bytes, MemorySource } from './sources.js';
import { problem, type StubGateway } from './stub-gateway.js';
import { CHUNK, UploadRig } from './upload-rig.js';

let rig: UploadRig;
let gateway: StubGateway;

beforeEach(async () => {
  rig = await UploadRig.open();
  ({ gateway } = rig);
});
afterEach(() => rig.close());

describe('what goes wrong on the way', () => {
  it('waits as long as the gateway asks for, then sends the chunk again', async () => {
    let asked = false;
    gateway.interfere = ({ operation }) => {
      if (operation !== 'UploadChunk' || asked) return undefined;
      asked = true;
      return problem('TryAgainLater', 'CHUNK_BUSY', { retryAfterMs: 4_000 });
    };
    const content = bytes(CHUNK);
    await rig.upload(new MemorySource(content)).done;
    expect(rig.indexes()).toEqual([1, 1]);
    expect(rig.waits).toEqual([4_500]);
  });

  it('treats an unknown retryable problem as one to wait for, and an unknown final one as a refusal', async () => {
    const answers = [
      problem('FullMoon', 'FULL_MOON', { retryable: true }),
      problem('Eclipse', 'ECLIPSE', { retryable: false }),
    ];
    gateway.interfere = ({ operation }) => (operation === 'UploadStatus' ? answers.shift() : undefined);
    await expect(rig.upload(new MemorySource(bytes(1))).done).rejects.toMatchObject({ name: 'ProblemError', code: 'ECLIPSE' });
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
    const started = rig.upload(new MemorySource(content), {}, { parallel: 1 });
    const result = await started.done;
    expect(result.wireBytes).toBe(CHUNK * 3);
    expect(started.progress.sentBytes).toBe(CHUNK * 2);
    expect(gateway.content().equals(content)).toBe(true);
  });

  it('gives up within seconds when nobody ever answered, and says so', async () => {
    await gateway.close();
    await expect(rig.upload(new MemorySource(bytes(1))).done).rejects.toMatchObject({
      code: 'GATEWAY_UNREACHABLE',
      resumable: true,
    });
    expect(rig.waits.reduce((sum, ms) => sum + ms, 0)).toBeLessThanOrEqual(5_000);
  });

  it('has more patience once the gateway has answered', async () => {
    gateway.interfere = ({ operation }) => (operation === 'UploadChunk' ? 'cut' : undefined);
    await expect(rig.upload(new MemorySource(bytes(1))).done).rejects.toMatchObject({ code: 'GAVE_UP', resumable: true });
    const waited = rig.waits.reduce((sum, ms) => sum + ms, 0);
    expect(waited).toBeGreaterThan(500_000);
    expect(waited).toBeLessThanOrEqual(600_000);
  });

  it('has that patience from its first step on when the gateway has answered another one of the same uploader', async () => {
    const uploader = rig.uploader();
    const begin = () => uploader.upload(new MemorySource(bytes(1)), { host: 'local', path: '/f' }).done;
    await begin();
    let cuts = 0;
    gateway.interfere = () => (++cuts <= 10 ? 'cut' : undefined);
    await begin();
    expect(rig.waits.reduce((sum, ms) => sum + ms, 0)).toBeGreaterThan(50_000);
  });

  it('has it, too, after a question that was answered', async () => {
    const uploader = rig.uploader();
    await uploader.unfinished();
    let cuts = 0;
    gateway.interfere = () => (++cuts <= 10 ? 'cut' : undefined);
    await uploader.upload(new MemorySource(bytes(1)), { host: 'local', path: '/f' }).done;
    expect(cuts).toBeGreaterThan(10);
  });

  it('reads a mismatching chunk again, and sends it again when its bytes are the same', async () => {
    let first = true;
    gateway.interfere = ({ operation, variables }) => {
      if (operation !== 'UploadChunk' || !first) return undefined;
      first = false;
      return problem('DigestMismatch', 'DIGEST_MISMATCH', { index: variables['index'], expected: 'a', actual: 'b' });
    };
    const content = bytes(CHUNK);
    await rig.upload(new MemorySource(content)).done;
    expect(rig.indexes()).toEqual([1, 1]);
  });

  it('says that the source changed when a mismatching chunk reads differently now', async () => {
    const source = new MemorySource(bytes(CHUNK));
    gateway.interfere = ({ operation }) => {
      if (operation === 'UploadStatus') source.onRead = (offset) => void (reads += offset === 0 ? 1 : 0);
      return undefined;
    };
    let reads = 0;
    const content = source.content;
    Object.defineProperty(source, 'content', { get: () => (reads >= 2 ? bytes(CHUNK, 2) : content) });
    await expect(rig.upload(source).done).rejects.toBeInstanceOf(SourceChangedError);
    expect(gateway.stored.size).toBe(0);
  });

  it('says that the source is another one when the host has a chunk with other bytes', async () => {
    gateway.interfere = ({ operation }) => (operation === 'UploadChunk' ? problem('Refused', 'CHUNK_CONFLICT') : undefined);
    await expect(rig.upload(new MemorySource(bytes(CHUNK))).done).rejects.toBeInstanceOf(SourceChangedError);
  });

  it('waits for code that hashes and cannot be loaded at the moment, at whatever step', async () => {
    const base = rig.platform();
    const { hashing } = base;
    let failures = 0;
    const flaky = async <T>(work: () => Promise<T>) => {
      failures += 1;
      if (failures % 3 !== 0) throw new NetworkError('no way');
      return await work();
    };
    const uploader = rig.uploader(
      { parallel: 1 },
      {
        ...base,
        hashing: {
          digest: (...all) => flaky(() => hashing.digest(...all)),
          pass(...all) {
            const pass = hashing.pass(...all);
            return { chunk: (span) => flaky(() => pass.chunk(span)), whole: () => pass.whole(), end: () => pass.end() };
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
    await rig.upload(new MemorySource(content), {}, { parallel: 1 }).done;
    expect(gateway.of('UploadStatus')).toHaveLength(2);
    expect(rig.indexes()).toEqual([1, 2, 3, 3, 4]);
    expect(gateway.content().equals(content)).toBe(true);
  });

  it('ends well when another device finished the upload meanwhile', async () => {
    gateway.interfere = ({ operation }) =>
      operation === 'UploadChunk'
        ? { __typename: 'UploadFinished', finishedAt: '', size: 1, contentDigest: 'sha256:x', proved: true }
        : undefined;
    await expect(rig.upload(new MemorySource(bytes(CHUNK * 5))).done).resolves.toMatchObject({
      alreadyThere: true,
      digest: 'sha256:x',
    });
  });

  it('repeats a masked internal error only a few times', async () => {
    gateway.interfere = ({ operation }) =>
      operation === 'UploadStatus'
        ? { errors: [{ message: 'oops', extensions: { code: 'INTERNAL_SERVER_ERROR' } }] }
        : undefined;
    await expect(rig.upload(new MemorySource(bytes(1))).done).rejects.toMatchObject({ code: 'INTERNAL_SERVER_ERROR' });
    expect(gateway.of('UploadStatus')).toHaveLength(6);
  });

  it('fails at once with what the program got wrong', async () => {
    gateway.interfere = () => ({ errors: [{ message: 'who?', extensions: { code: 'UNAUTHENTICATED' } }] });
    await expect(rig.upload(new MemorySource(bytes(1))).done).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(gateway.calls).toHaveLength(1);
  });
});
