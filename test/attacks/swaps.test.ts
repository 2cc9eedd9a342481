// Somebody on the host who may rename directories below the root, and puts a link in the place of one in the instant of publication.
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/core/ports.js';
import { Fault } from '../../src/core/problems.js';
import type { TestServices } from '../assembly/support.js';
import { CHUNK, startServices, TestUpload } from '../assembly/support.js';
import { realClock } from '../support/roles.js';
import type { Sshd } from '../support/sshd.js';
import { ensureLogin, startSshd } from '../support/sshd.js';
import { sshdHostOptions } from '../support/sshd-host.js';

/** How the file becomes visible: by a link, by an atomic replacement, or on a host without links by a plain rename. */
const STEPS = [
  { step: 'link', ifExists: 'ASK', canLink: true },
  { step: 'replace', ifExists: 'REPLACE', canLink: true },
  { step: 'rename', ifExists: 'ASK', canLink: false },
  { step: 'replace', ifExists: 'REPLACE', canLink: false },
] as const;
type Step = (typeof STEPS)[number];

/** Of the search for a file: its time passes faster, and is counted. */
let slept = 0;
const clock: Clock = {
  ...realClock,
  sleep: (ms, signal) => {
    slept += ms;
    return realClock.sleep(ms / 20, signal);
  },
};

let sshd: Sshd;
let services: TestServices;
let shared: string;
let outside: string;

beforeAll(async () => {
  sshd = await startSshd();
});
afterAll(() => sshd.stop());

beforeEach(async () => {
  const login = ensureLogin();
  shared = join(sshd.root, 'shared');
  outside = join(sshd.directory, 'outside');
  for (const directory of [shared, join(shared, 'dir'), outside]) {
    fs.mkdirSync(directory);
    fs.chownSync(directory, login.uid, login.gid);
  }
  slept = 0;
  services = await startServices(sshdHostOptions(sshd), clock);
});
afterEach(async () => {
  await services.close();
  for (const name of fs.readdirSync(sshd.root)) fs.rmSync(join(sshd.root, name), { recursive: true });
  fs.rmSync(outside, { recursive: true });
});

/** The directory becomes a link that leads out, or itself again. */
const swap = () => {
  fs.renameSync(join(shared, 'dir'), join(shared, 'aside'));
  fs.symlinkSync(outside, join(shared, 'dir'));
};
const swapBack = () => {
  fs.unlinkSync(join(shared, 'dir'));
  fs.renameSync(join(shared, 'aside'), join(shared, 'dir'));
};

/** A file away from where a link has led it. */
const isTaking = (method: string) => ['unlink', 'rename', 'replace'].includes(method);
const isToTarget = (film: TestUpload, args: readonly unknown[]) => args[1] === film.file.fullPath;

/** Whole on the host, and only to be merged. */
async function uploaded({ ifExists, canLink }: Pick<Step, 'ifExists' | 'canLink'>, name = 'shared/dir/film') {
  services.onHost = (method, _args, proceed) =>
    method === 'link' && !canLink ? Promise.reject(new Fault('HOST_UNSUPPORTED', 'no links here')) : proceed();
  const film = new TestUpload({ hostId: 'sshd', root: sshd.root }, name, randomBytes(CHUNK + 7));
  if (ifExists === 'REPLACE' && fs.existsSync(join(shared, 'dir'))) fs.writeFileSync(join(sshd.root, name), 'old');
  await film.status(services.longshore, { ifExists });
  await film.putAll(services.longshore);
  return film;
}

/** Does `before` right before the step that makes the file visible, and `after` right after. */
function aroundStep(film: TestUpload, step: string, { before, after }: { before?: () => void; after?: () => void }): void {
  const proceedAsBefore = services.onHost;
  services.onHost = (method, args, proceed) => {
    if (method !== step || !isToTarget(film, args)) return proceedAsBefore(method, args, proceed);
    services.onHost = proceedAsBefore;
    before?.();
    return (proceed() as Promise<unknown>).finally(after);
  };
}

const problemOf = async (film: TestUpload, { ifExists }: Pick<Step, 'ifExists'>) =>
  (await film.mergeToEnd(services.longshore, { ifExists }))?.problem;

