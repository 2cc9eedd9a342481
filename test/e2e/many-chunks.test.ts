// The largest number of chunks an upload may have: what is asked about it is answered soon, and from little memory.
import { openSync, closeSync, mkdtempSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeRecord, recordOffset } from '../../src/assembly/received.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import { startGatewayProcess } from '../support/gateway-process.js';
import type { Answer } from '../support/outside-client.js';
import { OutsideClient, sha256 } from '../support/outside-client.js';
import type { Sshd } from '../support/sshd.js';
import { startSshd } from '../support/sshd.js';

const CHUNK = 65_536;
const COUNT = 100_000;
/** Every seventh is missing, so that the ranges are many, too. */
const isThere = (index: number) => index % 7 !== 0;
const THERE = COUNT - Math.floor(COUNT / 7);
const MIB = 2 ** 20;

let directory: string;
let sshd: Sshd;
let gateway: GatewayProcess;

beforeAll(async () => {
  sshd = await startSshd();
  directory = mkdtempSync(join(tmpdir(), 'longshore-many-'));
  const config = [
    'listen: { address: 127.0.0.1, port: 0 }',
    'hosts:',
    `  - { id: sshd, address: ${sshd.address}, port: ${sshd.port}, username: ${sshd.username}, privateKeyFile: ${sshd.privateKeyFile}, hostKeys: ["${sshd.hostKeyFingerprint}"], roots: [${sshd.root}] }`,
  ];
  writeFileSync(join(directory, 'longshore.yaml'), config.join('\n'));
  gateway = await startGatewayProcess({ directory });
});
afterAll(async () => {
  await gateway.stop();
  await sshd.stop();
  rmSync(directory, { recursive: true, force: true });
});

it('an upload of 100 000 chunks tells which are there within a second and 40 MiB over idle', async () => {
  const client = new OutsideClient(gateway, 'ann');
  const file = { hostId: 'sshd', fullPath: join(sshd.root, 'huge'), hashCode: 'huge' };
  expect(await client.status(file, COUNT * CHUNK, { chunkSize: CHUNK })).toMatchObject({ chunkCount: COUNT });
  const { dir, dirHashCode } = await client.dirInfo(file);
  const digest = sha256(Buffer.from('a chunk'));
  const received = openSync(join(String(dir), 'received'), 'r+');
  for (let index = 1; index <= COUNT; index++) {
    if (!isThere(index)) continue;
    const record = encodeRecord({ uploadId: String(dirHashCode), index, length: CHUNK }, digest);
    writeSync(received, record, 0, record.length, recordOffset(index));
  }
  closeSync(received);

  const idle = gateway.residentBytes().now;
  const tookMs: number[] = [];
  let info: Answer | undefined;
  let grownMib = 0;
  for (let call = 0; call < 5; call++) {
    const began = performance.now();
    info = await client.dirInfo(file, { first: 1_000, after: 50_001 });
    tookMs.push(performance.now() - began);
    // What one answer takes. Some in a row leave V8 old garbage that it has no reason to hurry about.
    if (call === 0) grownMib = (gateway.residentBytes().peak - idle) / MIB;
  }
  const median = tookMs.sort((a, b) => a - b)[2];
  console.log(`dirInfo of ${COUNT} chunks: median ${median?.toFixed(0)} ms, peak ${grownMib.toFixed(0)} MiB over idle`);
  expect(info).toMatchObject({ uploadedCount: THERE, uploadedBytes: THERE * CHUNK, chunkCount: COUNT });
  expect(info?.['chunkList']).toHaveLength(THERE);
  expect(info?.['chunks']).toHaveLength(1_000);
  expect((info?.['chunks'] as { index: number }[])[0]).toEqual({ index: 50_002, digest });
  expect(info?.['missing']).toHaveLength(Math.floor(COUNT / 7));
  expect(median).toBeLessThan(1_000);
  expect(grownMib).toBeLessThan(40);
});
