import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * Knows every connection and what it is busy with. Node's own bookkeeping takes a connection that never asked anything, as browsers open
 * in advance, for a busy one, and would wait for it.
 */
export class Connections {
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();
  readonly #underWay = new Set<ServerResponse>();
  /** Connections that are still to be encrypted, by the other end of each: the encrypted one is another object. */
  readonly #shaking = new Map<string, Socket>();

  constructor(server: Server, { isSecure }: { readonly isSecure: boolean }) {
    this.#server = server;
    server.on(isSecure ? 'secureConnection' : 'connection', (socket: Socket) => {
      this.#shaking.delete(farEndOf(socket));
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    if (!isSecure) return;
    server.on('connection', (socket) => {
      const farEnd = farEndOf(socket);
      this.#shaking.set(farEnd, socket);
      socket.once('close', () => this.#shaking.delete(farEnd));
    });
  }

  /** A request is being answered. */
  begin(res: ServerResponse): void {
    this.#underWay.add(res);
    res.once('close', () => this.#underWay.delete(res));
  }

  /** Whether an answer on that connection has begun, so that nothing else may be written there. */
  isAnswering(socket: Duplex): boolean {
    for (const res of this.#underWay) if (res.socket === socket && res.headersSent) return true;
    return false;
  }

  /** The connection is a WebSocket's from now on, which ends it itself. */
  release(socket: Duplex): void {
    this.#sockets.delete(socket);
  }

  /**
   * Stops listening, ends event streams and connections that wait, lets requests under way finish, and cuts off what is left after
   * `graceMs`. Resolves when all are closed, released ones too.
   */
  async close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const busy = new Set<Duplex | null>();
    for (const res of this.#underWay) {
      if (isEventStream(res)) continue;
      const { socket } = res;
      busy.add(socket);
      res.once('close', () => socket?.end());
    }
    for (const socket of [...this.#shaking.values(), ...this.#sockets]) if (!busy.has(socket)) socket.destroy();
    const cut = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, graceMs);
    await closed;
    clearTimeout(cut);
  }
}

function farEndOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** An SSE subscription, whose end no grace would see. */
function isEventStream(res: ServerResponse): boolean {
  return String(res.getHeader('content-type')).startsWith('text/event-stream');
}
