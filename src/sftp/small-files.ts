// Small files whole, in as few round trips as the protocol allows: what depends on nothing but the order is asked for at once.
import { isFault } from '../core/problems.js';
import type { RemotePath } from '../core/remote-path.js';
import { settled } from '../core/settled.js';
import type { Channel } from './channel.js';
import * as requests from './requests.js';
import { OpenFlag } from './requests.js';

/** For reading and writing, what wasn't there. */
export const CREATE = OpenFlag.read | OpenFlag.write | OpenFlag.create | OpenFlag.exclusive;
/** For our account alone. */
export const PRIVATE = { mode: 0o600 } as const;

/** Two round trips. See `Host.readFile`. To open a FIFO for reading would hold the whole session up; for writing, too, it does not. */
export async function readWhole(channel: Channel, path: RemotePath, maxBytes: number): Promise<Uint8Array | undefined> {
  const what = `read ${path}`;
  const [looked, opened] = await Promise.allSettled([
    channel.call(what, requests.lstat(path)),
    channel.call(what, requests.open(path, OpenFlag.read | OpenFlag.write)),
  ]);
  const isFile = looked.status === 'fulfilled' && looked.value.kind === 'file';
  if (!isFile || opened.status === 'rejected') {
    if (opened.status === 'fulfilled') closeQuietly(channel, opened.value);
    if (looked.status === 'rejected') return throwUnlessMissing(looked.reason);
    if (!isFile) return undefined;
  }
  // Some hosts take no writes to a file that is there.
  const handle = opened.status === 'fulfilled' ? opened.value : await openForReading(channel, path);
  if (handle === undefined) return undefined;
  try {
    return await readUpTo(channel, handle, { what, bytes: Math.min(maxBytes, looked.value.size) });
  } finally {
    closeQuietly(channel, handle);
  }
}

/** Undefined when it is gone by now. */
async function openForReading(channel: Channel, path: RemotePath): Promise<Buffer | undefined> {
  return channel.call(`read ${path}`, requests.open(path, OpenFlag.read)).catch(throwUnlessMissing);
}

interface Reading {
  readonly what: string;
  readonly bytes: number;
}

async function readUpTo(channel: Channel, handle: Buffer, { what, bytes }: Reading): Promise<Uint8Array> {
  const whole = new Uint8Array(bytes);
  let filled = 0;
  while (filled < bytes) {
    const asked = Math.min(bytes - filled, channel.capabilities.maxReadBytes);
    const piece = await channel.call(what, requests.read(handle, filled, asked));
    if (piece.length === 0) break;
    whole.set(piece, filled);
    filled += piece.length;
  }
  return whole.subarray(0, filled);
}

export interface SmallFile {
  readonly bytes: Uint8Array;
  /** Ms; how long the disk may take. Undefined: it isn't waited for. */
  readonly syncTimeoutMs?: number;
}

/** Two round trips. See `Host.makeFile`. */
export async function makeWhole(channel: Channel, path: RemotePath, { bytes, syncTimeoutMs }: SmallFile): Promise<void> {
  const what = `make ${path}`;
  const handle = await channel.call(what, requests.open(path, CREATE, PRIVATE));
  const { maxWriteBytes, offers } = channel.capabilities;
  const answers: Promise<void>[] = [];
  for (let at = 0; at < bytes.length; at += maxWriteBytes) {
    const piece = bytes.subarray(at, at + maxWriteBytes);
    const buffer = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
    answers.push(channel.call(what, requests.write(handle, at, [buffer])));
  }
  if (offers.fsync && syncTimeoutMs !== undefined) answers.push(channel.call(what, requests.fsync(handle), syncTimeoutMs));
  closeQuietly(channel, handle);
  await settled(answers);
}

/** Nobody waits for it: refused means the handle wasn't there, and a dead session takes its handles along. */
export function closeQuietly(channel: Channel, handle: Buffer): void {
  channel.call('close', requests.close(handle)).catch(() => undefined);
}

function throwUnlessMissing(reason: unknown): undefined {
  if (!isFault(reason, 'NOT_FOUND')) throw reason;
  return undefined;
}
