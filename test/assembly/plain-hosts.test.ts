// Hosts that can little or have no room, and layouts that outlive a change of configuration.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { deferred } from '../support/manual-clock.js';
import type { SequentialHost, SequentialHostOptions } from '../support/sequential-host.js';
import { startSequentialHost } from '../support/sequential-host.js';
import { startSshd } from '../support/sshd.js';
import { sshdHostOptions } from '../support/sshd-host.js';
import type { TestServices } from './support.js';
import { ANNA, CHUNK, startServices, TestUpload, useServices } from './support.js';

const OUTPUT = /\/out\.[0-9a-f]{16}$/;

let sequential: SequentialHost;
async function onSequentialHost(options: SequentialHostOptions = {}) {
  sequential = await startSequentialHost(options);
  const services = await startServices(sequential.options);
  const beforeEnd = () => expect.poll(() => sequential.openHandles).toBe(0);
  return { place: { hostId: 'sequential', root: sequential.root }, services, beforeEnd, stop: () => sequential.stop() };
}

describe('a host that writes at the end of files alone', () => {
  const { services, upload, local, present } = useServices(() => onSequentialHost());

  it('is chosen for chunk files by auto, and says so', async () => {
    const [host] = await services().longshore.hosts(ANNA);
    expect(host).toMatchObject({ reachable: true, strategy: 'RELAY', capabilities: [] });
    expect(present()).toEqual([]);
  });

  it('is written to once, however often a merge is cut off', async () => {
    const film = upload('film', randomBytes(64 * CHUNK + 5));
    await film.status(services().longshore);
    await film.putAll(services().longshore);
    let run: Pick<TestServices, 'longshore' | 'queue'> = services();
    for (const cutAt of [0.2, 0.5, 0.8]) {
      const isThere = deferred();
      sequential.beforeWrite = ({ path, offset }) => {
        if (OUTPUT.test(path) && offset > cutAt * film.bytes.length) isThere.resolve();
        return Promise.resolve();
      };
      await film.merge(run.longshore);
      await isThere.promise;
      await run.queue.close();
      run = await services().another();
    }
    expect((await film.watch(run.longshore)).at(-1)).toMatchObject({ phase: 'DONE' });
    expect(fs.readFileSync(local('film')).equals(film.bytes)).toBe(true);
    expect(sequential.writtenBytes(OUTPUT)).toBe(film.bytes.length);
    expect(present()).toEqual(['film']);
  });

  it('is not asked to replace a file, which it can not do at once', async () => {
    const { longshore } = services();
    fs.writeFileSync(local('film'), 'old');
    const film = upload('film', randomBytes(CHUNK));
    expect(await film.status(longshore)).toMatchObject({ kind: 'FileExists' });
    expect(await film.status(longshore, { ifExists: 'REPLACE' })).toMatchObject({ code: 'HOST_UNSUPPORTED' });
    fs.unlinkSync(local('film'));
    await film.status(longshore);
    await film.putAll(longshore);
    fs.writeFileSync(local('film'), 'old');
    expect(await film.mergeToEnd(longshore, { ifExists: 'REPLACE' })).toMatchObject({
      phase: 'FAILED',
      problem: { code: 'HOST_UNSUPPORTED' },
    });
    expect(fs.readFileSync(local('film'), 'utf8')).toBe('old');
  });
});

describe('a host that opens no file for writing twice', () => {
  const { services, upload, local, present } = useServices(() => onSequentialHost({ refusesReopening: true }));

  it('gets a new output when a merge was cut off', async () => {
    const film = upload('film', randomBytes(6 * CHUNK));
    await film.status(services().longshore);
    await film.putAll(services().longshore);
    fs.writeFileSync(join(film.directory, 'out.0123456789abcdef'), film.bytes.subarray(0, 2 * CHUNK + 9));
    expect(await film.mergeToEnd(services().longshore)).toMatchObject({ phase: 'DONE' });
    expect(fs.readFileSync(local('film')).equals(film.bytes)).toBe(true);
    expect(sequential.writtenBytes(OUTPUT)).toBe(film.bytes.length);
    expect(present()).toEqual(['film']);
  });
});

