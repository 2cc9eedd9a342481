// A host's session or a gateway dies at each step of an upload, before the step is done or after; the other gateway finishes it.
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { identify } from '../../src/core/file-ref.js';
import type { RemotePath } from '../../src/core/remote-path.js';
import type { Cluster } from '../support/cluster.js';
import { startCluster } from '../support/cluster.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import type { Answer, FileRef } from '../support/outside-client.js';
import { OutsideClient, chunkOf, sha256 } from '../support/outside-client.js';
import { realHashing } from '../support/real-hashing.js';
import type { How, Sabotage, Step } from '../support/sabotage.js';
import { sabotage } from '../support/sabotage.js';
import { watchFile } from '../support/watcher.js';

const SFTP_SERVER = '/usr/lib/openssh/sftp-server';
const CHUNK = 65_536;
const OLD = Buffer.from('the old file');

interface Case {
  readonly step: string;
  readonly at: (paths: Paths) => Step;
  /** What the first gateway does; the rest was done through the other before. */
  readonly doing: 'sending' | 'merging';
  readonly ifExists: 'ASK' | 'REPLACE';
  readonly host?: readonly string[];
}

interface Paths {
  readonly target: string;
  readonly directory: string;
  readonly output: string;
  readonly root: string;
}

const RENAMES = 'rename,renameat,renameat2';
const MKDIRS = 'mkdir,mkdirat';
const UNLINKS = 'unlink';
const sending = { doing: 'sending', ifExists: 'ASK' } as const;
const merging = { doing: 'merging', ifExists: 'ASK' } as const;
const replacing = { doing: 'merging', ifExists: 'REPLACE' } as const;
/** What is published, by the name it has then. */
const output = (paths: Paths) => paths.output;
const inside = (name: string) => (paths: Paths) => join(paths.directory, name);
const on =
  (calls: string, path: (paths: Paths) => string, when = 1) =>
  (paths: Paths) => ({ calls, when, path: path(paths) });
const nth = (calls: string, when: number) => () => ({ calls, when });

/** Renames are told by their number, since strace's path filter looks at the old name alone; the probe of the host makes one, too. */
const CASES: readonly Case[] = [
  { ...sending, step: 'the home is made', at: nth(MKDIRS, 1) },
  { ...sending, step: 'the directory of the target is made', at: nth(MKDIRS, 2) },
  { ...sending, step: 'the draft of the staging directory is made', at: nth(MKDIRS, 3) },
  { ...sending, step: 'the staging directory gets its name', at: nth(RENAMES, 2) },
  { ...sending, step: 'the first write of a chunk', at: on('write', inside('data'), 1) },
  { ...sending, step: 'a later write of a chunk', at: on('write', inside('data'), 2) },
  { ...sending, step: 'the commit of the first chunk', at: on('write', inside('received'), 1) },
  { ...merging, step: 'the merge is asked for', at: nth(RENAMES, 1) },
  { ...merging, step: 'the time is set', at: on('utimensat', output) },
  { ...merging, step: 'the data is synced', at: on('fsync', output) },
  { ...merging, step: 'the intent is written', at: nth(RENAMES, 3) },
  { ...merging, step: 'the target is linked', at: on('link,linkat', (paths) => paths.target) },
  { ...merging, step: 'the data is unlinked', at: on(UNLINKS, output) },
  { ...merging, step: 'the directory of the target is synced', at: on('fsync', (paths) => paths.root) },
  { ...merging, step: 'the staging directory is moved aside', at: on(RENAMES, (paths) => paths.directory) },
  { ...merging, step: 'a file is cleaned', at: nth(UNLINKS, 3) },
  { ...merging, step: 'the staging directory is removed', at: nth('rmdir', 1) },
  { ...merging, step: 'the directory of the target in the home is removed', at: nth('rmdir', 2) },
  { ...replacing, step: 'the mode is set', at: on('chmod,fchmod,fchmodat', output) },
  { ...replacing, step: 'the data is synced, to replace', at: on('fsync', output) },
  { ...replacing, step: 'the target is replaced', at: nth(RENAMES, 4) },
  { ...replacing, step: 'the staging directory is moved aside, replaced', at: on(RENAMES, (paths) => paths.directory) },
];
const HOWS: readonly (readonly [How, string])[] = [
  ['killed', 'the session is killed'],
  ['before', 'the gateway is killed before it is done'],
  ['after', 'the gateway is killed after it was done'],
];

