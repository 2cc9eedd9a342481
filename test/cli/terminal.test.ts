// The command as a person meets it: in a pseudo-terminal, against a real gateway.
/* eslint-disable no-control-regex -- It is what terminals are spoken to with. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOfFile, KIB, MIB } from '../support/bytes.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { barLines, CTRL_C, CTRL_D, inTerminal, LONGSHORE, type PseudoTerminalOptions } from './pseudo-terminal.js';

const SIZE = 6 * MIB;
/** Slow enough that there is a middle. */
const SLOWLY = ['--limit-rate', '3MiB', '--chunk-size', '512KiB', '--parallel', '2'];

let gateway: TestGateway;
let directory: string;
let file: string;

beforeAll(async () => {
  gateway = await startTestGateway();
  directory = mkdtempSync(join(tmpdir(), 'longshore-terminal-'));
  file = join(directory, 'film.mov');
  writeFileSync(file, randomBytes(SIZE));
});
afterAll(async () => {
  await gateway.stop();
  rmSync(directory, { recursive: true, force: true });
});

function longshore(args: readonly string[], options: PseudoTerminalOptions = {}) {
  return inTerminal([...LONGSHORE, ...args], {
    ...options,
    env: { LONGSHORE_URL: gateway.url, LONGSHORE_PERSON: 'me', ...options.env },
  });
}

const onHost = (name: string) => join(gateway.hosts.sshd.directory, name);
const target = (name: string) => `sshd:${gateway.hosts.sshd.root}/${name}`;

