// The staging directories as several processes, time and strangers on the host leave them.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { HostAssembly } from '../../src/assembly/staging.js';
import type { Host } from '../../src/core/ports.js';
import type { RemotePath } from '../../src/core/remote-path.js';
import type { Place, ReceiveRequest } from '../../src/core/staging.js';
import type { SshHostOptions } from '../../src/sftp/host-repository.js';
import { piecesOf } from '../support/bytes.js';
import { realHashing } from '../support/real-hashing.js';
import { realClock } from '../support/roles.js';
import type { Sshd } from '../support/sshd.js';
import { startSshd } from '../support/sshd.js';
import { sshdHostOptions } from '../support/sshd-host.js';
import type { TestServices } from './support.js';
import { CHUNK, startServices, TestUpload } from './support.js';

const HOUR_MS = 60 * 60_000;
const NONCE = '0123456789abcdef';

let sshd: Sshd;
let services: TestServices;
beforeAll(async () => {
  sshd = await startSshd();
});
afterAll(() => sshd.stop());

const place = (): Place => ({ root: sshd.root as RemotePath, base: sshd.root as RemotePath });
const use = <T>(work: (host: Host) => Promise<T>) => services.hosts.use('sshd', work);
const upload = (name: string, bytes: Buffer) => new TestUpload({ hostId: 'sshd', root: sshd.root }, name, bytes);

/** `path` and what is in it look as if nobody had touched them since. */
function age(path: string, byMs: number): void {
  const then = (Date.now() - byMs) / 1_000;
  for (const name of fs.statSync(path).isDirectory() ? fs.readdirSync(path) : []) fs.utimesSync(join(path, name), then, then);
  fs.utimesSync(path, then, then);
}

/** Made by whoever our client logs in as. */
function owned(path: string, content?: string): string {
  if (content === undefined) fs.mkdirSync(path);
  else fs.writeFileSync(path, content);
  execFileSync('chown', ['--reference', sshd.root, path]);
  return path;
}

const request = (film: TestUpload, index: number, changes: Partial<ReceiveRequest> = {}): ReceiveRequest => ({
  index,
  pieces: piecesOf(film.chunk(index)),
  signal: new AbortController().signal,
  check: () => undefined,
  confirm: () => Promise.resolve(),
  ...changes,
});
const receive = (film: TestUpload, index: number, changes: Partial<ReceiveRequest> = {}) =>
  use(async (host) => {
    const staged = await services.assembly.recall(host, film.identity, place());
    return staged?.receive(request(film, index, changes));
  });

