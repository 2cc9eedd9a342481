// The page for everybody: by keyboard, with a screen reader, in Chinese, in the dark, on a narrow screen, and with a token.

import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { graphqlError } from '../../src/graphql/errors.js';
import { inSeconds } from '../attacks/identity.js';
import { JWT_MODE, tokenOf } from '../attacks/support.js';
import { GatewayEntrance } from '../client/entrance.js';
import { longshoreWith, serve } from '../http/support.js';
import { MIB } from '../support/bytes.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { listenOnLoopback } from '../support/port.js';
import { Device, startStage, type Stage, type TestFile } from './stage.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

// A browser, a gateway and a slow line on a machine that may have other things to do.
vi.setConfig({ testTimeout: 60_000 });

let stage: Stage;
let device: Device;

beforeAll(async () => {
  stage = await startStage(8 * MIB);
});
afterAll(() => stage.stop());
afterEach(async () => {
  stage.line.release();
  await device.close();
});

/** What axe finds of any weight, as its rule and where. */
async function findings(page: Page): Promise<readonly string[]> {
  await page.evaluate(AXE);
  return await page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    const { violations } = await axe.run();
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  });
}

async function sending(lengthBytes = 24 * MIB): Promise<TestFile> {
  const file = stage.file(lengthBytes);
  await device.drop(file.path);
  await expect
    .poll(() => device.bar(file.name).getAttribute('aria-valuenow'), { interval: 30, timeout: 15_000 })
    .not.toMatch(/^[0-9]?$/);
  return file;
}

describe.each(['light', 'dark'] as const)('in the %s, a screen reader', (colorScheme) => {
  it('finds its way on the empty page, among uploads, and in a question', async () => {
    device = await Device.open(stage, { colorScheme });
    await device.page.getByLabel('Directory').waitFor();
    expect(await findings(device.page)).toEqual([]);
    const file = await sending();
    expect(await findings(device.page)).toEqual([]);
    await device.page.getByRole('button', { name: `Discard: ${file.name}` }).click();
    await device.page.getByRole('dialog').waitFor();
    expect(await findings(device.page)).toEqual([]);
    await device.page.getByRole('button', { name: 'Keep it' }).click();
    await device.page.getByRole('button', { name: `Pause: ${file.name}` }).click();
    const other = await Device.open(stage, { colorScheme });
    await other.row(file.name).waitFor();
    expect(await findings(other.page)).toEqual([]);
    await other.close();
    await device.page.getByRole('button', { name: `Resume: ${file.name}` }).click();
    await device.done(file.name);
    expect(await findings(device.page)).toEqual([]);
    expect(await device.page.getByRole('status').allTextContents()).toContain(`${file.name} is done.`);
  });
});

describe('by keyboard alone', () => {
  /** Presses Tab until this has the focus. */
  async function tabTo(name: RegExp): Promise<void> {
    for (let presses = 0; presses < 40; presses += 1) {
      await device.page.keyboard.press('Tab');
      const focused = await device.page.evaluate(() => {
        const element = document.activeElement === document.body ? null : document.activeElement;
        return `${element?.getAttribute('aria-label') ?? ''} ${element?.textContent ?? ''}`;
      });
      if (name.test(focused)) return;
    }
    throw new Error(`Tab never came to ${name.source}`);
  }

  it('a file is chosen, paused, resumed and discarded', async () => {
    device = await Device.open(stage);
    // As in browsers without a picker of their own; that of Chromium can't be worked from outside.
    await device.page.addInitScript(() => Reflect.deleteProperty(globalThis, 'showOpenFilePicker'));
    const file = stage.file(48 * MIB);
    // Listens long before it is wanted: the browser is told of that without anybody waiting for it.
    const chosen = new Promise((resolve) => device.page.once('filechooser', (chooser) => resolve(chooser.setFiles(file.path))));
    await device.page.reload();
    await device.page.getByLabel('Directory').waitFor();
    await tabTo(/Choose files/);
    await device.page.keyboard.press('Enter');
    await chosen;
    await tabTo(new RegExp(`^Pause: ${file.name}`));
    await device.page.keyboard.press('Enter');
    await device.row(file.name).getByText('Paused', { exact: true }).waitFor();
    // The same button is now the other one, and the focus is still on it.
    await device.page.keyboard.press('Enter');
    await device.row(file.name).getByText('Sending', { exact: true }).waitFor();
    await device
      .row(file.name)
      .getByText(/^[1-9].* MiB of 48/)
      .waitFor(); // There is something to lose.
    await tabTo(new RegExp(`^Discard: ${file.name}`));
    await device.page.keyboard.press('Enter');
    await device.page.getByRole('dialog', { name: 'Discard this upload?' }).waitFor();
    await tabTo(/Discard/);
    await device.page.keyboard.press('Space');
    await device.row(file.name).waitFor({ state: 'detached' });
  });
});

describe('in Chinese', () => {
  it('everything is said in Chinese, as the browser wants it or as chosen', async () => {
    device = await Device.open(stage, { locale: 'zh-CN' });
    await device.page.getByLabel('目录').waitFor();
    expect(await device.page.getAttribute('html', 'lang')).toBe('zh-Hans');
    const file = stage.file(MIB);
    await device.drop(file.path);
    await device.row(file.name).getByText('已完成', { exact: true }).waitFor();
    const words = await device.page.locator('body').innerText();
    const latin = words.replaceAll(file.name, '').match(/[A-Za-z]{2,}/g) ?? [];
    const names = [
      'Longshore',
      'English',
      'GraphQL',
      'API',
      'SHA',
      'MiB',
      'KiB',
      'GiB',
      'npx',
      'longshore',
      'put',
      'FILE',
      'HOST',
      'PATH',
      'local',
      'This',
      'machine',
    ];
    expect(latin.filter((word) => !names.includes(word) && !file.sha256.includes(word))).toEqual([]);
    await device.page.getByLabel('语言').selectOption('English');
    await device.row(file.name).getByText('Done', { exact: true }).waitFor();
    await device.page.reload();
    await device.page.getByLabel('Directory').waitFor();
  });
});

