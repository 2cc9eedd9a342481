// What the page promises: whatever happens, the file lands whole, and everybody sees how far it is.

import { existsSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { MIB } from '../support/bytes.js';
import { Device, startStage, type Stage, type TestFile } from './stage.js';

// A browser, a gateway and a slow line on a machine that may have other things to do.
vi.setConfig({ testTimeout: 60_000 });

let stage: Stage;
let device: Device;

beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());
beforeEach(async () => {
  device = await Device.open(stage);
});
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail')
    await device.page.screenshot({ path: `/tmp/fail-${task.name.slice(0, 30).replaceAll(' ', '_')}.png` });
  stage.line.release();
  await device.close();
});

async function halfWay(file: TestFile, from = device): Promise<void> {
  await expect.poll(() => from.percent(file.name), { interval: 20, timeout: 20_000 }).toBeGreaterThan(25);
}

/** Chunks of the upload that the host lacks. */
async function missing(file: TestFile): Promise<number> {
  const { items } = (await stage.client.uploads()) as unknown as {
    items: readonly { fullPath: string; hashCode: string }[];
  };
  const upload = items.find(({ fullPath }) => fullPath === `/${file.name}`);
  if (upload === undefined) throw new Error(`no unfinished upload of ${file.name}`);
  const info = await stage.client.dirInfo({ hostId: 'local', fullPath: upload.fullPath, hashCode: upload.hashCode });
  return Number(info['chunkCount']) - Number(info['uploadedCount']);
}

describe('a file that is dropped', () => {
  it('of 200 MiB shows bytes, rate, time left, chunks and steps, and lands byte for byte', async () => {
    const file = stage.file(200 * MIB);
    await device.drop(file.path);
    const row = device.row(file.name);
    await row.getByText(/\d MiB of 200 MiB/).waitFor();
    await row.getByText(/MiB\/s/).waitFor();
    await row.getByText(/left$/).waitFor();
    await halfWay(file);
    const chunks = await row.getByRole('img').getAttribute('aria-label');
    const [, there = '', moving = '', lacking = ''] =
      /^Chunks: (\d+) there, (\d+) moving, (\d+) missing$/.exec(chunks ?? '') ?? [];
    expect(Number(there) + Number(moving) + Number(lacking)).toBe(200);
    expect([Number(there) > 20, Number(moving) > 0, Number(lacking) > 0]).toEqual([true, true, true]);
    const seen: number[] = [];
    await expect
      .poll(async () => seen.push(await device.percent(file.name)) && seen.at(-1), { interval: 30, timeout: 30_000 })
      .toBe(100);
    await device.done(file.name);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    await row.getByText('The host has proved it.').waitFor();
    await row.getByText(file.sha256).waitFor();
    expect(stage.published(file.name)).toBe(file.sha256);
    expect(device.complaints).toEqual([]);
    const origin = new URL(stage.url).origin;
    expect(device.requests.filter((url) => new URL(url).origin !== origin && !url.startsWith('blob:'))).toEqual([]);
  });

  it('goes on after a reload by itself, and sends only what is missing', async () => {
    const file = stage.file(64 * MIB);
    await device.drop(file.path);
    await halfWay(file);
    await device.page.getByRole('button', { name: `Pause: ${file.name}` }).click();
    await device.row(file.name).getByText('Paused', { exact: true }).waitFor();
    const lacking = await missing(file);
    expect(lacking).toBeGreaterThan(0);
    await device.chunksTaken();
    await device.page.reload();
    await device.done(file.name);
    expect(await device.chunksTaken()).toBe(lacking);
    expect(stage.published(file.name)).toBe(file.sha256);
  });

  it('goes on after the network was away', async () => {
    const file = stage.file(64 * MIB);
    await device.drop(file.path);
    await halfWay(file);
    await device.context.setOffline(true);
    await device.page.getByText('You are offline.').waitFor();
    await device.row(file.name).getByText('Offline: goes on by itself').waitFor();
    await device.context.setOffline(false);
    await device.done(file.name);
    expect(stage.published(file.name)).toBe(file.sha256);
  });

  it('goes on after the gateway was killed and started', async () => {
    const file = stage.file(64 * MIB);
    await device.drop(file.path);
    await halfWay(file);
    await stage.killGateway();
    await device.row(file.name).getByText('Interrupted: trying again').waitFor();
    await stage.startGateway();
    await device.done(file.name);
    expect(stage.published(file.name)).toBe(file.sha256);
  });

  it('pauses and goes on', async () => {
    const file = stage.file(32 * MIB);
    await device.drop(file.path);
    await halfWay(file);
    await device.page.getByRole('button', { name: `Pause: ${file.name}` }).click();
    await device.row(file.name).getByText('Paused', { exact: true }).waitFor();
    const percent = await device.percent(file.name);
    await device.page.getByRole('button', { name: `Resume: ${file.name}` }).click();
    await device.done(file.name);
    expect(percent).toBeLessThan(72);
    expect(stage.published(file.name)).toBe(file.sha256);
  });

  it('is discarded with all that is on the host, once that is wanted', async () => {
    const file = stage.file(64 * MIB);
    await device.drop(file.path);
    await halfWay(file);
    await device.page.getByRole('button', { name: `Discard: ${file.name}` }).click();
    const question = device.page.getByRole('dialog', { name: 'Discard this upload?' });
    await question.getByRole('button', { name: 'Keep it' }).click();
    await device.page.getByRole('button', { name: `Discard: ${file.name}` }).click();
    await question.getByRole('button', { name: 'Discard' }).click();
    await device.row(file.name).waitFor({ state: 'detached' });
    const { items } = (await stage.client.uploads()) as unknown as { items: readonly { fullPath: string }[] };
    expect(items.filter(({ fullPath }) => fullPath === `/${file.name}`)).toEqual([]);
    expect(existsSync(join(stage.data, '.longshore'))).toBe(false);
  });
});

