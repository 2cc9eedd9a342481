import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  FieldReader,
  MalformedPacket,
  packet,
  PacketSplitter,
  PacketType,
  string,
  uint32,
  uint64,
} from '../../src/embedded/wire.js';

const data = randomBytes(9_000);
const write = packet(PacketType.write, uint32(7), string(Buffer.from([0, 0, 0, 1])), uint64(5_000_000_000), string(data));
const stat = packet(PacketType.stat, uint32(8), string('/a/b'));
const stream = Buffer.concat([stat, write, stat, write]);

describe('the packet splitter', () => {
  it.each([1, 2, 3, 5, 29, 30, 281, 285, 1000, 32_768, stream.length])(
    'finds the same packets in pieces of %i bytes',
    (size) => {
      const splitter = new PacketSplitter();
      const found: [number, number][] = [];
      for (let at = 0; at < stream.length; at += size) {
        for (const { type, head, tail, lengthBytes } of splitter.push(stream.subarray(at, at + size))) {
          found.push([type, lengthBytes]);
          const fields = new FieldReader(head, 1);
          if (type === PacketType.stat) {
            expect([fields.uint32(), fields.text(), fields.isAtEnd, tail]).toEqual([8, '/a/b', true, []]);
            continue;
          }
          expect([fields.uint32(), fields.bytes().readUInt32BE(), fields.uint64(), fields.uint32()]).toEqual([
            7,
            1,
            5e9,
            data.length,
          ]);
          expect(Buffer.concat([fields.rest(), ...tail]).equals(data)).toBe(true);
        }
      }
      const [shorter, longer] = [stat.length - 4, write.length - 4];
      expect(found).toEqual([
        [PacketType.stat, shorter],
        [PacketType.write, longer],
        [PacketType.stat, shorter],
        [PacketType.write, longer],
      ]);
    },
  );

  it('leaves the data of a large write where it lies', () => {
    const splitter = new PacketSplitter();
    const pieces = [write.subarray(0, 3_000), write.subarray(3_000, 6_000), write.subarray(6_000)];
    const [found] = pieces.flatMap((piece) => [...splitter.push(piece)]);
    expect(found?.tail.map((piece) => piece.length)).toEqual([3_000, write.length - 6_000]);
    expect(found?.tail.every((piece) => piece.buffer === write.buffer)).toBe(true);
  });

  it.each([0, 256 * 1024 + 1, 0xffffffff])('refuses a packet of %i bytes', (lengthBytes) => {
    expect(() => [...new PacketSplitter().push(uint32(lengthBytes))]).toThrow(MalformedPacket);
  });
});

describe('the field reader', () => {
  it('throws where the packet ends too early, and for numbers beyond 2^53-1', () => {
    expect(() => new FieldReader(Buffer.of(0, 0, 0)).uint32()).toThrow(MalformedPacket);
    expect(() => new FieldReader(uint32(5)).bytes()).toThrow(MalformedPacket);
    expect(() => new FieldReader(uint64(2n ** 53n)).uint64()).toThrow(MalformedPacket);
    expect(new FieldReader(uint64(2 ** 53 - 1)).uint64()).toBe(2 ** 53 - 1);
  });
});
