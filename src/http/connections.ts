import type { Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/**
 * Knows every connection and what it is busy with. Node's own bookkeeping takes a connection that never asked anything, as browsers open
 * in advance, for a busy one, and would wait for it.
 */
export class Connections {
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();
  readonly #underWay = new Set<ServerResponse>();

  constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  /** A request is being answered. */
  begin(res: ServerResponse): void {
    this.#underWay.add(res);
    res.once('close', () => this.#underWay.delete(res));
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
    for (const socket of this.#sockets) if (!busy.has(socket)) socket.destroy();
    const cut = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, graceMs);
    await closed;
    clearTimeout(cut);
  }
}

/** An SSE subscription, whose end no grace would see. */
function isEventStream(res: ServerResponse): boolean {
  return String(res.getHeader('content-type')).startsWith('text/event-stream');
}
