// npm run bench            all of them
// npm run bench -- memory  one
// npm run bench -- page    makes docs/performance.md and its pictures of what was measured last
// Each prints a table and writes bench/results/NAME.json with the machine and the commit. settings.ts has what makes a run smaller.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { bombs } from './bombs.js';
import { cost } from './cost.js';
import { ROUND_TRIPS_MS, fileAt } from './file.js';
import { many, small } from './many.js';
import { memory } from './memory.js';
import { merge } from './merge.js';
import { makePage } from './page.js';
import { peerVersions } from './peers.js';
import { pool } from './pool.js';
import { RESULTS, TRIAL } from './settings.js';
import type { Benchmark } from './stage.js';
import { trips } from './trips.js';
import { viewers } from './viewers.js';

const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  file: () => fileAt(0),
  ...Object.fromEntries(ROUND_TRIPS_MS.map((ms) => [`far-${ms}`, () => fileAt(ms)])),
  ...{ small, many, cost, memory, viewers },
  ...{ trips, pool, merge, bombs },
};

function machine() {
  const [cpu] = cpus();
  return {
    cpu: cpu?.model.trim(),
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    ...peerVersions(),
    commit: commit(),
    at: new Date().toISOString(),
  };
}

/** And whether what is measured is what was committed. */
function commit(): string {
  const [head = '', changes = ''] = [
    ['rev-parse', '--short', 'HEAD'],
    ['status', '--porcelain', '--', 'src', 'package-lock.json'],
  ].map((args) => execFileSync('git', args, { encoding: 'utf8' }).trim());
  return changes === '' ? head : `${head}, changed`;
}

const names = process.argv.slice(2);
const known = [...Object.keys(BENCHMARKS), 'page'];
const unknown = names.filter((name) => !known.includes(name));
if (unknown.length > 0) throw new Error(`no benchmark ${unknown.join(', ')}; there are ${known.join(', ')}`);
for (const [name, run] of Object.entries(BENCHMARKS)) {
  if (names.length > 0 && !names.includes(name)) continue;
  console.log(`\n${name}`);
  const by = machine();
  const rows = await run();
  console.table(rows);
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(join(RESULTS, `${name}.json`), `${JSON.stringify({ machine: by, trial: TRIAL, rows }, undefined, 2)}\n`);
}
if (names.includes('page')) makePage();