describe.each(['auto', 'relay'] as const)('strategy %s', (strategy) => {
  beforeEach(async () => {
    const options: SshHostOptions = sshdHostOptions(sshd);
    services = await startServices({ ...options, profile: { ...options.profile, strategy } });
  });
  afterEach(async () => {
    await services.close();
    for (const name of fs.readdirSync(sshd.root)) fs.rmSync(join(sshd.root, name), { recursive: true });
  });

  const begin = async (film: TestUpload, chunkSize = CHUNK, assembly: HostAssembly = services.assembly) =>
    use((host) => assembly.open(host, film.identity, place(), { size: film.bytes.length, chunkSize }));
  const discard = (film: TestUpload, assembly: HostAssembly) =>
    use(async (host) => (await assembly.find(host, film.identity, place()))?.discard());
  const listed = (film: TestUpload) =>
    use(async (host) => {
      const staged = await new HostAssembly({ clock: realClock, hashing: realHashing }).find(host, film.identity, place());
      return (await staged?.received())?.indexes();
    });

  describe('a directory that another process gave up and began again', () => {
    let film: TestUpload;
    const other = new HostAssembly({ clock: realClock, hashing: realHashing });
    beforeEach(async () => {
      film = upload('film', randomBytes(3 * CHUNK + 5));
      await begin(film);
      await receive(film, 1);
      await discard(film, other);
    });

    it('with other chunks takes none of the old ones', async () => {
      await begin(film, 2 * CHUNK, other);
      const before = fs.readdirSync(film.directory).sort();
      await expect(receive(film, 2)).rejects.toMatchObject({ problem: { code: 'UPLOAD_UNKNOWN' } });
      expect(await listed(film)).toEqual([]);
      expect(fs.readdirSync(film.directory).sort()).toEqual(before);
      if (strategy === 'auto') expect(fs.statSync(join(film.directory, 'data')).size).toBe(0);
      // By now it is known.
      const staged = await use((host) => services.assembly.recall(host, film.identity, place()));
      expect(staged?.manifest.chunkSize).toBe(2 * CHUNK);
    });

    it('with the same chunks goes on once it was looked at again', async () => {
      await begin(film, CHUNK, other);
      await expect(receive(film, 4)).rejects.toMatchObject({ problem: { code: 'UPLOAD_UNKNOWN' } });
      expect(await receive(film, 4)).toMatchObject({ kind: 'stored' });
      expect(await listed(film)).toEqual([4]);
      expect(await receive(film, 1)).toMatchObject({ kind: 'stored', alreadyStored: false });
      expect(await listed(film)).toEqual([1, 4]);
    });

    it('and that is not there yet is unknown', async () => {
      await expect(receive(film, 2)).rejects.toMatchObject({ problem: { code: 'UPLOAD_UNKNOWN' } });
      expect(await use((host) => services.assembly.recall(host, film.identity, place()))).toBeUndefined();
    });
  });

  describe('the right to write', () => {
    it('is asked for once a chunk is whole, and without it the chunk does not count', async () => {
      const film = upload('film', randomBytes(CHUNK));
      await begin(film);
      let asked = 0;
      const confirm = () => {
        asked += 1;
        return Promise.reject(new Error('no longer'));
      };
      await expect(receive(film, 1, { confirm })).rejects.toThrow('no longer');
      expect(asked).toBe(1);
      expect(await listed(film)).toEqual([]);
      expect(film.names('p.')).toEqual([]);
      expect(await receive(film, 1)).toMatchObject({ kind: 'stored' });
      expect(await listed(film)).toEqual([1]);
    });
  });

  describe('an upload that nobody touches', () => {
    it('expires when everything in it is old, and not before', async () => {
      const film = upload('film', randomBytes(2 * CHUNK));
      await begin(film);
      await receive(film, 1);
      age(film.directory, 2 * HOUR_MS);
      const expired = () => use((host) => services.assembly.expired(host, HOUR_MS));
      expect(await use((host) => services.assembly.expired(host, 3 * HOUR_MS))).toEqual([]);
      const [old, ...others] = await expired();
      expect(old).toMatchObject({ identity: film.identity, target: place() });
      expect(Math.abs((old?.untouchedMs ?? 0) - 2 * HOUR_MS)).toBeLessThan(5_000);
      expect(others).toEqual([]);
      const [summary] = await use((host) => services.assembly.list(host, 'anna'));
      expect(Math.abs((summary?.touchedAt ?? 0) - (summary?.manifest.beganAt ?? 0))).toBeLessThan(2_000);
      await receive(film, 2);
      expect(await expired()).toEqual([]);
    });

    it('is found by where it expired, also below the root', async () => {
      owned(join(sshd.root, 'sub'));
      const film = upload('sub/film', randomBytes(CHUNK));
      await use((host) =>
        services.assembly.open(
          host,
          film.identity,
          { ...place(), base: join(sshd.root, 'sub') as RemotePath },
          { size: CHUNK, chunkSize: CHUNK },
        ),
      );
      age(film.directory, 2 * HOUR_MS);
      await use(async (host) => {
        const [found] = await services.assembly.expired(host, HOUR_MS);
        expect(found?.identity).toEqual(film.identity);
        if (found === undefined) return;
        const staged = await services.assembly.find(host, found.identity, found.target);
        expect(await staged?.discard()).toEqual({ kind: 'discarded' });
      });
      expect(fs.readdirSync(sshd.root)).toEqual(['sub']);
    });
  });

  describe('what crashes left', () => {
    it('is removed an hour later, and nothing else ever', async () => {
      const film = upload('film', randomBytes(CHUNK));
      await begin(film);
      const targetDirectory = dirname(film.directory);
      const staging = dirname(targetDirectory);
      const old = [
        owned(join(targetDirectory, `n.${NONCE}`)),
        owned(join(targetDirectory, `x.${NONCE}`)),
        owned(join(staging, `probe.${NONCE}`), ''),
        owned(join(staging, `probe.${NONCE}.b`), ''),
        owned(join(sshd.root, `.longshore-probe.${NONCE}`), ''),
      ];
      for (const name of ['data', 'manifest.json', `c.1.65536.${'a'.repeat(64)}`, `p.1.${NONCE}`, `out.${NONCE}`]) {
        owned(join(targetDirectory, `x.${NONCE}`, name), '');
      }
      const young = [
        owned(join(targetDirectory, `n.${NONCE.slice(1)}0`)),
        owned(join(staging, `probe.${NONCE.slice(1)}0`), ''),
      ];
      const foreign = [
        owned(join(staging, 'probe.txt'), ''),
        owned(join(sshd.root, '.longshore-probe.mine'), ''),
        owned(join(targetDirectory, 'x.mine')),
      ];
      const kept = owned(join(targetDirectory, `x.${NONCE.slice(1)}1`));
      const stranger = owned(join(kept, 'notes.txt'), 'mine');
      for (const path of [...old, ...foreign, kept]) age(path, 2 * HOUR_MS);
      age(film.directory, 2 * HOUR_MS);
      await use((host) => services.assembly.tidy(host));
      expect(old.filter((path) => fs.existsSync(path))).toEqual([]);
      expect([...young, ...foreign, kept, stranger, film.directory].filter((path) => !fs.existsSync(path))).toEqual([]);
    });
  });

  it.each([
    ['edited', (path: string) => fs.writeFileSync(path, '{')],
    ['removed', (path: string) => fs.unlinkSync(path)],
  ])('an upload whose manifest somebody has %s begins afresh, and keeps what is not ours', async (_, change) => {
    const film = upload('film', randomBytes(2 * CHUNK));
    await film.status(services.longshore);
    await film.putAll(services.longshore);
    fs.writeFileSync(join(film.directory, 'notes.txt'), 'mine');
    change(join(film.directory, 'manifest.json'));
    expect(await film.status(services.longshore)).toMatchObject({ kind: 'UploadReady' });
    await film.putAll(services.longshore);
    expect(await film.mergeToEnd(services.longshore)).toMatchObject({ phase: 'DONE', proved: true });
    expect(fs.readFileSync(join(sshd.root, 'film')).equals(film.bytes)).toBe(true);
    const left = fs.readdirSync(sshd.root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.txt'));
    expect(left).toEqual([expect.stringMatching(/\/x\.[0-9a-f]{16}\/notes\.txt$/)]);
  });

  it('an upload begun in many calls at once is begun once, and no draft stays', async () => {
    const film = upload('film', randomBytes(CHUNK));
    const begun = await Promise.all(Array.from({ length: 8 }, () => begin(film)));
    expect(new Set(begun.map(({ staged }) => staged.manifest.nonce)).size).toBe(1);
    expect(begun.filter(({ isNew }) => isNew)).toHaveLength(1);
    expect(await begin(film)).toMatchObject({ isNew: false });
    expect(fs.readdirSync(dirname(film.directory))).toEqual([film.identity.uploadKey]);
  });
});

describe('strategy relay', () => {
  beforeEach(async () => {
    const options = sshdHostOptions(sshd);
    services = await startServices({ ...options, profile: { ...options.profile, strategy: 'relay' } });
  });
  afterEach(async () => {
    await services.close();
    for (const name of fs.readdirSync(sshd.root)) fs.rmSync(join(sshd.root, name), { recursive: true });
  });

  it('tells how many bytes are joined, from those that an earlier run left to all', async () => {
    const film = upload('film', randomBytes(6 * CHUNK + 1));
    await film.status(services.longshore);
    await film.putAll(services.longshore);
    owned(join(film.directory, `out.${NONCE}`), '');
    fs.writeFileSync(join(film.directory, `out.${NONCE}`), film.bytes.subarray(0, 2 * CHUNK + 7));
    const seen: number[] = [];
    await use(async (host) => {
      const staged = await services.assembly.find(host, film.identity, place());
      await staged?.assemble({
        signal: new AbortController().signal,
        onProgress: (phase, doneBytes, totalBytes) => {
          expect([phase, totalBytes]).toEqual(['ASSEMBLING', film.bytes.length]);
          seen.push(doneBytes);
        },
      });
    });
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.slice(0, 2)).toEqual([CHUNK, 2 * CHUNK]);
    expect(seen.at(-1)).toBe(film.bytes.length);
    expect(film.names('out.')).toEqual([`out.${NONCE}`]);
    expect(fs.readFileSync(join(film.directory, `out.${NONCE}`)).equals(film.bytes)).toBe(true);
  });

  it('is not begun before every chunk is there', async () => {
    const film = upload('film', randomBytes(3 * CHUNK));
    await film.status(services.longshore);
    await film.put(services.longshore, 2);
    const assembling = use(async (host) => {
      const staged = await services.assembly.find(host, film.identity, place());
      await staged?.assemble({ signal: new AbortController().signal, onProgress: () => undefined });
    });
    await expect(assembling).rejects.toMatchObject({ problem: { code: 'CHUNKS_MISSING', missingCount: 2 } });
    expect(film.names('out.')).toEqual([]);
  });
});

