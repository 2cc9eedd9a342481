// The largest file there may be, on a host that hashes nothing: what its merge takes, of time and of memory, is what a small one's takes.
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeFooter, encodeRecord, footerOffset, recordOffset } from '../../src/assembly/received.js';
import { chunkPlan } from '../../src/core/chunks.js';
import type { Manifest } from '../../src/core/staging.js';
import { MIB } from '../support/bytes.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import { startGatewayProcess } from '../support/gateway-process.js';
import type { FileRef } from '../support/outside-client.js';
import { OutsideClient, sha256 } from '../support/outside-client.js';
import type { Sshd } from '../support/sshd.js';
import { startSshd } from '../support/sshd.js';

const TIB = 2 ** 40;
const CHUNK = 64 * MIB;
const HUGE = 5 * TIB;
const ROUNDS = 5;
/** Of memory, over what a file of one chunk takes. */
const MOST_MIB = 24;
const PUBLISHED_MS = 100;
/** Of any content: nobody looks at it. */
const DIGEST = sha256(Buffer.from('a chunk'));

let directory: string;
let sshd: Sshd;
let gateway: GatewayProcess;

const start = () => startGatewayProcess({ directory });

beforeAll(async () => {
  sshd = await startSshd({ sftpOnly: true });
  directory = mkdtempSync(join(tmpdir(), 'longshore-huge-'));
  const host = { id: 'sshd', address: sshd.address, port: sshd.port, username: sshd.username, roots: [sshd.root] };
  const login = { privateKeyFile: sshd.privateKeyFile, hostKeys: [sshd.hostKeyFingerprint] };
  // JSON is YAML.
  writeFileSync(join(directory, 'longshore.yaml'), JSON.stringify({ hosts: [{ ...host, ...login }] }));
  gateway = await start();
});
afterAll(async () => {
  await gateway.stop();
  await sshd.stop();
  rmSync(directory, { recursive: true, force: true });
});

const ref = (name: string): FileRef => ({ hostId: 'sshd', fullPath: join(sshd.root, name), hashCode: name });

/** A small upload of which nothing was sent, made by the gateway, becomes a whole one of `size`, sparse. */
async function stage(file: FileRef, size: number): Promise<void> {
  const client = new OutsideClient(gateway);
  await client.status(file, CHUNK, { chunkSize: CHUNK });
  const info = await client.dirInfo(file);
  const [staging, uploadId] = [String(info['dir']), String(info['dirHashCode'])];
  const manifest = join(staging, 'manifest.json');
  const begun = JSON.parse(readFileSync(manifest, 'utf8')) as Manifest;
  writeFileSync(manifest, JSON.stringify({ ...begun, size }));
  const plan = chunkPlan(size, CHUNK);
  const received = openSync(join(staging, 'received'), 'r+');
  for (let index = 1; index <= plan.chunkCount; index++) {
    writeSync(received, encodeRecord({ uploadId, index, length: CHUNK }, DIGEST), 0, undefined, recordOffset(index));
  }
  writeSync(received, encodeFooter(uploadId, plan, begun.nonce), 0, undefined, footerOffset(plan));
  closeSync(received);
  truncateSync(join(staging, 'data'), size);
}

/** What the merge takes: memory at most over idle, and the time from the first word of publication to DONE. */
async function merge(file: FileRef, size: number): Promise<{ readonly peakMib: number; readonly publishedMs: number }> {
  const client = new OutsideClient(gateway);
  const at = new Map<unknown, number>();
  expect(await client.status(file, size, { chunkSize: CHUNK })).toMatchObject({
    __typename: 'UploadResumable',
    uploadedBytes: size,
  });
  const idle = gateway.residentBytes().now;
  resetPeak(gateway.pid);
  const watching = client.watch(file, ({ phase }) => at.set(phase, performance.now()));
  expect(await client.merge(file, size / CHUNK)).toMatchObject({ __typename: 'MergeStarted' });
  expect((await watching).at(-1)).toMatchObject({ phase: 'DONE', strategy: 'IN_PLACE', proved: false, totalBytes: size });
  const peakMib = (gateway.residentBytes().peak - idle) / MIB;
  expect(statSync(file.fullPath).size).toBe(size);
  return { peakMib, publishedMs: (at.get('DONE') ?? Infinity) - (at.get('PUBLISHING') ?? 0) };
}

/** Linux: the most that it ever held is counted from now. */
function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Infinity;

describe('a file of 5 TiB', () => {
  it('is merged in the memory of a small one and 24 MiB, and published in an instant', async () => {
    const files = Array.from({ length: ROUNDS }, (_, round) => ref(`huge-${round}`));
    const [warmUp, small] = [ref('warm-up'), ref('small')];
    for (const file of [warmUp, small]) await stage(file, CHUNK);
    for (const file of files) await stage(file, HUGE);
    // What the gateway remembers of them is what they were made as.
    await gateway.stop();
    gateway = await start();
    // Idle is when everything is loaded.
    await merge(warmUp, CHUNK);
    const smalls = await merge(small, CHUNK);
    const huges = [];
    for (const file of files) huges.push(await merge(file, HUGE));
    const peakMib = Math.max(...huges.map((each) => each.peakMib));
    const publishedMs = median(huges.map((each) => each.publishedMs));
    console.log(
      `merge of ${HUGE / TIB} TiB: ${peakMib.toFixed(1)} MiB over idle, of 1 chunk: ${smalls.peakMib.toFixed(1)} MiB`,
    );
    console.log(
      `publication of ${HUGE / TIB} TiB: median ${publishedMs.toFixed(1)} ms, of 1 chunk: ${smalls.publishedMs.toFixed(1)} ms`,
    );
    expect(peakMib).toBeLessThanOrEqual(smalls.peakMib + MOST_MIB);
    expect(publishedMs).toBeLessThan(PUBLISHED_MS);
  }, 60_000);
});
