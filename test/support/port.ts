// Servers on port 0, and the port they got.
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

interface Listening extends NodeJS.EventEmitter {
  listen(port: number, hostname: string): unknown;
  address(): AddressInfo | string | null;
}

/** Listens on a free loopback port and resolves with it. */
export async function listenOnLoopback(server: Listening): Promise<number> {
  const listening = once(server, 'listening');
  server.listen(0, '127.0.0.1');
  await listening;
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the server has no port');
  return address.port;
}

/** For a program that takes its port as an argument, or one that is started anew and must be found where it was. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listenOnLoopback(server);
  server.close();
  await once(server, 'close');
  return port;
}
