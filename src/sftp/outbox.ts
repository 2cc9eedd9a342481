// How far a connection's bytes are on their way out, and who may send next: it may take minutes to send what is queued on a slow link.
import type { Socket } from 'node:net';

export interface Outbox {
  /** Bytes ever given to the socket. */
  queuedBytes(): number;
  /** Those of them the kernel has taken. */
  sentBytes(): number;
  /** Whether data should wait until `onRoom`. */
  isFull(): boolean;
  /** What `write` gives to the socket leaves in one call of the kernel. */
  together<T>(write: () => T): T;
}

/**
 * Full as soon as the kernel hasn't taken what it was given, so that at most one write, and less than a piece's worth of small
 * requests, waits in this process. More would gain no speed, since the kernel's buffer holds megabytes, but take memory, stand before a
 * stat, and leave without a further `check` when this process goes on after it was frozen.
 *
 * `onRoom`: called whenever everything has left, and always after `isFull`: of a socket that needs no drain none is told.
 */
export function outboxOf(socket: Socket, onRoom: () => void): Outbox {
  socket.on('drain', onRoom);
  return {
    queuedBytes: () => socket.bytesWritten,
    sentBytes: () => socket.bytesWritten - socket.writableLength,
    together: (write) => {
      socket.cork();
      try {
        return write();
      } finally {
        socket.uncork();
      }
    },
    isFull: () => socket.writableNeedDrain && socket.writableLength > 0,
  };
}

/** Lets one after the other go on until the outbox is full. Whoever did is the last the next time. */
export function goOnInTurn<T extends { goOn(): void }>(all: Set<T>, isFull: () => boolean): void {
  for (const one of [...all]) {
    one.goOn();
    // One that has gone meanwhile stays away.
    if (all.delete(one)) all.add(one);
    if (isFull()) return;
  }
}
