// Requests about an open file: draft-ietf-secsh-filexfer-02 sections 6.3 to 6.5, 6.8 and 6.9.
import { constants, type Stats } from 'node:fs';
import * as fs from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { attributesOf, readAttributes, type WantedAttributes } from './attributes.js';
import type { OpenFile, OpenHandle } from './handles.js';
import type { Jail, LentPath } from './jail.js';
import type { Span } from './request-order.js';
import type { Request, RequestHandler, Work } from './requests.js';
import { errnoOf, Status, StatusError, statusReply } from './status.js';
import {
  DATA_HEAD_BYTES,
  dataPacket,
  MalformedPacket,
  MAX_DATA_BYTES,
  packet,
  PacketType,
  string,
  uint32,
  type ByteText,
} from './wire.js';

/** draft-02 section 6.3, pflags. */
const OpenFlag = { read: 0x1, write: 0x2, append: 0x4, create: 0x8, truncate: 0x10, exclusive: 0x20 } as const;

const DEFAULT_FILE_MODE = 0o666;

interface OpenRequest {
  readonly path: ByteText;
  readonly flags: number;
  readonly mode: number;
}

export const openFile: RequestHandler = ({ id, fields }, { jail, handles }) => {
  const path = fields.text();
  const flags = fields.uint32();
  const mode = readAttributes(fields).mode ?? DEFAULT_FILE_MODE;
  return {
    run: async () => {
      const name = await handles.add(() => open({ path, flags, mode }, jail));
      return packet(PacketType.handle, uint32(id), string(name));
    },
  };
};

async function open(request: OpenRequest, jail: Jail): Promise<OpenFile> {
  const mayCreate = (request.flags & OpenFlag.create) !== 0;
  const create = (name: LentPath): Promise<OpenFile> => openNew(name, request, jail);
  if (mayCreate && request.flags & OpenFlag.exclusive) return jail.useName(request.path, create);
  try {
    return await jail.useTarget(request.path, (target) => openExisting(target, request, jail));
  } catch (error) {
    if (!mayCreate || errnoOf(error) !== 'ENOENT') throw error;
  }
  return jail.useName(request.path, create);
}

/** What is no file is not opened at all, for that alone can block (FIFO) or act (device). A directory may be opened to sync it. */
async function openExisting(target: LentPath, { flags }: OpenRequest, jail: Jail): Promise<OpenFile> {
  const stats = await fs.stat(target);
  if (!stats.isFile() && !stats.isDirectory()) throw new StatusError(Status.failure, 'neither a file nor a directory');
  const file = await fs.open(target, systemFlags(flags));
  return described(file, { flags, place: jail.placeOf(file, target) });
}

/** A link that dangles is not followed, unlike open(2): that would need a check of its own. */
async function openNew(name: LentPath, { flags, mode }: OpenRequest, jail: Jail): Promise<OpenFile> {
  const exclusive = flags & OpenFlag.exclusive ? constants.O_EXCL : 0;
  const file = await fs.open(name, systemFlags(flags) | constants.O_CREAT | constants.O_NOFOLLOW | exclusive, mode);
  return described(file, { flags, place: jail.placeOf(file, name) });
}

/** O_NONBLOCK: no file heeds it, and a FIFO that took the name since we looked doesn't block. */
function systemFlags(flags: number): number {
  if ((flags & OpenFlag.write) === 0) return constants.O_RDONLY | constants.O_NONBLOCK;
  const access = flags & OpenFlag.read ? constants.O_RDWR : constants.O_WRONLY;
  const append = flags & OpenFlag.append ? constants.O_APPEND : 0;
  const truncate = flags & OpenFlag.truncate ? constants.O_TRUNC : 0;
  return access | append | truncate | constants.O_NONBLOCK;
}

interface HowOpened {
  readonly flags: number;
  readonly place: LentPath;
}

async function described(file: FileHandle, { flags, place }: HowOpened): Promise<OpenFile> {
  try {
    const { dev, ino } = await file.stat({ bigint: true });
    return { kind: 'file', file, place, identity: `${dev}:${ino}`, appends: (flags & OpenFlag.append) !== 0 };
  } catch (error) {
    await file.close();
    throw error;
  }
}

export const closeHandle: RequestHandler = ({ id, fields }, { handles }) => {
  const name = fields.bytes();
  return {
    run: async () => {
      await handles.close(name);
      return statusReply(id, Status.ok);
    },
  };
};

