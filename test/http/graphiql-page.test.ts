// GraphiQL in Chromium: the examples on the embedded host, who asks, and the documentation.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser, BrowserContext, Page, WebSocket } from 'playwright-core';
import { chromium } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Gateway } from '../../src/compose.js';
import { startGateway } from '../../src/compose.js';
import { loadConfig } from '../../src/config.js';
import { graphqlError } from '../../src/graphql/errors.js';
import type { Authenticate } from '../../src/http/identity/authentication.js';
import type { RunningServer } from '../../src/http/server.js';
import { longshoreWith, memoryLog, serve } from './support.js';

/** With patience for a machine that is busy. */
const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 15_000 });

let browser: Browser;
let context: BrowserContext;
let page: Page;
let complaints: string[];
let hosts: Set<string>;
let frames: { readonly sent: unknown[]; readonly received: unknown[] };

beforeAll(async () => {
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
});
afterAll(() => browser.close());
beforeEach(async () => {
  context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  context.setDefaultTimeout(15_000);
  page = await context.newPage();
  [complaints, hosts, frames] = [[], new Set(), { sent: [], received: [] }];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => hosts.add(new URL(request.url()).host));
  page.on('websocket', watchFrames);
});
afterEach(() => context.close());

function watchFrames(socket: WebSocket): void {
  hosts.add(new URL(socket.url()).host);
  socket.on('framesent', ({ payload }) => frames.sent.push(JSON.parse(String(payload))));
  socket.on('framereceived', ({ payload }) => frames.received.push(JSON.parse(String(payload))));
}

async function open(url: string): Promise<void> {
  await page.goto(`${url}/graphql`);
  await runButton().waitFor();
  await eventually(() => page.locator('.graphiql-query-editor .view-lines').innerText()).toContain('Hosts');
}

const runButton = () => page.getByRole('button', { name: 'Execute query (Ctrl-Enter)' });

/** What the result pane shows, without the editor's own spaces. */
const shown = async (): Promise<string> => (await page.locator('.result-window').innerText()).replaceAll(/\s/g, ' ');

interface StoredTabs {
  readonly activeTabIndex: number;
  readonly tabs: readonly { readonly title: string; readonly query: string }[];
}

async function activeTab() {
  const text = await page.evaluate(() => localStorage.getItem('graphiql:tabState'));
  if (text === null) return undefined;
  const { tabs, activeTabIndex } = JSON.parse(text) as StoredTabs;
  return tabs[activeTabIndex];
}

/** Goes to the example of that name and runs it. */
async function run(name: string): Promise<void> {
  await page.locator('.graphiql-tab-button', { hasText: new RegExp(`^${name}$`) }).click();
  // It looks for the operations of a tab a moment after showing it, and stores later still which tab that is.
  await eventually(async () => (await activeTab())?.title ?? 'Hosts').toBe(name);
  await runButton().click();
}

/** Runs it, and resolves with what came of it over HTTP and is shown. */
async function answerOf(name: string): Promise<Record<string, unknown>> {
  const response = page.waitForResponse((candidate) => candidate.request().method() === 'POST');
  await run(name);
  const { data } = (await (await response).json()) as { data: Record<string, Record<string, unknown>> };
  const [answer = {}] = Object.values(data);
  const about = answer['__typename'];
  if (typeof about === 'string') await eventually(shown).toContain(`"__typename": "${about}"`);
  return answer;
}

async function typenameOf(name: string): Promise<unknown> {
  return (await answerOf(name))['__typename'];
}