async function expectMerged(film: TestUpload, { ifExists }: Pick<Step, 'ifExists'>) {
  expect(await film.mergeToEnd(services.longshore, { ifExists })).toMatchObject({ phase: 'DONE' });
  expect(fs.readFileSync(film.file.fullPath).equals(film.bytes)).toBe(true);
  expect(fs.readdirSync(sshd.root), 'all staging removed').toEqual(['shared']);
}

describe.each(STEPS)('a directory swapped for a link right before the $step of $ifExists (links: $canLink)', (how) => {
  it('the file is taken back, the merge fails, and nothing is lost', async () => {
    const film = await uploaded(how);
    aroundStep(film, how.step, { before: swap });
    expect(await problemOf(film, how)).toMatchObject({ code: 'TARGET_CHANGED', message: expect.stringMatching(/taken back/) });
    expect(fs.readdirSync(outside)).toEqual([]);
    swapBack();
    await expectMerged(film, how);
  });

  it('and swapped back right after: the file is found when that is done again', async () => {
    const film = await uploaded(how);
    const after = () => {
      swapBack();
      let looks = 0;
      services.onHost = (method, args, proceed) => {
        if (method === 'realPath' && args[0] === join(shared, 'dir') && (looks += 1) === 50) swap();
        return proceed();
      };
    };
    aroundStep(film, how.step, { before: swap, after });
    expect(await problemOf(film, how)).toMatchObject({ code: 'TARGET_CHANGED', message: expect.stringMatching(/taken back/) });
    expect(fs.readdirSync(outside)).toEqual([]);
    swapBack();
    await expectMerged(film, how);
  });

  it('and swapped back for good: that a file may be outside is told, within seconds', async () => {
    const film = await uploaded(how);
    aroundStep(film, how.step, { before: swap, after: swapBack });
    expect(await problemOf(film, how)).toMatchObject({
      code: 'TARGET_CHANGED',
      message: expect.stringMatching(/not be found/),
    });
    expect(slept).toBeLessThan(10_000);
    expect(fs.readdirSync(outside)).toEqual(['film']);
    if (how.canLink) await expectMerged(film, how);
  });

  it('a file of somebody else where the link leads stays as it is', async () => {
    const film = await uploaded(how);
    if (how.step === 'replace') return; // What replaces, replaces: SECURITY.md says so.
    fs.writeFileSync(join(outside, 'film'), 'foreign');
    aroundStep(film, how.step, { before: swap });
    await problemOf(film, how);
    expect(fs.readFileSync(join(outside, 'film'), 'utf8')).toBe('foreign');
    swapBack();
    await expectMerged(film, how);
  });
});

it.each(STEPS)('a foreign file is left alone where a file of ours is looked for ($step, links: $canLink)', async (how) => {
  const film = await uploaded(how);
  const other = join(sshd.directory, 'other');
  fs.mkdirSync(other, { mode: 0o777 });
  fs.chmodSync(other, 0o777);
  fs.writeFileSync(join(other, 'film'), randomBytes(film.bytes.length));
  const after = () => {
    // Without links a file is known by its size and time alone.
    const { mtime, mode } = fs.statSync(join(outside, 'film'));
    fs.chmodSync(join(other, 'film'), mode);
    fs.utimesSync(join(other, 'film'), mtime, how.canLink ? mtime : 1);
    fs.unlinkSync(join(shared, 'dir'));
    fs.symlinkSync(other, join(shared, 'dir'));
  };
  const foreign = fs.readFileSync(join(other, 'film'));
  let isMoved = false;
  const current = services.onHost;
  services.onHost = (method, args, proceed) => {
    if (isTaking(method) && args[0] === join(other, 'film')) isMoved = true;
    return current(method, args, proceed);
  };
  aroundStep(film, how.step, { before: swap, after });
  expect(await problemOf(film, how)).toMatchObject({ message: expect.stringMatching(/not be found/) });
  expect([fs.readFileSync(join(other, 'film')).equals(foreign), isMoved]).toEqual([true, false]);
  fs.rmSync(other, { recursive: true });
});