describe.concurrent('an upload is finished by the other gateway when', () => {
  for (const kase of CASES) for (const [how, what] of HOWS) it(`${kase.step}: ${what}`, () => play(kase, how));
});

describe.concurrent('without a step on the host, an upload is finished by the other gateway when the gateway is killed', () => {
  it.each([
    ['as it has the lease of a chunk', 'leased'],
    ['while it verifies', 'VERIFYING'],
    ['while the merge waits', 'QUEUED'],
  ] as const)('%s', async (_, moment) => {
    const stage = await setUp({ ...merging, step: moment, at: nth('none', 1) });
    try {
      const { one, file, bytes } = stage;
      if (moment === 'leased') {
        const chunk = new OutsideClient(one, 'ann').chunk(file, 1, bytes.subarray(0, CHUNK)).catch(() => undefined);
        await one.stop('SIGKILL');
        await chunk;
      } else {
        const watching = new OutsideClient(one, 'ann')
          .watch(file, (state) => {
            if (state['phase'] === moment) process.kill(one.pid, 'SIGKILL');
          })
          .catch(() => undefined);
        await new OutsideClient(one, 'ann').merge(file, 4, { digest: sha256(bytes) }).catch(() => undefined);
        await Promise.race([watching, sleep(2_000)]);
        await one.stop('SIGKILL');
      }
      await finish(stage);
    } finally {
      await stage.stop();
    }
  });
});

interface Stage extends Paths {
  readonly one: GatewayProcess;
  readonly startOther: () => Promise<GatewayProcess>;
  readonly sabotaged: Sabotage;
  readonly file: FileRef;
  readonly bytes: Buffer;
  readonly ifExists: 'ASK' | 'REPLACE';
  readonly cluster: Cluster;
  stop(): Promise<void>;
}

async function play(kase: Case, how: How): Promise<void> {
  const stage = await setUp(kase, how);
  try {
    const { one, file, bytes, sabotaged, ifExists } = stage;
    const watcher = watchFile(stage.target);
    const acting =
      kase.doing === 'sending'
        ? send(one, file, bytes)
        : new OutsideClient(one, 'ann').merge(file, 4, { digest: sha256(bytes), ifExists });
    acting.catch(() => undefined);
    await sabotaged.struck(20_000);
    sabotaged.disarm();
    if (how !== 'killed') await one.stop('SIGKILL');
    await finish(stage);
    const { seen } = await watcher.stop();
    const allowed = [ifExists === 'ASK' ? 'absent' : sha256(OLD), sha256(bytes)];
    expect(allowed).toEqual(expect.arrayContaining([...seen]));
  } finally {
    await stage.stop();
  }
}

