import { describe, expect, it } from 'vitest';
import { PREFLIGHT, ask, codeOf, longshoreWith, memoryAudit, query, rawHead, exchange, serve } from '../http/support.js';

const JSON_TYPE = { 'content-type': 'application/json' };
const GOOD = JSON.stringify({ query: '{ hosts { id } }' });

describe('a body that isn’t an operation', () => {
  it.each([
    ['nothing', '', 'BAD_REQUEST'],
    ['a word', 'nonsense', 'BAD_REQUEST'],
    ['half of JSON', '{"query": "{ hosts', 'BAD_REQUEST'],
    ['JSON with a byte that isn’t UTF-8', Buffer.from('7b22717565727922ff7d', 'hex'), 'BAD_REQUEST'],
    ['a NUL', '\u0000', 'BAD_REQUEST'],
    ['null', 'null', 'BAD_REQUEST'],
    ['a number', '42', 'BAD_REQUEST'],
    ['a text', '"{ hosts { id } }"', 'BAD_REQUEST'],
    ['a batch', `[${GOOD},${GOOD}]`, 'BAD_REQUEST'],
    ['an empty batch', '[]', 'BAD_REQUEST'],
    ['a batch of batches', `[[${GOOD}]]`, 'BAD_REQUEST'],
    ['no query', '{}', 'BAD_REQUEST'],
    ['a query that is a number', '{"query":1}', 'BAD_REQUEST'],
    ['variables that are a text', '{"query":"{ hosts { id } }","variables":"x"}', 'BAD_REQUEST'],
    ['variables that are a list', '{"query":"{ hosts { id } }","variables":[]}', 'BAD_REQUEST'],
    ['another parameter', '{"query":"{ hosts { id } }","password":"x"}', 'BAD_REQUEST'],
    ['an operation that isn’t there', '{"query":"{ hosts { id } }","operationName":"x"}', 'OPERATION_RESOLUTION_FAILURE'],
    ['an operation of two', '{"query":"query a { hosts { id } } query b { hosts { id } }"}', 'OPERATION_RESOLUTION_FAILURE'],
    ['an empty query', '{"query":""}', 'GRAPHQL_PARSE_FAILED'],
    ['a schema', '{"query":"type A { a: Int }"}', 'OPERATION_RESOLUTION_FAILURE'],
    ['brackets to the limit', `{"query":"{}","variables":${'['.repeat(200_000)}`, 'BAD_REQUEST'],
    ['a prototype as a parameter', '{"query":"{ hosts { id } }","__proto__":{"x":1}}', 'BAD_REQUEST'],
    ['a prototype as a variable', '{"query":"{ hosts { id } }","variables":{"__proto__":{"x":1}}}', undefined],
  ])('is refused with a code, and nothing of the inside: %s', async (_what, body, code) => {
    const server = await serve(longshoreWith());
    const accept = 'application/graphql-response+json';
    const answer = await ask(server, { headers: { ...JSON_TYPE, accept }, body });
    expect([answer.status, codeOf(answer)]).toEqual([code === undefined ? 200 : 400, code]);
    expect(answer.text).not.toMatch(/originalError|SyntaxError|stack|node_modules|at position/);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  it.each([
    ['variables', `/graphql?query=${encodeURIComponent('{ hosts { id } }')}&variables={`],
    ['extensions', `/graphql?query=${encodeURIComponent('{ hosts { id } }')}&extensions=[`],
    ['no query', '/graphql'],
    ['a query with a broken escape', '/graphql?query=%E0%A4%A'],
  ])('is refused in a target, too: %s', async (_what, path) => {
    const server = await serve(longshoreWith());
    const accept = 'application/graphql-response+json';
    const answer = await ask(server, { method: 'GET', path, headers: { ...PREFLIGHT, accept } });
    expect(answer.status).toBe(400);
    expect(codeOf(answer)).toMatch(/^(BAD_REQUEST|GRAPHQL_PARSE_FAILED)$/);
    expect(answer.text).not.toContain('originalError');
  });
});

describe('a body in a form that isn’t taken', () => {
  it.each(['gzip', 'br', 'deflate', 'GZIP', 'identity, gzip', 'aws-chunked', 'x'])(
    'is refused unread: coding %s',
    async (coding) => {
      const server = await serve(longshoreWith());
      // All of a gigabyte could be in it: not one byte of it is sent here.
      const answer = await exchange(server, rawHead(server, 1_000_000, { ...JSON_TYPE, 'content-encoding': coding }));
      expect(answer).toContain('HTTP/1.1 415');
      expect(answer).toContain('"code":"UNSUPPORTED_MEDIA_TYPE"');
    },
  );

  it.each(['application/json; charset=utf-16', 'application/json; charset="utf-7"', 'application/json;CHARSET=latin1'])(
    'is refused unread: %s',
    async (type) => {
      const server = await serve(longshoreWith());
      const answer = await exchange(server, rawHead(server, 1_000_000, { 'content-type': type }));
      expect(answer).toContain('HTTP/1.1 415');
    },
  );

  it.each([
    'application/xml',
    'application/octet-stream',
    'text/html',
    'multipart/mixed; boundary=x',
    'multipart/related',
    'x',
    '*/*',
  ])('is refused unread: type %s', async (type) => {
    const server = await serve(longshoreWith());
    const answer = await exchange(server, rawHead(server, 1_000_000, { 'content-type': type }));
    expect(answer).toContain('HTTP/1.1 415');
    expect(answer).toContain('"code":"UNSUPPORTED_MEDIA_TYPE"');
  });

  it.each(['application/json; charset=utf-8', 'application/json;charset="UTF-8"', 'application/json; charset=utf8'])(
    'is taken as %s',
    async (type) => {
      const server = await serve(longshoreWith());
      expect((await ask(server, { headers: { 'content-type': type }, body: GOOD })).json.data).toEqual({ hosts: [] });
    },
  );

  it('is taken in identity', async () => {
    const server = await serve(longshoreWith());
    expect((await ask(server, { headers: { ...JSON_TYPE, 'content-encoding': 'identity' }, body: GOOD })).status).toBe(200);
  });

  it.each(['image/png', 'text/plain', 'application/xml;q=1'])(
    'is refused before it is done, when no answer would do: %s',
    async (accept) => {
      let called = false;
      const server = await serve(
        longshoreWith({
          hosts: async () => {
            called = true;
            return [];
          },
        }),
      );
      const answer = await ask(server, { headers: { ...JSON_TYPE, accept }, body: GOOD });
      expect([answer.status, codeOf(answer), called]).toEqual([406, 'NOT_ACCEPTABLE', false]);
    },
  );
});

describe('methods', () => {
  it.each(['PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND', 'QUERY'])(
    'other than GET and POST are refused: %s',
    async (method) => {
      const server = await serve(longshoreWith());
      const answer = await ask(server, { method, headers: { ...PREFLIGHT, ...JSON_TYPE } });
      expect([answer.status, answer.headers.allow]).toEqual([405, 'GET, POST, OPTIONS']);
      // Nothing of the request comes back, as TRACE would have it.
      expect(answer.text).not.toContain('csrf');
    },
  );
});

describe('the audit', () => {
  it('has a line for each refusal of a different kind, with who and which request', async () => {
    const audit = memoryAudit();
    const server = await serve(longshoreWith(), { audit });
    const answer = await query(server, 'x'.repeat(40_000));
    expect(audit.events).toEqual([
      { action: 'request', result: 'QUERY_TOO_COMPLEX', requestId: answer.headers['x-request-id'], address: '127.0.0.1' },
    ]);
  });

  it('has one line a second for an address that is refused all the time, with the count', async () => {
    const audit = memoryAudit();
    const server = await serve(longshoreWith(), { audit });
    for (let n = 0; n < 500; n += 1) await ask(server, { headers: { 'content-type': 'text/plain' }, body: 'x' });
    await server.close(0);
    expect(audit.events.length).toBeLessThan(20);
    const counted = audit.events.reduce((sum, { details }) => sum + Number(details?.['count'] ?? 1), 0);
    expect(counted).toBe(500);
  });
});
