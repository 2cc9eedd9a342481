// Loaded into the gateway's process with --import: how late its event loop gets, and the most memory it holds, while somebody is
// connected to the socket VITALS_SOCKET. Who has seen enough closes his half, and is told in one line of JSON. Who says something before
// wants all garbage to be collected first, and is told what is left.
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Seldom enough to cost nothing that could be measured. What a tick takes longer than this is the delay. */
const TICK_MS = 5;

const server = createServer({ allowHalfOpen: true }, (watcher) => {
  const ticks = monitorEventLoopDelay({ resolution: TICK_MS });
  ticks.enable();
  // The peak counts from now on: proc(5).
  writeFileSync('/proc/self/clear_refs', '5');
  watcher.on('error', () => undefined);
  watcher.write('\n');
  let wantsHeld = false;
  watcher.once('data', () => (wantsHeld = true));
  watcher.once('end', () => {
    ticks.disable();
    const late = (ns) => Math.max(0, ns / 1e6 - TICK_MS);
    const [p50, p99] = [50, 99].map((percentile) => late(ticks.percentile(percentile)));
    const vitals = { loopDelayP50Ms: p50, loopDelayP99Ms: p99, loopDelayMaxMs: late(ticks.max), peakBytes: peakBytes() };
    watcher.end(JSON.stringify({ ...vitals, ...(wantsHeld ? { heldBytes: heldBytes() } : {}) }));
  });
});
server.listen(process.env.VITALS_SOCKET);
server.unref();

function peakBytes() {
  const [, kib] = /^VmHWM:\s*(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(kib) * 1_024;
}

function heldBytes() {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
