// The bytes of SFTP version 3 (draft-ietf-secsh-filexfer-02): packets out of a stream, fields out of packets, replies into packets.
// Names and paths are bytes on the wire and need not be UTF-8, so they are handled as `ByteText`.

/** Bytes as a string of one character each (latin1): comparable, splittable at `/`, and exact whatever the encoding. */
export type ByteText = string;

export function bytesOf(text: ByteText): Buffer {
  return Buffer.from(text, 'latin1');
}

/** draft-02 section 3, packet types. */
export const PacketType = {
  init: 1,
  version: 2,
  open: 3,
  close: 4,
  read: 5,
  write: 6,
  lstat: 7,
  fstat: 8,
  setstat: 9,
  fsetstat: 10,
  opendir: 11,
  readdir: 12,
  remove: 13,
  mkdir: 14,
  rmdir: 15,
  realpath: 16,
  stat: 17,
  rename: 18,
  readlink: 19,
  symlink: 20,
  status: 101,
  handle: 102,
  data: 103,
  name: 104,
  attrs: 105,
  extended: 200,
  extendedReply: 201,
} as const;

export const PROTOCOL_VERSION = 3;
/** OpenSSH's SFTP_MAX_MSG_LENGTH, without the length field: what every client of it keeps to. */
export const MAX_PACKET_BYTES = 256 * 1024;
/** OpenSSH's limit for the bytes of one READ or WRITE: a packet less 1 KiB for its header. */
export const MAX_DATA_BYTES = MAX_PACKET_BYTES - 1024;

/** Type, id, handle (at most 256 bytes, section 6.2), offset and length of a WRITE: what must lie in one buffer to be read. */
const WRITE_HEAD_BYTES = 1 + 4 + (4 + 256) + 8 + 4;

/** The peer broke the protocol. Where the request has an id it is answered with BAD_MESSAGE, otherwise the session ends. */
export class MalformedPacket extends Error {
  override readonly name = 'MalformedPacket';
}

/** `head` holds every field but the end of a WRITE's data, which continues in `tail` so that nothing is copied. */
export interface Packet {
  readonly type: number;
  readonly head: Buffer;
  readonly tail: readonly Buffer[];
  readonly lengthBytes: number;
}

/** Cuts a byte stream into packets. Keeps the pieces it is given: they must not be reused. */
export class PacketSplitter {
  #length = Buffer.alloc(4);
  #lengthFilled = 0;
  #missing = 0;
  #pieces: Buffer[] = [];

  /** The packets that end in `piece`. Throws `MalformedPacket` for a length that no packet has. */
  *push(piece: Buffer): Generator<Packet> {
    let at = 0;
    while (at < piece.length) {
      if (this.#missing === 0) {
        const taken = piece.copy(this.#length, this.#lengthFilled, at, at + 4 - this.#lengthFilled);
        at += taken;
        this.#lengthFilled += taken;
        if (this.#lengthFilled < 4) return;
        this.#begin(this.#length.readUInt32BE());
      }
      const part = piece.subarray(at, at + this.#missing);
      if (part.length === 0) return;
      at += part.length;
      this.#missing -= part.length;
      this.#pieces.push(part);
      if (this.#missing === 0) yield this.#end();
    }
  }

  #begin(lengthBytes: number): void {
    if (lengthBytes === 0 || lengthBytes > MAX_PACKET_BYTES) throw new MalformedPacket(`packet of ${lengthBytes} bytes`);
    this.#missing = lengthBytes;
  }

  #end(): Packet {
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#lengthFilled = 0;
    const type = pieces[0]?.[0] ?? 0;
    const lengthBytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const headBytes = type === PacketType.write ? WRITE_HEAD_BYTES : lengthBytes;
    let count = 0;
    for (let held = 0; held < Math.min(headBytes, lengthBytes); count += 1) held += pieces[count]?.length ?? 0;
    const [first = Buffer.alloc(0)] = pieces;
    const head = count <= 1 ? first : Buffer.concat(pieces.slice(0, count));
    return { type, head, tail: pieces.slice(Math.max(count, 1)), lengthBytes };
  }
}

/** Reads a packet's fields in their order. Every method throws `MalformedPacket` where the packet ends too early. */
export class FieldReader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  uint32(): number {
    return this.#take(4).readUInt32BE();
  }

  /** An offset or a length. Beyond 2^53-1 no file system goes: malformed, as a negative off_t is to OpenSSH. */
  uint64(): number {
    const value = this.#take(8).readBigUInt64BE();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new MalformedPacket('a number beyond 2^53-1');
    return Number(value);
  }

  bytes(): Buffer {
    return this.#take(this.uint32());
  }

  text(): ByteText {
    return this.bytes().toString('latin1');
  }

  rest(): Buffer {
    return this.#take(this.#bytes.length - this.#at);
  }

  #take(lengthBytes: number): Buffer {
    const end = this.#at + lengthBytes;
    if (end > this.#bytes.length) throw new MalformedPacket('a packet that ends early');
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function uint64(value: number | bigint): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(BigInt.asUintN(64, BigInt(value)));
  return bytes;
}

/** A length and the bytes; text is `ByteText`. */
export function string(value: Buffer | ByteText): Buffer {
  const bytes = typeof value === 'string' ? bytesOf(value) : value;
  return Buffer.concat([uint32(bytes.length), bytes]);
}

/** Length, type, and the fields after one another. For replies the first field is the request's id. */
export function packet(type: number, ...fields: readonly Buffer[]): Buffer {
  const lengthBytes = fields.reduce((sum, field) => sum + field.length, 1);
  return Buffer.concat([uint32(lengthBytes), Buffer.of(type), ...fields]);
}

/** Room before the bytes of a DATA reply: length, type, id and the data's own length. */
export const DATA_HEAD_BYTES = 13;

/** Makes the DATA reply in place: `buffer` begins with `DATA_HEAD_BYTES` of room, followed by `lengthBytes` of data. */
export function dataPacket(id: number, buffer: Buffer, lengthBytes: number): Buffer {
  buffer.writeUInt32BE(DATA_HEAD_BYTES - 4 + lengthBytes, 0);
  buffer.writeUInt8(PacketType.data, 4);
  buffer.writeUInt32BE(id, 5);
  buffer.writeUInt32BE(lengthBytes, 9);
  return buffer.subarray(0, DATA_HEAD_BYTES + lengthBytes);
}
