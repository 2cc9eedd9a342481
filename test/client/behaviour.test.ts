// The scenarios of `behaviour.ts` on Node and in Chromium, against a real gateway and a real sshd.

import { createHash } from 'node:crypto';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as sdk from '../../src/client/index.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { pattern, scenarios, type Entrance, type Landing, type ShownFile, type TestPage } from './behaviour.js';
import { bundle } from './bundle.js';
import { GatewayEntrance } from './entrance.js';

let gateway: TestGateway;
let entrance: GatewayEntrance;
let runs = 0;

beforeAll(async () => {
  gateway = await startTestGateway();
  entrance = new GatewayEntrance(gateway);
  await entrance.listen();
});
afterAll(async () => {
  await entrance.close();
  await gateway.stop();
});
beforeEach(() => {
  entrance.forget();
  runs += 1;
});

/** Each scenario has a directory of its own. */
const directory = () => `${gateway.hosts.sshd.root}/${runs}`;

function expectOnHost(landings: readonly Landing[]): void {
  for (const { path, length, seed, digest } of landings) {
    const content = readFileSync(path);
    expect(content.equals(pattern(length, seed)), path).toBe(true);
    if (digest !== undefined) expect(digest).toBe(`sha256:${createHash('sha256').update(content).digest('hex')}`);
  }
}

describe('on Node, an upload', () => {
  it.each(Object.entries(scenarios))('%s', async (_name, scenario) => {
    const endpoint = `http://127.0.0.1:${entrance.port}/graphql`;
    expectOnHost(await scenario({ sdk, endpoint, host: 'sshd', directory: directory(), entrance }));
  });
});

