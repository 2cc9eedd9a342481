// A TCP proxy that holds, delays or cuts what passes: the network's bad days, on loopback.
import { connect, createServer, type Socket } from 'node:net';
import { listenOnLoopback } from './port.js';

export interface Proxy {
  readonly port: number;
  /** Connections taken so far. */
  accepted(): number;
  /** Connections open now. */
  open(): number;
  /** Passes nothing on, in either direction, until `release`; connections stay open. */
  hold(): void;
  release(): void;
  /** Closes all connections (RST); new ones are taken. */
  cut(): void;
  stop(): Promise<void>;
}

export interface ProxyOptions {
  /** One way; both ways of a round trip have it. */
  readonly delayMs?: number;
  /** From the client to the target; what exceeds it waits in the sender's and the kernel's buffers. */
  readonly bytesPerSecond?: number;
}

export async function startProxy(
  target: { readonly address: string; readonly port: number },
  options: ProxyOptions = {},
): Promise<Proxy> {
  const pairs = new Set<Pair>();
  let isHeld = false;
  let accepted = 0;
  const server = createServer((client) => {
    accepted += 1;
    const pair = new Pair(client, connect({ host: target.address, port: target.port }), options, () => pairs.delete(pair));
    pairs.add(pair);
    if (isHeld) pair.hold();
  });
  const port = await listenOnLoopback(server);
  return {
    port,
    accepted: () => accepted,
    open: () => pairs.size,
    hold: () => {
      isHeld = true;
      for (const pair of pairs) pair.hold();
    },
    release: () => {
      isHeld = false;
      for (const pair of pairs) pair.release();
    },
    cut: () => {
      for (const pair of pairs) pair.cut();
    },
    stop: () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const pair of pairs) pair.cut();
      return closed;
    },
  };
}

class Pair {
  readonly #sockets: readonly [Socket, Socket];

  constructor(client: Socket, host: Socket, options: ProxyOptions, onClose: () => void) {
    this.#sockets = [client, host];
    const { delayMs = 0, bytesPerSecond } = options;
    if (bytesPerSecond === undefined) pass(client, host, delayMs);
    else passSlowly(client, host, bytesPerSecond);
    pass(host, client, delayMs);
    for (const socket of this.#sockets) {
      socket.setNoDelay(true);
      // A broken half closes the other; that is all there is to tell.
      socket.on('error', () => undefined);
      socket.once('close', () => {
        onClose();
        for (const other of this.#sockets) other.destroy();
      });
    }
  }

  hold(): void {
    for (const socket of this.#sockets) socket.pause();
  }

  release(): void {
    for (const socket of this.#sockets) socket.resume();
  }

  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }
}

function pass(from: Socket, to: Socket, delayMs: number): void {
  from.on('data', (data: Buffer) => {
    if (delayMs === 0) to.write(data);
    else setTimeout(() => to.write(data), delayMs);
  });
  from.once('end', () => to.end());
}

function passSlowly(from: Socket, to: Socket, bytesPerSecond: number): void {
  from.on('data', (data: Buffer) => {
    to.write(data);
    from.pause();
    setTimeout(() => from.resume(), (data.length / bytesPerSecond) * 1_000);
  });
  from.once('end', () => to.end());
}
