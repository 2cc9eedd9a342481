// How much memory the gateway takes beyond idle: while 512 MiB in chunks of 64 MiB pass, one after another and several at once; and with
// many chunks under way to a host that takes next to nothing.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { beginChunk } from './raw-chunk.js';
import { OutsideClient } from '../test/support/outside-client.js';
import { round1 } from './figures.js';
import type { Row } from './stage.js';
import { setStage } from './stage.js';

const MIB = 2 ** 20;
const CHUNK_BYTES = 64 * MIB;
const CHUNKS = 8;

export async function memory(): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const host of ['sshd', 'local']) {
    for (const atOnce of [1, 4]) rows.push(await measure(host, atOnce));
  }
  for (const chunks of [100, 500]) rows.push(await measureSlowHost(chunks));
  return rows;
}

const SLOW_CHUNK_BYTES = 10 * MIB;
const SLOW_HOST_BYTES_PER_SECOND = 64 * 1_024;
/** By then every buffer on the way is as full as it gets. */
const SLOW_SECONDS = 20;

/** The uploads are never finished: at that rate they would take hours. */
async function measureSlowHost(chunks: number): Promise<Row> {
  const limits = { chunksInFlightPerPerson: 1_000, bytesPerPerson: 2 ** 40 };
  const stage = await setStage({ bytesPerSecond: SLOW_HOST_BYTES_PER_SECOND, limits });
  const { gateway, sshd, idleBytes } = stage;
  const bytes = randomBytes(SLOW_CHUNK_BYTES);
  const file = { hostId: 'sshd', fullPath: `${sshd.root}/slow`, hashCode: 'slow' };
  await new OutsideClient(gateway).status(file, chunks * SLOW_CHUNK_BYTES, { chunkSize: SLOW_CHUNK_BYTES });
  const watch = await stage.watch();
  const begun = Array.from({ length: chunks }, (_, at) => beginChunk(gateway.url, { file, index: at + 1, bytes }));
  try {
    await sleep(SLOW_SECONDS * 1_000);
    const { peakBytes, loopDelayP99Ms, loopDelayMaxMs } = await watch();
    const overIdle = (held: number) => Math.round((held - idleBytes) / MIB);
    return {
      what: `${chunks} chunks of 10 MiB at once to a host that takes 64 KiB/s`,
      idleMiB: Math.round(idleBytes / MIB),
      stillUnderWay: begun.filter((chunk) => chunk.isUnderWay()).length,
      overIdleMiB: overIdle(gateway.residentBytes().now),
      peakSendingOverIdleMiB: overIdle(peakBytes),
      loopDelayP99Ms: round1(loopDelayP99Ms),
      loopDelayMaxMs: round1(loopDelayMaxMs),
    };
  } finally {
    for (const chunk of begun) chunk.abort();
    await stage.stop();
  }
}

async function measure(hostId: string, atOnce: number): Promise<Row> {
  const { gateway, idleBytes: idle, sshd, stop } = await setStage();
  try {
    const client = new OutsideClient(gateway);
    const root = hostId === 'sshd' ? sshd.root : '';
    const file = { hostId, fullPath: `${root}/big`, hashCode: 'big' };
    const chunk = randomBytes(CHUNK_BYTES);
    await client.status(file, CHUNKS * CHUNK_BYTES, { chunkSize: CHUNK_BYTES });
    const indexes = Array.from({ length: CHUNKS }, (_, at) => at + 1);
    const send = async (): Promise<void> => {
      for (let index = indexes.shift(); index !== undefined; index = indexes.shift()) await client.chunk(file, index, chunk);
    };
    await Promise.all(Array.from({ length: atOnce }, send));
    const sent = gateway.residentBytes().peak;
    await client.merge(file, CHUNKS);
    await client.watch(file);
    const merged = gateway.residentBytes().peak;
    const overIdle = (bytes: number) => Math.round((bytes - idle) / MIB);
    return {
      what: `${hostId}, ${atOnce} chunk(s) of 64 MiB at once`,
      idleMiB: Math.round(idle / MIB),
      peakSendingOverIdleMiB: overIdle(sent),
      peakMergingOverIdleMiB: overIdle(merged),
    };
  } finally {
    await stop();
  }
}
