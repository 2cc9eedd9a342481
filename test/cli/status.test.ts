// `status` of one file, with a real gateway.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { endpointOf } from '../../src/cli/gateway-options.js';
import { status } from '../../src/cli/uploads.js';
import { connectGateway, FileSource, Uploader } from '../../src/client/index.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let dir: string;
let file: string;
let printed: string[];

beforeAll(async () => {
  gateway = await startTestGateway();
  dir = mkdtempSync(join(tmpdir(), 'longshore-status-'));
  file = join(dir, 'film.mov');
  writeFileSync(file, 'a film');
  mkdirSync(join(gateway.hosts.embedded.directory, 'inbox'));
});
afterAll(async () => {
  await gateway.stop();
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(() => {
  printed = [];
});

async function begin(fullPath: string): Promise<void> {
  const endpoint = endpointOf(gateway.url);
  const source = await FileSource.open(file);
  const begun = { hostId: 'local', fullPath, hashCode: await new Uploader({ endpoint }).hashCode(source) };
  const { signal } = new AbortController();
  const client = connectGateway({ endpoint });
  await client.uploadStatus(begun, { size: source.size, ifExists: 'ASK', takeOver: false }, signal);
  await client.dirInfo(begun, { first: 1, after: 0 }, signal);
}

async function statusOf(destination: string): Promise<string | undefined> {
  const print = (line: string) => printed.push(line);
  const terminal = { print, say: print, show: undefined, ask: undefined, columns: undefined };
  expect(await status([file, destination], { url: gateway.url, json: false }, terminal)).toBe(0);
  return printed.at(-1);
}

it('of a host that there is none of says so, where hosts are listed, and nothing else', async () => {
  const print = (line: string) => printed.push(line);
  const terminal = { print, say: print, show: undefined, ask: undefined, columns: undefined };
  expect(await status([], { url: gateway.url, json: false, host: 'nohost' }, terminal)).not.toBe(0);
  expect(printed).toEqual(['longshore: no host "nohost" (longshore hosts lists them)']);
});

describe('status of a file', () => {
  it.each([
    ['a directory by its slash', 'local:/by slash/', '/by slash/film.mov'],
    ['what is a directory there', 'local:/inbox', '/inbox/film.mov'],
    ['a new name', 'local:/new name', '/new name'],
  ])('finds what put has begun to %s', async (_what, destination, fullPath) => {
    expect(await statusOf(destination)).toBe('not begun');
    await begin(fullPath);
    expect(await statusOf(destination)).toBe('unfinished: 0 B of 6 B are on the host; put goes on');
  });
});
