// How long documents that ask for too much keep the gateway busy: the time until each is refused, and how late the event loop of the
// gateway's process gets meanwhile. One sender, one bomb after the other, as fast as they are answered.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bomb } from '../test/support/bombs.js';
import { BOMBS, HARD_NUTS } from '../test/support/bombs.js';
import { startGatewayProcess } from '../test/support/gateway-process.js';
import { quantile, round1 } from './figures.js';
import type { Row } from './stage.js';
import { watchVitals, watched } from './vitals.js';

const ROUNDS = 40;

export async function bombs(): Promise<readonly Row[]> {
  return [
    await measure('refused', Object.values(BOMBS)),
    await measure('the worst within the limits', Object.values(HARD_NUTS)),
  ];
}

async function measure(what: string, all: readonly Bomb[]): Promise<Row> {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-bombs-'));
  const gateway = await startGatewayProcess(watched(directory));
  try {
    await throwAll(gateway.url, all, 3); // Loads and compiles.
    const watch = await watchVitals(directory);
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) times.push(...(await throwAll(gateway.url, all, round)));
    const { loopDelayP50Ms, loopDelayP99Ms, loopDelayMaxMs } = await watch();
    return {
      ...{ what, documents: times.length },
      ...{
        answerP50Ms: round1(quantile(times, 0.5)),
        answerP99Ms: round1(quantile(times, 0.99)),
        answerMaxMs: round1(Math.max(...times)),
      },
      ...{
        loopDelayP50Ms: round1(loopDelayP50Ms),
        loopDelayP99Ms: round1(loopDelayP99Ms),
        loopDelayMaxMs: round1(loopDelayMaxMs),
      },
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
