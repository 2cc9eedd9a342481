// Publication by a process that others have overtaken, or that was cut off on its way.
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { HostAssembly } from '../../src/assembly/staging.js';
import type { Host } from '../../src/core/ports.js';
import { Fault } from '../../src/core/problems.js';
import type { RemotePath } from '../../src/core/remote-path.js';
import type { MergeRequest, Place, StagedUpload } from '../../src/core/staging.js';
import { piecesOf } from '../support/bytes.js';
import { deferred } from '../support/manual-clock.js';
import { realHashing } from '../support/real-hashing.js';
import { realClock } from '../support/roles.js';
import type { Sshd } from '../support/sshd.js';
import { startSshd } from '../support/sshd.js';
import { sshdHostOptions } from '../support/sshd-host.js';
import type { TestServices } from './support.js';
import { ANNA, CHUNK, TestUpload, startServices } from './support.js';

const asking =
  (ifExists: MergeRequest['ifExists'] = 'ASK') =>
  () =>
    Promise.resolve({ ifExists, askedAt: 1 });
const noSignal = () => new AbortController().signal;
const work = () => ({ signal: noSignal(), onProgress: () => undefined });

let sshd: Sshd;
let services: TestServices;
let film: TestUpload;
const other = new HostAssembly({ clock: realClock, hashing: realHashing });
beforeAll(async () => {
  sshd = await startSshd();
});
afterAll(() => sshd.stop());

const place = (): Place => ({ root: sshd.root as RemotePath, base: sshd.root as RemotePath });
const use = <T>(run: (host: Host) => Promise<T>) => services.hosts.use('sshd', run);
const open = async (host: Host, assembly: HostAssembly) =>
  (await assembly.open(host, film.identity, place(), { size: film.bytes.length, chunkSize: CHUNK })).staged;
const receive = (staged: StagedUpload, index: number, bytes = film.chunk(index)) =>
  staged.receive({
    index,
    pieces: piecesOf(bytes),
    signal: noSignal(),
    check: () => undefined,
    confirm: () => Promise.resolve(),
  });
const target = () => join(sshd.root, 'film');