describe('layout in-place', () => {
  beforeEach(async () => {
    services = await startServices(sshdHostOptions(sshd));
  });
  afterEach(async () => {
    await services.close();
    for (const name of fs.readdirSync(sshd.root)) fs.rmSync(join(sshd.root, name), { recursive: true });
  });

  it('keeps what is there when somebody cuts off the footer of the received map, and writes it again', async () => {
    const film = upload('film', randomBytes(3 * CHUNK));
    await film.status(services.longshore);
    await film.put(services.longshore, 1);
    const received = join(film.directory, 'received');
    const size = fs.statSync(received).size;
    expect(size).toBe(4 * 64);
    fs.truncateSync(received, 64);
    expect(await film.put(services.longshore, 3)).toMatchObject({ kind: 'ChunkStored' });
    expect(fs.statSync(received).size).toBe(size);
    await film.put(services.longshore, 2);
    expect(await film.mergeToEnd(services.longshore)).toMatchObject({ phase: 'DONE', proved: true });
    expect(fs.readFileSync(join(sshd.root, 'film')).equals(film.bytes)).toBe(true);
  });

  it.each([
    ['data', 'a link', (path: string) => fs.symlinkSync('/etc/passwd', path)],
    ['data', 'a FIFO', (path: string) => execFileSync('mkfifo', ['-m', '666', path])],
    ['data', 'a directory', (path: string) => fs.mkdirSync(path)],
    ['received', 'a link', (path: string) => fs.symlinkSync('/etc/passwd', path)],
    ['received', 'a FIFO', (path: string) => execFileSync('mkfifo', ['-m', '666', path])],
  ])('begins afresh when %s has become %s', async (name, what, make) => {
    const film = upload('film', randomBytes(2 * CHUNK));
    await film.status(services.longshore);
    await film.put(services.longshore, 1);
    fs.unlinkSync(join(film.directory, name));
    make(join(film.directory, name));
    await expect(receive(film, 2)).rejects.toMatchObject({ problem: { code: 'UPLOAD_UNKNOWN' } });
    // A directory is never ours to remove, and keeps the one it is in.
    expect(fs.existsSync(join(sshd.root, '.longshore'))).toBe(what === 'a directory');
    await film.putAll(services.longshore);
    expect(await film.mergeToEnd(services.longshore)).toMatchObject({ phase: 'DONE' });
    expect(fs.readFileSync(join(sshd.root, 'film')).equals(film.bytes)).toBe(true);
  });
});
