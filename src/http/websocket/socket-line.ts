import { CloseCode } from 'graphql-ws';
import type { RawData, WebSocket } from 'ws';
import type { Log } from '../../core/ports.js';

/** A client that is gone without a word, or hears nothing of what it is told, is noticed within twice this. */
const PING_INTERVAL_MS = 12_000;
/** What may wait in this process for a client to read it, before nothing more is taken from that client. Then TCP holds it back. */
const MAX_UNREAD_BYTES = 64 * 1024;
/** A page with 200 uploads begins to watch them all at once, and stops as suddenly. */
const MAX_MESSAGES_PER_SECOND = 1_000;
/** Larger messages count for as many as they have of these. */
const MESSAGE_BYTES = 4 * 1024;
/** For a goodbye to reach who never said who he is: his answer isn't waited for as others' are. */
const FAREWELL_MS = 250;
const POLICY_VIOLATION = 1008;
const UNSUPPORTED_DATA = 1003;

/** One WebSocket: its messages in and out, kept in bounds whatever the client does. */
export class Line {
  readonly #socket: WebSocket;
  readonly #log: Log;
  #isWelcome = false;
  #isAlive = true;
  #second = 0;
  #messages = 0;

  constructor(socket: WebSocket, log: Log) {
    this.#socket = socket;
    this.#log = log;
    // Stays for good: an error without a listener would end the process.
    socket.on('error', (err) => {
      log.debug({ err }, 'a WebSocket client broke the protocol');
      this.#hurry();
    });
    socket.on('pong', () => {
      this.#isAlive = true;
      this.#count(0);
    });
    socket.on('ping', () => this.#count(0));
    const pinging = setInterval(() => this.#ping(), PING_INTERVAL_MS);
    socket.once('close', () => clearInterval(pinging));
  }

  /** `take` has a message's text as soon as it is there, however many it still has under way. */
  listen(take: (text: string) => Promise<void>): void {
    this.#socket.on('message', (data, isBinary) => {
      if (isBinary) return this.close(UNSUPPORTED_DATA, 'Text alone');
      const text = textOf(data);
      if (!this.#count(text.length)) return;
      take(text).catch((err: unknown) => this.#failed(err));
    });
  }

  /** Resolves when it is on its way, and so when the client has read enough of what came before; or when the line is no more. */
  send(text: string): Promise<void> {
    const socket = this.#socket;
    if (socket.readyState !== socket.OPEN) return Promise.resolve();
    return new Promise((resolve, reject) => {
      socket.send(text, (error) => {
        if (socket.isPaused && socket.bufferedAmount <= MAX_UNREAD_BYTES) socket.resume();
        if (error) reject(error);
        else resolve();
      });
      if (socket.bufferedAmount > MAX_UNREAD_BYTES) socket.pause();
    });
  }

  close(code?: number, reason?: string): void {
    // Its answer to that has to be heard.
    this.#socket.resume();
    this.#socket.close(code, reason);
    this.#hurry();
  }

  /** It is known whose it is: from now on its answer to a goodbye is waited for. */
  welcome(): void {
    this.#isWelcome = true;
  }

  /** Without a goodbye. */
  cut(): void {
    this.#socket.terminate();
  }

  #hurry(): void {
    if (this.#isWelcome) return;
    const cut = setTimeout(() => this.cut(), FAREWELL_MS);
    this.#socket.once('close', () => clearTimeout(cut));
  }

  #ping(): void {
    if (!this.#isAlive) return this.#socket.terminate();
    this.#isAlive = false;
    this.#socket.ping();
  }

  /** False when that was one too many, or the line is being closed anyway. */
  #count(lengthBytes: number): boolean {
    if (this.#socket.readyState !== this.#socket.OPEN) return false;
    const second = Math.floor(performance.now() / 1_000);
    if (second !== this.#second) this.#messages = 0;
    this.#second = second;
    this.#messages += 1 + Math.floor(lengthBytes / MESSAGE_BYTES);
    if (this.#messages <= MAX_MESSAGES_PER_SECOND) return true;
    this.close(POLICY_VIOLATION, 'Too many messages');
    return false;
  }

  #failed(err: unknown): void {
    // A message that only servers send: graphql-ws takes the client's mistake for one of ours.
    if (err instanceof Error && err.message.startsWith('Unexpected message of type ')) {
      return this.close(CloseCode.BadRequest, 'Invalid message received');
    }
    this.#log.error({ err }, 'unexpected error on a WebSocket');
    this.close(CloseCode.InternalServerError, 'Internal server error');
  }
}

/** With ws's default `binaryType` it comes as one Buffer. */
function textOf(data: RawData): string {
  return Buffer.isBuffer(data) ? data.toString() : '';
}
