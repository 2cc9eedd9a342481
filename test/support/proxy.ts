// A TCP proxy that holds, delays or cuts what passes: the network's bad days, on loopback.
import { connect, createServer, type Socket } from 'node:net';
import { listenOnLoopback } from './port.js';

export interface Proxy {
  readonly port: number;
  /** Connections taken so far. */
  accepted(): number;
  /** Connections open now. */
  open(): number;
  /** Bytes that came from clients so far. */
  receivedBytes(): number;
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
  /**
   * Bytes of one connection, each way, that may be under way without an answer: TCP's window, which loopback never fills. What exceeds it
   * waits in the sender's and the kernel's buffers.
   */
  readonly windowBytes?: number;
  /** From all clients together to the target: the link's rate. */
  readonly bytesPerSecond?: number;
}

export async function startProxy(
  target: { readonly address: string; readonly port: number },
  options: ProxyOptions = {},
): Promise<Proxy> {
  const pairs = new Set<Pair>();
  const link = new Link(options.bytesPerSecond ?? Infinity);
  let isHeld = false;
  let accepted = 0;
  const server = createServer((client) => {
    accepted += 1;
    const host = connect({ host: target.address, port: target.port });
    const pair = new Pair(client, host, { ...options, link }, () => pairs.delete(pair));
    pairs.add(pair);
    if (isHeld) pair.hold();
  });
  const port = await listenOnLoopback(server);
  return {
    port,
    accepted: () => accepted,
    open: () => pairs.size,
    receivedBytes: () => link.sentBytes,
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

interface PairOptions extends ProxyOptions {
  readonly link: Link;
}

class Pair {
  readonly #ways: readonly [Way, Way];
  readonly #sockets: readonly [Socket, Socket];

  constructor(client: Socket, host: Socket, options: PairOptions, onClose: () => void) {
    const { delayMs = 0, windowBytes = Infinity, link } = options;
    this.#sockets = [client, host];
    this.#ways = [new Way(client, host, { delayMs, windowBytes, link }), new Way(host, client, { delayMs, windowBytes })];
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
    for (const way of this.#ways) way.hold();
  }

  release(): void {
    for (const way of this.#ways) way.release();
  }

  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }
}

interface WayOptions {
  readonly delayMs: number;
  readonly windowBytes: number;
  readonly link?: Link;
}

/** What a link takes before its sender has to wait: timers are too coarse for single pieces. */
const LINK_BUFFER_MS = 5;

/** One direction of a connection. */
class Way {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #options: WayOptions;
  readonly #queue: Buffer[] = [];
  #underWayBytes = 0;
  #isHeld = false;
  #isSending = false;

  constructor(from: Socket, to: Socket, options: WayOptions) {
    this.#from = from;
    this.#to = to;
    this.#options = options;
    from.on('data', (data: Buffer) => this.#pass(data));
    from.once('end', () => setTimeout(() => to.end(), options.delayMs));
    to.on('drain', () => this.#goOn());
  }

  hold(): void {
    this.#isHeld = true;
    this.#from.pause();
  }

  release(): void {
    this.#isHeld = false;
    this.#goOn();
  }

  #pass(data: Buffer): void {
    const { delayMs, link } = this.#options;
    const sendingMs = link?.send(data.length) ?? 0;
    this.#underWayBytes += data.length;
    this.#queue.push(data);
    if (sendingMs > LINK_BUFFER_MS) {
      this.#isSending = true;
      setTimeout(() => {
        this.#isSending = false;
        this.#goOn();
      }, sendingMs);
    }
    later(sendingMs + delayMs, () => this.#deliver());
    // The answer that moves the window takes its way back.
    later(sendingMs + 2 * delayMs, () => {
      this.#underWayBytes -= data.length;
      this.#goOn();
    });
    this.#goOn();
  }

  /** In the order of arrival: timers of different lengths may come in another. */
  #deliver(): void {
    const data = this.#queue.shift();
    if (data !== undefined) this.#to.write(data);
  }

  #goOn(): void {
    const isFull = this.#underWayBytes >= this.#options.windowBytes || this.#to.writableNeedDrain;
    if (this.#isHeld || this.#isSending || isFull) this.#from.pause();
    else this.#from.resume();
  }
}

/** At 0 ms without even a turn. */
function later(ms: number, action: () => void): void {
  if (ms === 0) action();
  else setTimeout(action, ms);
}

/** What all connections share: a byte is sent when those before it have been. */
class Link {
  readonly #bytesPerMs: number;
  #sentBytes = 0;
  #freeAt = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1_000;
  }

  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Gives in how many ms the bytes will have been sent. */
  send(lengthBytes: number): number {
    this.#sentBytes += lengthBytes;
    const now = performance.now();
    this.#freeAt = Math.max(now, this.#freeAt) + lengthBytes / this.#bytesPerMs;
    return this.#freeAt - now;
  }
}
