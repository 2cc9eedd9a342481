// What stands in front of a real gateway in the SDK's tests: serves the test page, passes everything else on, and can be told to
// misbehave. Its address stays when the gateway behind it is another one.

import { createServer, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TestGateway } from '../support/gateway.js';
import type { Entrance } from './behaviour.js';

export interface ServedFile {
  readonly contentType: string;
  readonly body: string | Uint8Array;
}

export class GatewayEntrance implements Entrance {
  /** By path. */
  readonly files = new Map<string, ServedFile>();
  /** `Content-Security-Policy` of all files. */
  policy: string | undefined;
  readonly #gateway: TestGateway;
  readonly #server: Server = createServer((request, response) => this.#serve(request, response));
  readonly #sockets = new Set<Socket>();
  readonly #asked = new Map<string, number>();
  #underWay = 0;
  #whenQuiet: (() => void)[] = [];
  #token: string | undefined;

  constructor(gateway: TestGateway) {
    this.#gateway = gateway;
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** As if nothing had been told or asked yet. */
  forget(): void {
    this.#asked.clear();
    this.#token = undefined;
    this.policy = undefined;
  }

  async cut(): Promise<void> {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async restart(): Promise<void> {
    await this.#gateway.restart();
  }

  async requireToken(token: string): Promise<void> {
    this.#token = token;
  }

  async asked(operation: string): Promise<number> {
    return this.#asked.get(operation) ?? 0;
  }

  async quiet(): Promise<void> {
    if (this.#underWay === 0) return;
    await new Promise<void>((resolve) => this.#whenQuiet.push(resolve));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const file = this.files.get(request.url ?? '');
    if (file !== undefined) {
      if (this.policy !== undefined) response.setHeader('content-security-policy', this.policy);
      response.setHeader('content-type', file.contentType).end(file.body);
      return;
    }
    if (request.url !== '/graphql') {
      this.#pass(request, response);
      return;
    }
    this.#count(request, response);
    if (this.#token !== undefined && request.headers.authorization !== `Bearer ${this.#token}`) {
      request.resume().once('end', () => {
        const errors = [{ message: 'who are you?', extensions: { code: 'UNAUTHENTICATED' } }];
        response.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify({ errors }));
      });
      return;
    }
    this.#pass(request, response);
  }

  #count(request: IncomingMessage, response: ServerResponse): void {
    this.#underWay += 1;
    response.once('close', () => {
      this.#underWay -= 1;
      if (this.#underWay > 0) return;
      for (const tell of this.#whenQuiet.splice(0)) tell();
    });
    request.once('data', (first: Buffer) => {
      const operation = /(?:query|mutation|subscription) (\w+)/.exec(first.toString('latin1'))?.[1] ?? '';
      this.#asked.set(operation, (this.#asked.get(operation) ?? 0) + 1);
    });
  }

  #pass(request: IncomingMessage, response: ServerResponse): void {
    const outgoing = httpRequest(new URL(request.url ?? '/', this.#gateway.url), {
      method: request.method,
      headers: this.#headers(request),
    });
    const drop = (): void => void response.destroy();
    outgoing.once('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      // A gateway that goes away in the middle of its answer, of a stream that nobody ends otherwise.
      answer.once('error', drop).pipe(response);
    });
    // Stays: what goes wrong after the answer has begun is told here, too.
    outgoing.on('error', drop);
    response.once('close', () => outgoing.destroy());
    request.pipe(outgoing);
  }

  #upgrade(request: IncomingMessage, client: Duplex, head: Buffer): void {
    const { hostname, port } = new URL(this.#gateway.url);
    const gateway = connect(Number(port), hostname);
    const headers = Object.entries(this.#headers(request)).map(([name, value]) => `${name}: ${String(value)}\r\n`);
    gateway.write(`GET /graphql HTTP/1.1\r\n${headers.join('')}\r\n`);
    gateway.write(head);
    for (const [from, to] of [
      [gateway, client],
      [client, gateway],
    ] as const) {
      from.pipe(to);
      from.on('error', () => undefined).once('close', () => to.destroy());
    }
  }

  /** As if the page were the gateway's own, whatever name it was opened by. */
  #headers({ headers }: IncomingMessage): IncomingMessage['headers'] {
    const { host, origin } = new URL(this.#gateway.url);
    return { ...headers, host, ...(headers.origin === undefined ? {} : { origin }) };
  }
}
