import { describe, expect, it } from 'vitest';
import { attributeFields, readFacts } from '../../src/sftp/attributes.js';
import { toCapabilities } from '../../src/sftp/capabilities.js';
import { readSpace } from '../../src/sftp/space.js';
import { FieldReader, MalformedPacket, packet, PacketSplitter, string, uint32, uint64 } from '../../src/sftp/wire.js';

describe('packets', () => {
  const packets = [[1], [2, 3], Array.from({ length: 300 }, (_, index) => index % 256), [4]];
  const stream = Buffer.concat(packets.map(([type = 0, ...rest]) => packet(type, [Buffer.from(rest)])));

  it.each([1, 2, 3, 4, 5, 7, 64, 1_000])('come out of pieces of %i bytes as they went in', (pieceBytes) => {
    const splitter = new PacketSplitter();
    const found: number[][] = [];
    for (let at = 0; at < stream.length; at += pieceBytes)
      for (const one of splitter.push(stream.subarray(at, at + pieceBytes))) found.push([...one]);
    expect(found).toEqual(packets);
  });

  it('take no memory for a length that no packet has', () => {
    expect(() => [...new PacketSplitter().push(uint32(2 ** 32 - 1))]).toThrow(MalformedPacket);
    expect(() => [...new PacketSplitter().push(uint32(0))]).toThrow(MalformedPacket);
  });

  it('count a body that follows them', () => {
    expect(packet(6, [uint32(1)], 1_000).readUInt32BE()).toBe(1 + 4 + 1_000);
  });
});

describe('fields', () => {
  it.each([0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER])('hold the number %d', (value) => {
    expect(new FieldReader(uint64(value)).uint64()).toBe(BigInt(value));
  });

  it('tell names that are UTF-8 from others', () => {
    const names = ['é 🚢 \ufffd', '', '\ufeffwith a mark'];
    for (const name of names) expect(new FieldReader(string(name)).name()).toBe(name);
    expect(new FieldReader(string(Buffer.from([0x61, 0xff]))).name()).toBeUndefined();
  });

  it('end where the packet does', () => {
    expect(() => new FieldReader(Buffer.alloc(3)).uint32()).toThrow(MalformedPacket);
    expect(() => new FieldReader(Buffer.concat([uint32(2), Buffer.alloc(1)])).bytes()).toThrow(MalformedPacket);
  });
});

describe('attributes', () => {
  it('pass over what we don’t use', () => {
    const flags = 0x8000_000f;
    const fields = [uint64(2 ** 40), uint32(1), uint32(2), uint32(0o100640), uint32(5), uint32(6)];
    const extended = [uint32(1), string('what@example.com'), string('ever')];
    const reader = new FieldReader(Buffer.concat([uint32(flags), ...fields, ...extended]));
    expect(readFacts(reader)).toEqual({ kind: 'file', size: 2 ** 40, mode: 0o640, modifiedAt: 6_000 });
    expect(reader.isAtEnd).toBe(true);
  });

  it('count as special when the server tells nothing', () => {
    expect(readFacts(new FieldReader(uint32(0))).kind).toBe('special');
  });

  it('are read as they were set', () => {
    const set = { size: 5 * 2 ** 32 + 1, mode: 0o100604, modifiedAtSeconds: 981_083_045 };
    const read = readFacts(new FieldReader(Buffer.concat(attributeFields(set))));
    expect(read).toEqual({ kind: 'file', size: set.size, mode: 0o604, modifiedAt: set.modifiedAtSeconds * 1_000 });
  });
});

describe('space', () => {
  it('keeps every bit of a file system’s id', () => {
    const numbers = [4_096n, 512n, 0n, 0n, 10n, 0n, 0n, 0n, 2n ** 64n - 1n, 0n, 255n];
    const bytes = Buffer.alloc(8 * numbers.length);
    numbers.forEach((value, index) => bytes.writeBigUInt64BE(value, 8 * index));
    expect(readSpace(new FieldReader(bytes))).toEqual({ fileSystem: String(2n ** 64n - 1n), freeBytes: 5_120 });
  });
});

describe('capabilities', () => {
  const limits = (bytes: bigint) => toCapabilities(new Map(), { readBytes: bytes, writeBytes: bytes });

  it('keep to what the server tells, and within what a packet holds', () => {
    expect(limits(1_000n).maxWriteBytes).toBe(1_000);
    expect(limits(2n ** 64n - 1n).maxReadBytes).toBe(255 * 1024);
    expect(limits(0n).maxWriteBytes).toBe(31 * 1024);
    expect(toCapabilities(new Map()).maxReadBytes).toBe(31 * 1024);
  });

  it('know an extension by its version', () => {
    expect(toCapabilities(new Map([['statvfs@openssh.com', '1']])).offers.space).toBe(false);
    expect(toCapabilities(new Map([['statvfs@openssh.com', '2']])).offers.space).toBe(true);
  });
});
