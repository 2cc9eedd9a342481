// How a gateway's process feels while it works: its event loop's delay and its memory, seen from inside by vitals.mjs.
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { GatewayProcessOptions } from '../test/support/gateway-process.js';
import { median, round1 } from './figures.js';

export interface Vitals {
  readonly loopDelayP50Ms: number;
  readonly loopDelayP99Ms: number;
  readonly loopDelayMaxMs: number;
  /** The most that was resident. */
  readonly peakBytes: number;
}

/** What `startGatewayProcess` needs for the gateway in that directory to be watched. */
export function watched(directory: string): Required<GatewayProcessOptions> {
  const watch = fileURLToPath(new URL('vitals.mjs', import.meta.url));
  return { directory, env: { VITALS_SOCKET: socketIn(directory) }, nodeOptions: ['--import', watch] };
}

/** Watches the gateway in that directory from now until the function that it gives is called. */
export async function watchVitals(directory: string): Promise<() => Promise<Vitals>> {
  const watching = connect({ path: socketIn(directory), allowHalfOpen: true });
  await once(watching, 'readable');
  return async () => {
    watching.end();
    return JSON.parse(await text(watching)) as Vitals;
  };
}

/** What JavaScript holds in the gateway in that directory, with its buffers, once all garbage is collected. */
export async function heldBytes(directory: string): Promise<number> {
  const asking = connect({ path: socketIn(directory), allowHalfOpen: true });
  asking.end('held');
  return (JSON.parse(await text(asking)) as { heldBytes: number }).heldBytes;
}

/** The columns of a row: medians over its turns, and what was worst in any. */
export function columnsOf(all: readonly Vitals[], idleBytes: number): Readonly<Record<string, number>> {
  if (all.length === 0) return {};
  const of = (key: keyof Vitals) => all.map((vitals) => vitals[key]);
  return {
    loopDelayP50Ms: round1(median(of('loopDelayP50Ms'))),
    loopDelayP99Ms: round1(median(of('loopDelayP99Ms'))),
    loopDelayMaxMs: round1(Math.max(...of('loopDelayMaxMs'))),
    peakOverIdleMiB: Math.max(0, Math.round((Math.max(...of('peakBytes')) - idleBytes) / 2 ** 20)),
  };
}

const socketIn = (directory: string) => join(directory, 'vitals');
