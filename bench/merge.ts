// The end of an upload of 1 GiB in 103 chunks on a real sshd, by each strategy, against `cat` of the same chunk files on the same disk and
// the host's fastest hashing tool run by hand; in turn, in one run. What is staged is put there by the benchmark, not sent.
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { encodeRecord, recordOffset } from '../src/assembly/received.js';
import { chunkFileName } from '../src/assembly/manifest.js';
import { HostAssembly } from '../src/assembly/staging.js';
import { identify } from '../src/core/file-ref.js';
import type { HostProfile } from '../src/core/ports.js';
import type { RemotePath } from '../src/core/remote-path.js';
import type { StagedUpload } from '../src/core/staging.js';
import { resolveTarget } from '../src/core/target.js';
import { createHostRepository } from '../src/sftp/host-repository.js';
import { realHashing } from '../test/support/real-hashing.js';
import { keptLog, realClock } from '../test/support/roles.js';
import { sshdHostOptions } from '../test/support/sshd-host.js';
import type { Sshd } from '../test/support/sshd.js';
import { startSshd } from '../test/support/sshd.js';
import { median } from './figures.js';
import type { Row } from './stage.js';

const MIB = 2 ** 20;
const SIZE = 1024 * MIB;
const CHUNK_BYTES = 10 * MIB;
const CHUNKS = Math.ceil(SIZE / CHUNK_BYTES);
const ROUNDS = 5;

interface Content {
  /** With the chunk files, by the names they have when staged. */
  readonly directory: string;
  readonly whole: string;
  readonly digests: readonly string[];
  readonly names: readonly string[];
  readonly digest: string;
}

interface Times {
  readonly assembleMs: number;
  readonly verifyMs: number;
  readonly publishMs: number;
}

export async function merge(): Promise<readonly Row[]> {
  const sshd = await startSshd();
  try {
    const content = makeContent(join(sshd.directory, 'content'));
    const cat: number[] = [];
    const tool: number[] = [];
    const strategies = ['in-place', 'copy-data', 'command', 'relay'] as const;
    const times = new Map<string, Times[]>(strategies.map((strategy) => [strategy, []]));
    for (let round = 0; round < ROUNDS; round++) {
      cat.push(byHand(sshd, `cat ${content.names.map((name) => join(content.directory, name)).join(' ')} >out`));
      tool.push(byHand(sshd, `openssl dgst -sha256 -r ${content.whole}`));
      for (const strategy of strategies) times.get(strategy)?.push(await mergeOnce(sshd, strategy, content));
    }
    return rowsOf(times, median(cat), median(tool));
  } finally {
    await sshd.stop();
  }
}

function rowsOf(times: ReadonlyMap<string, readonly Times[]>, catMs: number, toolMs: number): readonly Row[] {
  const rows: Row[] = [
    { what: 'cat of the chunk files, by hand', assembleMs: Math.round(catMs) },
    { what: 'openssl dgst -sha256, by hand', verifyMs: Math.round(toolMs) },
  ];
  for (const [what, runs] of times) {
    const [assembleMs, verifyMs, publishMs] = (['assembleMs', 'verifyMs', 'publishMs'] as const).map((key) =>
      median(runs.map((run) => run[key])),
    );
    if (assembleMs === undefined || verifyMs === undefined || publishMs === undefined) throw new Error('there were no runs');
    rows.push({
      what,
      assembleMs: Math.round(assembleMs),
      verifyMs: Math.round(verifyMs),
      publishMs: Math.round(publishMs),
      rateToCat: Number((catMs / assembleMs).toFixed(2)),
      rateToTool: Number((toolMs / verifyMs).toFixed(2)),
      ...spread(runs),
    });
  }
  return rows;
}

function spread(runs: readonly Times[]) {
  const all = runs.map((run) => run.assembleMs);
  return { assembleFastestMs: Math.round(Math.min(...all)), assembleSlowestMs: Math.round(Math.max(...all)) };
}

