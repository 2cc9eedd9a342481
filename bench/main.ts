// npm run bench            all of them
// npm run bench -- memory  one
// Each prints a table and writes bench/results/NAME.json with the machine and the commit.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { bombs } from './bombs.js';
import { memory } from './memory.js';
import { merge } from './merge.js';
import { pool } from './pool.js';
import { far, file } from './file.js';
import type { Benchmark } from './stage.js';
import { trips } from './trips.js';

const BENCHMARKS: Readonly<Record<string, Benchmark>> = { file, far, pool, merge, memory, bombs, trips };

function machine() {
  const [cpu] = cpus();
  return {
    cpu: cpu?.model.trim(),
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
    at: new Date().toISOString(),
  };
}

const results = fileURLToPath(new URL('results/', import.meta.url));
const names = process.argv.slice(2);
const unknown = names.filter((name) => !(name in BENCHMARKS));
if (unknown.length > 0) throw new Error(`no benchmark ${unknown.join(', ')}; there are ${Object.keys(BENCHMARKS).join(', ')}`);
for (const [name, run] of Object.entries(BENCHMARKS)) {
  if (names.length > 0 && !names.includes(name)) continue;
  console.log(`\n${name}`);
  const rows = await run();
  console.table(rows);
  mkdirSync(results, { recursive: true });
  writeFileSync(`${results}${name}.json`, `${JSON.stringify({ machine: machine(), rows }, undefined, 2)}\n`);
}