describe('in a browser, an upload', () => {
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;

  beforeAll(async () => {
    for (const [path, file] of await bundle('page')) entrance.files.set(path, file);
    browser = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      // Root may not have a sandbox; the name is one that browsers don't trust, as they do trust 127.0.0.1.
      args: ['--no-sandbox', '--host-resolver-rules=MAP longshore.test 127.0.0.1'],
    });
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    context = await browser.newContext();
    page = await context.newPage();
  });
  afterEach(() => context.close());

  async function open(host = '127.0.0.1'): Promise<void> {
    await page.exposeFunction('tellEntrance', async (name: keyof Entrance, argument: string) => await entrance[name](argument));
    await page.goto(`http://${host}:${entrance.port}/`);
  }

  async function run(name: string): Promise<void> {
    const place = { host: 'sshd', directory: directory() };
    expectOnHost(
      await page.evaluate(async (call) => await (globalThis as unknown as TestPage).runScenario(call.name, call.place), {
        name,
        place,
      }),
    );
  }

  it.each(Object.keys(scenarios))('%s', async (name) => {
    await open();
    await run(name);
    expect(page.workers()).not.toHaveLength(0);
  });

  const FIRST = Object.keys(scenarios)[0] ?? '';

  it('works on a page over plain HTTP, where there is no crypto.subtle', async () => {
    await open('longshore.test');
    expect(await page.evaluate(() => [isSecureContext, typeof crypto.subtle])).toEqual([false, 'undefined']);
    await run(FIRST);
    expect(page.workers()).toHaveLength(1);
  });

  it('reads and hashes nothing on the thread of its page', async () => {
    await page.addInitScript(() => {
      const { arrayBuffer, stream } = Blob.prototype;
      const state = Object.assign(globalThis, { readBytes: 0 });
      Blob.prototype.arrayBuffer = function () {
        state.readBytes += this.size;
        return arrayBuffer.call(this);
      };
      Blob.prototype.stream = function () {
        state.readBytes += this.size;
        return stream.call(this);
      };
    });
    await open();
    await run(FIRST);
    // One byte, to see whether the file has changed.
    expect(await page.evaluate(() => (globalThis as unknown as { readBytes: number }).readBytes)).toBeLessThanOrEqual(1);
  });

  it('waits for the code that hashes when its worker has ended and neither can be loaded', async () => {
    await open();
    await run(FIRST);
    const [worker] = page.workers();
    await worker?.waitForEvent('close'); // Nobody needed it any more.
    const code = /hash-worker|sha256/;
    await context.route(code, (route) => route.abort());
    const failed = page.waitForEvent('requestfailed', (request) => request.url().includes('sha256'));
    runs += 1;
    const running = run(FIRST);
    await failed;
    await context.unroute(code);
    await running;
    expect(page.workers()).toHaveLength(1);
  });

  it.each([
    ["worker-src 'self'", 1],
    ["worker-src 'none'", 0],
    ["script-src 'self' 'wasm-unsafe-eval'; worker-src 'none'", 0],
  ])('works under a strict content policy with %s', async (policy, workers) => {
    entrance.policy = `default-src 'none'; connect-src 'self'; ${policy.includes('script-src') ? '' : "script-src 'self'; "}${policy}`;
    await open();
    await run(FIRST);
    expect(page.workers()).toHaveLength(workers);
  });

  describe('of files on the disk', () => {
    const SIZE = 12 * 1024 * 1024;
    let disk: string;

    beforeEach(async () => {
      disk = mkdtempSync(join(tmpdir(), 'longshore-page-'));
      await open();
    });
    afterEach(() => rmSync(disk, { recursive: true }));

    async function choose(...files: readonly (readonly [name: string, length: number])[]): Promise<string[]> {
      const paths = files.map(([name]) => join(disk, name));
      files.forEach(([, length], i) => writeFileSync(paths[i] ?? '', pattern(length, i + 1)));
      await page.locator('input').setInputFiles(paths);
      return paths;
    }
    const begin = (path: string) =>
      page.evaluate((target) => (globalThis as unknown as TestPage).begin(target), { host: 'sshd', path });
    const row = (text: RegExp) => page.locator('.row', { hasText: text }).waitFor();

    it('shows each state in a React component, and pauses and resumes there', async () => {
      await choose(['film.mov', SIZE]);
      const path = `${directory()}/film.mov`;
      await begin(path);
      await row(/film\.mov sending [1-9]/);
      await page.getByText('Pause').click();
      await row(/paused/);
      await page.getByText('Resume').click();
      await row(/film\.mov done 12582912 sha256:/);
      expectOnHost([{ path, length: SIZE, seed: 1 }]);
    });

    it('shows a batch and its files in React components', async () => {
      await choose(['a', 100_000], ['b', 0], ['c', 70_000]);
      const target = { host: 'sshd', directory: directory() };
      await page.evaluate((to) => (globalThis as unknown as TestPage).beginAll(to), target);
      await page.locator('#total', { hasText: '3/3 170000 3' }).waitFor();
      expect(await page.locator('.row', { hasText: 'done' }).count()).toBe(3);
      expectOnHost([
        { path: `${directory()}/a`, length: 100_000, seed: 1 },
        { path: `${directory()}/b`, length: 0, seed: 2 },
        { path: `${directory()}/c`, length: 70_000, seed: 3 },
      ]);
    });

    /** As if the person dragged them there from a file manager. */
    async function drop(...files: readonly string[]): Promise<readonly ShownFile[] | undefined> {
      const session = await context.newCDPSession(page);
      const data = { items: [], files: [...files], dragOperationsMask: 1 };
      for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
        await session.send('Input.dispatchDragEvent', { type, x: 50, y: 50, data });
      }
      await page.waitForFunction(() => (globalThis as unknown as TestPage).dropped !== undefined);
      return await page.evaluate(() => (globalThis as unknown as TestPage).dropped);
    }

    function album(): string {
      const folder = join(disk, 'album');
      mkdirSync(join(folder, 'summer', 'empty'), { recursive: true });
      for (const [i, name] of ['a.jpg', 'b.jpg', 'summer/c.jpg'].entries())
        writeFileSync(join(folder, name), pattern(i + 1, 1));
      for (let i = 0; i < 120; i += 1) writeFileSync(join(folder, 'summer', `many-${i}`), '');
      return folder;
    }
    const byPath = (a: ShownFile, b: ShownFile) => (a.path < b.path ? -1 : 1);

    it('shows all files of a drop, those in folders too, with what opens them again', async () => {
      const [file = ''] = await choose(['film.mov', 12]);
      const found = (await drop(file, album())) ?? [];
      const many = found.filter(({ path }) => path.includes('many-'));
      expect(many).toHaveLength(120);
      expect(found.filter((each) => !many.includes(each)).toSorted(byPath)).toEqual([
        { path: 'album/a.jpg', size: 1, again: 1 },
        { path: 'album/b.jpg', size: 2, again: 2 },
        { path: 'album/summer/c.jpg', size: 3, again: 3 },
        { path: 'film.mov', size: 12, again: 12 },
      ]);
    });

    it('shows all files of a drop where the browser gives nothing for later', async () => {
      page = await context.newPage();
      await open('longshore.test');
      const [file = ''] = await choose(['film.mov', 12]);
      const found = (await drop(file, album())) ?? [];
      expect(found).toHaveLength(124);
      expect(found.filter(({ path }) => /c.jpg|film/.test(path)).toSorted(byPath)).toEqual([
        { path: 'album/summer/c.jpg', size: 3 },
        { path: 'film.mov', size: 12 },
      ]);
      expect(await page.evaluate(() => (globalThis as unknown as TestPage).choose('files'))).toBeUndefined();
    });

    it('shows all files of a folder that was chosen, and none when none was', async () => {
      // Dialogs can't be driven; a folder that is the browser's own has handles of the same kind.
      await page.evaluate(async () => {
        const root = await navigator.storage.getDirectory();
        const folder = await root.getDirectoryHandle('album', { create: true });
        const summer = await folder.getDirectoryHandle('summer', { create: true });
        await summer.getFileHandle('c.jpg', { create: true });
        Object.assign(globalThis, { showDirectoryPicker: () => Promise.resolve(folder) });
      });
      const choosing = (kind: 'files' | 'folder') =>
        page.evaluate((what) => (globalThis as unknown as TestPage).choose(what), kind);
      expect(await choosing('folder')).toEqual([{ path: 'album/summer/c.jpg', size: 0, again: 0 }]);
      page.on('filechooser', () => undefined); // Who listens keeps the dialog from being shown, as if it were closed.
      await page.locator('body').click(); // Only then may a dialog be shown.
      expect(await choosing('files')).toEqual([]);
    });

    it('gives no handles to a page in the frame of another origin, where a browser would refuse them', async () => {
      const framed = async (host: string) => {
        await page.evaluate((url) => {
          const frame = Object.assign(document.createElement('iframe'), { src: url });
          document.body.append(frame);
          return new Promise((resolve) => frame.addEventListener('load', resolve));
        }, `http://${host}:${entrance.port}/`);
        const frame = page.frames().at(-1);
        return await frame?.evaluate(async () => {
          const { choose } = globalThis as unknown as TestPage;
          if (!('showDirectoryPicker' in globalThis)) return 'no picker';
          const folder = { kind: 'directory', name: 'album', values: () => [] };
          Object.assign(globalThis, { showDirectoryPicker: () => Promise.resolve(folder) });
          return await choose('folder');
        });
      };
      expect([await framed('127.0.0.1'), await framed('localhost')]).toEqual([[], undefined]);
    });

    it('says that the file was changed while it was sent, and merges nothing', async () => {
      const [file = ''] = await choose(['log', SIZE]);
      await begin(`${directory()}/log`);
      await row(/sending [1-9]/);
      appendFileSync(file, 'one more line');
      await row(/failed \d+ SOURCE_CHANGED/);
      expect(await entrance.asked('MergeFile')).toBe(0);
    });

    it('begins as soon as the browser is online again', async () => {
      await choose(['file', 1_000]);
      await context.setOffline(true);
      const failed = page.waitForEvent('requestfailed');
      await begin(`${directory()}/file`);
      await failed;
      // The wait that is cut short is one of 30 s.
      const began = performance.now();
      await context.setOffline(false);
      await row(/done/);
      expect(performance.now() - began).toBeLessThan(10_000);
    });
  });
});
