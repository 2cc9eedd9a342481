// The upload page as people have it: the built gateway as a process, behind a line that can be held and cut, in real Chromium.

import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  chromium,
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type Locator,
  type Page,
} from 'playwright-core';
import { MIB } from '../support/bytes.js';
import { startGatewayProcess, type GatewayProcess } from '../support/gateway-process.js';
import { OutsideClient, sha256 } from '../support/outside-client.js';
import { freePort } from '../support/port.js';
import { startProxy, type Proxy } from '../support/proxy.js';

export interface TestFile {
  /** On the disk that the browser reads from. */
  readonly path: string;
  readonly name: string;
  readonly sha256: string;
}

export interface Stage {
  readonly browser: Browser;
  /** Between the browser and the gateway. */
  readonly line: Proxy;
  /** Of the page, through the line. */
  readonly url: string;
  /** The host `local` on this disk. */
  readonly data: string;
  /** Makes a file that can be chosen and dropped; `name` may have directories. */
  file(lengthBytes: number, name?: string): TestFile;
  /** What was published. */
  published(path: string): string;
  /** Asks the gateway past the page. */
  readonly client: OutsideClient;
  killGateway(): Promise<void>;
  startGateway(): Promise<void>;
  stop(): Promise<void>;
}

/** 200 MiB take five seconds: enough to do something meanwhile. */
const LINE_BYTES_PER_SECOND = 40 * MIB;

export async function startStage(bytesPerSecond = LINE_BYTES_PER_SECOND): Promise<Stage> {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-page-'));
  const port = await freePort();
  writeFileSync(join(directory, 'longshore.yaml'), 'limits: { chunkBytes: 1MiB }\n');
  const start = () => startGatewayProcess({ directory, env: { PORT: `${port}` } });
  let gateway: GatewayProcess = await start();
  const line = await startProxy({ address: '127.0.0.1', port }, { bytesPerSecond });
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  let names = 0;
  return {
    browser,
    line,
    url: `http://127.0.0.1:${line.port}/`,
    data: join(directory, 'data'),
    client: new OutsideClient({ url: `http://127.0.0.1:${port}` }, 'anonymous'),
    file(lengthBytes, name = `file-${(names += 1)}.bin`) {
      const path = join(directory, 'files', name);
      const bytes = randomBytes(lengthBytes);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, bytes);
      return { path, name, sha256: sha256(bytes) };
    },
    published: (path) => sha256(readFileSync(join(directory, 'data', path))),
    async killGateway() {
      await gateway.stop('SIGKILL');
    },
    async startGateway() {
      gateway = await start();
    },
    async stop() {
      await browser.close();
      await gateway.stop('SIGKILL');
      await line.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A device of the person's, with the page open. */
export class Device {
  readonly context: BrowserContext;
  readonly page: Page;
  /** What the page said to the console, and what was thrown in it. */
  readonly complaints: string[] = [];
  /** Addresses that were asked for. */
  readonly requests: string[] = [];
  #chunkAnswers: Promise<string>[] = [];

  static async open(stage: Stage, options: BrowserContextOptions = {}): Promise<Device> {
    const context = await stage.browser.newContext({ locale: 'en-GB', ...options });
    // Shorter than a test may take, so that a failure says what was waited for.
    context.setDefaultTimeout(20_000);
    const device = new Device(context, await context.newPage());
    await device.page.goto(stage.url);
    return device;
  }

  private constructor(context: BrowserContext, page: Page) {
    this.context = context;
    this.page = page;
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.complaints.push(message.text());
    });
    page.on('pageerror', (error) => this.complaints.push(error.message));
    page.on('request', (request) => this.requests.push(request.url()));
    page.on('response', (response) => {
      const isChunk = response.request().headers()['content-type']?.startsWith('multipart/form-data') === true;
      // The body of an answer to a page that is gone can't be had.
      if (isChunk) this.#chunkAnswers.push(response.text().catch(() => ''));
    });
  }

  /** Chunks that the gateway took since this was last asked. */
  async chunksTaken(): Promise<number> {
    const answers = await Promise.all(this.#chunkAnswers.splice(0));
    return answers.filter((answer) => answer.includes('"ChunkStored"')).length;
  }

  /** As a person drops them from the desktop: what the page gets are real files and folders. */
  async drop(...paths: readonly string[]): Promise<void> {
    const cdp = await this.context.newCDPSession(this.page);
    await this.page.getByLabel(/^(Directory|目录)$/).waitFor(); // Before that nobody knows where to.
    const data = { items: [], files: [...paths], dragOperationsMask: 1 };
    for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
      await cdp.send('Input.dispatchDragEvent', { type, x: 300, y: 300, data });
    }
    await cdp.detach();
  }

  /** By the input that browsers without a picker of their own have. */
  async choose(...paths: readonly string[]): Promise<void> {
    await this.page
      .locator('input[type=file]')
      .first()
      .setInputFiles([...paths]);
  }

  row(name: string): Locator {
    return this.page.getByRole('listitem').filter({ has: this.page.getByRole('heading', { name, exact: true }) });
  }

  bar(name: string): Locator {
    return this.page.getByRole('progressbar', { name: `Progress of ${name}` });
  }

  /** Percent of the whole way. */
  async percent(name: string): Promise<number> {
    return Number(await this.bar(name).getAttribute('aria-valuenow'));
  }

  async done(name: string): Promise<void> {
    await this.row(name).getByText('Done', { exact: true }).waitFor();
  }

  async close(): Promise<void> {
    await this.context.close();
  }
}
