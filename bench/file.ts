// One file until it is whole on the host, by each tool in turn: on loopback, and at distances.
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { makeFile } from './content.js';
import type { Contender } from './contest.js';
import { contest } from './contest.js';
import { FILE_PEERS, takeAway } from './peers.js';
import { mibOf } from './settings.js';
import type { Row } from './stage.js';
import { setStage } from './stage.js';

const MIB = 2 ** 20;
const FILE_MIB = 1_024;
/** So many tools that only wait for answers take no more than half of a core. */
const AT_ONCE: Readonly<Record<number, number>> = { 100: 3, 200: 5 };

/** Distances to the host, beside none. */
export const ROUND_TRIPS_MS = [10, 50, 100, 200] as const;

export async function fileAt(roundTripMs: number): Promise<readonly Row[]> {
  const MiB = mibOf(FILE_MIB);
  const stage = await setStage({ roundTripMs });
  try {
    const path = join(stage.directory, 'file');
    makeFile(path, MiB * MIB);
    const peers = FILE_PEERS.map((peer): Contender => ({
      ...peer,
      async run() {
        const there = await peer.put(path, stage);
        return () => takeAway(there, { files: 1, bytes: MiB * MIB });
      },
    }));
    const far = [...peers.filter(({ name }) => name !== 'cp' && !isTooFar(name, roundTripMs)), rawTcp(path)];
    const contenders = roundTripMs === 0 ? peers : far;
    const atOnce = AT_ONCE[roundTripMs] ?? 1;
    const rows = await contest(stage, { contenders, amount: (MiB * MIB) / 1e6, unit: 'MB/s', atOnce });
    return rows.map((row) => ({ roundTripMs, ...row, MiB }));
  } finally {
    await stage.stop();
  }
}

/** It has half a MiB under way at most: a GiB would take minutes. */
function isTooFar(name: string, roundTripMs: number): boolean {
  return name === 'lftp' && roundTripMs > 10;
}

/** What the line takes: one connection, and nobody who keeps the bytes. */
function rawTcp(path: string): Contender {
  return {
    name: 'raw TCP',
    async run({ sink }) {
      const line = connect(sink, '127.0.0.1');
      const closed = once(line.resume(), 'end');
      await pipeline(createReadStream(path, { highWaterMark: MIB }), line, { end: true });
      await closed;
      return () => undefined;
    },
  };
}
