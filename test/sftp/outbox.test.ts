import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { goOnInTurn, outboxOf } from '../../src/sftp/outbox.js';
import { KIB } from '../support/bytes.js';
import { listenOnLoopback } from '../support/port.js';

const PIECE_BYTES = 64 * KIB;

describe('outbox', () => {
  it('is full with one piece that the kernel has not taken, and tells when that has left', async () => {
    const peers: Socket[] = [];
    const server = createServer((peer) => peers.push(peer.pause()));
    const socket = connect(await listenOnLoopback(server), '127.0.0.1');
    await Promise.all([once(server, 'connection'), once(socket, 'connect')]);
    let onRoom = (): void => undefined;
    const outbox = outboxOf(socket, () => onRoom());
    expect(outbox.isFull()).toBe(false);

    while (!outbox.isFull()) socket.write(Buffer.alloc(PIECE_BYTES));
    expect(outbox.queuedBytes() - outbox.sentBytes()).toBeLessThanOrEqual(PIECE_BYTES);
    const room = new Promise<void>((resolve) => (onRoom = resolve));
    for (const peer of peers) peer.resume();
    await room;
    expect(outbox.isFull()).toBe(false);
    expect(outbox.sentBytes()).toBe(outbox.queuedBytes());

    socket.destroy();
    server.close();
    await once(server, 'close');
  });

  it('lets what is written together leave together, at once, and also when the writer fails', async () => {
    const received: Buffer[] = [];
    const server = createServer((peer) => peer.on('data', (piece: Buffer) => received.push(piece)));
    const socket = connect(await listenOnLoopback(server), '127.0.0.1');
    await Promise.all([once(server, 'connection'), once(socket, 'connect')]);
    const outbox = outboxOf(socket, () => undefined);

    const waitingBytes = outbox.together(() => {
      socket.write(Buffer.alloc(PIECE_BYTES));
      socket.write(Buffer.alloc(PIECE_BYTES));
      return outbox.queuedBytes() - outbox.sentBytes();
    });
    expect(waitingBytes).toBe(2 * PIECE_BYTES);
    expect(outbox.sentBytes()).toBe(2 * PIECE_BYTES);
    expect(outbox.isFull()).toBe(false);
    const failing = (): void => {
      socket.write('last');
      throw new Error('no further');
    };
    expect(() => outbox.together(failing)).toThrow('no further');
    expect(outbox.sentBytes()).toBe(outbox.queuedBytes());

    socket.end();
    await once(socket, 'close');
    expect(Buffer.concat(received).equals(Buffer.concat([Buffer.alloc(2 * PIECE_BYTES), Buffer.from('last')]))).toBe(true);
    server.close();
    await once(server, 'close');
  });

  it('lets everybody go on in turn, and nobody more often than another', () => {
    const turns: string[] = [];
    let room = 0;
    const writer = (name: string) => ({
      goOn: () => {
        turns.push(name);
        room -= 1;
      },
    });
    const writers = new Set(['a', 'b', 'c'].map(writer));
    for (let round = 0; round < 6; round += 1) {
      room = round % 2 === 0 ? 1 : 2;
      goOnInTurn(writers, () => room === 0);
    }
    expect(turns.join('')).toBe('abcabcabc');
    room = 10;
    goOnInTurn(writers, () => room === 0);
    expect(turns).toHaveLength(12);
  });
});
