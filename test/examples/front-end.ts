// What each example page has to do, in Chromium, with its real client library, built as its users build it.
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { chromium } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MIB } from '../support/bytes.js';
import { OutsideClient, sha256 } from '../support/outside-client.js';
import type { Stage } from './stage.js';
import { startStage } from './stage.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const VITE = join(ROOT, 'node_modules/vite/bin/vite.js');

export interface FrontEnd {
  readonly url: string;
  readonly stage: Stage;
  stop(): Promise<void>;
}

/**
 * Builds and serves the example. `same-origin`: vite's server passes on what is for the gateway. `listed-origin`: the page calls the gateway
 * itself, which has the page's origin in `listen.origins`.
 */
export async function startFrontEnd(name: string, way: 'same-origin' | 'listed-origin'): Promise<FrontEnd> {
  const built = mkdtempSync(join(tmpdir(), `longshore-${name}-`));
  const ends: (() => unknown)[] = [() => rmSync(built, { recursive: true, force: true })];
  const stop = async (): Promise<void> => {
    for (const end of ends.reverse()) await end();
  };
  const serve = async (env: Readonly<Record<string, string>>): Promise<string> => {
    const server = await preview(name, built, env);
    ends.push(() => server.stop());
    return server.url;
  };
  try {
    const origin = way === 'listed-origin' ? await serve({}) : undefined;
    const stage = await startStage(origin === undefined ? [] : [origin]);
    ends.push(() => stage.stop());
    await promisify(execFile)(process.execPath, [VITE, 'build', `examples/${name}`, '--outDir', built, '--emptyOutDir'], {
      cwd: ROOT,
      env: { PATH: process.env['PATH'], ...(origin === undefined ? {} : { VITE_GATEWAY_URL: stage.url }) },
    });
    return { url: origin ?? (await serve({ LONGSHORE_URL: stage.url })), stage, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function preview(name: string, built: string, env: Readonly<Record<string, string>>) {
  const args = [VITE, 'preview', `examples/${name}`, '--outDir', built, '--host', '127.0.0.1', '--port', '0'];
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], NO_COLOR: '1', ...env },
    // Of connections that a test cuts it complains at length.
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const exited = once(child, 'exit');
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /(http:\/\/127\.0\.0\.1:\d+)\//.exec(line)?.[1];
    if (url === undefined) continue;
    child.stdout.resume();
    return {
      url,
      async stop() {
        child.kill();
        await exited;
      },
    };
  }
  throw new Error(`vite ended before it served ${name}`);
}

export function startChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
}