describe('on the embedded host', () => {
  let gateway: Gateway;
  let directory: string;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'longshore-graphiql-'));
    const configFile = join(directory, 'longshore.yaml');
    const host = '{ id: local, embedded: { directory: ./data, port: 0 }, roots: [/] }';
    writeFileSync(configFile, `listen: { port: 0 }\nhosts: [${host}]\n`);
    gateway = await startGateway(loadConfig({ configFile, env: {}, cwd: directory }), memoryLog());
  });
  afterAll(async () => {
    await gateway.close();
    rmSync(directory, { recursive: true, force: true });
  });

  async function watched(): Promise<unknown[]> {
    const before = frames.received.length;
    await run('Watch');
    await eventually(() => frames.received.slice(before).at(-1)).toMatchObject({ type: 'complete' });
    await eventually(shown).toContain('"phase": "DONE"');
    return frames.received.slice(before);
  }

  it(
    'the examples run one after another as written, and then again, with no other host asked',
    { timeout: 60_000 },
    async () => {
      const states = [
        { type: 'connection_ack' },
        { payload: { data: { mergeProgress: { phase: 'DONE', percent: 100, proved: true, problem: null } } } },
        { type: 'complete' },
      ];
      await open(gateway.url);
      expect(await answerOf('Hosts')).toMatchObject([{ id: 'local', reachable: true, strategy: 'IN_PLACE' }]);
      expect(await answerOf('Begin')).toMatchObject({ __typename: 'UploadReady', chunkCount: 0 });
      expect(await answerOf('Look')).toMatchObject({ __typename: 'DirInfo', missing: [] });
      expect(await typenameOf('Merge')).toBe('MergeStarted');
      // States before it are told when the merge is still under way.
      expect((await watched()).slice(-2)).toMatchObject(states.slice(-2));
      expect(readFileSync(join(directory, 'data/graphiql/empty.txt'), 'utf8')).toBe('');
      expect(await answerOf('Greet')).toMatchObject({ __typename: 'UploadReady', chunkCount: 1 });
      expect(await answerOf('Missing')).toMatchObject({ missing: [{ first: 1, last: 1 }], uploadedBytes: 0 });
      expect(await answerOf('Unfinished')).toMatchObject({
        items: [{ fullPath: '/graphiql/greeting.txt', phase: 'RECEIVING' }],
      });
      expect(await typenameOf('Abort')).toBe('UploadAborted');

      expect(await answerOf('Unfinished')).toMatchObject({ items: [] });
      expect(await typenameOf('Begin')).toBe('UploadFinished');
      expect(await typenameOf('Look')).toBe('UploadFinished');
      expect(await answerOf('Merge')).toMatchObject({ __typename: 'MergeStarted', progress: { phase: 'DONE' } });
      expect(await watched()).toMatchObject(states);
      expect(await typenameOf('Greet')).toBe('UploadReady');
      expect(await typenameOf('Missing')).toBe('DirInfo');
      expect(await typenameOf('Abort')).toBe('UploadAborted');
      expect([...hosts]).toEqual([new URL(gateway.url).host]);
      expect(complaints).toEqual([]);
    },
  );

  it('the shell line of an example sends the chunk that it speaks of', async () => {
    await open(gateway.url);
    await answerOf('Greet');
    await answerOf('Missing');
    const { query = '' } = (await activeTab()) ?? {};
    const line = query.split('\n').find((text) => text.startsWith('# printf')) ?? '';
    expect(line).toContain(`${gateway.url}/graphql`);
    const { stdout } = await promisify(execFile)('sh', ['-c', line.slice(2)], { timeout: 20_000 });
    expect(JSON.parse(stdout)).toMatchObject({ data: { uploadChunk: { __typename: 'ChunkStored', uploadedBytes: 13 } } });
    expect(await answerOf('Missing')).toMatchObject({ missing: [], uploadedBytes: 13 });
    expect(await typenameOf('Abort')).toBe('UploadAborted');
    expect(existsSync(join(directory, 'data/graphiql/greeting.txt'))).toBe(false);
  });

  it('brings the examples back after they were closed', async () => {
    await open(gateway.url);
    for (let left = 8; left > 0; left -= 1) {
      await page.locator('.graphiql-tab-active').getByRole('button', { name: 'Close Tab' }).click();
      await eventually(() => page.locator('.graphiql-tab-button').count()).toBe(left);
    }
    page.once('dialog', (dialog) => void dialog.accept());
    await page.getByRole('button', { name: 'Bring the examples back' }).click();
    await eventually(() => page.locator('.graphiql-tab-button').count()).toBe(9);
  });
});

