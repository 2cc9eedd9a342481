// `serve` as a process, built: what it says when it can't begin.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

let taken: Server;
let port: number;
let directory: string;

beforeEach(async () => {
  taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  ({ port } = taken.address() as AddressInfo);
  directory = mkdtempSync(join(tmpdir(), 'longshore-serve-'));
});
afterEach(() => {
  taken.close();
  rmSync(directory, { recursive: true, force: true });
});

async function serve(env: Readonly<Record<string, string>>): Promise<{ readonly code: number; readonly stderr: string }> {
  const child = spawn(process.execPath, [MAIN], {
    cwd: directory,
    env: { PATH: process.env['PATH'], LOG_LEVEL: 'warn', ...env },
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [code] = (await once(child, 'close')) as [number];
  return { code, stderr };
}

it('says in a line that its port is taken and where it is set, and ends as for a wrong configuration', async () => {
  expect(await serve({ PORT: `${port}` })).toEqual({
    code: 1,
    stderr: `longshore: port ${port} is taken: set PORT or listen.port\n`,
  });
});
