import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { RunningServer, ServerOptions } from '../../src/http/server.js';
import { ask, codeOf, exchange, longshoreWith, memoryAudit, memoryLog, query, serve } from '../http/support.js';

const BODY = JSON.stringify({ query: '{ hosts { id } }' });

/** A request as it goes over the wire; the lines are sent as they are. */
function request(lines: readonly string[], body = '', first = 'POST /graphql HTTP/1.1'): string {
  return `${[first, ...lines].join('\r\n')}\r\n\r\n${body}`;
}

const HOST = 'host: localhost';
const JSON_LINE = 'content-type: application/json';

/** All that comes back until the server closes, which it does at once after most of what is sent here. */
async function untilClosed(server: RunningServer, text: string, ending?: 'then ends'): Promise<string> {
  const socket = connect(server.port, '127.0.0.1');
  let received = '';
  socket.on('data', (piece) => (received += piece.toString('latin1')));
  socket.on('error', () => undefined);
  socket.write(text, 'latin1');
  if (ending !== undefined) socket.end();
  await once(socket, 'close');
  return received;
}

/** A server, and how often something was called in it. */
async function counting(options: Partial<ServerOptions> = {}): Promise<{ server: RunningServer; calls: () => number }> {
  let calls = 0;
  const longshore = longshoreWith({
    hosts: async () => {
      calls += 1;
      return [];
    },
  });
  return { server: await serve(longshore, options), calls: () => calls };
}

const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
};

