// Servers on port 0, and the port they got.
import { once } from 'node:events';
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
