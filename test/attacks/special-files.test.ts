// Files that hold up whoever opens them, put where the gateway looks: at the target, above it, and among its own files.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TestServices } from '../assembly/support.js';
import { ANNA, CHUNK, startServices, TestUpload } from '../assembly/support.js';
import type { Sshd } from '../support/sshd.js';
import { ensureLogin, startSshd } from '../support/sshd.js';
import { sshdHostOptions } from '../support/sshd-host.js';
import { isRoot } from '../support/zoo-kinds.js';

/** Design §2. */
const ANSWER_MS = 2_000;

type Kind = 'FIFO' | 'device' | 'socket' | 'directory' | 'link to a FIFO';

async function put(kind: Kind, path: string): Promise<void> {
  const { uid, gid } = ensureLogin();
  switch (kind) {
    case 'FIFO':
      execFileSync('mkfifo', ['-m', '0666', path]);
      break;
    case 'device':
      // A terminal that nobody is at: reading waits for ever.
      execFileSync('mknod', ['-m', '0666', path, 'c', '5', '2']);
      break;
    case 'socket': {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(`${path}.s`.slice(0, 100), resolve));
      fs.renameSync(`${path}.s`.slice(0, 100), path);
      await new Promise((resolve) => server.close(resolve));
      break;
    }
    case 'directory':
      fs.mkdirSync(path);
      break;
    case 'link to a FIFO':
      execFileSync('mkfifo', ['-m', '0666', `${sshd.directory}/fifo.${fs.readdirSync(sshd.directory).length}`]);
      fs.symlinkSync(
        join(sshd.directory, fs.readdirSync(sshd.directory).findLast((name) => name.startsWith('fifo.')) ?? ''),
        path,
      );
  }
  if (kind !== 'link to a FIFO') fs.chownSync(path, uid, gid);
}

const KINDS: readonly Kind[] = ['FIFO', ...(isRoot ? (['device'] as const) : []), 'socket', 'directory', 'link to a FIFO'];

let sshd: Sshd;
let services: TestServices;
beforeAll(async () => {
  sshd = await startSshd();
});
afterAll(() => sshd.stop());
afterEach(async () => {
  await services.close();
  for (const name of fs.readdirSync(sshd.root)) fs.rmSync(join(sshd.root, name), { recursive: true });
});

const start = async (strategy: 'auto' | 'relay') => {
  const options = sshdHostOptions(sshd);
  services = await startServices({ ...options, profile: { ...options.profile, strategy } });
};
const upload = (name: string, chunks = 2) =>
  new TestUpload({ hostId: 'sshd', root: sshd.root }, name, randomBytes(chunks * CHUNK));

/** What a call says, or the error's message, and how long that took. */
async function timed(call: () => Promise<unknown>): Promise<{ readonly said: unknown; readonly tookMs: number }> {
  const begun = performance.now();
  const said = await call().catch((error: unknown) => error);
  return { said, tookMs: performance.now() - begun };
}

/** Every call about an upload. */
const callsAbout = (film: TestUpload): readonly (() => Promise<unknown>)[] => [
  () => film.status(services.longshore),
  () => services.longshore.dirInfo(ANNA, film.file),
  () => film.put(services.longshore, 1),
  () => film.put(services.longshore, 2),
  () => services.longshore.uploads(ANNA, { first: 10 }),
  () => film.mergeToEnd(services.longshore),
  () => services.longshore.abortUpload(ANNA, film.file),
];

const uploadWhole = async (film: TestUpload) => {
  await film.status(services.longshore);
  await film.putAll(services.longshore);
  return film.mergeToEnd(services.longshore);
};

/** Uploads one file after the other until `isOver`; gives how long the slowest took. */
async function keepUploading(isOver: () => boolean): Promise<number> {
  let slowestMs = 0;
  for (let number = 0; !isOver() || number < 2; number += 1) {
    const other = upload(`other-${number}`);
    const { said, tookMs } = await timed(() => uploadWhole(other));
    expect(said).toMatchObject({ phase: 'DONE' });
    slowestMs = Math.max(slowestMs, tookMs);
  }
  return slowestMs;
}

