// How long documents that ask for too much keep the gateway busy: the time until each is refused, and how late the event loop of the
// gateway's process gets meanwhile. One sender, one bomb after the other, as fast as they are answered.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bomb } from '../test/support/bombs.js';
import { BOMBS, HARD_NUTS } from '../test/support/bombs.js';
import { startGatewayProcess } from '../test/support/gateway-process.js';
import type { Row } from './stage.js';

const ROUNDS = 40;

/** In the gateway's process: writes the delay's percentiles, in ms, when it ends. */
const WATCH = `import { monitorEventLoopDelay } from 'node:perf_hooks';
import { writeFileSync } from 'node:fs';
const delay = monitorEventLoopDelay({ resolution: 1 });
setTimeout(() => delay.enable(), 1000);
process.on('exit', () => writeFileSync(process.env.DELAY_FILE, JSON.stringify({ p50: delay.percentile(50) / 1e6, p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 })));`;

export async function bombs(): Promise<readonly Row[]> {
  return [
    await measure('refused', Object.values(BOMBS)),
    await measure('the worst within the limits', Object.values(HARD_NUTS)),
  ];
}

async function measure(what: string, all: readonly Bomb[]): Promise<Row> {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-bombs-'));
  const delayFile = join(directory, 'delay.json');
  const watch = join(directory, 'watch.mjs');
  writeFileSync(watch, WATCH);
  const gateway = await startGatewayProcess({ directory, env: { DELAY_FILE: delayFile }, nodeOptions: ['--import', watch] });
  try {
    const times: number[] = [];
    await throwAll(gateway.url, all, 3); // Loads and compiles.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    for (let round = 0; round < ROUNDS; round += 1) times.push(...(await throwAll(gateway.url, all, round)));
    await gateway.stop();
    const delay = JSON.parse(readFileSync(delayFile, 'utf8')) as { p50: number; p99: number; max: number };
    times.sort((a, b) => a - b);
    const at = (part: number) => round1(times[Math.floor(times.length * part)] ?? 0);
    return {
      ...{ what, documents: times.length, answerP50Ms: at(0.5), answerP99Ms: at(0.99), answerMaxMs: round1(times.at(-1) ?? 0) },
      ...{ loopDelayP50Ms: round1(delay.p50), loopDelayP99Ms: round1(delay.p99), loopDelayMaxMs: round1(delay.max) },
    };
  } finally {
    await gateway.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Resolves with how long each took, ms. The number in the comment makes each document a new one. */
async function throwAll(url: string, all: readonly Bomb[], round: number): Promise<number[]> {
  const times: number[] = [];
  for (const { query, variables } of all) {
    const body = JSON.stringify({ query: `${query} #${round}`, variables });
    const beganAt = performance.now();
    const answer = await fetch(`${url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    await answer.text();
    times.push(performance.now() - beganAt);
  }
  return times;
}

const round1 = (ms: number) => Math.round(ms * 10) / 10;