export function describeFrontEnd(name: string, way: 'same-origin' | 'listed-origin'): void {
  let frontEnd: FrontEnd;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let complaints: string[];
  let chunkAnswers: Promise<string>[];

  beforeAll(async () => {
    frontEnd = await startFrontEnd(name, way);
  });
  afterAll(() => frontEnd.stop());
  beforeAll(async () => {
    browser = await startChromium();
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    context = await browser.newContext();
    // Shorter than a test may take, so that a failure says what was waited for.
    context.setDefaultTimeout(15_000);
    page = await context.newPage();
    complaints = [];
    chunkAnswers = [];
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('response', (response) => {
      const isChunk = response.request().headers()['content-type']?.startsWith('multipart/form-data') === true;
      // The body of an answer to a page that is gone can't be had.
      if (isChunk) chunkAnswers.push(response.text().catch(() => ''));
    });
    await page.goto(frontEnd.url);
  });
  afterEach(async () => {
    frontEnd.stage.line.release();
    await context.close();
  });

  let names = 0;
  function freshFile(lengthBytes: number) {
    names += 1;
    const fileName = `file-${names}.bin`;
    const bytes = randomBytes(lengthBytes);
    const path = join(frontEnd.stage.directory, fileName);
    writeFileSync(path, bytes);
    const target = join(frontEnd.stage.data, 'inbox', fileName);
    return { path, fileName, target, hash: sha256(bytes), published: () => sha256(readFileSync(target)) };
  }

  async function choose(path: string): Promise<void> {
    await page.getByLabel('File').setInputFiles(path);
    await page.getByLabel('Directory').fill('/inbox/');
    await page.getByRole('button', { name: 'Upload' }).click();
  }
  const done = () => page.getByText('The file is at its place').waitFor();
  const sentFraction = () =>
    page.getByRole('progressbar', { name: /^Chunks/ }).evaluate((bar) => Reflect.get(bar, 'value') as number);
  /** Chunks that the gateway took, without those it told to come again: it may still hold the place of one that was broken off. */
  const chunksTaken = async () => (await Promise.all(chunkAnswers)).filter((answer) => answer.includes('"ChunkStored"')).length;
  const someSent = () => expect.poll(sentFraction, { interval: 5, timeout: 10_000 }).toBeGreaterThan(0.3);

  /** The line stands still with some of the chunks on the host. */
  async function holdHalfWay(): Promise<void> {
    await someSent();
    frontEnd.stage.line.hold();
  }
  async function unfinished(fileName: string) {
    const client = new OutsideClient(frontEnd.stage.gateway, 'anonymous');
    const { items } = (await client.uploads()) as unknown as { items: readonly { fullPath: string; hashCode: string }[] };
    const upload = items.find(({ fullPath }) => fullPath === `/inbox/${fileName}`);
    if (upload === undefined) throw new Error(`no unfinished upload of ${fileName}`);
    const { fullPath, hashCode } = upload;
    const info = await client.dirInfo({ hostId: 'local', fullPath, hashCode });
    return Number(info['chunkCount']) - Number(info['uploadedCount']);
  }

  describe(`the page with ${name}, ${way}`, () => {
    it('uploads a file, shows chunks and merge, and the file is there byte for byte', async () => {
      const file = freshFile(8 * MIB + 1);
      await choose(file.path);
      await page.getByText(/receiving|queued|assembling|verifying|publishing|done/).waitFor();
      await done();
      expect(await sentFraction()).toBe(1);
      expect(file.published()).toBe(file.hash);
      expect(await chunksTaken()).toBe(9);
      expect(complaints).toEqual([]);
    });

    it('stopped half-way, goes on with the chunks that are missing and no others', async () => {
      const file = freshFile(8 * MIB);
      await choose(file.path);
      await holdHalfWay();
      await page.getByRole('button', { name: 'Stop' }).click();
      await page.getByText('Stopped. What was sent').waitFor();
      frontEnd.stage.line.release();
      const missing = await unfinished(file.fileName);
      expect(missing).toBeGreaterThan(0);
      expect(missing).toBeLessThan(8);
      chunkAnswers = [];
      await page.getByRole('button', { name: 'Go on' }).click();
      await done();
      expect(await chunksTaken()).toBe(missing);
      expect(file.published()).toBe(file.hash);
      expect(complaints).toEqual([]);
    });

    it('after a reload, the same file goes on with the chunks that are missing', async () => {
      const file = freshFile(8 * MIB);
      await choose(file.path);
      await holdHalfWay();
      await page.goto('about:blank');
      frontEnd.stage.line.release();
      const missing = await unfinished(file.fileName);
      await page.goto(frontEnd.url);
      chunkAnswers = [];
      await choose(file.path);
      await done();
      expect(await chunksTaken()).toBe(missing);
      expect(missing).toBeLessThan(8);
      expect(file.published()).toBe(file.hash);
    });

    it('says that there is a file already, and replaces it when told to', async () => {
      const file = freshFile(MIB);
      mkdirSync(join(frontEnd.stage.data, 'inbox'), { recursive: true });
      writeFileSync(file.target, 'what was there');
      await choose(file.path);
      await page.getByRole('alert').filter({ hasText: 'FILE_EXISTS' }).waitFor();
      expect(await chunksTaken()).toBe(0);
      expect(readFileSync(file.target, 'utf8')).toBe('what was there');
      await page.getByRole('button', { name: 'Replace it' }).click();
      await done();
      expect(file.published()).toBe(file.hash);
      expect(complaints).toEqual([]);
    });

    it('uploads an empty file', async () => {
      const file = freshFile(0);
      await choose(file.path);
      await done();
      expect(file.published()).toBe(file.hash);
      expect(complaints).toEqual([]);
    });

    it('goes on by itself after the network was away', async () => {
      const file = freshFile(8 * MIB);
      await choose(file.path);
      await someSent();
      // Not by cutting the line: Chromium sends again on a new connection before the page knows.
      const failed = page.waitForEvent('requestfailed');
      await context.setOffline(true);
      await failed;
      await context.setOffline(false);
      await done();
      expect(file.published()).toBe(file.hash);
    });
  });
}