describe.each(KINDS)('a %s', (kind) => {
  beforeEach(() => start('auto'));

  it('at the target is refused, at once', async () => {
    await put(kind, join(sshd.root, 'film'));
    const { said, tookMs } = await timed(() => upload('film').status(services.longshore));
    expect(said).toMatchObject({ code: 'INVALID_TARGET' });
    expect(tookMs).toBeLessThan(ANSWER_MS);
  });

  it('that comes to the target before the file is published stays there', async () => {
    const film = upload('film');
    await film.status(services.longshore);
    await film.putAll(services.longshore);
    await put(kind, join(sshd.root, 'film'));
    expect(await film.merge(services.longshore, { ifExists: 'REPLACE' })).toMatchObject({ code: 'INVALID_TARGET' });
    expect(fs.lstatSync(join(sshd.root, 'film')).isFile()).toBe(false);
  });

  it.runIf(kind !== 'directory')('above the target is refused, at once', async () => {
    await put(kind, join(sshd.root, 'films'));
    const { said, tookMs } = await timed(() => upload('films/film').status(services.longshore));
    expect(said).toMatchObject({ code: 'INVALID_PATH' });
    expect(tookMs).toBeLessThan(ANSWER_MS);
  });
});

describe.each([
  ['auto', ['manifest.json', 'data', 'received', 'merge.json', 'intent.json']],
  ['relay', ['manifest.json', 'c.', 'merge.json']],
] as const)('among our own files (strategy %s)', (strategy, names) => {
  beforeEach(() => start(strategy));

  // What blocks, in every place; everything else in the place that is read most.
  it.each(KINDS.flatMap((kind) => names.filter((_, at) => kind === 'FIFO' || at === 0).map((name) => [kind, name] as const)))(
    'a %s in the place of %s holds nobody up',
    async (kind, prefix) => {
      const film = upload('film');
      await film.status(services.longshore);
      await film.put(services.longshore, 1);
      const name = film.names(prefix)[0] ?? prefix;
      const path = join(film.directory, name);
      fs.rmSync(path, { force: true });
      await put(kind, path);
      let isOver = false;
      const others = keepUploading(() => isOver);
      for (const call of callsAbout(film)) {
        const { said, tookMs } = await timed(call);
        expect(tookMs, JSON.stringify(said)).toBeLessThan(ANSWER_MS);
        expect(said).not.toBeInstanceOf(TypeError);
      }
      isOver = true;
      expect(await others).toBeLessThan(ANSWER_MS);
      // As many sessions as before: none of them waits for what never comes.
      fs.rmSync(film.directory, { recursive: true, force: true });
      const again = upload('again');
      expect(await uploadWhole(again)).toMatchObject({ phase: 'DONE' });
    },
  );
});

describe('a FIFO that comes right after the look', () => {
  beforeEach(() => start('auto'));

  it('holds nobody up', async () => {
    const film = upload('film');
    await film.status(services.longshore);
    await film.put(services.longshore, 1);
    const received = join(film.directory, 'received');
    let looked: Promise<unknown> | undefined;
    services.onHost = (method, args, proceed) => {
      if (method === 'lstat' && args[0] === received) return (looked = proceed() as Promise<unknown>);
      if (method !== 'openAll' || String(args[0]) !== received) return proceed();
      return looked?.then(() => {
        services.onHost = (_method, _args, goOn) => goOn();
        fs.rmSync(received);
        execFileSync('mkfifo', ['-m', '0666', received]);
        return proceed();
      });
    };
    const other = upload('other');
    const [held, beside] = await Promise.all([
      timed(() => services.longshore.dirInfo(ANNA, film.file)),
      timed(() => other.status(services.longshore)),
    ]);
    expect(held.said).toMatchObject({ kind: 'TryAgainLater', code: 'HOST_BUSY' });
    expect(held.tookMs).toBeLessThan(ANSWER_MS);
    expect(beside.said).toMatchObject({ kind: 'UploadReady' });
    expect(beside.tookMs).toBeLessThan(ANSWER_MS);
    const { said, tookMs } = await timed(() => uploadWhole(other));
    expect(said).toMatchObject({ phase: 'DONE' });
    expect(tookMs).toBeLessThan(ANSWER_MS);
  });
});