describe.each(['auto', 'copy-data', 'command', 'relay'] as const)('strategy %s', (strategy) => {
  beforeEach(async () => {
    const options = sshdHostOptions(sshd);
    services = await startServices({ ...options, profile: { ...options.profile, strategy } });
    film = new TestUpload({ hostId: 'sshd', root: sshd.root }, 'film', randomBytes(2 * CHUNK));
  });
  afterEach(async () => {
    await services.close();
    for (const name of fs.readdirSync(sshd.root)) fs.rmSync(join(sshd.root, name), { recursive: true });
  });

  const assembled = async (host: Host) => {
    const staged = await open(host, services.assembly);
    for (const index of [1, 2]) await receive(staged, index);
    await staged.received();
    await staged.assemble(work());
    return staged;
  };

  it.each(['ASK', 'REPLACE'] as const)('a last step (%s) that comes late never takes what was begun anew', (ifExists) =>
    use(async (host) => {
      const staged = await assembled(host);
      const publishing = staged.publish(asking(ifExists), { proved: true }, async () => {
        await (await other.find(host, film.identity, place()))?.discard();
        await receive(await open(host, other), 1);
      });
      await expect(publishing).rejects.toMatchObject({ problem: { code: 'UPLOAD_UNKNOWN' } });
      expect(fs.existsSync(target())).toBe(false);
      const anew = await open(host, other);
      expect((await anew.received()).indexes()).toEqual([1]);
      await receive(anew, 2);
      expect((await anew.received()).isComplete).toBe(true);
      await anew.assemble(work());
      expect(await anew.publish(asking(), { proved: true }, () => Promise.resolve())).toMatchObject({ kind: 'published' });
      expect(fs.readFileSync(target()).equals(film.bytes)).toBe(true);
    }),
  );

  it('a publication that begins late leaves what was begun anew as it is', () =>
    use(async (host) => {
      const staged = await assembled(host);
      await (await other.find(host, film.identity, place()))?.discard();
      const anew = await open(host, other);
      await receive(anew, 1);
      const late = staged.publish(asking(), { proved: true }, () => Promise.resolve());
      await expect(late).rejects.toMatchObject({ problem: { code: 'UPLOAD_UNKNOWN' } });
      expect(fs.existsSync(target())).toBe(false);
      expect(await receive(anew, 2)).toMatchObject({ kind: 'stored', alreadyStored: false });
      expect((await anew.received()).isComplete).toBe(true);
    }));

  it('a verification that comes late takes no chunk of what was begun anew its place', () =>
    use(async (host) => {
      const staged = await assembled(host);
      await (await other.find(host, film.identity, place()))?.discard();
      const anew = await open(host, other);
      await receive(anew, 1, randomBytes(CHUNK));
      await expect(staged.verify([], work())).rejects.toMatchObject({ problem: { code: 'UPLOAD_UNKNOWN' } });
      expect((await anew.received()).indexes()).toEqual([1]);
    }));

  it('an upload that was published before it was given up says so, however often the host is away in between', () =>
    use(async (host) => {
      const staged = await assembled(host);
      await staged.publish(asking(), { proved: true }, () => Promise.resolve());
      for (const [method, nth] of [
        ['lstat', 3],
        ['list', 1],
        ['unlink', 1],
        ['unlink', 2],
      ] as const) {
        let calls = 0;
        const failing = new Proxy(host, {
          get: (of, name): unknown => {
            const member: unknown = Reflect.get(of, name, of);
            if (typeof member !== 'function') return member;
            return (...args: unknown[]): unknown => {
              if (name === method && ++calls >= nth) return Promise.reject(new Fault('HOST_UNREACHABLE', 'away'));
              return Reflect.apply(member, of, args) as unknown;
            };
          },
        });
        const onFailing = await services.assembly.recall(failing, film.identity, place());
        await onFailing?.discard().catch(() => undefined);
      }
      expect(await staged.discard()).toMatchObject({ kind: 'published', published: { proved: true } });
      expect(fs.readdirSync(sshd.root)).toEqual(['film']);
    }));

  if (strategy !== 'auto') return;

  describe('data that a run which was cut off has set apart', () => {
    const setApart = (staged: StagedUpload, nonce = staged.manifest.nonce) =>
      fs.renameSync(join(film.directory, 'data'), join(film.directory, `out.${nonce}`));

    it('answers for chunks that are there, and is published by the next run', () =>
      use(async (host) => {
        const staged = await assembled(host);
        setApart(staged);
        expect(await receive(staged, 2)).toMatchObject({ kind: 'stored', alreadyStored: true });
        await staged.assemble(work());
        expect(film.names('data')).toEqual(['data']);
        expect(await staged.publish(asking(), { proved: true }, () => Promise.resolve())).toMatchObject({ kind: 'published' });
        expect(fs.readFileSync(target()).equals(film.bytes)).toBe(true);
      }));

    it.each([undefined, '0123456789abcdef'])('takes its name back for a chunk that is not there (nonce %s)', (nonce) =>
      use(async (host) => {
        const staged = await open(host, services.assembly);
        await receive(staged, 1);
        setApart(staged, nonce);
        expect(await receive(staged, 2)).toMatchObject({ kind: 'stored', alreadyStored: false });
        expect(fs.readFileSync(join(film.directory, 'data')).equals(film.bytes)).toBe(true);
      }),
    );
  });

  it('a publication that is refused or fails puts data back', () =>
    use(async (host) => {
      const staged = await assembled(host);
      const failing = staged.publish(asking(), { proved: true }, () => Promise.reject(new Error('no longer')));
      await expect(failing).rejects.toThrow('no longer');
      expect(film.names('data')).toEqual(['data']);
      expect(film.names('out.')).toEqual([]);
      // One of somebody else that looks the same is not ours.
      const { mtime, mode } = fs.statSync(join(film.directory, 'data'));
      fs.writeFileSync(target(), randomBytes(film.bytes.length), { mode });
      fs.utimesSync(target(), mtime, mtime);
      expect(await staged.recoverPublication()).toBeUndefined();
      expect(await staged.publish(asking(), { proved: true }, () => Promise.resolve())).toMatchObject({ kind: 'refused' });
      expect(fs.readdirSync(dirname(film.directory))).toEqual([film.identity.uploadKey]);
      expect(film.names('data')).toEqual(['data']);
    }));

  it('a call that was held up until the file was published leaves nothing behind', async () => {
    const held = deferred();
    const isHeld = deferred();
    services.onHost = (method, args, proceed) => {
      if (method !== 'makeDirectory' || !/\/n\.[0-9a-f]{16}$/.test(String(args[0]))) return proceed();
      services.onHost = (_method, _args, goOn) => goOn();
      isHeld.resolve();
      return held.promise.then(proceed);
    };
    await film.status(services.longshore);
    const late = services.longshore.dirInfo(ANNA, film.file);
    await isHeld.promise;
    const { longshore } = await services.another();
    await film.putAll(longshore);
    expect(await film.mergeToEnd(longshore)).toMatchObject({ phase: 'DONE' });
    held.resolve();
    expect(await late).toMatchObject({ kind: 'UploadFinished' });
    expect(fs.readdirSync(sshd.root)).toEqual(['film']);
  });

  describe('given up and begun again through another gateway', () => {
    beforeEach(async () => {
      await film.status(services.longshore);
      await film.put(services.longshore, 1);
      const { longshore } = await services.another();
      await longshore.abortUpload(ANNA, film.file);
      await film.status(longshore);
      await film.putAll(longshore);
    });

    it('can be merged through the first', async () => {
      expect(await film.mergeToEnd(services.longshore)).toMatchObject({ phase: 'DONE' });
      expect(fs.readdirSync(sshd.root)).toEqual(['film']);
    });

    it('is merged by the first, whoever asked for it', async () => {
      const { id, hostId, target, person, hashCode } = film.identity;
      await use(async (host) => {
        const staged = await other.find(host, film.identity, place());
        await staged?.requestMerge({ ifExists: 'ASK', askedAt: 1 });
      });
      await services.queue.add({ id, hostId, target, person, hashCode });
      expect((await film.watch(services.longshore)).at(-1)).toMatchObject({ phase: 'DONE' });
      expect(fs.readFileSync(join(sshd.root, 'film'))).toEqual(film.bytes);
    });
  });
});
