// Many chunks at once to one host, with one connection and with as many as the pool likes, in turn: on a long way, on a long way whose
// link is full, and on none, where there must be no second one. Proxy, client and sshd share the machine: trust the ratios.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { joinPath, type RemotePath } from '../src/core/remote-path.js';
import { createHostRepository } from '../src/sftp/host-repository.js';
import { DEFAULT_LIMITS } from '../src/sftp/limits.js';
import { MIB, randomContent } from '../test/support/bytes.js';
import { type ProxyOptions, startProxy } from '../test/support/proxy.js';
import { keptLog, realClock } from '../test/support/roles.js';
import { type Sshd, startSshd } from '../test/support/sshd.js';
import { sshdHostOptions } from '../test/support/sshd-host.js';
import { median } from './figures.js';
import type { Row } from './stage.js';

const CHUNK_BYTES = 4 * MIB;
const AT_ONCE = 16;
const FILE_BYTES = 768 * MIB;
const ROUNDS = 3;
/** What TCP has under way with the buffers that Linux grants by default. */
const WINDOW_BYTES = 3 * MIB;

const WAYS: Readonly<Record<string, ProxyOptions>> = {
  'round trip 50 ms': { delayMs: 25, windowBytes: WINDOW_BYTES },
  'round trip 50 ms, link of 50 MB/s': { delayMs: 25, windowBytes: WINDOW_BYTES, bytesPerSecond: 50e6 },
  loopback: {},
};

interface Run {
  readonly mbs: number;
  readonly connections: number;
}

export async function pool(): Promise<readonly Row[]> {
  const sshd = await startSshd();
  try {
    const rows: Row[] = [];
    for (const [what, way] of Object.entries(WAYS)) {
      const one: Run[] = [];
      const many: Run[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        one.push(await send(sshd, way, 1));
        many.push(await send(sshd, way, DEFAULT_LIMITS.maxConnections));
      }
      const [oneMBs, manyMBs] = [one, many].map((runs) => median(runs.map(({ mbs }) => mbs)));
      if (oneMBs === undefined || manyMBs === undefined) throw new Error('there were no runs');
      rows.push({
        what,
        oneConnectionMBs: Math.round(oneMBs),
        poolMBs: Math.round(manyMBs),
        ratio: Number((manyMBs / oneMBs).toFixed(2)),
        connections: median(many.map(({ connections }) => connections)),
      });
    }
    return rows;
  } finally {
    await sshd.stop();
  }
}

async function send(sshd: Sshd, way: ProxyOptions, maxConnections: number): Promise<Run> {
  const proxy = await startProxy(sshd, way);
  const repository = createHostRepository({
    hosts: [{ ...sshdHostOptions(sshd), port: proxy.port }],
    clock: realClock,
    log: keptLog(),
    limits: { maxConnections },
  });
  const path = joinPath(sshd.root as RemotePath, 'file');
  let next = 0;
  const work = async (): Promise<void> => {
    for (let offset = next; offset < FILE_BYTES; offset = next) {
      next += CHUNK_BYTES;
      await repository.use('sshd', async (host) => {
        const file = await host.open(path, 'write');
        await file.write(offset, randomContent(CHUNK_BYTES).pieces, { signal: new AbortController().signal });
        await file.close();
      });
    }
  };
  try {
    await repository.use('sshd', async (host) => (await host.open(path, 'create')).close());
    const began = performance.now();
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return { mbs: FILE_BYTES / 1e3 / (performance.now() - began), connections: proxy.accepted() };
  } finally {
    await repository.close();
    await proxy.stop();
    rmSync(join(sshd.root, 'file'), { force: true });
  }
}
