import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { ask, codeOf, deferred, exchange, longshoreWith, memoryLog, query, serve } from './support.js';
import { startServer } from '../../src/http/server.js';

const HTML = { accept: 'text/html' };

describe('pages', () => {
  it('begin with the upload page, from no other host and without a script of its own', async () => {
    const server = await serve(longshoreWith());
    const { status, headers, text } = await ask(server, { method: 'GET', path: '/' });
    expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    expect(text).toContain('longshore put');
    expect(text).not.toMatch(/https?:|["']\/\/|<style|<script>/);
    expect(headers['content-security-policy']).toBe(
      "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; img-src 'self' data:; " +
        "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    const parts = [...text.matchAll(/(?:src|href)="\.(\/assets\/[^"]+)"/g)].map(([, path = '']) => path);
    expect(parts.map((path) => path.replace(/-[\w-]{8}\./, '.')).toSorted()).toEqual([
      '/assets/icon.svg',
      '/assets/index.css',
      '/assets/index.js',
    ]);
    for (const path of parts) {
      const answer = await ask(server, { method: 'GET', path });
      expect([answer.status, answer.headers['cache-control']]).toEqual([200, 'public, max-age=31536000, immutable']);
    }
  });

  it('may be embedded by listed origins, as far as files are uploaded there', async () => {
    const server = await serve(longshoreWith(), { origins: ['https://files.example.com', 'http://localhost:5173'] });
    const upload = await ask(server, { method: 'GET', path: '/' });
    expect(upload.headers['content-security-policy']).toMatch(
      /; frame-ancestors https:\/\/files\.example\.com http:\/\/localhost:5173$/,
    );
    expect(upload.headers).not.toHaveProperty('x-frame-options');
    const graphiql = await ask(server, { method: 'GET', headers: HTML });
    expect(graphiql.headers['x-frame-options']).toBe('DENY');
  });

  it('tell health and readiness', async () => {
    let obstacles: readonly 'COORDINATION_UNAVAILABLE'[] = [];
    const server = await serve(longshoreWith(), { obstacles: () => obstacles });
    expect((await ask(server, { method: 'GET', path: '/health' })).text).toBe('{"status":"ok"}');
    expect((await ask(server, { method: 'GET', path: '/ready?x' })).status).toBe(200);
    obstacles = ['COORDINATION_UNAVAILABLE'];
    // An answer holds for a second.
    await expect.poll(async () => (await ask(server, { method: 'GET', path: '/ready' })).status, { timeout: 3_000 }).toBe(503);
  });

  it('are 404 in JSON where nothing is', async () => {
    const server = await serve(longshoreWith());
    for (const asking of [
      { method: 'GET', path: '/nothing' },
      { method: 'POST', path: '/' },
      { method: 'DELETE', path: '/health' },
    ]) {
      const answer = await ask(server, asking);
      expect([answer.status, codeOf(answer)]).toEqual([404, 'NOT_FOUND']);
    }
  });

  it('cannot be framed, sniffed or stored, nor can any other answer', async () => {
    const server = await serve(longshoreWith());
    for (const asking of [{ method: 'GET', path: '/' }, { method: 'GET', headers: HTML }, { method: 'GET', path: '/no' }, {}]) {
      const { headers } = await ask(server, asking);
      expect(headers['x-content-type-options']).toBe('nosniff');
      expect(headers['x-frame-options']).toBe('DENY');
      expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
      expect(headers['cache-control']).toBe('no-store');
    }
  });
});

describe('the Host header', () => {
  const status = async (host: string, loopbackOnly?: boolean): Promise<number> => {
    const server = await serve(longshoreWith(), loopbackOnly === undefined ? {} : { loopbackOnly });
    return (await ask(server, { method: 'GET', path: '/health', headers: { host } })).status;
  };

  it.each(['localhost', 'localhost:4000', 'LOCALHOST', '127.0.0.1:1', '127.1.2.3', '[::1]:4000', 'gateway.localhost'])(
    'may be %s',
    async (host) => {
      expect(await status(host)).toBe(200);
    },
  );

  it.each(['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.5', '0.0.0.0', '[::]'])(
    'may not be %j while nobody proves who he is',
    async (host) => {
      expect(await status(host)).toBe(403);
    },
  );

  it('may not be missing either', async () => {
    const server = await serve(longshoreWith());
    expect(await exchange(server, 'GET /health HTTP/1.0\r\n\r\n')).toContain('403 Forbidden');
  });

  it('may be anything behind authentication', async () => {
    expect(await status('files.example.com', false)).toBe(200);
  });
});

describe('authentication', () => {
  const who = async (headers: Record<string, string>): Promise<unknown> => {
    const asked = deferred<unknown>();
    const server = await serve(
      longshoreWith({
        hosts: async (caller) => {
          asked.resolve(caller.person);
          return [];
        },
      }),
    );
    const answer = await query(server, '{ hosts { id } }', {}, headers);
    return codeOf(answer) ?? asked.promise;
  };

  it('believes the person’s id, and calls nobody anonymous', async () => {
    expect(await who({ 'x-person-id': 'ada' })).toBe('ada');
    expect(await who({})).toBe('anonymous');
    expect(await who({ 'x-person-id': '' })).toBe('anonymous');
  });

  it.each(['x'.repeat(201), '\u0085', 'a\tb'])('refuses the id %j', async (id) => {
    expect(await who({ 'x-person-id': id })).toBe('UNAUTHENTICATED');
  });
});

describe('closing', () => {
  it('lets a request under way finish, and ends the connections that wait', async () => {
    const begun = deferred();
    const goOn = deferred();
    const server = await startServer({
      ...{ log: memoryLog(), address: '127.0.0.1', port: 0, limits: { maxChunkBytes: 1 } },
      longshore: longshoreWith({
        hosts: async () => {
          begun.resolve();
          await goOn.promise;
          return [];
        },
      }),
    });
    const idle = connect(server.port, '127.0.0.1');
    const ended = new Promise((resolve) => idle.once('close', resolve));
    const answer = query(server, '{ hosts { id } }');
    await begun.promise;
    const closed = server.close();
    await ended;
    goOn.resolve();
    expect((await answer).json.data).toEqual({ hosts: [] });
    await closed;
  });

  it('cuts off what takes longer than the grace', async () => {
    const begun = deferred();
    const server = await startServer({
      ...{ log: memoryLog(), address: '127.0.0.1', port: 0, limits: { maxChunkBytes: 1 } },
      longshore: longshoreWith({
        hosts: () => {
          begun.resolve();
          return new Promise(() => {});
        },
      }),
    });
    const answer = query(server, '{ hosts { id } }');
    await begun.promise;
    await Promise.all([expect(answer).rejects.toThrow(), server.close(20)]);
  });

  it('rejects a start on a port that is taken', async () => {
    const server = await serve(longshoreWith());
    await expect(serve(longshoreWith(), { port: server.port })).rejects.toThrow('EADDRINUSE');
  });
});

it('survives a request that isn’t HTTP', async () => {
  const server = await serve(longshoreWith());
  expect(await exchange(server, 'nonsense\r\n\r\n')).toContain('400 Bad Request');
  expect((await ask(server, { method: 'GET', path: '/health' })).status).toBe(200);
});
