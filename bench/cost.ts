// What a GiB costs on loopback, in CPU seconds: of the client, of the gateway, and of the host's sessions. Whatever the rate.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFile } from './content.js';
import { cpuSeconds, endedChildrenCpuSeconds, watchCpu } from './cpu.js';
import { median, round2 } from './figures.js';
import type { Peer } from './peers.js';
import { LONGSHORE, RCLONE, SFTP, SFTP_AES_GCM, takeAway } from './peers.js';
import { ROUNDS, mibOf } from './settings.js';
import type { Row, Stage } from './stage.js';
import { setStage } from './stage.js';

const MIB = 2 ** 20;

interface Cost {
  readonly client: number;
  readonly gateway: number;
  readonly host: number;
}

export async function cost(): Promise<readonly Row[]> {
  const MiB = mibOf(1_024);
  const stage = await setStage();
  try {
    const path = join(stage.directory, 'file');
    makeFile(path, MiB * MIB);
    const costs = new Map<Peer, Cost[]>([SFTP, SFTP_AES_GCM, RCLONE, LONGSHORE].map((peer) => [peer, []]));
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [peer, all] of costs) all.push(await costOf(peer, path, stage));
    }
    const mediansOf = (all: readonly Cost[]): Cost => {
      const of = (key: keyof Cost) => round2((median(all.map((one) => one[key])) * 1_024) / MiB);
      return { client: of('client'), gateway: of('gateway'), host: of('host') };
    };
    const { client: openSsh } = mediansOf(costs.get(SFTP) ?? []);
    return [...costs].map(([{ name, isOurs = false }, all]) => {
      const { client, gateway, host } = mediansOf(all);
      const seconds = { clientSecondsPerGiB: client, gatewaySecondsPerGiB: gateway, hostSecondsPerGiB: host };
      const ratios = { clientToSftp: round2(client / openSsh), gatewayToSftp: round2(gateway / openSsh) };
      return { what: name, ...(isOurs ? { ours: 'yes' } : {}), ...seconds, ...ratios, MiB, runs: all.length };
    });
  } finally {
    await stage.stop();
  }
}

async function costOf(peer: Peer, path: string, stage: Stage): Promise<Cost> {
  const { gateway, sshd } = stage;
  const sessions = new Set(sshd.children());
  const host = watchCpu(() => sshd.children());
  const before = { client: endedChildrenCpuSeconds(), gateway: cpuSeconds(gateway.pid) };
  const there = await peer.put(path, stage);
  const client = endedChildrenCpuSeconds() - before.client;
  // A session works a moment longer than its client. The gateway's stay.
  while (peer.isOurs !== true && sshd.children().some((pid) => !sessions.has(pid))) await sleep(20);
  const spent = { client, gateway: cpuSeconds(gateway.pid) - before.gateway, host: host() };
  if (spent.client <= 0 || spent.host <= 0) throw new Error(`${peer.name} cost nothing, which can't be`);
  takeAway(there, { files: 1, bytes: statSync(path).size });
  return spent;
}