/** May answer fewer bytes than asked for (section 6.4), as at the end of the file and beyond `MAX_DATA_BYTES`. */
export const readFile: RequestHandler = ({ id, fields }, { handles }) => {
  const name = fields.bytes();
  const from = fields.uint64();
  const lengthBytes = Math.min(fields.uint32(), MAX_DATA_BYTES);
  return {
    ...spanOf(handles.find(name), { access: 'read', from, lengthBytes }),
    run: async () => {
      const { file } = handles.file(name);
      const reply = Buffer.allocUnsafe(DATA_HEAD_BYTES + lengthBytes);
      const { bytesRead } = await file.read(reply, DATA_HEAD_BYTES, lengthBytes, from);
      return bytesRead === 0 ? statusReply(id, Status.endOfFile) : dataPacket(id, reply, bytesRead);
    },
  };
};

export const writeFile: RequestHandler = (request, { handles }) => {
  const { id, fields } = request;
  const name = fields.bytes();
  const from = fields.uint64();
  const pieces = dataOf(request);
  const lengthBytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return {
    ...spanOf(handles.find(name), { access: 'write', from, lengthBytes }),
    run: async () => {
      await writeAll(handles.file(name).file, pieces, from);
      return statusReply(id, Status.ok);
    },
  };
};

/** What follows the announced data is ignored, as OpenSSH does: rclone 1.60 sends its whole buffer with a part of it announced. */
function dataOf({ fields, tail }: Request): readonly Buffer[] {
  const lengthBytes = fields.uint32();
  const pieces: Buffer[] = [];
  let missingBytes = lengthBytes;
  for (const piece of [fields.rest(), ...tail]) {
    const part = piece.subarray(0, missingBytes);
    if (part.length > 0) pieces.push(part);
    missingBytes -= part.length;
  }
  if (missingBytes > 0) throw new MalformedPacket(`${missingBytes} of ${lengthBytes} bytes to write are missing`);
  return pieces;
}

/** Writes at `from`; a write that ends early goes on where it ended, so that a full disk shows as the error it is. */
export async function writeAll(file: FileHandle, pieces: readonly Buffer[], from: number): Promise<void> {
  let left = pieces;
  let at = from;
  while (left.length > 0) {
    const [only] = left;
    const { bytesWritten } =
      left.length === 1 && only !== undefined ? await file.write(only, 0, only.length, at) : await file.writev(left, at);
    at += bytesWritten;
    left = withoutFirst(left, bytesWritten);
  }
}

function withoutFirst(pieces: readonly Buffer[], lengthBytes: number): readonly Buffer[] {
  let skipped = 0;
  for (const [index, piece] of pieces.entries()) {
    if (skipped + piece.length > lengthBytes) return [piece.subarray(lengthBytes - skipped), ...pieces.slice(index + 1)];
    skipped += piece.length;
  }
  return [];
}

interface Access {
  readonly access: Span['access'];
  readonly from: number;
  readonly lengthBytes: number;
}

/** An unknown handle has no span: the request runs alone, to fail in its turn. */
function spanOf(handle: OpenHandle | undefined, { access, from, lengthBytes }: Access): Pick<Work, 'span'> {
  if (handle?.kind !== 'file') return {};
  const file = handle.identity;
  if (access === 'write' && handle.appends) return { span: { access, file, from: 0, to: Infinity } };
  return { span: { access, file, from, to: from + lengthBytes } };
}

export const statHandle: RequestHandler = ({ id, fields }, { handles }) => {
  const name = fields.bytes();
  return { run: async () => packet(PacketType.attrs, uint32(id), attributesOf(await handles.get(name).file.stat())) };
};

export const setHandleAttributes: RequestHandler = ({ id, fields }, { handles }): Work => {
  const name = fields.bytes();
  const wanted = readAttributes(fields);
  return {
    run: async () => {
      const { file } = handles.get(name);
      refuseNewOwner(wanted, await file.stat());
      if (wanted.size !== undefined) await file.truncate(wanted.size);
      if (wanted.mode !== undefined) await file.chmod(wanted.mode);
      if (wanted.times !== undefined) await file.utimes(wanted.times.accessed, wanted.times.modified);
      return statusReply(id, Status.ok);
    },
  };
};

/** Naming the present owner changes nothing and is allowed; giving files away is not, even where the process could. */
export function refuseNewOwner({ owner }: WantedAttributes, present: Stats): void {
  if (owner === undefined || (owner.uid === present.uid && owner.gid === present.gid)) return;
  throw new StatusError(Status.permissionDenied, 'the owner stays');
}
