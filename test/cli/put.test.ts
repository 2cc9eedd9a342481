import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Delivery, FILES_AT_ONCE } from '../../src/cli/delivery.js';
import { lookAt } from '../../src/cli/local-files.js';
import { put, type PutOptions } from '../../src/cli/put.js';
import type { Terminal } from '../../src/cli/terminal.js';
import { Uploader, type RetryPolicy } from '../../src/client/index.js';
import { bytes } from '../client/sources.js';
import { problem, progress, sha256, StubGateway } from '../client/stub-gateway.js';

let gateway: StubGateway;
let url: string;
let dir: string;
let printed: string[];
let said: string[];
let questions: string[];

beforeEach(async () => {
  gateway = new StubGateway();
  url = await gateway.listen();
  dir = await mkdtemp(join(tmpdir(), 'longshore-cli-'));
  [printed, said, questions] = [[], [], []];
});
afterEach(async () => {
  await gateway.close();
  await rm(dir, { recursive: true });
});

const content = bytes(5_000);

async function file(name: string): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, content);
  return path;
}

const DEFAULTS = { recursive: false, ifExists: 'ask', parallel: '4', takeOver: false, json: false } as const;

function terminal(ask?: Terminal['ask']): Terminal {
  return {
    print: (line) => printed.push(line),
    say: (line) => said.push(line),
    show: undefined,
    columns: undefined,
    ask,
  };
}

async function run(paths: readonly string[], options: Partial<PutOptions> = {}, answer?: string): Promise<number> {
  const ask = (text: string) => (question: string) => {
    questions.push(question);
    return Promise.resolve(text);
  };
  return await put(paths, { ...DEFAULTS, url, ...options }, terminal(answer === undefined ? undefined : ask(answer)));
}

async function deliver(count: number, retry: Partial<RetryPolicy>): Promise<number> {
  const uploader = new Uploader({ endpoint: url, filesAtOnce: FILES_AT_ONCE, retry });
  const names = Array.from({ length: count }, (_, i) => String(i));
  const namings = await Promise.all(names.map(async (name) => ({ source: await file(name), path: `/in/${name}` })));
  const looked = await lookAt(namings, false);
  return await new Delivery({
    uploader,
    host: 'local',
    looked,
    chunkSize: undefined,
    options: DEFAULTS,
    terminal: terminal(),
  }).run();
}

const existing = problem('FileExists', 'FILE_EXISTS', { size: 3, modifiedAt: '2026-01-01T00:00:00Z', etag: 'e1' });
const occupy = () => {
  gateway.interfere = ({ operation, variables }) =>
    operation === 'UploadStatus' && variables['ifExists'] === 'ASK' ? existing : undefined;
};

