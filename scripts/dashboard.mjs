// Draws docs/images/dashboard.svg: puts load on a gateway of its own, reads its metrics once a second, and evaluates the queries of
// examples/operations/dashboard.json on them. Needs a build: node scripts/dashboard.mjs [SECONDS]
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { BlobSource, Uploader } from '../dist/client/index.js';
import { drawPanels } from './dashboard-panels.mjs';
import { evaluate, samplesOf } from './dashboard-queries.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const SECONDS = Number(process.argv[2] ?? 90);
const MIB = 2 ** 20;

const { panels } = JSON.parse(readFileSync(`${root}examples/operations/dashboard.json`, 'utf8'));
const looks = await observe();
const drawn = panels.map(({ title, fieldConfig, targets }) => {
  const series = targets.flatMap(({ expr, legendFormat }) => seriesOf(expr, legendFormat));
  return { title, unit: fieldConfig.defaults.unit, series };
});
writeFileSync(`${root}docs/images/dashboard.svg`, drawPanels(drawn, SECONDS));

/** For each set of labels that the query gave at any time: its legend, and its values by second. */
function seriesOf(expr, legendFormat) {
  const byLegend = new Map();
  for (const at of looks.keys()) {
    for (const { labels, value } of evaluate(expr, looks, at)) {
      const legend = legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, name) => labels[name] ?? '');
      const points = byLegend.get(legend) ?? [];
      byLegend.set(legend, points);
      if (Number.isFinite(value)) points.push([looks[at].seconds, value]);
    }
  }
  return [...byLegend].map(([legend, points]) => ({ legend, points }));
}

/** A look at the metrics each second, while persons upload to a host that is there and one that isn't. */
async function observe() {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-dashboard-'));
  const gateway = await startGateway(directory);
  const over = new AbortController();
  try {
    const load = [
      uploading(gateway, over.signal, { person: 'ann', from: 0, to: 1, mebibytes: 24, pauseMs: 300 }),
      uploading(gateway, over.signal, { person: 'bob', from: 0.25, to: 0.75, mebibytes: 96, pauseMs: 100 }),
      uploading(gateway, over.signal, { person: 'eve', from: 0.35, to: 0.6, mebibytes: 48, pauseMs: 0 }),
      uploading(gateway, over.signal, { person: 'dan', from: 0.5, to: 0.6, mebibytes: 8, pauseMs: 500, host: 'archive' }),
    ];
    const found = [];
    const beganAt = performance.now();
    while (performance.now() - beganAt < SECONDS * 1_000) {
      const text = await (await globalThis.fetch(`${gateway.url}/metrics`)).text();
      found.push({ seconds: (performance.now() - beganAt) / 1_000, samples: samplesOf(text, { instance: 'gateway-1' }) });
      await sleep(1_000);
    }
    over.abort();
    await Promise.allSettled(load);
    return found;
  } finally {
    over.abort();
    await gateway.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** One file after the other, from one part of the time to another. */
async function uploading({ url }, signal, { person, from, to, mebibytes, pauseMs, host = 'local' }) {
  await sleep(from * SECONDS * 1_000, undefined, { signal });
  const until = performance.now() + (to - from) * SECONDS * 1_000;
  const uploader = new Uploader({ endpoint: `${url}/graphql`, personId: person, chunkSize: 2 * MIB });
  for (let count = 0; performance.now() < until && !signal.aborted; count += 1) {
    const source = new BlobSource(new globalThis.File([randomBytes(mebibytes * MIB)], 'film.mov'));
    const upload = uploader.upload(source, {
      host,
      path: `${host === 'archive' ? '/srv' : '/inbox'}/${person}-${count}.mov`,
      ifExists: 'replace',
    });
    const stop = () => upload.stop();
    signal.addEventListener('abort', stop, { once: true });
    const late = setTimeout(stop, until - performance.now() + 1_000);
    await upload.done.catch(() => undefined); // Stopped, or the host is away: that is to be seen.
    clearTimeout(late);
    signal.removeEventListener('abort', stop);
    await sleep(pauseMs);
  }
}

async function startGateway(directory) {
  const away = { address: '127.0.0.1', port: 1, username: 'u', password: 'p', hostKeys: [`SHA256:${'A'.repeat(43)}`] };
  const hosts = [
    { id: 'local', embedded: { directory: './data', port: 0 }, roots: ['/'] },
    { id: 'archive', ...away, roots: ['/srv'] },
  ];
  writeFileSync(join(directory, 'longshore.yaml'), JSON.stringify({ listen: { port: 0 }, hosts }));
  const child = spawn(process.execPath, [`${root}dist/main.js`], { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const url = await new Promise((resolve, reject) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      const { msg, url: at } = JSON.parse(line);
      if (msg === 'listening') resolve(at);
    });
    child.once('exit', () => reject(new Error('the gateway did not start')));
  });
  const stop = async () => {
    child.kill('SIGTERM');
    await exited;
  };
  return { url, stop };
}
