import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StoppedError } from '../../src/client/index.js';
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

describe('ending it', () => {
  it('stops at once while requests are under way, and leaves what is there', async () => {
    const content = bytes(CHUNK * 5);
    const started = rig.upload(new MemorySource(content), {}, { parallel: 1 });
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
    const started = rig.upload(new MemorySource(bytes(CHUNK * 5)), {}, { parallel: 1 });
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

  describe('when it is aborted before its turn', () => {
    const begun = {
      hostId: 'local',
      fullPath: '/f',
      uploadedBytes: 0,
      phase: 'RECEIVING',
      beganAt: '',
      touchedAt: '',
    } as const;
    const aborted = () => gateway.of('AbortUpload').map(({ variables }) => variables['file']);
    /** Whose only turn is taken. */
    const busy = () => {
      gateway.hold = ({ operation }) => (operation === 'UploadStatus' ? new Promise(() => undefined) : undefined);
      const uploader = rig.uploader({ filesAtOnce: 1 });
      const first = uploader.upload(new MemorySource(bytes(CHUNK)), { host: 'local', path: '/first' });
      return { uploader, first };
    };

    it('removes what it was to continue', async () => {
      const { uploader, first } = busy();
      const summary = { ...begun, hashCode: 'of another program', size: CHUNK };
      const waiting = uploader.continue(summary, new MemorySource(bytes(CHUNK)));
      await waiting.abort();
      expect(aborted()).toEqual([{ hostId: 'local', fullPath: '/f', hashCode: 'of another program' }]);
      expect(gateway.of('Uploads')).toHaveLength(0);
      first.stop();
    });

    it('removes what an earlier run of the same content has brought to that path', async () => {
      const { uploader, first } = busy();
      const source = new MemorySource(bytes(CHUNK));
      const hashCode = await uploader.hashCode(source);
      gateway.unfinished = [
        { ...begun, hashCode: 'another', size: CHUNK },
        { ...begun, hashCode, size: CHUNK },
      ];
      const waiting = uploader.upload(source, { host: 'local', path: '/f' });
      await waiting.abort();
      await expect(waiting.done).rejects.toMatchObject({ code: 'ABORTED' });
      expect(aborted()).toEqual([{ hostId: 'local', fullPath: '/f', hashCode }]);
      expect(source.closed).toBe(3); // By the hash code asked for, by its end, and by the comparison.
      first.stop();
    });

    it('leaves other content at the path, and what lies at other paths', async () => {
      const { uploader, first } = busy();
      const source = new MemorySource(bytes(CHUNK));
      const hashCode = await uploader.hashCode(source);
      gateway.unfinished = [
        { ...begun, hashCode: 'another', size: CHUNK },
        { ...begun, hashCode, size: CHUNK, fullPath: '/g' },
      ];
      await uploader.upload(source, { host: 'local', path: '/f' }).abort();
      expect(aborted()).toEqual([]);
      first.stop();
    });

    it('asks once for all that are aborted together, and reads none without cause', async () => {
      const { uploader, first } = busy();
      const sources = Array.from({ length: 50 }, () => new MemorySource(bytes(CHUNK)));
      let reads = 0;
      for (const source of sources) source.onRead = () => (reads += 1);
      const batch = uploader.uploadAll(sources, { host: 'local', directory: '/d' });
      await batch.abort();
      expect([gateway.of('Uploads').length, aborted().length, reads]).toEqual([1, 0, 0]);
      first.stop();
    });

    it('is told when the host can not be asked', async () => {
      const { uploader, first } = busy();
      const down = problem('Refused', 'HOST_KEY_MISMATCH');
      gateway.interfere = ({ operation }) =>
        operation === 'Uploads' ? { items: [], nextAfter: null, problems: [down] } : undefined;
      const waiting = uploader.upload(new MemorySource(bytes(CHUNK)), { host: 'local', path: '/f' });
      await expect(waiting.abort()).rejects.toMatchObject({ code: 'HOST_KEY_MISMATCH' });
      first.stop();
    });
  });
});

describe('pausing it', () => {
  it('is not counted as time in which nothing got through', async () => {
    let pausedMs = 0;
    const base = rig.platform();
    const uploader = rig.uploader({ parallel: 1 }, { ...base, now: () => base.now() + pausedMs });
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
    const started = rig.upload(new MemorySource(bytes(CHUNK)));
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
    const started = rig.upload(new MemorySource(bytes(CHUNK * 5)), {}, { parallel: 1 });
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

describe('the states of chunks', () => {
  it('tell what is there from the start, what moves, and what has landed', async () => {
    const content = bytes(CHUNK * 4);
    gateway.keep(content, 2);
    const started = rig.upload(new MemorySource(content), {}, { parallel: 1 });
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

describe('progress', () => {
  it('is whole when all was there before', async () => {
    gateway.interfere = ({ operation }) =>
      operation === 'UploadStatus'
        ? { __typename: 'UploadFinished', finishedAt: '', size: CHUNK, contentDigest: 'sha256:x', proved: true }
        : undefined;
    const started = rig.upload(new MemorySource(bytes(CHUNK)));
    await started.done;
    expect(started.progress).toMatchObject({ phase: 'done', resumedBytes: CHUNK, sentBytes: 0, totalBytes: CHUNK });
  });

  it('never goes back and ends complete, whatever is cut on the way', async () => {
    let cuts = 0;
    gateway.interfere = ({ operation }) => (operation === 'UploadChunk' && ++cuts % 3 === 0 ? 'cut' : undefined);
    const started = rig.upload(new MemorySource(bytes(CHUNK * 20)));
    const seen: number[] = [];
    started.on('progress', ({ sentBytes }) => seen.push(sentBytes));
    started.on('chunk', () => seen.push(started.progress.sentBytes));
    await started.done;
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(started.progress).toMatchObject({ sentBytes: CHUNK * 20, chunksDone: 20, phase: 'done' });
  });

  it('tells the phases in order', async () => {
    const started = rig.upload(new MemorySource(bytes(1)));
    const phases: string[] = [];
    started.on('phase', (phase) => phases.push(phase));
    await started.done;
    expect(phases).toEqual(['preparing', 'sending', 'merging', 'done']);
  });
});