describe('folders', () => {
  it('land with all that is in them', async () => {
    const files = ['album/one.bin', 'album/deep/er/two.bin', 'album/deep/empty.bin'].map((name, i) =>
      stage.file([MIB + 1, 3, 0][i] ?? 0, name),
    );
    const [first] = files;
    await device.drop((first?.path ?? '').replace(/\/one\.bin$/, ''));
    await device.page.getByText('3 of 3 files done').waitFor();
    for (const file of files) expect(stage.published(file.name)).toBe(file.sha256);
  });
});

describe('a file that is there already', () => {
  /** One lands, then another of the same name comes. */
  async function collide(): Promise<{ readonly before: TestFile; readonly after: TestFile }> {
    const before = stage.file(MIB);
    await device.drop(before.path);
    await device.done(before.name);
    const after = stage.file(2 * MIB, `again/${before.name}`);
    await device.drop(after.path);
    return { before, after: { ...after, name: before.name } };
  }
  const question = () => device.page.getByRole('dialog', { name: 'There is a file already' });

  it('is shown beside the new one, and replaced when that is wanted', async () => {
    const { after } = await collide();
    await question().getByText('1.00 MiB').waitFor();
    await question().getByText('2.00 MiB').waitFor();
    await question().getByRole('button', { name: 'Replace' }).click();
    await device.done(after.name);
    expect(stage.published(after.name)).toBe(after.sha256);
  });

  it('stays when it is to be kept', async () => {
    const { before } = await collide();
    await question().waitFor();
    await device.page.keyboard.press('Escape');
    await device.row(before.name).getByText('There is a file already, and it was kept.').waitFor();
    expect(stage.published(before.name)).toBe(before.sha256);
  });

  it('stays beside the new one when both are wanted', async () => {
    const { before, after } = await collide();
    await question().getByRole('button', { name: 'Keep both' }).click();
    const second = before.name.replace('.bin', ' (2).bin');
    await device.done(second);
    await device.page.reload();
    await device.page.getByLabel('Directory').waitFor();
    expect(await device.page.getByRole('listitem').count()).toBe(0);
    expect([stage.published(before.name), stage.published(second)]).toEqual([before.sha256, after.sha256]);
  });

  it('is asked about once for all, when that is wanted', async () => {
    const names = ['a.bin', 'b.bin', 'c.bin', 'd.bin'].map((name) => `many-${name}`);
    for (const name of names) writeFileSync(join(stage.data, name), 'old');
    const files = names.map((name) => stage.file(MIB, name));
    await device.drop(...files.map(({ path }) => path));
    await question().getByLabel('The same for all others').check();
    await question().getByRole('button', { name: 'Replace' }).click();
    await device.page.getByText('4 of 4 files done').waitFor();
    for (const file of files) expect(stage.published(file.name)).toBe(file.sha256);
    const later = stage.file(2 * MIB, 'later/many-a.bin');
    await device.drop(later.path);
    expect(await question().getByRole('checkbox').count()).toBe(0);
    await question().getByRole('button', { name: 'Keep what is there' }).click();
    await device.row('many-a.bin').getByText('There is a file already, and it was kept.').waitFor();
  });
});

