// Numbers, dates and tables for people.

import { widthOf } from './letters.js';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** Three figures are enough to read: `0 B`, `1.00 KiB`, `541 MiB`. */
export function formatBytes(bytes: number): string {
  let unit = 0;
  let value = bytes;
  // 999.5 would be rounded to four figures.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const decimals = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(decimals)} ${UNITS[unit] ?? ''}`;
}

export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

/** How long something took: `0.4 s`, then as `formatSeconds`. */
export function formatDuration(seconds: number): string {
  return seconds < 9.95 ? `${seconds.toFixed(1)} s` : formatSeconds(seconds);
}

/** How long something will still take: never `0:00`, since something is left. */
export function formatLeft(seconds: number): string {
  return `${formatSeconds(Math.max(1, Math.ceil(seconds)))} left`;
}

/** `0:09`, `12:40`, `3:07:55`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number) => String(value).padStart(2, '0');
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${two(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

/** Local time, to the minute: `2026-11-23 00:04`. */
export function formatDate(time: string | number): string {
  const date = new Date(time);
  const two = (value: number) => String(value).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/**
 * Rows below the names of their columns. Where that is wider than `columns`, each row is a block: its first cell, and under it the others
 * with their names, so that nothing is cut.
 */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[], columns = Infinity): string {
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => widthOf(row[i] ?? ''))));
  const asLine = (row: readonly string[]) =>
    row.map((cell, i) => cell + ' '.repeat((widths[i] ?? 0) - widthOf(cell))).join('  ');
  const isTooWide = widths.reduce((sum, width) => sum + width + 2, -2) > columns;
  const lines = isTooWide ? rows.flatMap((row) => blockOf(head, row, columns)) : [head, ...rows].map(asLine);
  return lines.map((line) => line.trimEnd()).join('\n');
}

function blockOf(head: readonly string[], [first = '', ...cells]: readonly string[], columns: number): string[] {
  const lines = [first];
  for (const [i, cell] of cells.entries()) {
    const fact = `  ${head[i + 1]?.toLowerCase() ?? ''}: ${cell}`;
    const last = lines.at(-1) ?? '';
    if (lines.length > 1 && widthOf(last + fact) <= columns) lines.splice(-1, 1, last + fact);
    else lines.push(fact);
  }
  return lines;
}

/** As the configuration has them, and as `curl` has: K, M and G are KiB, MiB and GiB. */
const SIZE = /^(\d+(?:\.\d+)?)\s*(?:([KMGT])(?:iB)?|B)?$/i;

/** Bytes of `10MiB`, `64 KiB`, `20M`, `1048576`; `undefined` when it isn't a size. */
export function parseSize(text: string): number | undefined {
  const match = SIZE.exec(text.trim());
  if (match === null) return undefined;
  const exponent = 'KMGT'.indexOf(match[2]?.toUpperCase() ?? '?') + 1;
  const bytes = Math.round(Number(match[1]) * 1024 ** exponent);
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined;
}
