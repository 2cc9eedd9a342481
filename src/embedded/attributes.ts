// File attributes: draft-ietf-secsh-filexfer-02 section 5.
import type { Stats } from 'node:fs';
import { bytesOf, string, uint32, uint64, type ByteText, type FieldReader } from './wire.js';

const Flag = { size: 0x1, uidGid: 0x2, permissions: 0x4, times: 0x8, extended: 0x80000000 } as const;

/** What a request asks for; undefined: not mentioned. */
export interface WantedAttributes {
  readonly size: number | undefined;
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  /** Permission bits, 0 … 0o7777. */
  readonly mode: number | undefined;
  /** Epoch seconds. */
  readonly times: { readonly accessed: number; readonly modified: number } | undefined;
}

export function readAttributes(fields: FieldReader): WantedAttributes {
  const flags = fields.uint32();
  const size = flags & Flag.size ? fields.uint64() : undefined;
  const owner = flags & Flag.uidGid ? { uid: fields.uint32(), gid: fields.uint32() } : undefined;
  const mode = flags & Flag.permissions ? fields.uint32() & 0o7777 : undefined;
  const times = flags & Flag.times ? { accessed: fields.uint32(), modified: fields.uint32() } : undefined;
  if (flags & Flag.extended) skipExtended(fields);
  return { size, owner, mode, times };
}

function skipExtended(fields: FieldReader): void {
  for (let left = fields.uint32(); left > 0; left -= 1) {
    fields.bytes();
    fields.bytes();
  }
}

export function attributesOf(stats: Stats): Buffer {
  return Buffer.concat([
    uint32(Flag.size | Flag.uidGid | Flag.permissions | Flag.times),
    uint64(stats.size),
    uint32(stats.uid),
    uint32(stats.gid),
    uint32(stats.mode),
    uint32(wholeSeconds(stats.atimeMs)),
    uint32(wholeSeconds(stats.mtimeMs)),
  ]);
}

/** Version 3 counts seconds in 32 bits without sign. */
function wholeSeconds(epochMs: number): number {
  return Math.min(Math.max(Math.floor(epochMs / 1000), 0), 0xffffffff);
}

/** One entry of a NAME reply: name, the line `ls -l` would print (section 7), attributes. */
export function nameEntry(name: ByteText, stats: Stats, nowMs: number): Buffer {
  const longName = Buffer.concat([Buffer.from(longNamePrefix(stats, nowMs)), bytesOf(name)]);
  return Buffer.concat([string(name), string(longName), attributesOf(stats)]);
}

/** A name alone, as REALPATH and READLINK answer it: the attributes are a dummy there. */
export function bareNameEntry(name: ByteText): Buffer {
  return Buffer.concat([string(name), string(name), uint32(0)]);
}

function longNamePrefix(stats: Stats, nowMs: number): string {
  const links = String(stats.nlink).padStart(4);
  const owner = `${String(stats.uid).padEnd(8)} ${String(stats.gid).padEnd(8)}`;
  return `${modeText(stats)} ${links} ${owner} ${String(stats.size).padStart(8)} ${dateText(stats.mtime, nowMs)} `;
}

function modeText(stats: Stats): string {
  const bit = (mask: number, letter: string): string => (stats.mode & mask ? letter : '-');
  const execute = (mask: number, special: number, letter: string): string => {
    if (!(stats.mode & special)) return bit(mask, 'x');
    return stats.mode & mask ? letter : letter.toUpperCase();
  };
  return [
    kindLetter(stats),
    bit(0o400, 'r') + bit(0o200, 'w') + execute(0o100, 0o4000, 's'),
    bit(0o040, 'r') + bit(0o020, 'w') + execute(0o010, 0o2000, 's'),
    bit(0o004, 'r') + bit(0o002, 'w') + execute(0o001, 0o1000, 't'),
  ].join('');
}

function kindLetter(stats: Stats): string {
  if (stats.isFile()) return '-';
  if (stats.isDirectory()) return 'd';
  if (stats.isSymbolicLink()) return 'l';
  if (stats.isFIFO()) return 'p';
  if (stats.isSocket()) return 's';
  if (stats.isCharacterDevice()) return 'c';
  return 'b';
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;
/** `ls` shows the year instead of the hour once a file is half a year old. */
const HALF_YEAR_MS = (365.25 / 2) * 24 * 3600 * 1000;

function dateText(date: Date, nowMs: number): string {
  const ageMs = nowMs - date.getTime();
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${MONTHS[date.getMonth()] ?? '???'} ${String(date.getDate()).padStart(2)}`;
  if (ageMs > HALF_YEAR_MS || ageMs < -HALF_YEAR_MS) return `${day}  ${date.getFullYear()}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}
