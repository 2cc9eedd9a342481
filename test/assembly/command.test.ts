// Copier `command` and the host's hashing tools, under each shell and tool set that hosts have.
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { deferred } from '../support/manual-clock.js';
import type { Shell } from '../support/shells.js';
import { SHELLS, pathOf } from '../support/shells.js';
import type { Sshd } from '../support/sshd.js';
import { startSshd } from '../support/sshd.js';
import { sshdHostOptions } from '../support/sshd-host.js';
import type { Interception } from './support.js';
import { ANNA, CHUNK, TestUpload, sha256, startServices, useServices } from './support.js';

let sshd: Sshd;

async function hostWith(shell: Shell, strategy: 'command' | 'auto' = 'command') {
  const programs = fs.mkdtempSync('/tmp/longshore-shells-');
  fs.chmodSync(programs, 0o755);
  sshd = await startSshd({ config: [pathOf(shell, programs)] });
  const options = sshdHostOptions(sshd);
  const services = await startServices({ ...options, profile: { ...options.profile, strategy } });
  const stop = async () => {
    await sshd.stop();
    fs.rmSync(programs, { recursive: true });
  };
  return { place: { hostId: 'sshd', root: sshd.root }, services, stop };
}

/** Holds the host's `run` of a script until it is let go on. */
function held(isWanted: (script: string) => boolean): { readonly began: Promise<void>; readonly onHost: Interception } {
  const began = deferred();
  const onHost: Interception = (method, args, proceed) => {
    if (method === 'run' && isWanted(String(args[0]))) began.resolve();
    return proceed();
  };
  return { began: began.promise, onHost };
}

describe.each(SHELLS)('under %s', (shell) => {
  const { services, upload, local, present } = useServices(() => hostWith(shell));

  it('joins chunk files on the host, proves the whole, and leaves nothing', async () => {
    const { longshore } = services();
    const film = upload(' “it’s” $(rm) #1; \\ 日本.mkv', randomBytes(5 * CHUNK + 7));
    await film.status(longshore);
    await film.putAll(longshore);
    expect(await longshore.dirInfo(ANNA, film.file)).toMatchObject({ strategy: 'COMMAND' });
    const end = await film.mergeToEnd(longshore, { digest: `sha256:${sha256(film.bytes)}` });
    expect(end).toMatchObject({ phase: 'DONE', strategy: 'COMMAND', proved: true });
    expect(fs.readFileSync(local(' “it’s” $(rm) #1; \\ 日本.mkv')).equals(film.bytes)).toBe(true);
    expect(present()).toHaveLength(1);
  });

  it('joins more files than one cat takes, in their order, and hashes each', async () => {
    const { longshore } = services();
    const film = upload('film', randomBytes(150 * CHUNK + 1));
    await film.status(longshore);
    await film.putAll(longshore);
    expect(await film.mergeToEnd(longshore)).toMatchObject({ phase: 'DONE', strategy: 'COMMAND', proved: true });
    expect(fs.readFileSync(local('film')).equals(film.bytes)).toBe(true);
  });

  it.each([0, 1, 3 * CHUNK, 3 * CHUNK + 100, 7 * CHUNK + 6])(
    'goes on from byte %i of what an earlier run left',
    async (begun) => {
      const { longshore } = services();
      const film = upload('film', randomBytes(7 * CHUNK + 7));
      await film.status(longshore);
      await film.putAll(longshore);
      const output = join(film.directory, 'out.0123456789abcdef');
      fs.writeFileSync(output, film.bytes.subarray(0, begun));
      const { uid, gid } = fs.statSync(film.directory);
      fs.chownSync(output, uid, gid);
      const { ino } = fs.statSync(output);
      expect(await film.mergeToEnd(longshore)).toMatchObject({ phase: 'DONE', strategy: 'COMMAND', proved: true });
      expect(fs.readFileSync(local('film')).equals(film.bytes)).toBe(true);
      expect(fs.statSync(local('film')).ino).toBe(ino);
    },
  );

  it.each([0, 3])('begins anew when what an earlier run made whole is wrong in chunk %i, and loses no chunk', async (at) => {
    const { longshore } = services();
    const film = upload('film', randomBytes(5 * CHUNK));
    await film.status(longshore);
    await film.putAll(longshore);
    const output = join(film.directory, 'out.0123456789abcdef');
    const wrong = Buffer.from(film.bytes).fill(0, at * CHUNK, at * CHUNK + 100);
    fs.writeFileSync(output, wrong);
    const { uid, gid } = fs.statSync(film.directory);
    fs.chownSync(output, uid, gid);
    const end = await film.mergeToEnd(longshore, { digest: `sha256:${sha256(film.bytes)}` });
    expect(end).toMatchObject({ phase: 'DONE', strategy: 'COMMAND', proved: true });
    expect(fs.readFileSync(local('film')).equals(film.bytes)).toBe(true);
  });

  it('finds the one chunk that was spoiled, and is healed by it alone', async () => {
    const { longshore } = services();
    const film = upload('film', randomBytes(5 * CHUNK));
    await film.status(longshore);
    await film.putAll(longshore);
    const third = film.names('c.3.')[0] ?? '';
    fs.writeFileSync(join(film.directory, third), randomBytes(CHUNK));
    const end = await film.mergeToEnd(longshore, { digest: `sha256:${sha256(film.bytes)}` });
    expect(end).toMatchObject({ phase: 'FAILED', problem: { code: 'CHUNKS_MISSING', ranges: [{ first: 3, last: 3 }] } });
    expect(await film.put(longshore, 3)).toMatchObject({ kind: 'ChunkStored', alreadyStored: false });
    expect(await film.mergeToEnd(longshore)).toMatchObject({ phase: 'DONE', proved: true });
    expect(fs.readFileSync(local('film')).equals(film.bytes)).toBe(true);
  });

  it('tells which chunk file was cut short while it was joined', async () => {
    const { longshore } = services();
    const film = upload('film', randomBytes(5 * CHUNK));
    await film.status(longshore);
    await film.putAll(longshore);
    const second = join(film.directory, film.names('c.2.')[0] ?? '');
    services().onHost = (method, args, proceed) => {
      const isJoining = method === 'run' && (args[1] as readonly string[]).includes(CHUNK.toString());
      if (isJoining && fs.existsSync(second)) fs.truncateSync(second, 100);
      return proceed();
    };
    const end = await film.mergeToEnd(longshore);
    expect(end).toMatchObject({ phase: 'FAILED', problem: { code: 'CHUNKS_MISSING', ranges: [{ first: 2, last: 2 }] } });
    expect(film.names('job.')).toEqual([]);
  });
});

