// A WebSocket client that keeps none of the rules it doesn't want to (RFC 6455 section 5), and reads only when it is told to.
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import type { RunningServer } from '../../src/http/server.js';

export const TEXT = 1;
export const BINARY = 2;
export const PING = 9;
export const PONG = 10;

interface FrameOptions {
  readonly isLast?: boolean;
  readonly isMasked?: boolean;
  /** The three reserved bits. */
  readonly reserved?: number;
  /** What the length field says; default: the truth. */
  readonly claimedBytes?: number;
}

export function frame(opcode: number, content: string | Buffer, options: FrameOptions = {}): Buffer {
  const { isLast = true, isMasked = true, reserved = 0, claimedBytes } = options;
  const payload = Buffer.from(content as string);
  const length = claimedBytes ?? payload.length;
  const head = Buffer.from([(isLast ? 128 : 0) | (reserved << 4) | opcode, isMasked ? 128 : 0]);
  const lengths = length < 126 ? Buffer.alloc(0) : Buffer.alloc(8);
  if (length < 126) head.writeUInt8((head[1] ?? 0) | length, 1);
  else {
    head.writeUInt8((head[1] ?? 0) | 127, 1);
    lengths.writeBigUInt64BE(BigInt(length));
  }
  // A mask of zeros leaves everything as it is.
  return Buffer.concat([head, lengths, Buffer.alloc(isMasked ? 4 : 0), payload]);
}

export const text = (message: object): Buffer => frame(TEXT, JSON.stringify(message));
export const INIT = { type: 'connection_init' };

/** Opened up to the server's 101, after which nothing is read. */
export async function rawSocket(server: RunningServer, headers: Readonly<Record<string, string>> = {}): Promise<Socket> {
  const socket = connect(server.port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => undefined);
  const all = {
    ...{ host: `127.0.0.1:${server.port}`, connection: 'Upgrade', upgrade: 'websocket' },
    ...{ 'sec-websocket-version': '13', 'sec-websocket-key': randomBytes(16).toString('base64') },
    ...{ 'sec-websocket-protocol': 'graphql-transport-ws', ...headers },
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`GET /graphql HTTP/1.1\r\n${lines.join('')}\r\n`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  const end = answer.indexOf('\r\n\r\n') + 4;
  if (!answer.toString('latin1').startsWith('HTTP/1.1 101')) throw new Error(answer.toString('latin1'));
  socket.pause();
  socket.unshift(answer.subarray(end));
  return socket;
}

/** Reads to the end. The code of the server's close frame, or undefined when it just closed. */
export async function closeCodeOf(socket: Socket): Promise<number | undefined> {
  let unread: Buffer = Buffer.alloc(0);
  let code: number | undefined;
  socket.on('data', (piece: Buffer) => {
    unread = Buffer.concat([unread, piece]);
    for (;;) {
      const { opcode, payload, rest } = firstFrame(unread);
      if (payload === undefined) return;
      if (opcode === CLOSE) code = payload.readUInt16BE(0);
      if (opcode === CLOSE) socket.destroy();
      unread = rest;
    }
  });
  socket.resume();
  if (!socket.closed) await once(socket, 'close');
  return code;
}

const CLOSE = 8;

/** Of a server, which masks nothing. Without a payload as long as that isn't all there. */
function firstFrame(bytes: Buffer): { opcode: number; payload?: Buffer; rest: Buffer } {
  const missing = { opcode: 0, rest: bytes };
  if (bytes.length < 2) return missing;
  const short = bytes.readUInt8(1) & 127;
  const start = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < start) return missing;
  const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : bytes.readUInt32BE(6);
  if (bytes.length < start + length) return missing;
  const payload = bytes.subarray(start, start + length);
  return { opcode: bytes.readUInt8(0) & 15, payload, rest: bytes.subarray(start + length) };
}
