// How many round trips to the host each step of an upload waits for, one after the other: its time at a distance, by the distance.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { CHUNK, TestUpload, startServices } from '../test/assembly/support.js';
import { randomBytes } from 'node:crypto';
import { startSshd } from '../test/support/sshd.js';
import { sshdHostOptions } from '../test/support/sshd-host.js';
import { median } from './figures.js';
import type { Row } from './stage.js';

/** Long, so that what the machine itself takes counts little. */
const ROUND_TRIP_MS = 100;
const ROUNDS = 5;
const CHUNKS = 4;

export async function trips(): Promise<readonly Row[]> {
  const sshd = await startSshd();
  const far = fork(fileURLToPath(new URL('far.mjs', import.meta.url)), [`${sshd.port}`, `${ROUND_TRIP_MS}`], { execArgv: [] });
  const [port] = (await once(far, 'message')) as [number];
  const services = await startServices({ ...sshdHostOptions(sshd), port });
  const { longshore } = services;
  const counted = new Map<string, number[]>();
  const count = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    const began = performance.now();
    await work();
    counted.set(what, [...(counted.get(what) ?? []), (performance.now() - began) / ROUND_TRIP_MS]);
  };
  try {
    for (let round = 0; round <= ROUNDS; round += 1) {
      const film = new TestUpload({ hostId: 'sshd', root: sshd.root }, `film-${round}`, randomBytes(CHUNK * CHUNKS));
      // Everything about the host itself is found out once.
      if (round === 1) counted.clear();
      await count('uploadStatus', () => film.status(longshore));
      await count('uploadChunk, the first', () => film.put(longshore, 1));
      for (let index = 2; index <= CHUNKS; index += 1) await count('uploadChunk', () => film.put(longshore, index));
      await count('mergeFile', () => film.merge(longshore));
      await count('from there to DONE', () => film.watch(longshore));
    }
  } finally {
    await services.close();
    far.disconnect();
    await sshd.stop();
  }
  return [...counted].map(([what, trip]) => ({
    what,
    roundTrips: Math.round(median(trip) * 10) / 10,
    fewest: Math.round(Math.min(...trip) * 10) / 10,
    most: Math.round(Math.max(...trip) * 10) / 10,
  }));
}
