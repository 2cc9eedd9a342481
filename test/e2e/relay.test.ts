// Layout chunk-files and strategy relay, from the first question to the published file: on a host that writes nowhere but at the
// end of a file, and on OpenSSH made to do the same.
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ANNA, CHUNK, startServices, useServices } from '../assembly/support.js';
import { deferred } from '../support/manual-clock.js';
import { startSequentialHost } from '../support/sequential-host.js';
import { startSshd } from '../support/sshd.js';
import { sshdHostOptions } from '../support/sshd-host.js';

const ODD_NAME = ' “it’s” $(rm) #1; \\ 日本.mkv';

async function onSshd() {
  const sshd = await startSshd();
  const options = sshdHostOptions(sshd);
  const services = await startServices({ ...options, profile: { ...options.profile, strategy: 'relay' } });
  return { place: { hostId: 'sshd', root: sshd.root }, services, stop: () => sshd.stop() };
}

async function onSequentialHost() {
  const host = await startSequentialHost();
  const services = await startServices(host.options);
  const beforeEnd = () => expect.poll(() => host.openHandles).toBe(0);
  return { place: { hostId: 'sequential', root: host.root }, services, beforeEnd, stop: () => host.stop() };
}

describe.each([
  { name: 'a host that writes at the end of files alone', start: () => onSequentialHost(), isPlain: true },
  { name: 'OpenSSH with strategy relay', start: onSshd, isPlain: false },
])('$name', ({ start, isPlain }) => {
  const { services, upload, local, present } = useServices(start);

  it('takes a file in chunks, joins them and leaves nothing else', async () => {
    const { longshore } = services();
    const film = upload(ODD_NAME, randomBytes(5 * CHUNK + 7));
    expect(await film.status(longshore)).toMatchObject({ kind: 'UploadReady', chunkCount: 6 });
    await film.putAll(longshore);
    expect(await longshore.dirInfo(ANNA, film.file)).toMatchObject({ strategy: 'RELAY', uploadedCount: 6, missing: [] });
    const started = await film.merge(longshore);
    expect(started).toMatchObject({ kind: 'MergeStarted' });
    const states = await film.watch(longshore);
    expect(states.at(-1)).toMatchObject({ phase: 'DONE', strategy: 'RELAY', proved: !isPlain });
    expect(fs.readFileSync(local(ODD_NAME)).equals(film.bytes)).toBe(true);
    expect(present()).toEqual([ODD_NAME]);
  });

  it('publishes a file of no bytes', async () => {
    const { longshore } = services();
    const nothing = upload('nothing', Buffer.alloc(0));
    expect(await nothing.status(longshore)).toMatchObject({ kind: 'UploadReady', chunkCount: 0 });
    expect(await nothing.mergeToEnd(longshore)).toMatchObject({ phase: 'DONE', proved: true });
    expect(fs.statSync(local('nothing')).size).toBe(0);
    expect(present()).toEqual(['nothing']);
  });

  it('goes on where it stopped, through another process', async () => {
    const film = upload('film', randomBytes(4 * CHUNK));
    await film.status(services().longshore);
    for (const index of [2, 4]) expect(await film.put(services().longshore, index)).toMatchObject({ kind: 'ChunkStored' });
    const { longshore } = await services().another();
    expect(await film.status(longshore)).toMatchObject({ kind: 'UploadResumable', uploadedCount: 2, uploadedBytes: 2 * CHUNK });
    expect(await longshore.dirInfo(ANNA, film.file)).toMatchObject({ chunkList: [2, 4] });
    expect(await film.merge(longshore)).toMatchObject({ kind: 'ChunksMissing', missingCount: 2 });
    for (const index of [1, 3]) await film.put(longshore, index);
    expect(await film.mergeToEnd(longshore)).toMatchObject({ phase: 'DONE' });
    expect(fs.readFileSync(local('film')).equals(film.bytes)).toBe(true);
  });

  it('never writes a chunk a second time, whichever process is asked', async () => {
    const film = upload('film', randomBytes(2 * CHUNK));
    await film.status(services().longshore);
    const other = (await services().another()).longshore;
    expect(await film.put(other, 1)).toMatchObject({ kind: 'ChunkStored', alreadyStored: false });
    const before = fs.statSync(join(film.directory, film.names('c.1.')[0] ?? '')).mtimeMs;
    for (const longshore of [services().longshore, other]) {
      expect(await film.put(longshore, 1)).toMatchObject({ kind: 'ChunkStored', alreadyStored: true });
      expect(await film.put(longshore, 1, { digest: undefined })).toMatchObject({ kind: 'ChunkStored', alreadyStored: true });
      const bytes = randomBytes(CHUNK);
      expect(await film.put(longshore, 1, { bytes })).toMatchObject({ code: 'CHUNK_CONFLICT' });
      expect(await film.put(longshore, 1, { bytes, digest: undefined })).toMatchObject({ code: 'CHUNK_CONFLICT' });
    }
    expect(film.names('c.')).toHaveLength(1);
    expect(film.names('p.')).toEqual([]);
    expect(fs.statSync(join(film.directory, film.names('c.1.')[0] ?? '')).mtimeMs).toBe(before);
  });

  it('keeps nothing of a chunk that is not what was announced', async () => {
    const { longshore } = services();
    const film = upload('film', randomBytes(2 * CHUNK));
    await film.status(longshore);
    expect(await film.put(longshore, 1, { digest: '0'.repeat(64) })).toMatchObject({ kind: 'DigestMismatch', index: 1 });
    expect(await film.put(longshore, 1, { bytes: randomBytes(CHUNK - 1) })).toMatchObject({ code: 'SIZE_MISMATCH' });
    expect(await film.put(longshore, 1, { bytes: randomBytes(CHUNK + 1) })).toMatchObject({ code: 'SIZE_MISMATCH' });
    const client = new AbortController();
    async function* broken() {
      yield film.chunk(1).subarray(0, 100);
      client.abort(new Error('the client went away'));
      await new Promise((resolve) => setImmediate(resolve));
      yield film.chunk(1).subarray(100);
    }
    const { signal } = client;
    await expect(film.put(longshore, 1, { pieces: broken(), signal })).rejects.toThrow('the client went away');
    expect(fs.readdirSync(film.directory)).toEqual(['manifest.json']);
  });

  it('does not count a chunk file that was cut short, and takes it again', async () => {
    const { longshore } = services();
    const film = upload('film', randomBytes(2 * CHUNK));
    await film.status(longshore);
    await film.putAll(longshore);
    fs.truncateSync(join(film.directory, film.names('c.2.')[0] ?? ''), CHUNK - 1);
    expect(await longshore.dirInfo(ANNA, film.file)).toMatchObject({ chunkList: [1] });
    expect(await film.put(longshore, 2)).toMatchObject({ kind: 'ChunkStored', alreadyStored: false });
    expect(await film.mergeToEnd(longshore)).toMatchObject({ phase: 'DONE' });
    expect(fs.readFileSync(local('film')).equals(film.bytes)).toBe(true);
  });

  it('of two contents of one chunk keeps the same everywhere, and joins that', async () => {
    const { longshore } = services();
    const film = upload('film', randomBytes(2 * CHUNK));
    await film.status(longshore);
    await film.putAll(longshore);
    // Committed by a process that could not know of the first one; its digest is the greater one.
    fs.writeFileSync(join(film.directory, `c.1.${CHUNK}.${'f'.repeat(64)}`), randomBytes(CHUNK), { mode: 0o644 });
    expect(await longshore.dirInfo(ANNA, film.file)).toMatchObject({ chunkList: [1, 2], uploadedBytes: 2 * CHUNK });
    expect(await film.mergeToEnd(longshore)).toMatchObject({ phase: 'DONE' });
    expect(fs.readFileSync(local('film')).equals(film.bytes)).toBe(true);
    expect(present()).toEqual(['film']);
  });

  it('finds a chunk that has changed on the host, asks for it again, and is whole then', async () => {
    const { longshore } = services();
    const film = upload('film', randomBytes(4 * CHUNK));
    await film.status(longshore);
    await film.putAll(longshore);
    fs.writeFileSync(join(film.directory, film.names('c.3.')[0] ?? ''), randomBytes(CHUNK), { flag: 'r+' });
    expect(await film.mergeToEnd(longshore)).toMatchObject({
      phase: 'FAILED',
      problem: { code: 'CHUNKS_MISSING', ranges: [{ first: 3, last: 3 }] },
    });
    expect(film.names('out.')).toEqual([]);
    expect(film.names('c.')).toHaveLength(3);
    expect(await film.put(longshore, 3)).toMatchObject({ alreadyStored: false });
    expect(await film.mergeToEnd(longshore)).toMatchObject({ phase: 'DONE' });
    expect(fs.readFileSync(local('film')).equals(film.bytes)).toBe(true);
  });

  it('removes what crashes left before it joins', async () => {
    const { longshore } = services();
    const film = upload('film', randomBytes(2 * CHUNK));
    await film.status(longshore);
    await film.putAll(longshore);
    const left = ['p.1.0123456789abcdef', 'out.0123456789abcdef', 'out.fedcba9876543210', 'intent.json'];
    for (const name of left) fs.writeFileSync(join(film.directory, name), 'x'.repeat(3 * CHUNK), { mode: 0o666 });
    expect(await film.mergeToEnd(longshore)).toMatchObject({ phase: 'DONE' });
    expect(fs.readFileSync(local('film')).equals(film.bytes)).toBe(true);
    expect(present()).toEqual(['film']);
  });

  it('never overwrites a file that somebody makes in the last instant', async () => {
    const { longshore } = services();
    const film = upload('film', randomBytes(CHUNK));
    await film.status(longshore);
    await film.putAll(longshore);
    services().onHost = (_method, args, proceed) => {
      if (args[1] === film.file.fullPath) fs.writeFileSync(local('film'), 'by somebody');
      return proceed();
    };
    expect(await film.mergeToEnd(longshore)).toMatchObject({ phase: 'FAILED', problem: { code: 'FILE_EXISTS' } });
    expect(fs.readFileSync(local('film'), 'utf8')).toBe('by somebody');
    expect(film.names('c.')).toHaveLength(1);
  });

  it('published just before a crash, is found published', async () => {
    const { longshore, locks } = services();
    const film = upload('film', randomBytes(2 * CHUNK));
    await film.status(longshore);
    await film.putAll(longshore);
    const finish = locks.finish.bind(locks);
    locks.finish = () => Promise.reject(new Error('killed'));
    await film.mergeToEnd(longshore);
    locks.finish = finish;
    expect(fs.readFileSync(local('film')).equals(film.bytes)).toBe(true);
    const { longshore: next } = await services().another();
    await expect.poll(async () => (await film.status(next)).kind).toBe('UploadFinished');
    expect(present()).toEqual(['film']);
  });

  it('is given up while it is joined, and leaves nothing', async () => {
    const { longshore, locks } = services();
    const film = upload('film', randomBytes(8 * CHUNK));
    await film.status(longshore);
    await film.putAll(longshore);
    const joining = deferred();
    const gate = deferred();
    services().onHost = async (method, args, proceed) => {
      if (method === 'openAll' && String(args[0]).includes('/c.5.')) {
        joining.resolve();
        await gate.promise;
      }
      return proceed();
    };
    await film.merge(longshore);
    const watched = film.watch(longshore);
    await joining.promise;
    const seize = locks.seizeMerge.bind(locks);
    locks.seizeMerge = async (request) => {
      const outcome = await seize(request);
      gate.resolve();
      return outcome;
    };
    const aborted = longshore.abortUpload(ANNA, film.file);
    expect(await aborted).toMatchObject({ kind: 'UploadAborted' });
    expect((await watched).at(-1)).toMatchObject({ phase: 'ABORTED' });
    expect(present()).toEqual([]);
  });

  it('goes on in another process with the output of a run that ended in the middle, and none besides', async () => {
    const { longshore, queue } = services();
    const film = upload('film', randomBytes(8 * CHUNK));
    await film.status(longshore);
    await film.putAll(longshore);
    const joining = deferred();
    const gate = deferred();
    services().onHost = async (method, args, proceed) => {
      if (method === 'openAll' && String(args[0]).includes('/c.7.')) {
        joining.resolve();
        await gate.promise;
      }
      return proceed();
    };
    await film.merge(longshore);
    await joining.promise;
    await expect.poll(() => film.names('out.').length).toBe(1);
    const closed = queue.close();
    gate.resolve();
    await closed;
    const [output] = film.names('out.');
    expect(output).toBeDefined();
    const begun = fs.statSync(join(film.directory, output ?? '')).ino;
    services().onHost = (_method, _args, proceed) => proceed();
    const next = await services().another();
    expect((await film.watch(next.longshore)).at(-1)).toMatchObject({ phase: 'DONE', strategy: 'RELAY' });
    expect(fs.statSync(local('film')).ino).toBe(begun);
    expect(fs.readFileSync(local('film')).equals(film.bytes)).toBe(true);
    expect(present()).toEqual(['film']);
  });

  it('begins anew when what an earlier run wrote is not what its chunks are', async () => {
    const { longshore } = services();
    const film = upload('film', randomBytes(4 * CHUNK));
    await film.status(longshore);
    await film.putAll(longshore);
    // As by a host that crashed: the length is there, and of the bytes only some.
    const torn = Buffer.concat([
      film.bytes.subarray(0, CHUNK),
      Buffer.alloc(CHUNK),
      film.bytes.subarray(2 * CHUNK, 2 * CHUNK + 9),
    ]);
    fs.writeFileSync(join(film.directory, 'out.0123456789abcdef'), torn, { mode: 0o666 });
    expect(await film.mergeToEnd(longshore)).toMatchObject({ phase: 'DONE' });
    expect(fs.readFileSync(local('film')).equals(film.bytes)).toBe(true);
    // The same within a chunk.
    const other = upload('other', randomBytes(4 * CHUNK));
    await other.status(longshore);
    await other.putAll(longshore);
    const cut = Buffer.concat([other.bytes.subarray(0, CHUNK), Buffer.alloc(100)]);
    fs.writeFileSync(join(other.directory, 'out.0123456789abcdef'), cut, { mode: 0o666 });
    expect(await other.mergeToEnd(longshore)).toMatchObject({ phase: 'DONE' });
    expect(fs.readFileSync(local('other')).equals(other.bytes)).toBe(true);
    expect(present()).toEqual(['film', 'other']);
  });
});
