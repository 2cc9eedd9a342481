// What docs/operations.md and the dashboard say of metrics and log events is what the code has, no less and no more.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { createInstruments } from '../../src/metrics/instruments.js';
import { Metrics } from '../../src/metrics/metrics.js';
import { parseExposition } from '../support/exposition.js';
import { logCalls } from './log-calls.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(`${root}docs/operations.md`, 'utf8');

/** The rows of the table with this head, their cells without backticks. */
function rowsBelow(head: string): readonly (readonly string[])[] {
  const lines = page.slice(page.indexOf(head)).split('\n');
  const end = lines.findIndex((line) => !line.startsWith('|'));
  const rows = lines.slice(2, end).map((line) => line.slice(1, -1).split('|'));
  return rows.map((cells) => cells.map((cell) => cell.trim().replaceAll('`', '')));
}

interface Instrument {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
}

const instruments = Object.values(createInstruments(new Registry())) as unknown as readonly Instrument[];

it('the table of metrics is that of the code', () => {
  const actual = instruments.map((instrument) => {
    const { name, help, labelNames } = instrument;
    return [name, instrument.constructor.name.toLowerCase(), labelNames.join(', '), help];
  });
  expect(rowsBelow('| metric | type |').toSorted()).toEqual(actual.toSorted());
});

it('the table of log events is what the code says to its log', () => {
  const calls = logCalls(`${root}src`, ['cli', 'client', 'web']);
  const rows = rowsBelow('| event | level |').map(([event, level, meaning, fields = '']) => ({
    key: `${level} ${event}`,
    meaning,
    fields: fields.split(', ').filter((name) => name !== ''),
  }));
  expect(rows.map(({ key }) => key).toSorted()).toEqual(
    [...new Set(calls.map(({ level, event }) => `${level} ${event}`))].toSorted(),
  );
  for (const { key, meaning, fields } of rows) {
    const own = calls.filter(({ level, event }) => `${level} ${event}` === key);
    const named = new Set(own.flatMap((call) => [...call.fields]));
    expect(meaning, key).not.toBe('');
    // What comes by a spread has names that only the page tells.
    const told = own.some(({ isOpen }) => isOpen) ? fields.filter((name) => named.has(name)) : fields;
    expect([key, ...told.toSorted()]).toEqual([key, ...[...named].toSorted()]);
  }
});

it('the dashboard and the alarms ask for metrics and labels that there are', async () => {
  const { text } = await new Metrics({ ofProcess: true }).read();
  const families = parseExposition(text);
  const labels = new Set(['le', 'instance', ...instruments.flatMap(({ labelNames }) => labelNames)]);
  const dashboard = JSON.parse(readFileSync(`${root}examples/operations/dashboard.json`, 'utf8')) as Dashboard;
  const queries = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  const alarms = rowsBelow('| when | because |').flat();
  const asked = [...queries, ...alarms].flatMap((query) => query.match(/\b(?:longshore|process|nodejs)_[a-z_0-9]+/g) ?? []);
  const missing = asked.filter((name) => {
    const [, family = name] = /^(.*)_(?:bucket|sum|count)$/.exec(name) ?? [];
    return families.get(family) === undefined || (family !== name && families.get(family)?.type !== 'histogram');
  });
  expect(missing).toEqual([]);
  const groups = queries.flatMap((query) =>
    [...query.matchAll(/by \(([^)]*)\)/g)].flatMap(([, names = '']) => names.split(', ')),
  );
  const legends = dashboard.panels.flatMap(({ targets }) =>
    targets.flatMap(({ legendFormat }) => [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, name = '']) => name)),
  );
  expect([...groups, ...legends].filter((name) => !labels.has(name))).toEqual([]);
  // Each of ours is to be seen.
  expect(instruments.map(({ name }) => name).filter((name) => !queries.some((query) => query.includes(name)))).toEqual([]);
});

interface Dashboard {
  readonly panels: readonly { readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[] }[];
}