describe('what was begun', () => {
  it('is seen live by another device of the person, to its end', async () => {
    const other = await Device.open(stage);
    const file = stage.file(240 * MIB);
    await device.drop(file.path);
    await other.row(file.name).getByText('Active on another device').waitFor();
    const seen: number[] = [];
    for (let isThere = true; isThere && seen.length < 5; isThere = (await other.row(file.name).count()) > 0) {
      const percent = await other.percent(file.name);
      if (percent !== seen.at(-1)) seen.push(percent);
    }
    expect(seen.length).toBeGreaterThan(2);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    await device.done(file.name);
    await other.row(file.name).waitFor({ state: 'detached' });
    expect(other.complaints).toEqual([]);
    await other.close();
  });

  it('by a browser that keeps no files is continued with the same file, and with no other', async () => {
    const file = stage.file(48 * MIB);
    await device.choose(file.path);
    await halfWay(file);
    stage.line.hold();
    await device.page.goto('about:blank');
    stage.line.release();
    const lacking = await missing(file);
    await device.page.goto(stage.url);
    const chooser = device.row(file.name).locator('input[type=file]');
    const wrong = stage.file(48 * MIB, `wrong/${file.name}`);
    await chooser.setInputFiles(wrong.path);
    await device
      .row(file.name)
      .getByText(/This isn’t the file that was begun/)
      .waitFor();
    await device.page.getByRole('button', { name: `Remove from the list: ${file.name}` }).click();
    await device.chunksTaken();
    await device.row(file.name).locator('input[type=file]').setInputFiles(file.path);
    await device.done(file.name);
    expect(await device.chunksTaken()).toBe(lacking);
    expect(stage.published(file.name)).toBe(file.sha256);
  });

  it('is discarded from another device', async () => {
    const file = stage.file(64 * MIB);
    await device.choose(file.path);
    await halfWay(file);
    stage.line.hold();
    await device.close();
    stage.line.release();
    device = await Device.open(stage);
    await device
      .row(file.name)
      .getByRole('button', { name: `Discard: ${file.name}` })
      .click();
    await device.page.getByRole('dialog').getByRole('button', { name: 'Discard' }).click();
    await device.row(file.name).waitFor({ state: 'detached' });
    expect(readdirSync(stage.data)).not.toContain('.longshore');
  });
});

describe('what was discarded elsewhere', () => {
  it('is not begun again when the page comes back', async () => {
    const file = stage.file(48 * MIB);
    await device.drop(file.path);
    await halfWay(file);
    await device.page.getByRole('button', { name: `Pause: ${file.name}` }).click();
    const other = await Device.open(stage);
    await other.page.getByRole('button', { name: `Discard: ${file.name}` }).click();
    await other.page.getByRole('dialog').getByRole('button', { name: 'Discard' }).click();
    await other.row(file.name).waitFor({ state: 'detached' });
    await other.close();
    await device.page.reload();
    await device.page.getByLabel('Directory').waitFor();
    await device.page.waitForLoadState('networkidle');
    expect(await device.page.getByRole('listitem').count()).toBe(0);
  });
});

describe('a file that changes on its way', () => {
  it('is not published', async () => {
    const file = stage.file(96 * MIB);
    await device.drop(file.path);
    await halfWay(file);
    const other = stage.file(96 * MIB, 'changed.bin');
    renameSync(other.path, file.path);
    await device
      .row(file.name)
      .getByText(/or it changed meanwhile/)
      .waitFor();
    expect(existsSync(join(stage.data, file.name))).toBe(false);
    await device.page.getByRole('button', { name: `Discard: ${file.name}` }).click();
    await device.page.getByRole('dialog').getByRole('button', { name: 'Discard' }).click();
    await device.row(file.name).waitFor({ state: 'detached' });
  });
});