describe('lengths that lie (request smuggling)', () => {
  const smuggled = 'POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n';
  const chunked = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`;

  it.each<[string, readonly string[], string]>([
    ['two different lengths', [`content-length: ${BODY.length}`, 'content-length: 4'], BODY],
    ['two lengths in one header', [`content-length: ${BODY.length}, 4`], BODY],
    ['a negative length', ['content-length: -1'], BODY],
    ['a length with a sign', [`content-length: +${BODY.length}`], BODY],
    ['a length in hexadecimal', ['content-length: 0x10'], BODY],
    ['a length beyond all numbers', ['content-length: 99999999999999999999999'], BODY],
    ['a length with a space', ['content-length: 1 0'], BODY],
    ['length and chunks', [`content-length: ${BODY.length}`, 'transfer-encoding: chunked'], chunked],
    ['chunks and length', ['transfer-encoding: chunked', `content-length: ${BODY.length}`], chunked],
    ['chunks twice, the second unknown', ['transfer-encoding: chunked', 'transfer-encoding: x'], chunked],
    ['chunks before another coding', ['transfer-encoding: chunked, identity'], chunked],
    ['chunks with a vertical tab', ['transfer-encoding: \u000bchunked'], chunked],
    ['a space before the colon', [`content-length : ${BODY.length}`], BODY],
    ['a folded header', ['transfer-encoding:', ' chunked', `content-length: ${BODY.length}`], chunked],
    ['a bare CR in a header', [`x: a\rcontent-length: ${BODY.length}`], BODY],
    ['a NUL in a header', [`x: a\u0000b`, `content-length: ${BODY.length}`], BODY],
    ['a chunk size with a sign', ['transfer-encoding: chunked'], `+5\r\nabcde\r\n0\r\n\r\n`],
    ['a chunk size beyond all numbers', ['transfer-encoding: chunked'], `fffffffffffffffff\r\nabcde\r\n0\r\n\r\n`],
    ['a chunk longer than it says', ['transfer-encoding: chunked'], `3\r\n${BODY}\r\n0\r\n\r\n`],
    ['garbage in place of chunks', ['transfer-encoding: chunked'], `nonsense\r\n`],
    ['a chunk extension of 64 KiB', ['transfer-encoding: chunked'], `1;${'x'.repeat(65_536)}\r\n{\r\n0\r\n\r\n`],
  ])('are refused, and what comes after isn’t taken for a request: %s', async (_what, lines, body) => {
    const { server, calls } = await counting();
    const rest = `${smuggled}content-length: ${BODY.length}\r\n\r\n${BODY}`;
    const answer = await untilClosed(server, request([HOST, JSON_LINE, ...lines], body) + rest);
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(answer).toMatch(/"code":"(BAD_REQUEST|PAYLOAD_TOO_LARGE)"/);
    expect(answer.toLowerCase()).toContain('connection: close');
    expect(calls()).toBe(0);
    expect((await query(server, '{ hosts { id } }')).status).toBe(200);
  });

  it('a body shorter than it said is no operation', async () => {
    const { server, calls } = await counting();
    await untilClosed(server, request([HOST, JSON_LINE, `content-length: ${BODY.length + 10}`], BODY), 'then ends');
    expect(calls()).toBe(0);
  });

  it('what is beyond the length is a broken request, after which the connection is closed', async () => {
    const { server, calls } = await counting();
    const answer = await untilClosed(server, request([HOST, JSON_LINE, `content-length: ${BODY.length}`], `${BODY}and more`));
    expect(answer).toContain('HTTP/1.1 400');
    expect(calls()).toBeLessThan(2);
  });
});

describe('heads that are too large', () => {
  it('are refused with 431', async () => {
    const { server } = await counting();
    const answer = await untilClosed(server, request([HOST, `x: ${'y'.repeat(20_000)}`], '', 'GET /health HTTP/1.1'));
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
    expect(answer).toContain('"code":"HEADERS_TOO_LARGE"');
  });

  it('are refused by the number of headers, too', async () => {
    const { server } = await counting();
    const many = Array.from({ length: 5_000 }, (_, n) => `x${n}: y`);
    expect(await untilClosed(server, request([HOST, ...many], '', 'GET /health HTTP/1.1'))).toMatch(/^HTTP\/1\.1 431 /);
  });

  it('are refused by the target', async () => {
    const { server } = await counting();
    const answer = await ask(server, { method: 'GET', path: `/graphql?query=${'x'.repeat(9_000)}` });
    expect([answer.status, codeOf(answer)]).toEqual([414, 'URI_TOO_LONG']);
  });
});

describe('targets that aren’t ours', () => {
  it.each([
    ['another server', 'GET http://evil.example/graphql HTTP/1.1'],
    ['this server in full', 'GET http://localhost/health HTTP/1.1'],
    ['an asterisk', 'OPTIONS * HTTP/1.1'],
    ['no path', 'GET ?query=x HTTP/1.1'],
    ['a raw byte', 'GET /\u00e9 HTTP/1.1'],
    ['a bidirectional override', `GET /${Buffer.from('\u202e').toString('latin1')} HTTP/1.1`],
    ['a NUL', 'GET /\u0000 HTTP/1.1'],
    ['a fragment', 'GET /#a b HTTP/1.1'],
    ['HTTP/0.9', 'GET /health'],
    ['HTTP/2.0', 'GET /health HTTP/2.0'],
    ['HTTP/9.9', 'GET /health HTTP/9.9'],
    ['a method nobody knows', 'STEAL /health HTTP/1.1'],
    ['TLS where there is none', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000'],
  ])('are refused: %s', async (_what, first) => {
    const { server } = await counting();
    const socket = connect(server.port, '127.0.0.1');
    let received = '';
    socket.on('data', (piece) => (received += piece.toString('latin1')));
    socket.on('error', () => undefined);
    socket.write(Buffer.from(`${first}\r\n${HOST}\r\nconnection: close\r\n\r\n`, 'latin1'));
    await once(socket, 'close');
    expect(received).toMatch(/^HTTP\/1\.1 40[0-9] /);
    expect(received).toContain('"code":"BAD_REQUEST"');
  });

  it('CONNECT is no way to anywhere', async () => {
    const { server } = await counting();
    const answer = await untilClosed(server, request([HOST], '', 'CONNECT evil.example:443 HTTP/1.1'));
    expect(answer).not.toContain(' 200 ');
  });

  it.each([
    '/..%2fpackage.json',
    '/assets/..%2f..%2fmain.js',
    '/assets/%2e%2e/%2e%2e/main.js',
    '/assets/../../main.js',
    '/assets/..\\..\\main.js',
    '/assets/....//main.js',
    '/assets/%00-abcdefgh.js',
    '/assets/index-abcdefgh.js%00.css',
    '/assets//etc/passwd-abcdefgh.css',
    '/assets/-abcdefgh.html',
    '/graphiql/../main-abcdefgh.js',
    '//etc/passwd',
    '/%2fetc%2fpasswd',
    '/.env',
    '/.git/config',
    '/package.json',
  ])('a path that leads out of the pages leads nowhere: %s', async (path) => {
    const { server } = await counting();
    const answer = await untilClosed(server, request([HOST, 'connection: close'], '', `GET ${path} HTTP/1.1`));
    expect(answer).toMatch(/^HTTP\/1\.1 40[04] /);
    expect(answer).not.toMatch(/root:|"name": "longshore"|import /);
  });
});

describe('hosts', () => {
  it.each<[string, readonly string[]]>([
    ['two', ['host: localhost', 'host: evil.example']],
    ['none', []],
    ['an empty one', ['host:']],
    ['one with a path', ['host: localhost/x']],
    ['one with a person', ['host: evil@localhost']],
    ['one with a space', ['host: local host']],
    ['one with a line', ['host: localhost\r\n evil']],
    ['one of bytes', ['host: \u00e9\u00e8']],
  ])('are refused when there isn’t exactly one, also behind authentication: %s', async (_what, lines) => {
    const { server } = await counting({ loopbackOnly: false });
    const answer = await untilClosed(server, request([...lines, 'connection: close'], '', 'GET /health HTTP/1.1'));
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('"code":"BAD_REQUEST"');
  });

  it('may be left out by HTTP/1.0', async () => {
    const { server } = await counting({ loopbackOnly: false });
    expect(await untilClosed(server, 'GET /health HTTP/1.0\r\n\r\n')).toContain('{"status":"ok"}');
  });
});

describe('expectations', () => {
  it.each(['200-maybe', '100', 'x'])('other than to be invited are refused: %s', async (expect_) => {
    const { server, calls } = await counting();
    const answer = await untilClosed(
      server,
      request([HOST, JSON_LINE, 'connection: close', `expect: ${expect_}`, `content-length: ${BODY.length}`], BODY),
    );
    expect(answer).toMatch(/^HTTP\/1\.1 417 /);
    expect(answer).toContain('"code":"EXPECTATION_FAILED"');
    expect(calls()).toBe(0);
  });

  it('to be invited is heard once, in any case', async () => {
    const { server } = await counting();
    const answer = await untilClosed(
      server,
      request([HOST, JSON_LINE, 'connection: close', 'expect: 100-Continue', `content-length: ${BODY.length}`], BODY),
    );
    expect(answer).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/);
  });
});

it('requests that come all at once are answered in their order', async () => {
  const { server, calls } = await counting();
  const one = request([HOST, JSON_LINE, `content-length: ${BODY.length}`], BODY);
  const health = request([HOST, 'connection: close'], '', 'GET /health HTTP/1.1');
  const answer = await untilClosed(server, one.repeat(50) + health);
  expect(answer.match(/HTTP\/1\.1 200 OK/g)?.length).toBe(51);
  expect(answer.endsWith('{"status":"ok"}')).toBe(true);
  expect(calls()).toBe(50);
});

describe('every answer', () => {
  it.each([
    ['a page', 'GET / HTTP/1.1'],
    ['a part that isn’t there', 'GET /assets/x-abcdefgh.js HTTP/1.1'],
    ['health', 'GET /health HTTP/1.1'],
    ['an error', 'GET /graphql HTTP/1.1'],
    ['nothing', 'GET /nothing HTTP/1.1'],
    ['a preflight', 'OPTIONS /graphql HTTP/1.1'],
    ['what isn’t HTTP', 'nonsense'],
    ['a refused upgrade', 'GET /nothing HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade'],
    ['an expectation', 'GET /health HTTP/1.1\r\nexpect: x'],
  ])('has the security headers and an id, and doesn’t say what it runs on: %s', async (what, first) => {
    const { server } = await counting();
    const head =
      (
        await untilClosed(server, request([HOST, ...(first.includes('upgrade') ? [] : ['connection: close'])], '', first))
      ).split('\r\n\r\n', 1)[0] ?? '';
    const headers = new Map(
      head
        .split('\r\n')
        .slice(1)
        .map((line) => [line.split(':', 1)[0]?.toLowerCase(), line.slice(line.indexOf(':') + 2)]),
    );
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
      if (what === 'a page' && name === 'content-security-policy') expect(headers.get(name)).toContain("default-src 'none'");
      else expect([name, headers.get(name)]).toEqual([name, value]);
    }
    expect(headers.get('permissions-policy')).toContain('camera=()');
    expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(headers.has('server') || headers.has('x-powered-by')).toBe(false);
    // Plain HTTP can't promise TLS.
    expect(headers.has('strict-transport-security')).toBe(false);
  });

  it('has an id of its own, and not the client’s', async () => {
    const { server } = await counting();
    const send = async (): Promise<unknown> =>
      (await query(server, '{ hosts { id } }', {}, { 'x-request-id': 'mine' })).headers['x-request-id'];
    const ids = [await send(), await send()];
    expect(new Set(ids).size).toBe(2);
    expect(ids).not.toContain('mine');
  });

  it('has the id that core is given and the log has', async () => {
    const log = memoryLog();
    let given: unknown;
    const longshore = longshoreWith({
      hosts: (caller) => {
        given = caller.request;
        return Promise.reject(new Error('a secret'));
      },
    });
    const server = await serve(longshore, { log });
    const answer = await query(server, '{ hosts { id } }');
    const id = answer.headers['x-request-id'];
    expect(given).toEqual({ id, address: '127.0.0.1' });
    expect(answer.json.errors?.[0]?.extensions?.['id']).toBe(id);
    expect(log.lines.map(({ fields }) => fields['requestId'])).toEqual([id]);
  });
});

it('what is broken is in the audit under the plain address of who came over IPv6', async () => {
  const audit = memoryAudit();
  const { server } = await counting({ audit, address: '::' });
  await exchange(server, 'nonsense\r\n\r\n');
  expect(audit.events).toMatchObject([{ result: 'BAD_REQUEST', address: '127.0.0.1' }]);
});

it('what is broken is in the audit, one line a second at most', async () => {
  const audit = memoryAudit();
  const { server } = await counting({ audit });
  for (let n = 0; n < 100; n += 1) await exchange(server, 'nonsense\r\n\r\n');
  await server.close(0);
  expect(audit.events.length).toBeLessThan(10);
  expect(audit.events[0]).toMatchObject({ action: 'request', result: 'BAD_REQUEST', address: '127.0.0.1' });
  expect(audit.events.reduce((sum, { details }) => sum + Number(details?.['count'] ?? 1), 0)).toBe(100);
});
