// Makes the pictures of docs/images from what the built package shows: node --import tsx scripts/pictures.mjs [NAME…]
// Needs a build, and Chromium. A picture is a function below, or one with options for its browser: it brings the page of a fresh gateway to what is to be seen.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { startGateway } from '../src/compose.ts';
import { loadConfig } from '../src/config.ts';

const IMAGES = fileURLToPath(new URL('../docs/images/', import.meta.url));
const SIZE = { width: 1280, height: 800 };
const CONTEXT = { viewport: SIZE, colorScheme: 'light', reducedMotion: 'reduce', locale: 'en-GB' };

const PICTURES = {
  /** The examples up to the merge, with its answer and the documentation of what was asked. */
  async graphiql(page, url) {
    await page.goto(`${url}/graphql`);
    for (const name of ['Begin', 'Look', 'Merge', 'Watch']) {
      await page.locator('.graphiql-tab-button', { hasText: new RegExp(`^${name}$`) }).click();
      await page.waitForFunction((title) => {
        const { tabs, activeTabIndex } = JSON.parse(globalThis.localStorage.getItem('graphiql:tabState') ?? '{"tabs":[]}');
        return tabs[activeTabIndex]?.title === title;
      }, name);
      await page.getByRole('button', { name: 'Execute query (Ctrl-Enter)' }).click();
      await page
        .locator('.result-window')
        .getByText(name === 'Watch' ? 'DONE' : '__typename')
        .first()
        .waitFor();
    }
    await page.mouse.move(SIZE.width - 200, SIZE.height - 200);
  },

  page: { options: { viewport: { width: 1280, height: 1010 } }, show: uploads },
  'page-dark': { options: { colorScheme: 'dark' }, show: oneUpload },
  'page-zh': { options: { locale: 'zh-CN', viewport: { width: 420, height: 800 } }, show: oneUpload },
  async 'page-exists'(page, url, directory) {
    await page.goto(`${url}/?dir=/inbox`);
    await choose(page, directory, { 'film.mov': 96 });
    await page.getByText('The host has proved it.').waitFor();
    await choose(page, directory, { 'film.mov': 132 });
    await page.getByRole('dialog').waitFor();
  },
};

/** One is done, two are sending, one waits. */
async function uploads(page, url, directory) {
  await page.goto(`${url}/?dir=/inbox`);
  await choose(page, directory, { 'interview.wav': 24 });
  await page.getByText('The host has proved it.').waitFor();
  await slowLine(page, 30);
  await choose(page, directory, { 'film.mov': 230, 'measurements-2026.parquet': 64, 'backup.tar.zst': 90, 'notes.pdf': 18 });
  await page.getByRole('button', { name: 'Details: film.mov' }).click();
  await page.waitForTimeout(4_500);
  await page.mouse.move(0, 0);
}

async function oneUpload(page, url, directory) {
  await page.goto(`${url}/?dir=/inbox`);
  await slowLine(page, 20);
  await choose(page, directory, { 'film.mov': 230 });
  await page.waitForTimeout(6_000);
}

async function slowLine(page, mibPerSecond) {
  const cdp = await page.context().newCDPSession(page);
  const conditions = { offline: false, latency: 20, downloadThroughput: -1, uploadThroughput: mibPerSecond * 2 ** 20 };
  await cdp.send('Network.emulateNetworkConditions', conditions);
}

/** Files of so many mebibytes. */
async function choose(page, directory, files) {
  const paths = Object.entries(files).map(([name, mebibytes]) => {
    const path = join(directory, name);
    writeFileSync(path, randomBytes(mebibytes * 2 ** 20));
    return path;
  });
  await page.getByLabel(/^(Directory|目录)$/).waitFor();
  await page.locator('input[type=file]').first().setInputFiles(paths);
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in PICTURES));
if (unknown.length > 0)
  throw new Error(`no such picture: ${unknown.join(', ')}; there are ${Object.keys(PICTURES).join(', ')}`);

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
try {
  for (const name of wanted.length > 0 ? wanted : Object.keys(PICTURES)) await take(name);
} finally {
  await browser.close();
}

/** One picture, in a browser and on a gateway that nothing else has used. */
async function take(name) {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-pictures-'));
  const configFile = join(directory, 'longshore.yaml');
  writeFileSync(
    configFile,
    'listen: { port: 0 }\nlimits: { chunkBytes: 2MiB }\nhosts: [{ id: local, name: Media server, embedded: { directory: ./data, port: 0 }, roots: [/] }]\n',
  );
  const gateway = await startGateway(loadConfig({ configFile, env: {}, cwd: directory }), silentLog());
  try {
    const picture = PICTURES[name];
    const { options, show } = typeof picture === 'function' ? { show: picture } : picture;
    const context = await browser.newContext({ ...CONTEXT, ...options });
    const page = await context.newPage();
    await show(page, gateway.url, directory);
    await page.screenshot({ path: `${IMAGES}${name}.png` });
    await context.close();
    console.log(`docs/images/${name}.png`);
  } finally {
    await gateway.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

function silentLog() {
  const silent = () => undefined;
  return { debug: silent, info: silent, warn: silent, error: silent };
}
