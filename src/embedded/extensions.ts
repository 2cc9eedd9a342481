// The extensions that publication needs, and those that make clients fast: OpenSSH's PROTOCOL, section 4.
import * as fs from 'node:fs/promises';
import { checkFileByHandle, checkFileByName } from './check-file.js';
import { writeAll } from './file-requests.js';
import { MAX_HANDLES, type OpenFile } from './handles.js';
import { onTwoNames } from './path-requests.js';
import type { Request, RequestHandler, Work, Workplace } from './requests.js';
import { Status, StatusError, statusReply } from './status.js';
import { MAX_DATA_BYTES, MAX_PACKET_BYTES, packet, PacketType, PROTOCOL_VERSION, string, uint32, uint64 } from './wire.js';

/** One read and one write of copy-data: large enough to keep the disk busy, small enough to stop soon. */
const COPY_SLICE_BYTES = 1024 * 1024;
/** NAME_MAX of Linux and the BSDs; node:fs doesn't tell the file system's own. */
const MAX_NAME_BYTES = 255;

/** What VERSION announces (draft-02 section 4), with the versions OpenSSH and, for check-file, ProFTPD announce. */
const ANNOUNCED: readonly (readonly [name: string, version: string])[] = [
  ['posix-rename@openssh.com', '1'],
  ['statvfs@openssh.com', '2'],
  ['fstatvfs@openssh.com', '2'],
  ['hardlink@openssh.com', '1'],
  ['fsync@openssh.com', '1'],
  ['limits@openssh.com', '1'],
  ['copy-data', '1'],
  ['check-file', '1'],
];

export function versionReply(): Buffer {
  const announced = ANNOUNCED.flatMap(([name, version]) => [string(name), string(version)]);
  return packet(PacketType.version, uint32(PROTOCOL_VERSION), ...announced);
}

export const extendedRequest: RequestHandler = (request, place) => {
  const name = request.fields.text();
  const handler = HANDLERS.get(name);
  return handler === undefined ? unsupported(request) : handler(request, place);
};

export function unsupported({ id }: Request): Work {
  return { run: () => Promise.resolve(statusReply(id, Status.unsupported)) };
}

/** Atomically replaces a file at the new name. */
const replacePath = onTwoNames((from, to) => fs.rename(from, to));

const linkPath = onTwoNames((existing, to) => fs.link(existing, to));

const syncHandle: RequestHandler = ({ id, fields }, { handles }) => {
  const name = fields.bytes();
  return {
    run: async () => {
      await handles.get(name).file.sync();
      return statusReply(id, Status.ok);
    },
  };
};

const tellLimits: RequestHandler = ({ id }) => {
  const limits = [MAX_PACKET_BYTES, MAX_DATA_BYTES, MAX_DATA_BYTES, MAX_HANDLES].map(uint64);
  return { run: () => Promise.resolve(packet(PacketType.extendedReply, uint32(id), ...limits)) };
};

const tellSpace: RequestHandler = ({ id, fields }, { jail }) => {
  const path = fields.text();
  return { run: () => jail.useTarget(path, async (target) => spaceReply(id, target, (await fs.stat(target)).dev)) };
};

const tellSpaceOfHandle: RequestHandler = ({ id, fields }, { handles }) => {
  const name = fields.bytes();
  return {
    run: async () => {
      const { file, place } = handles.get(name);
      return spaceReply(id, place, (await file.stat()).dev);
    },
  };
};

/** node:fs has statfs, not statvfs: the fragment is taken for as large as the block, the device number is the file system's id. */
async function spaceReply(id: number, path: Buffer, device: number): Promise<Buffer> {
  const space = await fs.statfs(path, { bigint: true });
  const numbers = [
    ...[space.bsize, space.bsize, space.blocks, space.bfree, space.bavail],
    ...[space.files, space.ffree, space.ffree],
    ...[device, 0, MAX_NAME_BYTES],
  ];
  return packet(PacketType.extendedReply, uint32(id), ...numbers.map(uint64));
}

/** copy-data: OpenSSH's PROTOCOL section 4.10, after draft-ietf-secsh-filexfer-extensions-00 section 7. */
const copyData: RequestHandler = ({ id, fields }, { handles, signal }) => {
  const source = { name: fields.bytes(), from: fields.uint64() };
  const wantedBytes = fields.uint64();
  const target = { name: fields.bytes(), from: fields.uint64() };
  return {
    run: async () => {
      const range: CopyRange = {
        source: handles.file(source.name),
        sourceFrom: source.from,
        target: handles.file(target.name),
        targetFrom: target.from,
        // 0: to the end of the source
        lengthBytes: wantedBytes === 0 ? Infinity : wantedBytes,
      };
      const copiedBytes = await copyRange(range, signal);
      return statusReply(id, wantedBytes > 0 && copiedBytes === 0 ? Status.endOfFile : Status.ok);
    },
  };
};

interface CopyRange {
  readonly source: OpenFile;
  readonly sourceFrom: number;
  readonly target: OpenFile;
  readonly targetFrom: number;
  readonly lengthBytes: number;
}

/** Ends with the source. Within one file it is refused, as OpenSSH does: the copy could chase its own tail. */
async function copyRange(range: CopyRange, signal: Workplace['signal']): Promise<number> {
  if (range.source.identity === range.target.identity) throw new StatusError(Status.failure, 'source and target are one file');
  const slice = Buffer.allocUnsafe(Math.min(COPY_SLICE_BYTES, range.lengthBytes));
  let copiedBytes = 0;
  while (copiedBytes < range.lengthBytes) {
    signal.throwIfAborted();
    const sliceBytes = Math.min(slice.length, range.lengthBytes - copiedBytes);
    const { bytesRead } = await range.source.file.read(slice, 0, sliceBytes, range.sourceFrom + copiedBytes);
    if (bytesRead === 0) break;
    await writeAll(range.target.file, [slice.subarray(0, bytesRead)], range.targetFrom + copiedBytes);
    copiedBytes += bytesRead;
  }
  return copiedBytes;
}

const HANDLERS: ReadonlyMap<string, RequestHandler> = new Map([
  ['posix-rename@openssh.com', replacePath],
  ['statvfs@openssh.com', tellSpace],
  ['fstatvfs@openssh.com', tellSpaceOfHandle],
  ['hardlink@openssh.com', linkPath],
  ['fsync@openssh.com', syncHandle],
  ['limits@openssh.com', tellLimits],
  ['copy-data', copyData],
  ['check-file-handle', checkFileByHandle],
  ['check-file-name', checkFileByName],
]);
