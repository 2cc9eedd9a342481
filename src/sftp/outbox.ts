// How far a connection's bytes are on their way out: it may take minutes to send what is queued on a slow link.
import type { Socket } from 'node:net';

export interface Outbox {
  /** Bytes ever given to the socket. */
  queuedBytes(): number;
  /** Those of them the kernel has taken. */
  sentBytes(): number;
  /** Whether data should wait until `onRoom`. */
  isFull(): boolean;
}

/**
 * Bytes in the socket's own queue beyond which data waits; ssh2 doesn't look at it. The kernel's buffer is full then, so more would
 * only take memory, and a stat would stand behind the windows of all channels.
 */
const MAX_UNSENT_BYTES = 256 * 1024;

/** `onRoom`: called whenever everything has left, and always after `isFull`. */
export function outboxOf(socket: Socket, onRoom: () => void): Outbox {
  socket.on('drain', onRoom);
  return {
    queuedBytes: () => socket.bytesWritten,
    sentBytes: () => socket.bytesWritten - socket.writableLength,
    isFull: () => socket.writableLength > MAX_UNSENT_BYTES,
  };
}
