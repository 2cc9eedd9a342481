// A server that takes connections and says nothing.
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { listenOnLoopback } from './port.js';

export interface Hole {
  readonly port: number;
  accepted(): number;
  open(): number;
  stop(): Promise<void>;
}

export async function startBlackHole(onConnection: (socket: Socket) => void = () => undefined): Promise<Hole> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer((socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    socket.resume();
    onConnection(socket);
  });
  const port = await listenOnLoopback(server);
  return {
    port,
    accepted: () => accepted,
    open: () => sockets.size,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
