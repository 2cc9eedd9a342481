// Rows of results as Markdown: tables, and sentences that say who is faster.
import type { Kind } from './plots.js';
import { amount } from './plots.js';
import type { Row } from './stage.js';

/** What no tool is to be compared with. */
const LIMITS = ['cp', 'raw TCP'];

export const number = (row: Row | undefined, key: string): number => Number(row?.[key] ?? NaN);
export const rowOf = (rows: readonly Row[], what: string) => rows.find((row) => row.what === what);
export const kindOf = ({ what, ...row }: Row): Kind =>
  row['ours'] === 'yes' ? 'ours' : LIMITS.includes(what) ? 'limit' : 'peer';

export const mib = (rows: readonly Row[]): string => `${amount(number(rows[0], 'MiB'))} MiB`;

/** A tool on each line, a round trip in each column. */
export function farTable(rows: readonly Row[]): string {
  const trips = [...new Set(rows.map((row) => number(row, 'roundTripMs')))];
  const tools = [...new Set(rows.map(({ what }) => what))];
  const cell = (what: string, ms: number) => {
    const row = rows.find((one) => one.what === what && number(one, 'roundTripMs') === ms);
    return row === undefined
      ? ''
      : `${amount(number(row, 'median'))} (${amount(number(row, 'slowest'))}–${amount(number(row, 'fastest'))})`;
  };
  const sizes = trips.map((ms) => `${ms} ms, ${mib(rows.filter((row) => number(row, 'roundTripMs') === ms))}`);
  const head = `| MB/s | ${sizes.join(' | ')} |\n|---|${trips.map(() => '--:|').join('')}`;
  return [head, ...tools.map((what) => `| ${nameOf(what)} | ${trips.map((ms) => cell(what, ms)).join(' | ')} |`)].join('\n');
}

const HEADS: Readonly<Record<string, string>> = {
  ...{ what: '', median: 'median', slowest: 'slowest', fastest: 'fastest', ratio: 'ratio' },
  ...{
    clientSecondsPerGiB: 'client, s',
    gatewaySecondsPerGiB: 'gateway, s',
    hostSecondsPerGiB: 'host, s',
    clientToSftp: 'clientToSftp',
    gatewayToSftp: 'gatewayToSftp',
  },
  ...{
    idleMiB: 'idle, MiB',
    peakSendingOverIdleMiB: 'sending, over idle',
    peakMergingOverIdleMiB: 'merging, over idle',
    stillUnderWay: 'under way at the end',
  },
  ...{
    viewers: 'viewers',
    updatesPerSecond: 'states a second each',
    lagP50Ms: 'late p50, ms',
    lagP99Ms: 'p99',
    lagMaxMs: 'longest',
    heldKiBEach: 'held each, KiB',
  },
  ...{
    loopDelayP50Ms: 'event loop p50, ms',
    loopDelayP99Ms: 'event loop p99, ms',
    loopDelayMaxMs: 'longest, ms',
    peakOverIdleMiB: 'over idle, MiB',
  },
};

/** The columns that mean something to a reader, and that any row has. A rate's table has the delays in a place of their own. */
export function table(rows: readonly Row[]): string {
  const isRate = rows.some((row) => row['median'] !== undefined);
  const keys = Object.keys(HEADS).filter(
    (key) => rows.some((row) => row[key] !== undefined) && !(isRate && /^loop|^peak/.test(key)),
  );
  const unit = isRate ? String(rows[0]?.['unit']) : '';
  const head = keys.map((key) => (key === 'what' ? unit : HEADS[key])).join(' | ');
  const cell = (row: Row, key: string) => {
    const value = row[key];
    if (key === 'what') return nameOf(row.what);
    if (value === undefined) return '';
    return /ratio|ToSftp|Seconds/.test(key) ? Number(value).toFixed(2) : amount(Number(value));
  };
  const lines = rows.map((row) => `| ${keys.map((key) => cell(row, key)).join(' | ')} |`);
  return [
    `| ${head} |`,
    `|---|${keys
      .slice(1)
      .map(() => '--:|')
      .join('')}`,
    ...lines,
  ].join('\n');
}

const nameOf = (what: string) => (what.startsWith('longshore') ? `**${what}**` : what);

/** Who is faster, and who isn't. */
export function verdict(rows: readonly Row[], ours: string): string {
  const mine = number(rowOf(rows, ours), 'median');
  const rivals = rows
    .filter((row) => kindOf(row) === 'peer')
    .toSorted((one, other) => number(other, 'median') - number(one, 'median'));
  const told = (all: readonly Row[], by: (row: Row) => number) =>
    all.map((row) => `\`${row.what}\` (${by(row).toFixed(2)} ×)`).join(', ');
  const faster = rivals.filter((row) => number(row, 'median') > mine);
  const slower = rivals.filter((row) => number(row, 'median') <= mine);
  const lost =
    faster.length === 0
      ? 'None of them is faster.'
      : `Faster than \`${ours}\`: ${told(faster, (row) => number(row, 'median') / mine)}.`;
  return slower.length === 0
    ? lost
    : `${lost} \`${ours}\` is faster than ${told(slower, (row) => mine / number(row, 'median'))}.`;
}

export function farVerdicts(rows: readonly Row[]): string {
  const trips = [...new Set(rows.map((row) => number(row, 'roundTripMs')))];
  return trips
    .map(
      (ms) =>
        `${ms} ms: ${verdict(
          rows.filter((row) => number(row, 'roundTripMs') === ms),
          'longshore put',
        )}`,
    )
    .join('\n\n');
}

export function pick(row: Row, keys: readonly string[]): Readonly<Record<string, string | number>> {
  return Object.fromEntries(keys.flatMap((key) => (row[key] === undefined ? [] : [[key, row[key]]])));
}
