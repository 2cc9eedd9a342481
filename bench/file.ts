// One file until it is whole on the host, by each tool in turn: on loopback, and at distances.
import { randomBytes } from 'node:crypto';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PEERS, takeAway } from './peers.js';
import type { Peer } from './peers.js';
import type { Row } from './stage.js';
import { median, setStage } from './stage.js';

const MIB = 2 ** 20;
/** Smaller than the issue of real life at long distances, where the slowest tools take minutes: LONGSHORE_BENCH_MIB=1024 for all. */
const MIB_AT: Readonly<Record<number, number>> = { 0: 1_024, 10: 512, 50: 256, 100: 128, 200: 128 };
const ROUNDS = Number(process.env['LONGSHORE_BENCH_ROUNDS'] ?? 5);

/** What `cp` takes at a distance says nothing. */
const isAsked = ({ name }: Peer, roundTripMs: number) => roundTripMs === 0 || name !== 'cp';

export const file = () => measure(0);

export async function far(): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const roundTripMs of [10, 50, 100, 200]) rows.push(...(await measure(roundTripMs)));
  return rows;
}

async function measure(roundTripMs: number): Promise<readonly Row[]> {
  const bytes = Number(process.env['LONGSHORE_BENCH_MIB'] ?? MIB_AT[roundTripMs]) * MIB;
  const stage = await setStage({ roundTripMs });
  try {
    const path = join(stage.directory, 'file');
    writeFileSync(path, '');
    for (let done = 0; done < bytes; done += 64 * MIB) appendFileSync(path, randomBytes(Math.min(64 * MIB, bytes - done)));
    const only = process.env['LONGSHORE_BENCH_PEERS']?.split(',');
    const peers = PEERS.filter((peer) => isAsked(peer, roundTripMs) && (only?.includes(peer.name) ?? true));
    const seconds = new Map<Peer, number[]>(peers.map((peer) => [peer, []]));
    for (let round = 0; round < ROUNDS; round += 1) {
      // In another order each time: what one leaves in the caches another finds.
      for (const peer of [...peers.slice(round % peers.length), ...peers.slice(0, round % peers.length)]) {
        const began = performance.now();
        const there = await peer.put(path, stage);
        seconds.get(peer)?.push((performance.now() - began) / 1_000);
        takeAway(there, bytes);
      }
    }
    const mbsOf = (times: readonly number[]) => times.map((time) => bytes / 1e6 / time);
    const base = median(mbsOf(seconds.get(peers[0] as Peer) ?? []));
    return [...seconds].map(([{ name }, times]) => ({
      roundTripMs,
      what: name,
      MiB: bytes / MIB,
      medianMBs: round1(median(mbsOf(times))),
      slowestMBs: round1(Math.min(...mbsOf(times))),
      fastestMBs: round1(Math.max(...mbsOf(times))),
      ratioToSftp: Number((median(mbsOf(times)) / base).toFixed(2)),
    }));
  } finally {
    await stage.stop();
  }
}

const round1 = (value: number) => Math.round(value * 10) / 10;
