import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StoppedError, type Upload } from '../../src/client/index.js';
import type { Uploader } from '../../src/client/uploader.js';
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

describe('the turns of one uploader', () => {
  const uploader = (filesAtOnce = 1) => rig.uploader({ parallel: 2, filesAtOnce });
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

describe('a batch', () => {
  const target = { host: 'local', directory: '/inbox/' };
  const uploader = (filesAtOnce: number) => rig.uploader({ filesAtOnce });

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
