// Two thousand who look at one merge: how late they see each state, and what those cost who don't read what they are told.
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { FileRef } from '../test/support/outside-client.js';
import { OutsideClient, chunkOf } from '../test/support/outside-client.js';
import { quantile, round1 } from './figures.js';
import { VIEWERS } from './settings.js';
import type { Row, Stage } from './stage.js';
import { setStage } from './stage.js';
import { heldBytes } from './vitals.js';

const KIB = 1_024;
const MIB = KIB * KIB;
/** Through the gateway at this rate, the merge takes longer than it is watched, and tells of itself five times in each second. */
const BYTES_PER_SECOND = 14 * MIB;
const WATCHED_SECONDS = 8;
const FILE_BYTES = 160 * MIB;
const CHUNK_BYTES = 10 * MIB;

export async function viewers(): Promise<readonly Row[]> {
  const read = await onStage(reading);
  const [none, all] = [await onStage(held(0)), await onStage(held(VIEWERS))];
  return [read, { what: 'not reading', viewers: VIEWERS, heldKiBEach: round1((all - none) / VIEWERS / KIB) }];
}

async function onStage<Seen>(measure: (stage: Stage) => Promise<Seen>): Promise<Seen> {
  const stage = await setStage({ bytesPerSecond: BYTES_PER_SECOND, host: { strategy: 'relay' } });
  try {
    return await measure(stage);
  } finally {
    await stage.stop();
  }
}

async function reading(stage: Stage): Promise<Row> {
  const { client, file } = await sendFile(stage);
  const program = await startViewers(stage, 'reading', file);
  const watch = await stage.watch();
  await mergeForAWhile(client, file);
  const { loopDelayP99Ms, loopDelayMaxMs } = await watch();
  program.send('report');
  const [lagsMs] = (await once(program, 'message')) as [readonly number[]];
  program.disconnect();
  if (lagsMs.length === 0) throw new Error('the viewers saw nothing');
  const lags = { lagP50Ms: quantile(lagsMs, 0.5), lagP99Ms: quantile(lagsMs, 0.99), lagMaxMs: quantile(lagsMs, 1) };
  const updatesPerSecond = round1(lagsMs.length / VIEWERS / WATCHED_SECONDS);
  const delays = { loopDelayP99Ms: round1(loopDelayP99Ms), loopDelayMaxMs: round1(loopDelayMaxMs) };
  return { what: 'reading', viewers: VIEWERS, updatesPerSecond, ...lags, ...delays };
}

/** Bytes that the gateway holds in the same moment of a merge with so many who don't read: what the kernel keeps for them is its own. */
function held(deaf: number): (stage: Stage) => Promise<number> {
  return async (stage) => {
    const { client, file } = await sendFile(stage);
    const program = deaf === 0 ? undefined : await startViewers(stage, 'deaf', file);
    await mergeForAWhile(client, file);
    const bytes = await heldBytes(stage.directory);
    program?.disconnect();
    return bytes;
  };
}

async function sendFile({ gateway, sshd }: Stage): Promise<{ readonly client: OutsideClient; readonly file: FileRef }> {
  const client = new OutsideClient(gateway);
  const file = { hostId: 'sshd', fullPath: `${sshd.root}/film`, hashCode: 'film' };
  const bytes = randomBytes(FILE_BYTES);
  await client.status(file, FILE_BYTES, { chunkSize: CHUNK_BYTES });
  for (let index = 1; index <= FILE_BYTES / CHUNK_BYTES; index += 1)
    await client.chunk(file, index, chunkOf(bytes, CHUNK_BYTES, index));
  return { client, file };
}

async function mergeForAWhile(client: OutsideClient, file: FileRef): Promise<void> {
  const { __typename: kind } = await client.merge(file, FILE_BYTES / CHUNK_BYTES);
  if (kind !== 'MergeStarted') throw new Error(`the merge is answered with ${kind}`);
  await sleep(WATCHED_SECONDS * 1_000);
}

/** A process of its own; resolves when all have subscribed. */
async function startViewers({ gateway }: Stage, manner: 'reading' | 'deaf', file: FileRef) {
  const url = `${gateway.url.replace('http', 'ws')}/graphql`;
  const args = [url, `${VIEWERS}`, manner, JSON.stringify(file)];
  const child = fork(fileURLToPath(new URL('viewers.mjs', import.meta.url)), args, { execArgv: [] });
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`the viewers' process ended with ${code}`);
  });
  await Promise.race([once(child, 'message'), failed]);
  // Its end is awaited by nobody from now on.
  failed.catch(() => undefined);
  return child;
}