describe('on a narrow screen', () => {
  it.each([320, 768])('of %i pixels nothing is beyond its edge', async (width) => {
    device = await Device.open(stage, { viewport: { width, height: 700 } });
    const file = await sending();
    expect(await device.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    await device.page.getByRole('button', { name: `Discard: ${file.name}` }).click();
    await device.page.getByRole('dialog').getByRole('button', { name: 'Discard' }).click();
    await device.row(file.name).waitFor({ state: 'detached' });
  });
});

describe('where one has to sign in', () => {
  let gateway: TestGateway;
  let entrance: GatewayEntrance;

  beforeAll(async () => {
    gateway = await startTestGateway();
    entrance = new GatewayEntrance(gateway);
    await entrance.listen();
  });
  afterAll(async () => {
    await entrance.close();
    await gateway.stop();
  });
  const url = () => `http://127.0.0.1:${entrance.port}/`;

  it('the page asks for a token, says when it is refused, and asks again when it has ended', async () => {
    await entrance.requireToken('first');
    device = await Device.open({ ...stage, url: url() });
    const question = device.page.getByRole('dialog', { name: 'Sign in' });
    await question.getByLabel('Access token').fill('wrong');
    await device.page.keyboard.press('Enter');
    await question.getByText(/That token was refused/).waitFor();
    await question.getByLabel('Access token').fill('Bearer first');
    await device.page.keyboard.press('Enter');
    await device.page.getByLabel('Directory').waitFor();
    await entrance.requireToken('second');
    const file = stage.file(MIB);
    await device.drop(file.path);
    await question.getByLabel('Access token').fill('second');
    await device.page.keyboard.press('Enter');
    await device.done(file.name);
    expect(await findings(device.page)).toEqual([]);
    await device.page.reload();
    await device.page.getByLabel('Directory').waitFor();
  });

  it('a gateway that believes an issuer’s tokens: one that ends is asked for anew, and the file is there', async () => {
    const gateway = await startTestGateway({ config: [JWT_MODE.replace(' } }', ', clockTolerance: 0s } }')] });
    onTestFinished(() => gateway.stop());
    device = await Device.open({ ...stage, url: gateway.url });
    const question = device.page.getByRole('dialog', { name: 'Sign in' });
    await question.getByLabel('Access token').fill(await tokenOf('ann', { expires: inSeconds(-60) }));
    await device.page.keyboard.press('Enter');
    await question.getByText(/That token was refused/).waitFor();
    const ends = inSeconds(4);
    await question.getByLabel('Access token').fill(await tokenOf('ann', { expires: ends }));
    await device.page.keyboard.press('Enter');
    await device.page.getByLabel('Directory').waitFor();
    await expect.poll(() => inSeconds(0), { timeout: 10_000 }).toBeGreaterThan(ends);
    const file = stage.file(MIB);
    await device.drop(file.path);
    await question.getByLabel('Access token').fill(await tokenOf('ann'));
    await device.page.keyboard.press('Enter');
    await device.done(file.name);
  });

  it('a question that has to be answered stays, however often Escape is pressed', async () => {
    await entrance.requireToken('first');
    device = await Device.open({ ...stage, url: url() });
    const question = device.page.getByRole('dialog', { name: 'Sign in' });
    await question.waitFor();
    for (let presses = 0; presses < 4; presses += 1) await device.page.keyboard.press('Escape');
    await question.getByLabel('Access token').fill('first');
    await device.page.keyboard.press('Enter');
    await device.page.getByLabel('Directory').waitFor();
  });

  it('a page that embeds it gives the token, and another when that has ended', async () => {
    const given: string[] = [];
    const embedding = createServer((request, response) => {
      const frame = new URL(request.url ?? '', 'http://x').searchParams.get('frame') ?? '';
      response.setHeader('content-type', 'text/html')
        .end(`<!doctype html><iframe src="${frame}" width="900" height="700"></iframe>
        <script>
          let tokens = 0;
          addEventListener('message', ({ source, origin, data }) => {
            if (data.type !== 'longshore:token-needed') return;
            tokens += 1;
            source.postMessage({ type: 'longshore:token', token: 'number-' + tokens }, origin);
          });
        </script>`);
    });
    const origin = `http://127.0.0.1:${await listenOnLoopback(embedding)}`;
    onTestFinished(() => void embedding.close());
    const local = { id: 'local', name: 'Local', roots: ['/'], reachable: true, capabilities: [] };
    const server = await serve(longshoreWith({ hosts: async () => [local] }), {
      origins: [origin],
      authenticate: async ({ authorization = '' }) => {
        if (authorization !== '') given.push(authorization);
        if (authorization === 'Bearer number-2') return { caller: { person: 'ann', groups: [] } };
        throw graphqlError('UNAUTHENTICATED', 'who?', { status: 401 });
      },
    });
    device = await Device.open({ ...stage, url: `${origin}/?frame=${encodeURIComponent(server.url)}` });
    await device.page.frameLocator('iframe').getByLabel('Directory').waitFor();
    expect([...new Set(given)]).toEqual(['Bearer number-1', 'Bearer number-2']);
  });
});
