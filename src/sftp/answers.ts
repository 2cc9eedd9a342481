// How the replies of SFTP version 3 (draft-ietf-secsh-filexfer-02 §7) are read as answers. All of these throw `StatusError` when the
// server refused, and `MalformedPacket` when the reply is none to the request.
import type { FileFacts, HashAlgorithm, Space } from '../core/ports.js';
import { readFacts } from './attributes.js';
import { readSpace } from './space.js';
import { SftpStatus, StatusError } from './status-codes.js';
import { type FieldReader, MalformedPacket, PacketType, PROTOCOL_VERSION } from './wire.js';

export interface Reply {
  readonly type: number;
  /** What follows the id. */
  readonly fields: FieldReader;
}

export interface Entry {
  /** Undefined when it isn't UTF-8. */
  readonly name: string | undefined;
  readonly facts: FileFacts;
}

/** Longest READ and WRITE; 0: the server doesn't tell. */
export interface Limits {
  readonly readBytes: bigint;
  readonly writeBytes: bigint;
}

/** The fields of the one type of reply that carries an answer; a status in its place is a refusal. */
function expect({ type, fields }: Reply, expected: number): FieldReader {
  if (type === expected) return fields;
  if (type !== PacketType.status) throw new MalformedPacket(`a packet of type ${type} for an answer`);
  unlessRefused(fields);
  throw new MalformedPacket('a bare OK for an answer');
}

/**
 * Throws what the server refused with. draft-02 §7; message and language are left away by servers of older drafts. Of an OK no error is
 * made: its stack would cost more than all else of an answer.
 */
function unlessRefused(fields: FieldReader): void {
  const code = fields.uint32();
  const said = fields.isAtEnd ? undefined : fields.bytes();
  if (code !== SftpStatus.OK) throw new StatusError(code, said?.toString() ?? '');
}

export function ok({ type, fields }: Reply): void {
  if (type !== PacketType.status) throw new MalformedPacket(`a packet of type ${type} for a status`);
  unlessRefused(fields);
}

/** A copy: handles live long, and what they came in is large. */
export function handle(reply: Reply): Buffer {
  return Buffer.from(expect(reply, PacketType.handle).bytes());
}

export function facts(reply: Reply): FileFacts {
  return readFacts(expect(reply, PacketType.attrs));
}

export function data(reply: Reply, askedBytes: number): Buffer {
  const fields = unlessEnd(reply, PacketType.data);
  if (fields === undefined) return Buffer.alloc(0);
  const bytes = fields.bytes();
  if (bytes.length > askedBytes) throw new MalformedPacket(`${bytes.length} bytes where ${askedBytes} were asked for`);
  return bytes;
}

/** No names is an end too: OpenSSH's client takes it so, and asking on might never end. */
export function entries(reply: Reply): readonly Entry[] | undefined {
  const fields = unlessEnd(reply, PacketType.name);
  if (fields === undefined) return undefined;
  const found: Entry[] = [];
  for (let count = fields.uint32(); count > 0; count -= 1) {
    const name = fields.name();
    fields.bytes(); // The line of `ls -l`.
    found.push({ name, facts: readFacts(fields) });
  }
  return found.length === 0 ? undefined : found;
}

function unlessEnd(reply: Reply, expected: number): FieldReader | undefined {
  try {
    return expect(reply, expected);
  } catch (error) {
    if (error instanceof StatusError && error.code === SftpStatus.EOF) return undefined;
    throw error;
  }
}

export function path(reply: Reply): string | undefined {
  const fields = expect(reply, PacketType.name);
  const count = fields.uint32();
  if (count !== 1) throw new MalformedPacket(`${count} real paths of one path`);
  return fields.name();
}

export function extensions({ type, fields }: Reply): ReadonlyMap<string, string> {
  if (type !== PacketType.version) throw new MalformedPacket(`a packet of type ${type} for a version`);
  const version = fields.uint32();
  if (version !== PROTOCOL_VERSION)
    throw new StatusError(SftpStatus.OP_UNSUPPORTED, `the server speaks SFTP version ${version}`);
  const found = new Map<string, string>();
  while (!fields.isAtEnd) found.set(fields.text(), fields.text());
  return found;
}

/** OpenSSH PROTOCOL §4.8: longest packet, READ and WRITE, most open handles. */
export function limits(reply: Reply): Limits {
  const fields = expect(reply, PacketType.extendedReply);
  fields.uint64();
  return { readBytes: fields.uint64(), writeBytes: fields.uint64() };
}

const HASH_BYTES: Readonly<Record<HashAlgorithm, number>> = { sha256: 32, md5: 16 };

/** draft-ietf-secsh-filexfer-extensions-00 §3: the algorithm that was used, then the hash. Lower-case hex. */
export function hash(reply: Reply, algorithm: HashAlgorithm): string {
  const fields = expect(reply, PacketType.extendedReply);
  const used = fields.text();
  if (used !== algorithm) throw new MalformedPacket(`a hash by ${used} for one by ${algorithm}`);
  return fields.fixed(HASH_BYTES[algorithm]).toString('hex');
}

export function space(reply: Reply): Space {
  return readSpace(expect(reply, PacketType.extendedReply));
}
