// The SDK's guide: its page in Chromium and its scripts on Node, both with the built package, as its users have it.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MIB } from '../support/bytes.js';
import { sha256 } from '../support/outside-client.js';
import type { FrontEnd } from './front-end.js';
import { startChromium, startFrontEnd } from './front-end.js';
import type { Stage } from './stage.js';

const script = (name: string) => fileURLToPath(new URL(`../../examples/sdk/node/${name}.ts`, import.meta.url));

let frontEnd: FrontEnd;
let stage: Stage;
beforeAll(async () => {
  frontEnd = await startFrontEnd('sdk', 'same-origin');
  stage = frontEnd.stage;
});
afterAll(() => frontEnd.stop());

/** A file to send, of random bytes, and how it lies on the host. */
function freshFile(lengthBytes: number, name: string) {
  const path = join(stage.directory, name);
  const bytes = randomBytes(lengthBytes);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  const target = join(stage.data, 'inbox', name);
  return { path, hash: sha256(bytes), target, published: () => sha256(readFileSync(target)) };
}

describe('the scripts on Node', () => {
  interface Ended {
    readonly code: number | null;
    readonly lines: readonly string[];
  }

  /** To its end; with `signal`, that is sent at the first line that matches `at`. */
  async function run(
    name: string,
    args: readonly string[],
    stop?: { at: RegExp; signal: 'SIGINT' | 'SIGKILL' },
  ): Promise<Ended> {
    const child = spawn(process.execPath, ['--import', 'tsx', script(name), ...args], {
      env: { PATH: process.env['PATH'], LONGSHORE_URL: stage.url },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const closed = once(child, 'close') as Promise<[number | null]>;
    const lines: string[] = [];
    let isStopped = false;
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line);
      if (stop === undefined || isStopped || !stop.at.test(line)) return;
      isStopped = true;
      child.kill(stop.signal);
    });
    const [code] = await closed;
    return { code, lines };
  }

  it('put a file, stop in the middle, and go on with what is missing', async () => {
    const file = freshFile(8 * MIB + 1, 'film.bin');
    const stopped = await run('put', [file.path, '/inbox/film.bin'], { at: /^chunk/, signal: 'SIGINT' });
    expect(stopped.code).toBe(1);
    expect(stopped.lines).toContain('stopped');
    expect(existsSync(file.target)).toBe(false);
    const { code, lines } = await run('put', [file.path, '/inbox/film.bin']);
    expect([code, lines.slice(0, 2)]).toEqual([0, ['preparing', 'sending']]);
    const [, digest, there, sent] = /^(\S+) (\d+) bytes were there, (\d+) sent$/.exec(lines.at(-1) ?? '') ?? [];
    expect([digest, Number(there) + Number(sent)]).toEqual([`sha256:${file.hash}`, 8 * MIB + 1]);
    expect(Number(there)).toBeGreaterThanOrEqual(MIB);
    expect(file.published()).toBe(file.hash);
  });

  it('say what the gateway refuses', async () => {
    const file = freshFile(10, 'refused.bin');
    mkdirSync(dirname(file.target), { recursive: true });
    writeFileSync(file.target, 'what was there');
    const { code, lines } = await run('put', [file.path, '/inbox/refused.bin']);
    expect([code, lines.at(-1)]).toEqual([1, expect.stringMatching(/^FILE_EXISTS: /)]);
    expect(readFileSync(file.target, 'utf8')).toBe('what was there');
  });

  it('put a folder with all that is in it', async () => {
    const names = ['photos/a.bin', 'photos/deep/b.bin', 'photos/deep/er/c.bin', 'photos/empty.bin'];
    const files = names.map((name) => freshFile(name.includes('empty') ? 0 : MIB + 1, name));
    const { code, lines } = await run('folder', [join(stage.directory, 'photos'), '/inbox']);
    expect([code, lines.at(-1)]).toEqual([0, `4 of 4 files, ${3 * (MIB + 1)} bytes sent`]);
    for (const name of names) expect(lines).toContain(`done /inbox/${name}`);
    for (const file of files) expect(file.published()).toBe(file.hash);
  });

  it('go on with the same bytes from elsewhere, while another watches', async () => {
    const file = freshFile(8 * MIB, 'begun.bin');
    await run('put', [file.path, '/inbox/begun.bin'], { at: /^chunk/, signal: 'SIGKILL' });
    const copy = join(stage.directory, 'copy.bin');
    copyFileSync(file.path, copy);
    const watching = run('watch', [file.path, '/inbox/begun.bin']);
    const { code, lines } = await run('unfinished', ['continue', copy]);
    expect(code).toBe(0);
    expect(lines[0]).toMatch(/^local:\/inbox\/begun\.bin \d+ of 8388608 bytes$/);
    expect(lines[1]).toBe(`sha256:${file.hash}`);
    expect(file.published()).toBe(file.hash);
    const watched = await watching;
    expect([watched.code, watched.lines.at(-1)]).toEqual([0, 'DONE 100 %']);
  });

  it('give up what was begun', async () => {
    const file = freshFile(8 * MIB, 'given-up.bin');
    await run('put', [file.path, '/inbox/given-up.bin'], { at: /^chunk/, signal: 'SIGKILL' });
    expect((await run('unfinished', ['abort'])).lines[0]).toMatch(/given-up\.bin/);
    expect(await run('unfinished', ['list'])).toEqual({ code: 0, lines: [] });
  });
});