function makeContent(directory: string): Content {
  fs.mkdirSync(directory);
  const whole = join(directory, 'whole');
  const hash = createHash('sha256');
  const digests: string[] = [];
  const names: string[] = [];
  for (let index = 1; index <= CHUNKS; index++) {
    const bytes = randomBytes(Math.min(CHUNK_BYTES, SIZE - (index - 1) * CHUNK_BYTES));
    const digest = createHash('sha256').update(bytes).digest('hex');
    const name = chunkFileName({ index, lengthBytes: bytes.length, digest });
    hash.update(bytes);
    fs.writeFileSync(join(directory, name), bytes);
    fs.appendFileSync(whole, bytes);
    digests.push(digest);
    names.push(name);
  }
  return { directory, whole, digests, names, digest: hash.digest('hex') };
}

function byHand(sshd: Sshd, command: string): number {
  execFileSync('sync');
  const began = performance.now();
  execFileSync('sh', ['-c', command], { cwd: sshd.directory });
  const tookMs = performance.now() - began;
  fs.rmSync(join(sshd.directory, 'out'), { force: true });
  return tookMs;
}

async function mergeOnce(sshd: Sshd, strategy: HostProfile['strategy'], content: Content): Promise<Times> {
  const options = sshdHostOptions(sshd);
  const profile = { ...options.profile, strategy };
  const hosts = createHostRepository({ hosts: [{ ...options, profile }], clock: realClock, log: keptLog() });
  const assembly = new HostAssembly({ clock: realClock, hashing: realHashing });
  const path = join(sshd.root, 'film') as RemotePath;
  const identity = identify(realHashing, { hostId: 'sshd', target: path, person: 'ann', hashCode: `sha256:${content.digest}` });
  try {
    return await hosts.use('sshd', async (host) => {
      const target = await resolveTarget(host, { path, person: identity.person });
      const declared = { size: SIZE, chunkSize: CHUNK_BYTES };
      const { staged } = await assembly.open(host, identity, target, declared);
      plant(sshd, staged, content);
      const times = await timed(staged, content);
      await staged.discard();
      fs.rmSync(path);
      return times;
    });
  } finally {
    await hosts.close();
  }
}

/** As if every chunk had been sent. */
function plant(sshd: Sshd, staged: StagedUpload, content: Content): void {
  const { directory, manifest, identity } = staged;
  const { uid, gid } = fs.statSync(sshd.root);
  if (manifest.layout === 'in-place') {
    fs.copyFileSync(content.whole, join(directory, 'data'));
    const received = fs.openSync(join(directory, 'received'), 'r+');
    for (const [at, digest] of content.digests.entries()) {
      const length = Math.min(CHUNK_BYTES, SIZE - at * CHUNK_BYTES);
      const record = encodeRecord({ uploadId: identity.id, index: at + 1, length }, digest);
      fs.writeSync(received, record, 0, record.length, recordOffset(at + 1));
    }
    fs.closeSync(received);
  } else {
    for (const name of content.names) {
      fs.copyFileSync(join(content.directory, name), join(directory, name));
      fs.chownSync(join(directory, name), uid, gid);
    }
  }
  execFileSync('sync');
}

async function timed(staged: StagedUpload, content: Content): Promise<Times> {
  const work = { signal: new AbortController().signal, onProgress: () => undefined };
  const received = await staged.received();
  if (!received.isComplete) throw new Error('not all chunks were staged');
  const began = performance.now();
  await staged.assemble(work);
  const assembled = performance.now();
  const outcome = await staged.verify([{ algorithm: 'sha256', hex: content.digest }], work);
  if (outcome.kind !== 'holds' || !outcome.verified.proved) throw new Error(`verification says ${outcome.kind}`);
  const verified = performance.now();
  // What is still to be written to the disk is no work of the publication's.
  execFileSync('sync');
  const flushed = performance.now();
  const request = { ifExists: 'ASK', askedAt: 1 } as const;
  const published = await staged.publish(
    () => Promise.resolve(request),
    outcome.verified,
    () => Promise.resolve(),
  );
  if (published.kind !== 'published') throw new Error('was not published');
  const publishMs = performance.now() - flushed;
  return { assembleMs: assembled - began, verifyMs: verified - assembled, publishMs };
}
