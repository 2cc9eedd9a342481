// The built command against the built gateway, as people run them: stopped, killed, gone on.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { digestOfFile, MIB } from '../support/bytes.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import { startGatewayProcess } from '../support/gateway-process.js';
import type { Sshd } from '../support/sshd.js';
import { startSshd } from '../support/sshd.js';

const COMMAND = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const CHUNK = 1 * MIB;
const CHUNKS = 150;
const AT_ONCE = 4;

let sshd: Sshd;
let directory: string;
let port: number;
let gateway: GatewayProcess;
let file: string;

beforeAll(async () => {
  sshd = await startSshd();
  directory = mkdtempSync(join(tmpdir(), 'longshore-command-'));
  file = join(directory, 'big file');
  writeFileSync(file, randomBytes(CHUNKS * CHUNK - 7));
  const lines = [
    'hosts:',
    '  - id: sshd',
    `    address: ${sshd.address}`,
    `    port: ${sshd.port}`,
    `    username: ${sshd.username}`,
    `    privateKeyFile: ${sshd.privateKeyFile}`,
    `    hostKeys: ["${sshd.hostKeyFingerprint}"]`,
    `    roots: [${sshd.root}]`,
    '  - id: local',
    '    embedded: { port: 0 }',
  ];
  writeFileSync(join(directory, 'longshore.yaml'), lines.join('\n'));
  port = await freePort();
  gateway = await startGateway();
});
afterAll(async () => {
  await gateway.stop();
  await sshd.stop();
  rmSync(directory, { recursive: true, force: true });
});

function startGateway(): Promise<GatewayProcess> {
  return startGatewayProcess({ directory, env: { PORT: `${port}` } });
}

/** A gateway that is started anew must be found where its client knew it. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: free } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return free;
}

interface Line {
  readonly event: string;
  readonly wireBytes?: number;
  readonly resumedBytes?: number;
  readonly proved?: boolean;
}

/** `onChunk` is told how many chunks are there, each time one more is. */
async function put(target: string, onChunk: (count: number, stop: () => void) => void = () => undefined) {
  const args = [
    COMMAND,
    'put',
    file,
    target,
    '--json',
    '--chunk-size',
    '1MiB',
    '--parallel',
    `${AT_ONCE}`,
    '--url',
    gateway.url,
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: Line[] = [];
  const complaints: string[] = [];
  child.stderr.on('data', (text: Buffer) => complaints.push(text.toString()));
  let chunks = 0;
  for await (const text of createInterface({ input: child.stdout })) {
    const line = JSON.parse(text) as Line;
    lines.push(line);
    if (line.event !== 'chunk') continue;
    chunks += 1;
    onChunk(chunks, () => child.kill('SIGINT'));
  }
  const code = child.exitCode ?? ((await once(child, 'exit')) as [number | null])[0];
  return { code, lines, chunks, complaints: complaints.join('') };
}

it.each(['sshd', 'local'])(
  'put, stopped by Ctrl-C in the middle, goes on with what is missing, to %s',
  async (id) => {
    const target = `${id}:${id === 'sshd' ? sshd.root : ''}/inbox/stopped`;
    const first = await put(target, (count, stop) => {
      if (count === CHUNKS / 3) stop();
    });
    expect(first.code).toBe(130);
    const second = await put(target);
    expect(second.code, second.complaints).toBe(0);
    const done = second.lines.at(-1);
    expect(done).toMatchObject({ event: 'done', proved: true });
    // What was told to be there is not sent again; of what was under way, some may have arrived just the same.
    expect(done?.wireBytes).toBeLessThanOrEqual((CHUNKS - first.chunks) * CHUNK);
    expect(done?.wireBytes).toBeGreaterThanOrEqual((CHUNKS - first.chunks - AT_ONCE) * CHUNK - 7);
    const local = id === 'sshd' ? join(sshd.root, 'inbox/stopped') : join(directory, 'data/inbox/stopped');
    expect(await digestOfFile(local)).toBe(await digestOfFile(file));
  },
  60_000,
);

it('put goes on by itself when the gateway is killed in the middle and comes back', async () => {
  let restarted: Promise<void> | undefined;
  const run = await put(`sshd:${sshd.root}/killed`, (count) => {
    if (count === CHUNKS / 3) restarted = restart();
  });
  await restarted;
  expect(run.code, run.complaints).toBe(0);
  const done = run.lines.at(-1);
  expect(done).toMatchObject({ event: 'done', proved: true });
  // Twice only what was under way.
  expect(done?.wireBytes).toBeLessThanOrEqual((CHUNKS + AT_ONCE) * CHUNK);
  expect(await digestOfFile(join(sshd.root, 'killed'))).toBe(await digestOfFile(file));
}, 60_000);

it('put ends quietly when nobody reads its output any more, and goes on the next time', async () => {
  const target = `sshd:${sshd.root}/unread`;
  const child = spawn(process.execPath, [COMMAND, 'put', file, target, '--json', '--url', gateway.url], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const complaints: string[] = [];
  child.stderr.on('data', (text: Buffer) => complaints.push(text.toString()));
  child.stdout.once('data', () => child.stdout.destroy());
  expect(await once(child, 'exit')).toEqual([141, null]);
  expect(complaints.join('')).not.toContain('Error');
  expect((await put(target)).code).toBe(0);
}, 60_000);

it('put -r, stopped in the middle of a tree, goes on with what is missing of it', async () => {
  const tree = join(directory, 'tree');
  const names = Array.from({ length: 12 }, (_, i) => `${i % 3}/${i}`);
  for (const name of names) {
    mkdirSync(join(tree, name, '..'), { recursive: true });
    writeFileSync(join(tree, name), randomBytes(1 * MIB));
  }
  const target = join(sshd.root, 'inbox/tree');
  const args = [COMMAND, 'put', '-r', tree, `sshd:${target}`, '--url', gateway.url];
  const first = spawn(process.execPath, [...args, '--limit-rate', '4MiB'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  first.stderr.on('data', (text: Buffer) => (said += text.toString()));
  let told = 0;
  createInterface({ input: first.stdout }).on('line', () => (told += 1) === 2 && first.kill('SIGINT'));
  expect(await once(first, 'close')).toEqual([130, null]);
  const done = Number(/stopped: (\d+) of 12 files, .*run the same command to go on/.exec(said)?.[1]);
  expect(done).toBeGreaterThanOrEqual(2);
  const second = spawn(process.execPath, [...args, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: object[] = [];
  for await (const text of createInterface({ input: second.stdout })) lines.push(JSON.parse(text) as object);
  const summary = lines.at(-1) as { done: number; alreadyThere: number; wireBytes: number };
  expect(summary).toMatchObject({ event: 'summary', done: 12, failed: [], exitCode: 0 });
  expect(summary.alreadyThere).toBeGreaterThanOrEqual(done);
  expect(summary.wireBytes).toBeLessThanOrEqual((12 - done) * MIB);
  for (const name of names) expect(await digestOfFile(join(target, name))).toBe(await digestOfFile(join(tree, name)));
}, 60_000);

async function restart(): Promise<void> {
  await gateway.stop('SIGKILL');
  gateway = await startGateway();
}