describe('the page', () => {
  let browser: Browser;
  let page: Page;
  let complaints: string[];
  beforeAll(async () => {
    browser = await startChromium();
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    page = await browser.newPage();
    page.setDefaultTimeout(15_000);
    complaints = [];
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(frontEnd.url);
  });
  afterEach(async () => {
    stage.line.release();
    await page.close();
  });

  const choose = (...paths: readonly string[]) => page.locator('input[type=file]').setInputFiles(paths);
  const row = (name: string) => page.getByRole('listitem').filter({ hasText: name });
  const reaches = (name: string, phase: string) => row(name).getByRole('status').filter({ hasText: phase }).waitFor();

  it('uploads several files, and pauses one on the way', async () => {
    const files = [freshFile(8 * MIB, 'paused.bin'), freshFile(MIB, 'beside.bin')];
    await choose(...files.map(({ path }) => path));
    await reaches('paused.bin', 'sending');
    await row('paused.bin').getByRole('button', { name: 'Pause' }).click();
    await reaches('paused.bin', 'paused');
    await reaches('beside.bin', 'done');
    expect(existsSync(files[0]?.target ?? '')).toBe(false);
    await row('paused.bin').getByRole('button', { name: 'Go on' }).click();
    await reaches('paused.bin', 'done');
    for (const file of files) expect(file.published()).toBe(file.hash);
    expect(complaints).toEqual([]);
  });

  it('asks before it replaces a file, and leaves it alone when told to', async () => {
    const file = freshFile(MIB, 'there.bin');
    mkdirSync(dirname(file.target), { recursive: true });
    writeFileSync(file.target, 'what was there');
    page.once('dialog', (dialog) => void dialog.dismiss());
    await choose(file.path);
    await reaches('there.bin', 'failed');
    expect(readFileSync(file.target, 'utf8')).toBe('what was there');
    await page.reload();
    page.once('dialog', (dialog) => void dialog.accept());
    await choose(file.path);
    await reaches('there.bin', 'done');
    expect(file.published()).toBe(file.hash);
  });

  it('goes on after a reload, and gives up without leaving anything', async () => {
    const file = freshFile(8 * MIB, 'reloaded.bin');
    await choose(file.path);
    await reaches('reloaded.bin', 'sending');
    await page.reload();
    await choose(file.path);
    await reaches('reloaded.bin', 'done');
    expect(file.published()).toBe(file.hash);

    const other = freshFile(8 * MIB, 'given-up.bin');
    await page.reload();
    await choose(other.path);
    await reaches('given-up.bin', 'sending');
    await row('given-up.bin').getByRole('button', { name: 'Abort' }).click();
    await reaches('given-up.bin', 'aborted');
    expect(existsSync(other.target)).toBe(false);
    expect(complaints).toEqual([]);
  });
});