describe('who asks', () => {
  const asked: string[] = [];
  const authenticate: Authenticate = async ({ authorization, personId }) => {
    asked.push(`${authorization ?? '-'} ${personId ?? '-'}`);
    if (authorization !== 'Bearer sesame') throw graphqlError('UNAUTHENTICATED', 'Who?', { status: 401 });
    return { caller: { person: 'ada', groups: [] } };
  };
  const longshore = longshoreWith({
    async *mergeProgress({ person }) {
      const progress = { doneBytes: 0, totalBytes: 0, percent: 100, proved: true, updatedAt: 0 };
      yield { phase: person === 'ada' ? 'DONE' : 'FAILED', ...progress };
    },
  });
  let server: RunningServer;
  beforeEach(async () => {
    asked.length = 0;
    server = await serve(longshore, { authenticate });
    await open(server.url);
  });

  const stored = () => page.evaluate(() => JSON.stringify([localStorage, sessionStorage]));
  const greeting = (): unknown => frames.sent.find((frame) => (frame as { type: string }).type === 'connection_init');

  it('is nobody until somebody types a token, and then that one over HTTP and over WebSocket', async () => {
    await run('Hosts');
    await eventually(shown).toContain('UNAUTHENTICATED');
    await page.getByLabel('Token').fill('sesame');
    await run('Hosts');
    await eventually(shown).toContain('"hosts": []');
    await run('Watch');
    await eventually(shown).toContain('"phase": "DONE"');
    expect(greeting()).toEqual({ type: 'connection_init', payload: { authorization: 'Bearer sesame' } });
    expect(asked).toEqual(['- -', 'Bearer sesame -', 'Bearer sesame -']);
  });

  it('may be a person, where that is believed', async () => {
    await page.getByLabel('Token').fill('Bearer sesame');
    await page.getByLabel('Person').fill('bob');
    await run('Hosts');
    await eventually(() => asked).toEqual(['Bearer sesame bob']);
    await run('Watch');
    await eventually(() => asked).toEqual(['Bearer sesame bob', 'Bearer sesame bob']);
    expect(greeting()).toMatchObject({ payload: { personId: 'bob' } });
  });

  it('is a tab’s own headers first, over WebSocket, too', async () => {
    await page.getByLabel('Token').fill('wrong');
    await page.locator('.graphiql-tab-button', { hasText: /^Watch$/ }).click();
    await page.getByRole('button', { name: 'Headers' }).click();
    const headers = page.locator('[aria-label="Headers"]');
    await eventually(async () => {
      await headers.locator('.view-lines').last().click();
      return headers.evaluate((element) => element.contains(document.activeElement));
    }).toBe(true);
    await page.keyboard.insertText('{ "Authorization": "Bearer sesame" }');
    await eventually(() => headers.innerText()).toContain('sesame');
    await eventually(async () => {
      // Not by its tab: coming to that anew would bring back what GraphiQL had kept of it so far.
      await page.getByRole('button', { name: 'Execute query (Ctrl-Enter)' }).click();
      return shown();
    }).toContain('"phase": "DONE"');
    expect(asked.at(-1)).toBe('Bearer sesame -');
  });

  it('is forgotten with the page, unless it is to be kept, and then with the browser’s tab', async () => {
    await page.getByLabel('Token').fill('sesame');
    await run('Hosts');
    await eventually(shown).toContain('"hosts": []');
    expect(await stored()).not.toContain('sesame');
    await page.reload();
    expect(await page.getByLabel('Token').inputValue()).toBe('');

    await page.getByLabel('Token').fill('sesame');
    await page.getByLabel('keep').check();
    await page.reload();
    expect(await page.getByLabel('Token').inputValue()).toBe('sesame');
    expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain('sesame');
    await page.getByLabel('keep').uncheck();
    expect(await stored()).not.toContain('sesame');
  });

  it('doesn’t matter to the documentation, which has every description', async () => {
    await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
    const docs = page.locator('.graphiql-doc-explorer');
    await docs.getByText('An upload in five steps').waitFor();
    await docs.getByRole('link', { name: 'Query', exact: true }).click();
    await docs.getByText('May I upload this? Claims the target').waitFor();
    await docs.getByRole('link', { name: 'uploadStatus', exact: true }).first().click();
    await docs.getByText('Size of the whole content in bytes').waitFor();
    expect(asked).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