describe('a long merge', () => {
  const { services, local, present } = useServices(() => hostWith('busybox'));
  const MIB = 1024 * 1024;
  const SIZE = 272 * MIB;
  const film = () => new TestUpload({ hostId: 'sshd', root: sshd.root }, 'film', Buffer.alloc(SIZE, 'x'), 16 * MIB);
  const isHashing = (script: string) => script.includes('is_running');

  it.each([
    ['of the whole', (bytes: Buffer) => ({ digest: `sha256:${sha256(bytes)}` }), 'sha256'],
    ['of each chunk', () => ({}), 'chunks'],
  ] as const)('is hashed once, %s, though the gateway that began it is gone', async (_, wish, kind) => {
    const upload = film();
    await upload.status(services().longshore);
    await upload.putAll(services().longshore);
    const begun = deferred();
    const runs = new Set<string>();
    const watchJobs = setInterval(() => {
      for (const name of upload.names(`job.${kind}.`)) {
        if (/\.\d+$/.test(name)) runs.add(name);
        if (name.endsWith('.log') && fs.statSync(join(upload.directory, name)).size > 0) begun.resolve();
      }
    }, 20);
    await upload.merge(services().longshore, wish(upload.bytes));
    await begun.promise;
    await services().queue.close();
    const { longshore } = await services().another();
    expect((await upload.watch(longshore)).at(-1)).toMatchObject({ phase: 'DONE', proved: true });
    clearInterval(watchJobs);
    expect([...runs]).toHaveLength(1);
    expect(fs.statSync(local('film')).size).toBe(SIZE);
    expect(present()).toEqual(['film']);
  });

  it('ends with the upload that is given up, and so do its processes', async () => {
    const upload = film();
    await upload.status(services().longshore);
    await upload.putAll(services().longshore);
    const hold = held(isHashing);
    services().onHost = hold.onHost;
    await upload.merge(services().longshore, { digest: `sha256:${sha256(upload.bytes)}` });
    await hold.began;
    expect(await services().longshore.abortUpload(ANNA, upload.file)).toMatchObject({ kind: 'UploadAborted' });
    expect(present()).toEqual([]);
    const atWork = () => fs.readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && isAtWork(pid));
    await expect.poll(atWork, { timeout: 5_000 }).toEqual([]);
  });
});

/** A process of a job below the host's root. */
function isAtWork(pid: string): boolean {
  try {
    return fs.readlinkSync(`/proc/${pid}/cwd`).startsWith(sshd.root);
  } catch {
    return false; // It has ended, or isn't ours.
  }
}
