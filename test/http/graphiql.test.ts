// How GraphiQL is sent. What it does in a browser is in graphiql-page.test.ts. Both need what `npm run build` makes.
import { readFileSync, readdirSync } from 'node:fs';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { buildSchema, parse, validate } from 'graphql';
import { describe, expect, it } from 'vitest';
import type { RunningServer } from '../../src/http/server.js';
import { ask, codeOf, deferred, longshoreWith, serve } from './support.js';

const root = new URL('../../', import.meta.url);
const HTML = { accept: 'text/html' };

/** Addresses of the page's parts, as the page has them. */
async function partsOf(server: RunningServer): Promise<readonly string[]> {
  const { text } = await ask(server, { method: 'GET', headers: HTML });
  return [...text.matchAll(/(?:src|href)="([^"]+\.(?:js|css))"/g)].map(([, address = '']) => `/${address}`);
}

async function bytesOf(server: RunningServer, path: string, headers: Record<string, string>, method = 'GET') {
  const response = deferred<IncomingMessage>();
  request(`${server.url}${path}`, { method, headers, agent: false }, response.resolve).on('error', response.reject).end();
  const answer = await response.promise;
  const pieces: Buffer[] = [];
  for await (const piece of answer) pieces.push(piece as Buffer);
  return { status: answer.statusCode, headers: answer.headers, bytes: Buffer.concat(pieces) };
}

describe('the page', () => {
  it('loads nothing but files of this server, and has no script of its own', async () => {
    const { status, headers, text } = await ask(await serve(longshoreWith()), { method: 'GET', headers: HTML });
    expect([status, headers['content-type'], headers['cache-control']]).toEqual([200, 'text/html; charset=utf-8', 'no-store']);
    expect(text).not.toMatch(/https?:|["']\/\/|<style|<script>|\{\{/);
    expect(headers['content-security-policy']).toBe(
      "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
        "font-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
  });

  it('needs nobody to say who he is', async () => {
    const server = await serve(longshoreWith(), { authenticate: () => Promise.reject(new Error('never asked')) });
    expect((await ask(server, { method: 'GET', headers: HTML })).status).toBe(200);
    for (const path of await partsOf(server)) expect((await ask(server, { method: 'GET', path })).status).toBe(200);
  });
});

describe('a part of the page', () => {
  it('is kept by caches for good, under a name that changes with it', async () => {
    const server = await serve(longshoreWith());
    const parts = await partsOf(server);
    expect(parts.map((path) => path.replace(/-[0-9a-f]{12}\./, '.'))).toEqual([
      '/graphiql/graphiql.css',
      '/graphiql/page.css',
      '/graphiql/graphiql.js',
      '/graphiql/page.js',
    ]);
    for (const path of parts) {
      const { headers } = await ask(server, { method: 'GET', path });
      expect(headers['cache-control']).toBe('public, max-age=31536000, immutable');
      expect(headers['content-type']).toMatch(path.endsWith('js') ? /^text\/javascript/ : /^text\/css/);
    }
  });

  it.each([
    ['br', 'gzip, deflate, br', brotliDecompressSync],
    ['gzip', 'gzip, deflate', gunzipSync],
    ['gzip', 'GZIP;q=1, br;q=0', gunzipSync],
    [undefined, 'identity', (bytes: Buffer) => bytes],
  ])('comes as %s to who accepts %s', async (coding, accepted, decode) => {
    const server = await serve(longshoreWith());
    const path = (await partsOf(server)).find((part) => part.includes('/page-') && part.endsWith('.js')) ?? '';
    const { headers, bytes } = await bytesOf(server, path, { 'accept-encoding': accepted });
    expect([headers['content-encoding'], headers.vary]).toEqual([coding, 'accept-encoding']);
    expect(Number(headers['content-length'])).toBe(bytes.length);
    expect(decode(bytes).equals(readFileSync(new URL(`dist${path}`, root)))).toBe(true);
  });

  it('is told without its bytes to a HEAD', async () => {
    const server = await serve(longshoreWith());
    const [path = ''] = await partsOf(server);
    const { status, headers, bytes } = await bytesOf(server, path, {}, 'HEAD');
    expect([status, Number(headers['content-length']) > 100_000, bytes.length]).toEqual([200, true, 0]);
  });

  it.each([
    '/graphiql/',
    '/graphiql/index.html',
    `/assets/${'a'.repeat(300)}-12345678.js`,
    '/graphiql/nothing.js',
    '/graphiql/../main.js',
    '/graphiql/..%2fmain.js',
    '/graphiql/%2e%2e/main.js',
    '/graphiql//etc/passwd',
    '/graphiql/C:main.js',
  ])('is not to be had at %s', async (path) => {
    const answer = await ask(await serve(longshoreWith()), { method: 'GET', path });
    expect([answer.status, codeOf(answer)]).toEqual([404, 'NOT_FOUND']);
  });

  it('leaves no file open, also where its reader gives up', async () => {
    const server = await serve(longshoreWith());
    const path = (await partsOf(server)).find((part) => part.includes('/graphiql-') && part.endsWith('.js')) ?? '';
    const openFiles = (): number => readdirSync('/proc/self/fd').length;
    const before = openFiles();
    for (let n = 0; n < 10; n += 1) {
      const { promise, resolve } = deferred<IncomingMessage>();
      request(`${server.url}${path}`, { agent: false }, resolve).end();
      const response = await promise;
      const closed = new Promise((done) => response.once('close', done));
      response.on('error', () => undefined).destroy();
      await closed;
      await ask(server, { method: 'HEAD', path });
    }
    await expect.poll(openFiles).toBeLessThanOrEqual(before + 1);
  });
});

it('every example holds against the schema', () => {
  const schema = buildSchema(readFileSync(new URL('schema.graphql', root), 'utf8'));
  const directory = new URL('src/http/graphiql/examples/', root);
  const names = readdirSync(directory).filter((name) => name.endsWith('.graphql'));
  expect(names).toHaveLength(9);
  for (const name of names) {
    const document = parse(readFileSync(new URL(name, directory), 'utf8'));
    expect([name, validate(schema, document)]).toEqual([name, []]);
    expect(document.definitions).toHaveLength(1);
  }
});
