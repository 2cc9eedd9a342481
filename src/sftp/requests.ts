// The requests of SFTP version 3 (draft-ietf-secsh-filexfer-02 §6) and of OpenSSH's extensions (its PROTOCOL §4) that we use: each
// with its bytes and the way to read its answer.
import type { FileFacts, HashAlgorithm, Space } from '../core/ports.js';
import { type Attributes, attributeFields } from './attributes.js';
import * as answer from './answers.js';
import type { Entry, Limits, Reply } from './answers.js';
import { packet, PacketType, PROTOCOL_VERSION, string, uint32, uint64 } from './wire.js';

export interface Request<T> {
  /** The packet less `body`. At `ID_OFFSET` there is room for its id. */
  readonly head: Buffer;
  /** Follows it as it is, one part after the other, without a copy. */
  readonly body?: readonly Buffer[];
  /** Throws `StatusError` when the server refused, and `MalformedPacket` when its reply is none to this request. */
  readonly read: (reply: Reply) => T;
}

/** Behind the length and the type. */
export const ID_OFFSET = 5;
const ID = Buffer.alloc(4);

/** draft-02 §6.3. */
export const OpenFlag = { read: 0x1, write: 0x2, create: 0x8, exclusive: 0x20 } as const;

/** draft-02 §4: has a version where other requests have their id. Its answer: the server's extensions. */
export const hello: Request<ReadonlyMap<string, string>> = {
  head: packet(PacketType.init, [uint32(PROTOCOL_VERSION)]),
  read: answer.extensions,
};

export function open(path: string, flags: number, attributes: Attributes = {}): Request<Buffer> {
  const head = packet(PacketType.open, [ID, string(path), uint32(flags), ...attributeFields(attributes)]);
  return { head, read: answer.handle };
}

export function close(handle: Buffer): Request<void> {
  return { head: packet(PacketType.close, [ID, string(handle)]), read: answer.ok };
}

/** Its answer is a part of what was received, not longer than `lengthBytes`; empty at the end of the file. */
export function read(handle: Buffer, position: number, lengthBytes: number): Request<Buffer> {
  const head = packet(PacketType.read, [ID, string(handle), uint64(position), uint32(lengthBytes)]);
  return { head, read: (reply) => answer.data(reply, lengthBytes) };
}

export function write(handle: Buffer, position: number, body: readonly Buffer[]): Request<void> {
  const lengthBytes = body.reduce((sum, part) => sum + part.length, 0);
  const fields = [ID, string(handle), uint64(position), uint32(lengthBytes)];
  return { head: packet(PacketType.write, fields, lengthBytes), body, read: answer.ok };
}

export function lstat(path: string): Request<FileFacts> {
  return { head: packet(PacketType.lstat, [ID, string(path)]), read: answer.facts };
}

export function stat(path: string): Request<FileFacts> {
  return { head: packet(PacketType.stat, [ID, string(path)]), read: answer.facts };
}

export function fstat(handle: Buffer): Request<FileFacts> {
  return { head: packet(PacketType.fstat, [ID, string(handle)]), read: answer.facts };
}

export function setstat(path: string, attributes: Attributes): Request<void> {
  return { head: packet(PacketType.setstat, [ID, string(path), ...attributeFields(attributes)]), read: answer.ok };
}

export function fsetstat(handle: Buffer, attributes: Attributes): Request<void> {
  return { head: packet(PacketType.fsetstat, [ID, string(handle), ...attributeFields(attributes)]), read: answer.ok };
}

export function opendir(path: string): Request<Buffer> {
  return { head: packet(PacketType.opendir, [ID, string(path)]), read: answer.handle };
}

/** Its answer is undefined at the end of the directory. */
export function readdir(handle: Buffer): Request<readonly Entry[] | undefined> {
  return { head: packet(PacketType.readdir, [ID, string(handle)]), read: answer.entries };
}

export function remove(path: string): Request<void> {
  return { head: packet(PacketType.remove, [ID, string(path)]), read: answer.ok };
}

export function mkdir(path: string, attributes: Attributes): Request<void> {
  return { head: packet(PacketType.mkdir, [ID, string(path), ...attributeFields(attributes)]), read: answer.ok };
}

export function rmdir(path: string): Request<void> {
  return { head: packet(PacketType.rmdir, [ID, string(path)]), read: answer.ok };
}

/** Its answer is undefined when the path isn't UTF-8. */
export function realpath(path: string): Request<string | undefined> {
  return { head: packet(PacketType.realpath, [ID, string(path)]), read: answer.path };
}

export function rename(from: string, to: string): Request<void> {
  return { head: packet(PacketType.rename, [ID, string(from), string(to)]), read: answer.ok };
}

export function posixRename(from: string, to: string): Request<void> {
  return { head: extended('posix-rename@openssh.com', string(from), string(to)), read: answer.ok };
}

export function hardlink(existing: string, to: string): Request<void> {
  return { head: extended('hardlink@openssh.com', string(existing), string(to)), read: answer.ok };
}

export function fsync(handle: Buffer): Request<void> {
  return { head: extended('fsync@openssh.com', string(handle)), read: answer.ok };
}

/** draft-ietf-secsh-filexfer-extensions-00 §3. No block size: one hash over the whole range. */
export function checkFile(handle: Buffer, algorithm: HashAlgorithm, range: Range): Request<string> {
  const fields = [string(handle), string(algorithm), uint64(range.offset), uint64(range.lengthBytes), uint32(0)];
  return { head: extended('check-file-handle', ...fields), read: (reply) => answer.hash(reply, algorithm) };
}

interface Range {
  readonly offset: number;
  readonly lengthBytes: number;
}

/** OpenSSH PROTOCOL §4.10, draft-ietf-secsh-filexfer-extensions-00 §7. The range has a byte at least: 0 means to the end of the file. */
export function copyData({ from, range, to, position }: CopyData): Request<void> {
  const source = [string(from), uint64(range.offset), uint64(range.lengthBytes)];
  return { head: extended('copy-data', ...source, string(to), uint64(position)), read: answer.ok };
}

interface CopyData {
  /** Handles, of two files. */
  readonly from: Buffer;
  readonly range: Range;
  readonly to: Buffer;
  readonly position: number;
}

export function statvfs(path: string): Request<Space> {
  return { head: extended('statvfs@openssh.com', string(path)), read: answer.space };
}

export function fstatvfs(handle: Buffer): Request<Space> {
  return { head: extended('fstatvfs@openssh.com', string(handle)), read: answer.space };
}

export function limits(): Request<Limits> {
  return { head: extended('limits@openssh.com'), read: answer.limits };
}

function extended(name: string, ...fields: readonly Buffer[]): Buffer {
  return packet(PacketType.extended, [ID, string(name), ...fields]);
}