describe.each(STEPS)(
  'a second swap, in the instant in which the file is taken back ($step of $ifExists, links: $canLink)',
  (how) => {
    let other: string;
    let foreign: Buffer;
    beforeEach(() => {
      other = join(sshd.directory, 'other');
      foreign = randomBytes(2 * CHUNK);
      fs.mkdirSync(other);
      fs.chmodSync(other, 0o777);
      fs.writeFileSync(join(other, 'film'), foreign);
    });
    afterEach(() => {
      for (const name of ['other', 'outside.aside']) fs.rmSync(join(sshd.directory, name), { recursive: true, force: true });
    });

    /** Right before the step that takes it away there is a foreign file under its name; `after` is done right after. */
    function swapBeforeTaking(after?: () => void): void {
      const proceedAsBefore = services.onHost;
      let isOver = false;
      services.onHost = (method, args, proceed) => {
        if (isOver || !isTaking(method) || args[0] !== join(outside, 'film')) return proceedAsBefore(method, args, proceed);
        isOver = true;
        fs.renameSync(outside, `${outside}.aside`);
        fs.symlinkSync(other, outside);
        return (proceed() as Promise<unknown>).finally(after);
      };
    }
    const strandedFiles = () =>
      fs.readdirSync(sshd.root, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('/found.'));

    const expectForeign = ({ ino, mtimeMs, mode }: fs.Stats) => {
      expect(fs.readdirSync(other)).toEqual(['film']);
      expect(fs.readFileSync(join(other, 'film')).equals(foreign)).toBe(true);
      expect(fs.statSync(join(other, 'film'))).toMatchObject({ ino, mtimeMs, mode, nlink: 1 });
      expect(strandedFiles()).toEqual([]);
    };

    it('the foreign file that is caught stays as it is, under its own name', async () => {
      const film = await uploaded(how);
      swapBeforeTaking();
      aroundStep(film, how.step, { before: swap });
      const before = fs.statSync(join(other, 'film'));
      const problem = await problemOf(film, how);
      expect(fs.readdirSync(`${outside}.aside`), 'it was in time').toEqual(['film']);
      expectForeign(before);
      expect(problem).toMatchObject({ code: 'TARGET_CHANGED', message: expect.stringMatching(/not be found\.$/) });
      swapBack();
      if (how.canLink) await expectMerged(film, how);
    });

    it('and swapped back before it is looked at: it goes back to where it came from', async () => {
      const film = await uploaded(how);
      swapBeforeTaking();
      const current = services.onHost;
      services.onHost = (method, args, proceed) => {
        const answer = current(method, args, proceed) as Promise<unknown>;
        if (method !== 'realPath' || args[0] !== outside) return answer;
        return answer.finally(() => {
          fs.unlinkSync(outside);
          fs.renameSync(`${outside}.aside`, outside);
        });
      };
      aroundStep(film, how.step, { before: swap });
      const before = fs.statSync(join(other, 'film'));
      const problem = await problemOf(film, how);
      expectForeign(before);
      expect(problem).toMatchObject({ code: 'TARGET_CHANGED', message: expect.stringMatching(/taken back/) });
      expect(fs.readdirSync(outside)).toEqual([]);
      swapBack();
      await expectMerged(film, how);
    });

    it('where its name is taken meanwhile it overwrites nothing, is told of, and outlasts the upload', async () => {
      const film = await uploaded(how);
      swapBeforeTaking(() => fs.writeFileSync(join(other, 'film'), 'another'));
      aroundStep(film, how.step, { before: swap });
      const problem = await problemOf(film, how);
      expect(problem).toMatchObject({ code: 'TARGET_CHANGED', message: expect.stringMatching(/ kept as \S+ /) });
      expect(fs.readFileSync(join(other, 'film'), 'utf8')).toBe('another');
      swapBack();
      if (how.canLink) expect(await film.mergeToEnd(services.longshore, how)).toMatchObject({ phase: 'DONE' });
      const [, stranded = ''] = / kept as (\S+) /.exec(problem?.message ?? '') ?? [];
      const names = fs
        .readdirSync(sshd.root, { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith(`/${stranded}`));
      expect(names.map((name) => fs.readFileSync(join(sshd.root, name)).equals(foreign))).toEqual([true]);
    });
  },
);

it('a file that looks the same does not stand in for one that went elsewhere', async () => {
  const how = STEPS[0];
  const film = await uploaded(how);
  const after = () => {
    swapBack();
    const { mtime, mode } = fs.statSync(join(outside, 'film'));
    fs.writeFileSync(join(shared, 'dir', 'film'), randomBytes(film.bytes.length), { mode });
    fs.utimesSync(join(shared, 'dir', 'film'), mtime, mtime);
  };
  aroundStep(film, how.step, { before: swap, after });
  expect(await problemOf(film, how)).toMatchObject({ code: 'TARGET_CHANGED', message: expect.stringMatching(/not be found/) });
});

it('a directory that is swapped in one of many looks gets nothing', async () => {
  const film = await uploaded(STEPS[0]);
  const pending = new Set<unknown>();
  let looks = 0;
  let isIntended = false;
  let isPublished = false;
  const proceedSwapped = async (proceed: () => unknown) => {
    // After all else that was asked for at the same time.
    do await new Promise(setImmediate);
    while (pending.size > 0);
    swap();
    return (proceed() as Promise<unknown>).finally(swapBack);
  };
  services.onHost = (method, args, proceed) => {
    if (method === 'link') isPublished = true;
    if (method === 'replace' && String(args[1]).endsWith('/intent.json')) isIntended = true;
    if (method === 'run') return proceed();
    if (isIntended && method === 'realPath' && args[0] === join(shared, 'dir') && (looks += 1) === 6)
      return proceedSwapped(proceed);
    const call = proceed() as Promise<unknown>;
    pending.add(call);
    return call.finally(() => pending.delete(call));
  };
  expect(await problemOf(film, STEPS[0])).toMatchObject({ code: 'TARGET_CHANGED' });
  expect([looks > 6, isPublished]).toEqual([true, false]);
});

it.each([0, 1, 2])('of directories made where a swapped one has led, none is left (the one at depth %i)', async (depth) => {
  const film = await uploaded(STEPS[0], 'shared/dir/a/b/c/film');
  const before = ['a', 'a/b'].slice(0, depth);
  const login = ensureLogin();
  for (const name of before) {
    fs.mkdirSync(join(outside, name));
    fs.chownSync(join(outside, name), login.uid, login.gid);
    fs.writeFileSync(join(outside, name, 'foreign'), '');
  }
  let made = 0;
  services.onHost = (method, args, proceed) => {
    if (method === 'makeDirectory' && String(args[0]).includes('/shared/dir/') && made++ === depth) swap();
    return proceed();
  };
  expect(await problemOf(film, STEPS[0])).toMatchObject({ code: 'INVALID_PATH' });
  expect(made).toBe(3);
  expect(fs.readdirSync(outside, { recursive: true }).sort()).toEqual(
    before.flatMap((name) => [name, `${name}/foreign`]).sort(),
  );
});

it('an empty directory that was there before stays', async () => {
  const film = await uploaded(STEPS[0], 'shared/dir/a/film');
  fs.mkdirSync(join(outside, 'a'));
  fs.chmodSync(join(outside, 'a'), 0o777);
  fs.utimesSync(join(outside, 'a'), 1, 1);
  fs.chmodSync(outside, 0o777);
  let isMade = false;
  services.onHost = (method, args, proceed) => {
    if (method === 'makeDirectory' && args[0] === join(shared, 'dir', 'a')) isMade = true;
    if (method === 'makeFile' && isMade && !fs.existsSync(join(shared, 'aside'))) swap();
    return proceed();
  };
  expect(await problemOf(film, STEPS[0])).toMatchObject({ code: 'INVALID_PATH' });
  expect([isMade, fs.readdirSync(outside)]).toEqual([true, ['a']]);
});

describe.each([STEPS[0], STEPS[1]])('a run cut off right after its $step, which a swapped directory had led astray', (how) => {
  it('loses nothing: the next one publishes', async () => {
    const film = await uploaded(how);
    const cut = () => {
      services.onHost = () => Promise.reject(new Error('cut off'));
    };
    aroundStep(film, how.step, { before: swap, after: cut });
    await film.merge(services.longshore, how);
    const last = (await film.watch(services.longshore)).at(-1);
    expect(last).toMatchObject({ phase: 'FAILED' });
    services.onHost = (_method, _args, proceed) => proceed();
    swapBack();
    // The first to look may have to put it back.
    await film.merge(services.longshore, how);
    await expectMerged(film, how);
  });
});
