import { once } from 'node:events';
import { request } from 'node:https';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { createClient } from 'graphql-ws';
import { beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { Longshore } from '../../src/core/answers.js';
import type { RunningServer } from '../../src/http/server.js';
import { startServer } from '../../src/http/server.js';
import type { Answer } from '../http/support.js';
import { codeOf, longshoreWith, memoryLog, readAnswer, serve } from '../http/support.js';
import type { Certificate } from '../support/certificate.js';
import { makeCertificate } from '../support/certificate.js';

const SUBSCRIPTION = 'subscription { mergeProgress(file: { hostId: "h", fullPath: "p", hashCode: "c" }) { phase doneBytes } }';
const QUERY = JSON.stringify({ query: '{ hosts { id } }' });

let tls: Certificate;
beforeAll(() => {
  tls = makeCertificate();
});

function merging(): Longshore {
  return longshoreWith({
    async *mergeProgress() {
      yield { phase: 'DONE', doneBytes: 1, totalBytes: 1, percent: 100, proved: false, updatedAt: 0 };
    },
  });
}

function ask(server: RunningServer, headers: Record<string, string> = {}, body = QUERY): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = {
      method: 'POST',
      ca: tls.certificate,
      agent: false,
      headers: { 'content-type': 'application/json', ...headers },
    };
    const req = request(`${server.url}/graphql`, options, (res) => void readAnswer(res).then(resolve, reject));
    req.on('error', reject);
    req.end(body);
  });
}

async function shake(server: RunningServer, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connectTls({ port: server.port, host: '127.0.0.1', ca: tls.certificate, ...options });
  await once(socket, 'secureConnect');
  return socket;
}

describe('with a certificate of its own', () => {
  it('the gateway says https, and that browsers are to come back so', async () => {
    const server = await serve(longshoreWith(), { tls });
    expect(server.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    const answer = await ask(server);
    expect(answer.json.data).toEqual({ hosts: [] });
    expect(answer.headers['strict-transport-security']).toBe('max-age=31536000');
  });

  it('it speaks nothing older than TLS 1.2', async () => {
    const server = await serve(longshoreWith(), { tls });
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await shake(server, { minVersion: version, maxVersion: version });
      expect(socket.getProtocol()).toBe(version);
      socket.destroy();
    }
    for (const version of ['TLSv1', 'TLSv1.1'] as const) {
      const old = shake(server, { minVersion: version, maxVersion: version, ciphers: 'DEFAULT:@SECLEVEL=0' });
      await expect(old).rejects.toThrow(/alert|protocol|ECONNRESET/i);
    }
  });

  it('it takes no weak cipher', async () => {
    const server = await serve(longshoreWith(), { tls });
    for (const ciphers of ['NULL:@SECLEVEL=0', 'RC4:@SECLEVEL=0', 'DES-CBC3-SHA:@SECLEVEL=0', 'EXPORT:@SECLEVEL=0']) {
      await expect(async () => shake(server, { maxVersion: 'TLSv1.2', ciphers })).rejects.toThrow();
    }
  });

  it('WebSocket and event streams go over it', async () => {
    const server = await serve(merging(), { tls });
    class Trusting extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols, { ca: tls.certificate });
      }
    }
    const client = createClient({ url: `${server.url.replace('https', 'wss')}/graphql`, webSocketImpl: Trusting });
    const results = [];
    for await (const result of client.iterate({ query: SUBSCRIPTION })) results.push(result.data);
    await client.dispose();
    expect(results).toEqual([{ mergeProgress: { phase: 'DONE', doneBytes: 1 } }]);
    const stream = await ask(server, { accept: 'text/event-stream' }, JSON.stringify({ query: SUBSCRIPTION }));
    expect(stream.text).toContain('"phase":"DONE"');
  });

  it('a page that came over plain HTTP, where others may write in it, is of another origin', async () => {
    const server = await serve(longshoreWith(), { tls });
    expect((await ask(server, { origin: server.url })).status).toBe(200);
    const answer = await ask(server, { origin: server.url.replace('https', 'http') });
    expect([answer.status, codeOf(answer)]).toEqual([403, 'FORBIDDEN']);
  });

  it('plain HTTP is not answered on its port', async () => {
    const server = await serve(longshoreWith(), { tls });
    const socket = connect(server.port, '127.0.0.1');
    let received = '';
    socket.on('data', (piece) => (received += piece.toString('latin1')));
    socket.on('error', () => undefined);
    socket.write('GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await once(socket, 'close');
    expect(received).not.toContain('HTTP/1.1 200');
  });

  it('broken HTTP inside it is answered inside it', async () => {
    const server = await serve(longshoreWith(), { tls });
    const socket = await shake(server, {});
    let received = '';
    socket.on('data', (piece: Buffer) => (received += piece.toString('latin1')));
    socket.write('nonsense\r\n\r\n');
    await once(socket, 'close');
    expect(received).toMatch(/^HTTP\/1\.1 400 /);
    expect(received).toContain('strict-transport-security: ');
  });

  it('neither a handshake that never ends nor a connection that waits keeps it from closing', async () => {
    const options = {
      longshore: longshoreWith(),
      log: memoryLog(),
      address: '127.0.0.1',
      port: 0,
      limits: { maxChunkBytes: 1 },
    };
    const server = await startServer({ ...options, tls });
    const silent = connect(server.port, '127.0.0.1');
    await once(silent, 'connect');
    const waiting = await shake(server, {});
    const closed = Promise.all([once(silent, 'close'), once(waiting, 'close')]);
    const beganAt = performance.now();
    await server.close(20_000);
    await closed;
    expect(performance.now() - beganAt).toBeLessThan(3_000);
  });
});

it('a certificate that is none is found when the gateway starts', async () => {
  await expect(serve(longshoreWith(), { tls: { ...tls, privateKey: makeCertificate().privateKey } })).rejects.toThrow();
});