async function setUp(kase: Case, how?: How): Promise<Stage> {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-kills-'));
  const sabotaged = sabotage(join(directory, 'sabotage'), SFTP_SERVER);
  const cluster = await startCluster({
    sshd: { login: 'ourselves', sftpCommand: sabotaged.command },
    ...(kase.host && { host: kase.host }),
  });
  const { root } = cluster.sshd;
  const target = join(root, 'target');
  const bytes = randomBytes(3 * CHUNK + 7);
  const file = { hostId: 'sshd', fullPath: target, hashCode: 'content' };
  const identity = identify(realHashing, { hostId: 'sshd', target: target as RemotePath, person: 'ann', hashCode: 'content' });
  const staging = join(root, '.longshore', identity.targetKey, identity.uploadKey);
  const { ifExists } = kase;
  if (ifExists === 'REPLACE') {
    writeFileSync(target, OLD);
    const { uid, gid } = statSync(root);
    chownSync(target, uid, gid);
  }
  if (kase.doing === 'merging') {
    const sender = await cluster.start();
    await send(sender, file, bytes, ifExists);
    await sender.stop();
  }
  const output = join(staging, `out.${nonceOf(staging)}`);
  if (how !== undefined) sabotaged.arm(kase.at({ target, directory: staging, output, root }), how);
  const one = await cluster.start();
  return {
    one,
    // Not before: it would take the merge.
    startOther: () => cluster.start(),
    sabotaged,
    file,
    bytes,
    target,
    directory: staging,
    output,
    root,
    ifExists,
    cluster,
    async stop() {
      await cluster.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Of a directory that is there already. */
function nonceOf(staging: string): string {
  const manifest = join(staging, 'manifest.json');
  return existsSync(manifest) ? (JSON.parse(readFileSync(manifest, 'utf8')) as { nonce: string }).nonce : '';
}

async function send(gateway: GatewayProcess, file: FileRef, bytes: Buffer, ifExists: 'ASK' | 'REPLACE' = 'ASK'): Promise<void> {
  const client = new OutsideClient(gateway, 'ann');
  await patiently(() => client.status(file, bytes.length, { chunkSize: CHUNK, ifExists }));
  for (let index = 1; index <= 4; index++) await patiently(() => client.chunk(file, index, chunkOf(bytes, CHUNK, index)));
}

/** Through the other gateway, as a client that was told to carry on. */
async function finish(stage: Stage): Promise<void> {
  const { startOther, file, bytes, ifExists, root, target } = stage;
  const client = new OutsideClient(await startOther(), 'ann');
  for (let round = 0; round < 5; round++) {
    const status = await patiently(() => client.status(file, bytes.length, { chunkSize: CHUNK, ifExists }));
    if (status.__typename === 'UploadFinished') break;
    expect(status.__typename, JSON.stringify(status)).toMatch(/^Upload(Ready|Resumable)$/);
    const info = await patiently(() => client.dirInfo(file));
    const there = (info['chunkList'] ?? []) as readonly number[];
    for (const index of [1, 2, 3, 4].filter((each) => !there.includes(each))) {
      await patiently(() => client.chunk(file, index, chunkOf(bytes, CHUNK, index)));
    }
    const merge = await patiently(() => client.merge(file, 4, { digest: sha256(bytes), ifExists }));
    if (merge.__typename !== 'MergeStarted') continue;
    if ((await client.watch(file)).at(-1)?.['phase'] === 'DONE') break;
  }
  expect(sha256(readFileSync(target))).toBe(sha256(bytes));
  expect(statSync(target).nlink).toBe(1);
  expect(await client.status(file, bytes.length)).toMatchObject({ __typename: 'UploadFinished' });
  for (let look = 0; look < 50 && uploadsIn(join(root, '.longshore')).length > 0; look++) await sleep(200);
  expect(uploadsIn(join(root, '.longshore'))).toEqual([]);
}

/** Staged uploads; what is in the making or on its way out is for the sweeper. */
function uploadsIn(home: string): readonly string[] {
  if (!existsSync(home)) return [];
  const targets = readdirSync(home).filter((name) => /^[0-9a-f]{32}$/.test(name));
  return targets.flatMap((name) => readdirSync(join(home, name)).filter((upload) => /^[0-9a-f]{32}$/.test(upload)));
}

async function patiently(call: () => Promise<Answer>, limitMs = 60_000): Promise<Answer> {
  const until = performance.now() + limitMs;
  for (;;) {
    const answer = await call();
    const isFinal = answer.__typename !== 'TryAgainLater' && answer['retryable'] !== true;
    if (isFinal || performance.now() > until) return answer;
    await sleep(300);
  }
}