describe('put', () => {
  it('prints one line with path, size, hash, proof and time', async () => {
    expect(await run([await file('a'), 'local:/in/'])).toBe(0);
    expect(printed).toHaveLength(1);
    expect(printed[0]).toMatch(
      /^local:\/in\/a {2}4\.88 KiB {2}sha256:[0-9a-f]{64} {2}proved on the host {2}\d\.\d s at .+\/s$/,
    );
    expect(printed[0]).toContain(sha256(content));
  });

  it('says when the host has not proved the whole', async () => {
    gateway.mergeEvents = [progress('DONE')];
    await run([await file('a'), 'local:/in/']);
    expect(printed[0]).toContain('not proved on the host');
  });

  it('says what was there already', async () => {
    gateway.keep(content, 1, 2);
    await run([await file('a'), 'local:/in/']);
    expect(printed[0]).toMatch(/2\.00 KiB were there already$/);
  });

  it('asks before it replaces, and does as the person says', async () => {
    occupy();
    const path = await file('a');
    expect(await run([path, 'local:/x'], {}, 'n')).toBe(3);
    expect(questions[0]).toMatch(/^local:\/x is there already \(3 B, changed .+\)\. Replace it\? \[y\/N\] $/);
    expect(await run([path, 'local:/x'], {}, 'y')).toBe(0);
    expect(gateway.of('MergeFile')[0]?.variables).toMatchObject({ ifExists: 'REPLACE', ifMatch: 'e1' });
  });

  it('is refused without a terminal to ask on, and says what to do', async () => {
    occupy();
    expect(await run([await file('a'), 'local:/x'])).toBe(3);
    expect(said.at(-1)).toContain('--if-exists replace');
  });

  it('says what to do when the file changes while it is sent, and when the path is that upload of its earlier version', async () => {
    const path = await file('a');
    gateway.interfere = ({ operation }) => {
      if (operation === 'UploadChunk') appendFileSync(path, 'more');
      return undefined;
    };
    expect(await run([path, 'local:/x'])).toBe(1);
    expect(said.join('\n')).toMatch(/longshore: [^]+the same command with --take-over begins anew$/);
    said = [];
    gateway.interfere = ({ operation }) =>
      operation === 'UploadStatus'
        ? problem('UploadLocked', 'UPLOAD_LOCKED', { holder: 'me', mine: true, since: '', until: '' })
        : undefined;
    expect(await run([path, 'local:/x'])).toBe(3);
    expect(said.slice(-1)).toEqual([
      `longshore: ${path}: your unfinished upload to this path is of other content, such as an earlier version of this file\n  --take-over begins anew`,
    ]);
  });

  it('names a file once that is none, and says where hosts are listed', async () => {
    expect(await run(['/dev/zero', 'local:/x'])).toBe(1);
    expect(said).toEqual(['longshore: /dev/zero is not a regular file']);
    said = [];
    gateway.interfere = () => problem('Refused', 'HOST_UNKNOWN');
    expect(await run([await file('a'), 'nohost:/x'])).toBe(3);
    expect(said.join()).toContain('(longshore hosts lists them)');
  });

  it('skips what is there without counting it as a failure, or replaces it unasked', async () => {
    occupy();
    const path = await file('a');
    expect(await run([path, 'local:/x'], { ifExists: 'skip' })).toBe(0);
    expect(said.at(-1)).toBe('local:/x is there already: skipped');
    expect(await run([path, 'local:/x'], { ifExists: 'replace' })).toBe(0);
    expect(gateway.of('MergeFile')[0]?.variables).toMatchObject({ ifExists: 'REPLACE' });
  });

  it('sends the next file when one fails, and returns the first failure', async () => {
    const code = await run([join(dir, 'none'), await file('b'), 'local:/in/']);
    expect(code).toBe(1);
    expect(said[0]).toContain('no such file');
    expect(printed[0]).toContain('local:/in/b');
  });

  it('writes one JSON object per line', async () => {
    await run([await file('a'), 'local:/x'], { json: true });
    const events = printed.map((line) => JSON.parse(line) as { event: string; host: string; path: string });
    expect(new Set(events.map(({ event }) => event))).toEqual(new Set(['phase', 'progress', 'chunk', 'done']));
    expect(events.at(-1)).toMatchObject({
      event: 'done',
      host: 'local',
      path: '/x',
      digest: `sha256:${sha256(content)}`,
      wireBytes: 5_000,
    });
    expect(said).toEqual([]);
  });

  it('goes through a restart of the gateway with all files, also those whose turn comes meanwhile', async () => {
    let cuts = 0;
    gateway.interfere = ({ operation }) =>
      operation === 'UploadStatus' && gateway.of('MergeFile').length > 0 && ++cuts <= 100 ? 'cut' : undefined;
    const retry = { firstDelayMs: 50, maxDelayMs: 50, firstAnswerPatienceMs: 100 };
    expect(await deliver(20, retry)).toBe(0);
    expect(cuts).toBeGreaterThan(100);
  });

  it('does not try every file for as long when the gateway stays away', async () => {
    const asked = new Set<unknown>();
    gateway.interfere = ({ operation, variables }) => {
      if (gateway.of('MergeFile').length === 0) return undefined;
      if (operation === 'UploadStatus') asked.add((variables['file'] as { fullPath: string }).fullPath);
      return 'cut';
    };
    expect(await deliver(20, { firstDelayMs: 50, maxDelayMs: 50, patienceMs: 300 })).toBe(1);
    expect(asked.size).toBeLessThanOrEqual(FILES_AT_ONCE);
    expect(said.filter((line) => line.includes('nothing got through'))).toHaveLength(1);
  });

  it('refuses a wrong number or size before anything is sent', async () => {
    const path = await file('a');
    await expect(run([path, 'local:/x'], { parallel: '0' })).rejects.toThrow('--parallel');
    await expect(run([path, 'local:/x'], { chunkSize: '10 apples' })).rejects.toThrow('--chunk-size');
    await expect(run([path])).rejects.toThrow('at least one file and HOST:/PATH');
    expect(gateway.calls).toEqual([]);
  });
});

describe('the command', () => {
  /** The real process; `stdout`, `stderr` and `code` once it has ended. */
  function longshore(...args: readonly string[]) {
    const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...args], {
      env: { ...process.env, LONGSHORE_URL: url },
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve, reject) => {
      child.once('error', reject).once('close', (code) => {
        resolve({ code, stdout, stderr });
      });
    });
    return { child, ended };
  }

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`stops at once on ${signal} and says how to go on`, async () => {
      const reached = new Promise<void>((resolve) => {
        gateway.interfere = ({ variables }, response) => {
          if (variables['index'] !== 3) return undefined;
          response.writeHead(200).flushHeaders(); // The answer never ends.
          resolve();
          return {};
        };
      });
      const { child, ended } = longshore('put', '--parallel', '1', await file('a'), 'local:/x');
      await reached;
      child.kill(signal);
      const { code, stdout, stderr } = await ended;
      expect(stderr).toContain('stopped: 2 of 5 chunks are on the host; run the same command to go on');
      expect(stdout).toBe('');
      expect(code).toBe(130);
    });
  }

  it('takes the gateway from the environment, sends the file and ends', async () => {
    const { code, stdout } = await longshore('put', await file('a'), 'local:/x').ended;
    expect(code).toBe(0);
    expect(stdout).toContain(sha256(content));
    expect(gateway.content().equals(content)).toBe(true);
  });

  it('ends with 2 and words for a wrong option, and with 0 for help', async () => {
    const wrong = await longshore('put', '--if-exists', 'maybe', 'a', 'b:/c').ended;
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toContain('Allowed choices are ask, replace, skip');
    const help = await longshore('put', '--help').ended;
    expect(help.code).toBe(0);
    expect(help.stdout).toContain('Exit codes:');
  });

  it('has help for each command that fits a terminal of 80 columns', async () => {
    const commands = ['put', 'status', 'abort', 'hosts', 'serve', 'worker', 'completion'];
    const helps = await Promise.all([[], ...commands.map((name) => [name])].map((args) => longshore(...args, '--help').ended));
    for (const { stdout } of helps) {
      expect(stdout).toMatch(/^Usage: longshore /);
      expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
    }
  });

  it('tells its version', async () => {
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
    expect(await longshore('--version').ended).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('says that a worker needs Redis', async () => {
    const { code, stderr } = await longshore('worker').ended;
    expect(code).toBe(1);
    expect(stderr).toContain('redis: a worker needs');
  });
});