describe('put on a terminal', () => {
  it('shows a bar while it sends, and leaves only the result', async () => {
    const run = longshore(['put', file, target('bar'), ...SLOWLY], { columns: 110 });
    await run.until(/film\.mov {2}█+░+ {2}\d\d % {2}.+ of 6\.00 MiB {2}.+\/s/);
    expect(await run.ended).toBe(0);
    // The last bar is wiped away, the result stays, the cursor is visible and lines wrap again.
    expect(run.text()).toMatch(/\x1b\[2K\x1b\[G(?:\x1b\[\?\d+[hl])*sshd:.+proved on the host.+\r\n(?!.*█)/s);
    expect(run.text().lastIndexOf('\x1b[?25h')).toBeGreaterThan(run.text().lastIndexOf('\x1b[?25l'));
    expect(run.text().lastIndexOf('\x1b[?7h')).toBeGreaterThan(run.text().lastIndexOf('\x1b[?7l'));
    expect(await digestOfFile(onHost('bar'))).toBe(await digestOfFile(file));
  });

  it('shows no bar and no sequence where standard error is no terminal', async () => {
    const log = join(directory, 'log');
    const run = longshore(['put', file, target('log'), ...SLOWLY], { redirection: `2>'${log}'` });
    expect(await run.ended).toBe(0);
    expect(run.text()).not.toContain('\x1b');
    expect(readFileSync(log, 'utf8')).toMatch(/^film\.mov: \d+ %/m);
    expect(readFileSync(log, 'utf8')).not.toMatch(/[█░\x1b]/);
  });

  it.each([20, 40, 80])('draws no line that is wider than %i columns', async (columns) => {
    const run = longshore(['put', file, target(`narrow ${columns}`), '--limit-rate', '8MiB'], { columns });
    expect(await run.ended).toBe(0);
    const lines = barLines(run.text()).filter((line) => !line.includes('sha256'));
    expect(lines.length).toBeGreaterThan(3);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(columns);
  });

  it('after Ctrl-C says how to go on, and the same command sends only what is missing', async () => {
    const args = ['put', file, target('stopped'), ...SLOWLY];
    const first = longshore(args, { columns: 130 });
    await first.until(/chunks [3-9]\/12/);
    first.type(CTRL_C);
    expect(await first.ended).toBe(130);
    const there = Number(/stopped: (\d+) of 12 chunks are on the host; run the same command to go on/.exec(first.text())?.[1]);
    expect(there).toBeGreaterThanOrEqual(3);
    const second = longshore([...args, '--json']);
    expect(await second.ended).toBe(0);
    const done = JSON.parse(second.text().trim().split('\r\n').at(-1) ?? '') as { wireBytes: number; resumedBytes: number };
    expect(done.resumedBytes).toBeGreaterThanOrEqual(there * 512 * KIB);
    expect(done.wireBytes).toBe(SIZE - done.resumedBytes);
    expect(await digestOfFile(onHost('stopped'))).toBe(await digestOfFile(file));
  });
});

it('the second Ctrl-C ends at once while the first is being handled, and the cursor is there again', async () => {
  const program = `
    const { onInterrupt, processTerminal } = await import(${JSON.stringify(import.meta.resolve('../../src/cli/terminal.ts'))});
    const terminal = processTerminal();
    await terminal.show(() => ['a bar']);
    onInterrupt(() => terminal.say('stopping, for ever'), 130);
    terminal.say('ready');`;
  const run = inTerminal([process.execPath, '--import', import.meta.resolve('tsx'), '--input-type=module', '-e', program]);
  await run.until(/ready/);
  run.type(CTRL_C);
  await run.until(/stopping, for ever/);
  run.type(CTRL_C);
  expect(await run.ended).toBe(130);
  expect(run.text().lastIndexOf('\x1b[?25h')).toBeGreaterThan(run.text().lastIndexOf('\x1b[?25l'));
});

describe('a file that is there already', () => {
  const path = (name: string) => join(directory, name);
  const onHost = (to: string) => join(gateway.hosts.embedded.directory, to);
  const put = (names: readonly string[], to: string) => longshore(['put', ...names.map(path), `local:/${to}`]);
  const fresh = (to: string, names: readonly string[], text: string) => {
    mkdirSync(onHost(to), { recursive: true });
    for (const name of names) {
      writeFileSync(path(name), `${text} ${name}`);
      writeFileSync(join(onHost(to), name), 'old');
    }
  };
  const contents = (to: string, names: readonly string[]) => names.map((name) => readFileSync(join(onHost(to), name), 'utf8'));

  it.each([
    ['y\n', 0, 'new one'],
    ['\n', 3, 'old'],
    [CTRL_D, 3, 'old'],
  ])('is replaced or kept as the person answers %j', async (keys, code, content) => {
    fresh('asked', ['one'], 'new');
    const run = put(['one'], 'asked/');
    await run.until(/asked\/one is there already \(3 B, changed \d{4}-\d\d-\d\d \d\d:\d\d\)\. Replace it\? \[y\/N\] /);
    run.type(keys);
    expect(await run.ended, run.text()).toBe(code);
    expect(contents('asked', ['one'])).toEqual([content]);
  });

  it.each([
    ['all', 'a', 0, ['new one', 'new three', 'new two']],
    ['none', 'k', 3, ['old', 'old', 'old']],
  ])('is asked about once when the answer is for %s', async (_, key, code, expected) => {
    const names = ['one', 'three', 'two'];
    fresh(`several ${key}`, names, 'new');
    const run = put(names, `several ${key}/`);
    await run.until(/Replace it\? \[y\/N, a: replace all, k: keep all\] /);
    run.type(`${key}\n`);
    expect(await run.ended, run.text()).toBe(code);
    expect(run.text().match(/Replace it\?/g)).toHaveLength(1);
    expect(contents(`several ${key}`, names)).toEqual(expected);
  });

  it('keeps everything resumable when the question is answered with Ctrl-C', async () => {
    fresh('cut', ['one', 'two'], 'new');
    const run = put(['one', 'two'], 'cut/');
    await run.until(/Replace it\?/);
    run.type(CTRL_C);
    expect(await run.ended).toBe(130);
    expect(run.text()).toContain('stopped: 0 of 2 files');
    expect(contents('cut', ['one', 'two'])).toEqual(['old', 'old']);
  });
});

describe('status and hosts on a terminal', () => {
  it('stand in columns where there is room, else in blocks that do not wrap', async () => {
    const wide = longshore(['hosts'], { columns: 200 });
    expect(await wide.ended).toBe(0);
    expect(wide.text()).toMatch(/^HOST +NAME +STATE +FREE +STRATEGY +ROOTS\r\n/);
    const narrow = longshore(['hosts'], { columns: 40 });
    expect(await narrow.ended).toBe(0);
    expect(narrow.text()).toMatch(/^local\r\n {2}name: local {2}state: reachable\r\n/m);
  });
});
