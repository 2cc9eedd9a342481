// How much memory the gateway takes beyond idle while 512 MiB in chunks of 64 MiB pass, one after another and several at once.
import { randomBytes } from 'node:crypto';
import { OutsideClient } from '../test/support/outside-client.js';
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
  return rows;
}

async function measure(hostId: string, atOnce: number): Promise<Row> {
  const { gateway, sshd, stop } = await setStage();
  try {
    const client = new OutsideClient(gateway);
    const root = hostId === 'sshd' ? sshd.root : '';
    // Idle is after the first requests, when everything is loaded.
    await client.put({ hostId, fullPath: `${root}/warm`, hashCode: 'warm' }, randomBytes(100_000));
    const idle = gateway.residentBytes().now;
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
