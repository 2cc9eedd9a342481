// Somebody on the host swaps the directory of a file that is published already: for the moment of one look it seems to be gone.
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Fault } from '../../src/core/problems.js';
import type { TestServices } from '../assembly/support.js';
import { CHUNK, startServices, TestUpload } from '../assembly/support.js';
import type { Sshd } from '../support/sshd.js';
import { ensureLogin, startSshd } from '../support/sshd.js';
import { sshdHostOptions } from '../support/sshd-host.js';

let sshd: Sshd;
let services: TestServices;
let film: TestUpload;

beforeEach(async () => {
  sshd = await startSshd();
  const { uid, gid } = ensureLogin();
  for (const name of ['dir', 'elsewhere']) {
    fs.mkdirSync(join(sshd.root, name));
    fs.chownSync(join(sshd.root, name), uid, gid);
  }
  services = await startServices(sshdHostOptions(sshd));
  film = new TestUpload({ hostId: 'sshd', root: sshd.root }, 'dir/film', randomBytes(CHUNK + 7));
  await film.status(services.longshore);
  await film.putAll(services.longshore);
});
afterEach(async () => {
  await services.close();
  await sshd.stop();
});

/** Calls that look at the target from now on; the directory is another while the one with this number, from 1, is answered. */
function swapDuringLook(number: number): { readonly count: () => number } {
  const [directory, aside] = [join(sshd.root, 'dir'), join(sshd.root, 'aside')];
  let count = 0;
  services.onHost = (method, args, proceed) => {
    if (method !== 'lstat' || args[0] !== film.file.fullPath || ++count !== number) return proceed();
    fs.renameSync(directory, aside);
    fs.symlinkSync('elsewhere', directory);
    return (proceed() as Promise<unknown>).finally(() => {
      fs.unlinkSync(directory);
      fs.renameSync(aside, directory);
    });
  };
  return { count: () => count };
}

it.each([1, 2, 3])('what is published is not forgotten for look %i at it', async (number) => {
  expect(await film.mergeToEnd(services.longshore)).toMatchObject({ phase: 'DONE' });
  const looks = swapDuringLook(number);
  while (looks.count() < number) {
    // While it is resolved it leads elsewhere.
    expect((await film.status(services.longshore)).kind).toMatch(/^(UploadFinished|UploadReady|Refused)$/);
  }
  expect(await film.status(services.longshore)).toMatchObject({ kind: 'UploadFinished' });
});

it('a directory that is taken away for good is soon believed to be gone', async () => {
  expect(await film.mergeToEnd(services.longshore)).toMatchObject({ phase: 'DONE' });
  fs.rmSync(join(sshd.root, 'dir'), { recursive: true });
  expect(await film.status(services.longshore)).toMatchObject({ kind: 'UploadReady' });
});

it.each([1, 2, 3, 9])('a run that was cut off after publication is taken up, whatever look %i shows', async (number) => {
  const finish = services.locks.finish.bind(services.locks);
  let looks: ReturnType<typeof swapDuringLook> | undefined;
  services.locks.finish = () => {
    services.locks.finish = finish;
    looks = swapDuringLook(number);
    return Promise.reject(new Fault('COORDINATION_UNAVAILABLE', 'away for a moment'));
  };
  expect(await film.mergeToEnd(services.longshore)).toMatchObject({ phase: 'DONE' });
  expect(await film.status(services.longshore)).toMatchObject({ kind: 'UploadFinished' });
  expect(looks?.count()).toBeGreaterThanOrEqual(number);
  expect(fs.readFileSync(film.file.fullPath).equals(film.bytes)).toBe(true);
  expect(fs.readdirSync(sshd.root).sort()).toEqual(['dir', 'elsewhere']);
});
