// check-file: hashes of a file's bytes, made here so that they need not be sent back to be compared.
// draft-ietf-secsh-filexfer-extensions-00 section 3, answered as the draft and ProFTPD do: the algorithm, then the hashes
// (paramiko puts the extension's name before them).
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { Request, RequestHandler } from './requests.js';
import { Status, StatusError } from './status.js';
import { bytesOf, MAX_DATA_BYTES, packet, PacketType, string, uint32, type FieldReader } from './wire.js';

/** Draft: "MUST NOT be smaller than 256 bytes". */
const MIN_BLOCK_BYTES = 256;
/** Hashed at a stretch on the event loop: half a millisecond with SHA-256. */
const SLICE_BYTES = 512 * 1024;

/** Wire name and digest length. */
const ALGORITHMS: ReadonlyMap<string, number> = new Map([
  ['sha256', 32],
  ['md5', 16],
]);

interface Wish {
  readonly algorithm: string;
  readonly from: number;
  /** 0: to the end of the file. */
  readonly lengthBytes: number;
  /** 0: one hash over everything. */
  readonly blockBytes: number;
}

export const checkFileByHandle: RequestHandler = ({ id, fields }, { handles, signal }) => {
  const name = fields.bytes();
  const wish = wishOf(fields);
  return { run: async () => reply(id, wish, await hashRange(handles.file(name).file, wish, signal)) };
};

export const checkFileByName: RequestHandler = ({ id, fields }, { jail, signal }) => {
  const path = fields.text();
  const wish = wishOf(fields);
  return {
    run: () =>
      jail.useTarget(path, async (target) => {
        if (!(await fs.stat(target)).isFile()) throw new StatusError(Status.failure, 'not a file');
        const file = await fs.open(target, constants.O_RDONLY | constants.O_NONBLOCK);
        try {
          return reply(id, wish, await hashRange(file, wish, signal));
        } finally {
          await file.close();
        }
      }),
  };
};

function wishOf(fields: FieldReader): Wish {
  const offered = fields.text().split(',');
  const [from, lengthBytes, blockBytes] = [fields.uint64(), fields.uint64(), fields.uint32()];
  const algorithm = offered.find((name) => ALGORITHMS.has(name));
  if (algorithm === undefined) throw new StatusError(Status.failure, 'none of these hashes');
  if (blockBytes !== 0 && blockBytes < MIN_BLOCK_BYTES) throw new StatusError(Status.badMessage, 'blocks below 256 bytes');
  return { algorithm, from, lengthBytes, blockBytes };
}

function reply(id: Request['id'], { algorithm }: Wish, hashes: Buffer): Buffer {
  return packet(PacketType.extendedReply, uint32(id), string(bytesOf(algorithm)), hashes);
}

/** The hashes of the blocks one after the other; the last block may be shorter. The range ends with the file. */
async function hashRange(file: FileHandle, wish: Wish, signal: AbortSignal): Promise<Buffer> {
  const stats = await file.stat();
  if (!stats.isFile()) throw new StatusError(Status.failure, 'not a file');
  if (wish.from > stats.size) throw new StatusError(Status.badMessage, 'begins behind the end of the file');
  const end = wish.lengthBytes === 0 ? stats.size : Math.min(stats.size, wish.from + wish.lengthBytes);
  const blockBytes = wish.blockBytes || Math.max(end - wish.from, 1);
  const hashesBytes = Math.ceil((end - wish.from) / blockBytes) * (ALGORITHMS.get(wish.algorithm) ?? 0);
  if (hashesBytes > MAX_DATA_BYTES) throw new StatusError(Status.failure, 'more hashes than one reply holds');
  const slices = [Buffer.allocUnsafe(SLICE_BYTES), Buffer.allocUnsafe(SLICE_BYTES)] as const;
  const hashes: Buffer[] = [];
  let from = wish.from;
  do {
    const to = Math.min(end, from + blockBytes);
    hashes.push(await hashBlock({ file, from, to, slices, algorithm: wish.algorithm, signal }));
    from = to;
  } while (from < end);
  return Buffer.concat(hashes);
}

interface Block {
  readonly file: FileHandle;
  readonly from: number;
  readonly to: number;
  /** Two, so that one is filled while the other is hashed. */
  readonly slices: readonly [Buffer, Buffer];
  readonly algorithm: string;
  readonly signal: AbortSignal;
}

async function hashBlock({ file, from, to, slices, algorithm, signal }: Block): Promise<Buffer> {
  const hash = createHash(algorithm);
  const read = (slice: Buffer, at: number) => file.read(slice, 0, Math.min(slice.length, to - at), at);
  let [filling, hashed] = slices;
  let at = from;
  let next = at < to ? read(filling, at) : undefined;
  while (next !== undefined) {
    const { bytesRead } = await next;
    if (bytesRead === 0) throw new StatusError(Status.failure, 'the file shrank meanwhile');
    signal.throwIfAborted();
    at += bytesRead;
    [filling, hashed] = [hashed, filling];
    next = at < to ? read(filling, at) : undefined;
    hash.update(hashed.subarray(0, bytesRead));
  }
  return hash.digest();
}
