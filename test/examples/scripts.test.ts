// The scripts for Node and for curl, run as a reader of their pages would.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MIB } from '../support/bytes.js';
import { OutsideClient, sha256 } from '../support/outside-client.js';
import type { Stage } from './stage.js';
import { startStage } from './stage.js';

const example = (name: string) => fileURLToPath(new URL(`../../examples/${name}`, import.meta.url));
const SCRIPTS = [
  { name: 'node', command: [process.execPath, example('node/upload.mjs')] },
  { name: 'curl', command: ['sh', example('curl/upload.sh')] },
] as const;

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());

interface Ended {
  readonly code: number | null;
  readonly lines: readonly string[];
  readonly complaints: string;
}

/** Runs a script to its end, or until a line of its output: then it is killed with everything that it started. */
async function run(command: readonly string[], args: readonly string[], killAt?: RegExp): Promise<Ended> {
  const [program = '', ...fixed] = command;
  const child = spawn(program, [...fixed, ...args], {
    env: { PATH: process.env['PATH'], LONGSHORE_URL: stage.url },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const closed = once(child, 'close') as Promise<[number | null]>;
  const lines: string[] = [];
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    if (killAt?.test(line) === true && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  });
  const [code] = await closed;
  return { code, lines, complaints };
}

function freshFile(lengthBytes: number, name: string) {
  const bytes = randomBytes(lengthBytes);
  const path = join(stage.directory, name);
  writeFileSync(path, bytes);
  const hash = sha256(bytes);
  return {
    path,
    hash,
    target: `local:/inbox/${name}`,
    ref: { hostId: 'local', fullPath: `/inbox/${name}`, hashCode: `sha256:${hash}` },
    published: () => sha256(readFileSync(join(stage.data, 'inbox', name))),
  };
}

describe.each(SCRIPTS)('the script for $name', ({ name, command }) => {
  it('puts a file whose last chunk is short on the host, byte for byte', async () => {
    const file = freshFile(8 * MIB + 1, `${name} "it's".bin`);
    const { code, lines, complaints } = await run(command, [file.path, file.target]);
    expect({ code, complaints }).toEqual({ code: 0, complaints: '' });
    expect(lines).toContain('chunk 9 of 9');
    expect(lines).toContain('DONE 100 %');
    expect(lines.at(-1)).toBe(`${file.target} sha256:${file.hash}`);
    expect(file.published()).toBe(file.hash);
  });

  it('killed half-way, goes on with the chunks that are missing and no others', async () => {
    const file = freshFile(8 * MIB, `${name}-killed.bin`);
    await run(command, [file.path, file.target], /^chunk 3 /);
    const info = await new OutsideClient(stage.gateway, 'anonymous').dirInfo(file.ref);
    const stored = Number(info['uploadedCount']);
    expect(stored).toBeGreaterThanOrEqual(3);
    expect(stored).toBeLessThan(8);
    const receivedBefore = stage.line.receivedBytes();
    const { code, lines } = await run(command, [file.path, file.target]);
    expect(code).toBe(0);
    expect(lines[0]).toBe(`${stored} of 8 chunks are there`);
    expect(lines.filter((line) => line.startsWith('chunk '))).toHaveLength(8 - stored);
    expect(stage.line.receivedBytes() - receivedBefore).toBeLessThan((8 - stored + 0.5) * MIB);
    expect(file.published()).toBe(file.hash);
  });

  it('says that there is a file already, and leaves it alone', async () => {
    const file = freshFile(10, `${name}-taken.bin`);
    mkdirSync(join(stage.data, 'inbox'), { recursive: true });
    writeFileSync(join(stage.data, 'inbox', `${name}-taken.bin`), 'what was there');
    const { code, complaints } = await run(command, [file.path, file.target]);
    expect(code).toBe(1);
    expect(complaints).toContain('FILE_EXISTS');
    expect(file.published()).toBe(sha256(Buffer.from('what was there')));
  });

  it('puts an empty file there', async () => {
    const file = freshFile(0, `${name}-empty.bin`);
    expect(await run(command, [file.path, file.target])).toMatchObject({ code: 0 });
    expect(file.published()).toBe(file.hash);
  });

  it('goes on by itself when the line breaks', async () => {
    const file = freshFile(4 * MIB, `${name}-cut.bin`);
    const running = run(command, [file.path, file.target]);
    const before = stage.line.receivedBytes();
    await expect.poll(() => stage.line.receivedBytes() - before, { interval: 5 }).toBeGreaterThan(MIB);
    stage.line.cut();
    expect(await running).toMatchObject({ code: 0 });
    expect(file.published()).toBe(file.hash);
  });

  it('sent again after its end, sends nothing', async () => {
    const file = freshFile(2 * MIB, `${name}-again.bin`);
    await run(command, [file.path, file.target]);
    const { code, lines } = await run(command, [file.path, file.target]);
    expect({ code, lines }).toEqual({ code: 0, lines: [`${file.target} sha256:${file.hash}`] });
  });
});