describe('a host whose disk is full, and that says nothing but no', () => {
  const { services, upload } = useServices(() => onSequentialHost({ capacityBytes: 6 * CHUNK }));

  it('keeps the chunks, and gets the space of the output back', async () => {
    const { longshore } = services();
    const film = upload('film', randomBytes(4 * CHUNK));
    await film.status(longshore);
    await film.putAll(longshore);
    // It gives no reason, having neither a status for that nor statvfs.
    expect(await film.mergeToEnd(longshore)).toMatchObject({
      phase: 'FAILED',
      problem: { code: 'MERGE_FAILED', retryable: true },
    });
    expect(film.names('out.')).toEqual([]);
    expect(film.names('c.')).toHaveLength(4);
  });

  it('keeps nothing of a chunk that found no room', async () => {
    const { longshore } = services();
    const film = upload('film', randomBytes(8 * CHUNK));
    await film.status(longshore);
    const indexes = Array.from({ length: film.chunkCount }, (_, at) => at + 1);
    const answers = await Promise.all(indexes.map((index) => film.put(longshore, index)));
    const stored = answers.filter((answer) => answer.kind === 'ChunkStored');
    expect(film.names('c.')).toHaveLength(stored.length);
    expect(stored.length).toBeLessThan(6);
    expect(film.names('p.')).toEqual([]);
  });
});

describe('OpenSSH whose disk is full', () => {
  it('keeps the chunks, gets the space of the output back, and joins them once there is room', async (context) => {
    const sshd = await startSshd();
    const disk = join(sshd.root, 'disk');
    fs.mkdirSync(disk);
    const options = sshdHostOptions(sshd);
    const services = await startServices({ ...options, profile: { ...options.profile, strategy: 'relay' } });
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=0777', 'longshore-test', disk], { stdio: 'pipe' });
    } catch {
      await services.close();
      await sshd.stop();
      return context.skip('only root may mount a file system small enough to fill');
    }
    try {
      const film = new TestUpload({ hostId: 'sshd', root: disk }, 'film', randomBytes(6 * CHUNK));
      await film.status(services.longshore);
      await film.putAll(services.longshore);
      fs.writeFileSync(join(disk, 'filler'), Buffer.alloc(4 * CHUNK));
      const full = { phase: 'FAILED', problem: { code: 'NOT_ENOUGH_SPACE', retryable: true } };
      expect(await film.mergeToEnd(services.longshore)).toMatchObject(full);
      expect(film.names('out.')).toEqual([]);
      expect(film.names('c.')).toHaveLength(6);
      fs.unlinkSync(join(disk, 'filler'));
      expect(await film.mergeToEnd(services.longshore)).toMatchObject({ phase: 'DONE', strategy: 'RELAY' });
      expect(fs.readFileSync(join(disk, 'film')).equals(film.bytes)).toBe(true);
      expect(fs.readdirSync(disk)).toEqual(['film']);
    } finally {
      await services.close();
      execFileSync('umount', ['-l', disk]);
      await sshd.stop();
    }
  });
});

describe('the layout an upload was begun with', () => {
  it('stays, whatever is configured meanwhile', async () => {
    const sshd = await startSshd();
    const options = sshdHostOptions(sshd);
    const film = new TestUpload({ hostId: 'sshd', root: sshd.root }, 'film', randomBytes(2 * CHUNK));
    const before = await startServices(options);
    await film.status(before.longshore);
    await film.put(before.longshore, 1);
    await before.close();
    const after = await startServices({ ...options, profile: { ...options.profile, strategy: 'relay' } });
    try {
      expect(await film.status(after.longshore)).toMatchObject({ kind: 'UploadResumable', uploadedCount: 1 });
      await film.put(after.longshore, 2);
      expect(await film.mergeToEnd(after.longshore)).toMatchObject({ phase: 'DONE', strategy: 'IN_PLACE' });
      expect(fs.readFileSync(join(sshd.root, 'film')).equals(film.bytes)).toBe(true);
    } finally {
      await after.close();
      await sshd.stop();
    }
  });

  it('is refused where in-place is configured and the host can’t', async () => {
    const host = await startSequentialHost();
    const services = await startServices({ ...host.options, profile: { ...host.options.profile, strategy: 'in-place' } });
    const film = new TestUpload({ hostId: 'sequential', root: host.root }, 'film', randomBytes(CHUNK));
    try {
      expect(await film.status(services.longshore)).toMatchObject({ kind: 'Refused', code: 'HOST_UNSUPPORTED' });
    } finally {
      await services.close();
      await host.stop();
    }
  });
});
