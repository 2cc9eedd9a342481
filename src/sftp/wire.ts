// The bytes of SFTP version 3 as a client sees them (draft-ietf-secsh-filexfer-02): replies out of a stream, fields out of replies,
// fields into requests.
import { isUtf8 } from 'node:buffer';

/** draft-02 §3. */
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
  status: 101,
  handle: 102,
  data: 103,
  name: 104,
  attrs: 105,
  extended: 200,
  extendedReply: 201,
} as const;

export const PROTOCOL_VERSION = 3;
/** OpenSSH's SFTP_MAX_MSG_LENGTH, without the length field. Its client takes no longer reply either, so no server sends one. */
export const MAX_PACKET_BYTES = 256 * 1024;
/** OpenSSH's limit for the bytes of one READ or WRITE: a packet less 1 KiB for its header. */
export const MAX_DATA_BYTES = MAX_PACKET_BYTES - 1024;

const LENGTH_BYTES = 4;

/** The server broke the protocol: after it nothing on this session means anything. */
export class MalformedPacket extends Error {
  override readonly name = 'MalformedPacket';
}

/** Cuts the stream into packets, without their length. A packet is a part of the piece it came in, or a copy when it came in several. */
export class PacketSplitter {
  readonly #length = Buffer.alloc(LENGTH_BYTES);
  #lengthFilled = 0;
  /** A packet that began in an earlier piece. */
  #packet: Buffer | undefined;
  #packetFilled = 0;

  /** The packets that end in `piece`. Throws `MalformedPacket` for a length that no packet has, before any memory is taken for it. */
  *push(piece: Buffer): Generator<Buffer, void, undefined> {
    let at = 0;
    while (at < piece.length) {
      if (this.#packet === undefined) {
        at += this.#fillLength(piece, at);
        if (this.#lengthFilled < LENGTH_BYTES) return;
        const lengthBytes = this.#packetLength();
        if (piece.length - at >= lengthBytes) {
          this.#lengthFilled = 0;
          yield piece.subarray(at, at + lengthBytes);
          at += lengthBytes;
          continue;
        }
        this.#packet = Buffer.allocUnsafe(lengthBytes);
        this.#packetFilled = 0;
      }
      const copied = piece.copy(this.#packet, this.#packetFilled, at);
      at += copied;
      this.#packetFilled += copied;
      if (this.#packetFilled === this.#packet.length) {
        const packet = this.#packet;
        this.#packet = undefined;
        this.#lengthFilled = 0;
        yield packet;
      }
    }
  }

  #fillLength(piece: Buffer, at: number): number {
    const copied = piece.copy(this.#length, this.#lengthFilled, at, at + LENGTH_BYTES - this.#lengthFilled);
    this.#lengthFilled += copied;
    return copied;
  }

  #packetLength(): number {
    const lengthBytes = this.#length.readUInt32BE();
    if (lengthBytes === 0 || lengthBytes > MAX_PACKET_BYTES) throw new MalformedPacket(`a packet of ${lengthBytes} bytes`);
    return lengthBytes;
  }
}

/** Reads a packet's fields in their order. Every method throws `MalformedPacket` where the packet ends too early. */
export class FieldReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    return this.#take(1).readUInt8();
  }

  uint32(): number {
    return this.#take(4).readUInt32BE();
  }

  uint64(): bigint {
    return this.#take(8).readBigUInt64BE();
  }

  /** Bytes that come without their length; a part of the packet, not a copy. */
  fixed(lengthBytes: number): Buffer {
    return this.#take(lengthBytes);
  }

  /** A part of the packet, not a copy. */
  bytes(): Buffer {
    return this.#take(this.uint32());
  }

  /** For people: whatever isn't UTF-8 is replaced. */
  text(): string {
    return this.bytes().toString();
  }

  /** A name or path; undefined when it isn't UTF-8, so that it could not be sent back. */
  name(): string | undefined {
    const bytes = this.bytes();
    return isUtf8(bytes) ? bytes.toString() : undefined;
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

/** `value`: a safe integer, not negative. */
export function uint64(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeUInt32BE(Math.floor(value / 2 ** 32), 0);
  bytes.writeUInt32BE(value % 2 ** 32, 4);
  return bytes;
}

/** A length and the bytes; text goes as UTF-8. */
export function string(value: string | Buffer): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([uint32(bytes.length), bytes]);
}

/** Length, type, and the fields after one another; the length counts `bodyBytes` more, which follow. */
export function packet(type: number, fields: readonly Buffer[], bodyBytes = 0): Buffer {
  const lengthBytes = fields.reduce((sum, field) => sum + field.length, 1) + bodyBytes;
  return Buffer.concat([uint32(lengthBytes), Buffer.of(type), ...fields]);
}
