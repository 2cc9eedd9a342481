// Requests forged by pages of other sites: every combination of method, content type, header, origin and cookie, against two questions.
// May it change or read anything? And may the page that sent it see the answer?
import { describe, expect, it } from 'vitest';
import type { RunningServer } from '../../src/http/server.js';
import type { Answer } from '../http/support.js';
import {
  MULTIPART_TYPE,
  ask,
  codeOf,
  countingLongshore,
  file,
  longshoreWith,
  map,
  memoryAudit,
  multipart,
  operations,
  serve,
} from '../http/support.js';

const LISTED = 'https://files.example.com';
const ORIGINS = {
  none: undefined,
  own: 'own',
  listed: LISTED,
  foreign: 'https://evil.example',
  'with the listed one as its beginning': `${LISTED}.evil.example`,
  'with the listed one as its end': 'https://evil-files.example.com',
  'listed with another port': `${LISTED}:8443`,
  'listed without TLS': LISTED.replace('https', 'http'),
  null: 'null',
} as const;
const HEADERS = [undefined, 'x-graphql-yoga-csrf', 'apollo-require-preflight'] as const;
const COOKIES = [undefined, 'session=1'] as const;

const QUERY = '{ hosts { id } }';
const JSON_BODY = JSON.stringify({ query: QUERY });
const MULTIPART_BODY = multipart(operations(), map(), file('bytes'));

interface Kind {
  readonly what: string;
  readonly type?: string;
  readonly body?: string | Buffer;
  /** Whether a browser asks before it lets a page of another site send that type. */
  readonly isPreflighted: boolean;
  /** Whether the gateway takes such a body at all. */
  readonly isTaken: boolean;
}

const KINDS: readonly Kind[] = [
  { what: 'GET', isPreflighted: false, isTaken: true },
  { what: 'json', type: 'application/json', body: JSON_BODY, isPreflighted: true, isTaken: true },
  { what: 'json with a charset', type: 'application/json; charset=utf-8', body: JSON_BODY, isPreflighted: true, isTaken: true },
  { what: 'json in capitals', type: 'Application/JSON', body: JSON_BODY, isPreflighted: true, isTaken: false },
  { what: 'graphql', type: 'application/graphql', body: QUERY, isPreflighted: true, isTaken: true },
  {
    what: 'a form',
    type: 'application/x-www-form-urlencoded',
    body: `query=${encodeURIComponent(QUERY)}`,
    isPreflighted: false,
    isTaken: true,
  },
  {
    what: 'a form in capitals',
    type: 'APPLICATION/X-WWW-FORM-URLENCODED',
    body: `query=${encodeURIComponent(QUERY)}`,
    isPreflighted: false,
    isTaken: false,
  },
  { what: 'multipart', type: MULTIPART_TYPE, body: MULTIPART_BODY, isPreflighted: false, isTaken: true },
  {
    what: 'multipart in capitals',
    type: MULTIPART_TYPE.replace('multipart/form-data', 'MultiPart/Form-Data'),
    body: MULTIPART_BODY,
    isPreflighted: false,
    isTaken: true,
  },
  { what: 'text', type: 'text/plain', body: JSON_BODY, isPreflighted: false, isTaken: false },
  {
    what: 'text that says it is json',
    type: 'text/plain; charset=application/json',
    body: JSON_BODY,
    isPreflighted: false,
    isTaken: false,
  },
  { what: 'text and json', type: 'text/plain, application/json', body: JSON_BODY, isPreflighted: false, isTaken: false },
  { what: 'no type', body: JSON_BODY, isPreflighted: false, isTaken: false },
];

interface Cell {
  readonly kind: Kind;
  readonly origin: keyof typeof ORIGINS;
  readonly header: (typeof HEADERS)[number];
  readonly cookie: (typeof COOKIES)[number];
}

const CELLS: readonly Cell[] = KINDS.flatMap((kind) =>
  (Object.keys(ORIGINS) as (keyof typeof ORIGINS)[]).flatMap((origin) =>
    HEADERS.flatMap((header) => COOKIES.map((cookie) => ({ kind, origin, header, cookie }))),
  ),
);

/** What the design says: without JSON or a header nobody, and pages only where they are ours or listed. A cookie changes nothing. */
function expected({ kind, origin, header }: Cell): string {
  if (!kind.isPreflighted && header === undefined) return '403 CSRF_BLOCKED';
  if (!['none', 'own', 'listed'].includes(origin)) return '403 FORBIDDEN';
  return kind.isTaken ? '200' : '415 UNSUPPORTED_MEDIA_TYPE';
}

async function sendCell(server: RunningServer, { kind, origin, header, cookie }: Cell): Promise<Answer> {
  const from = origin === 'own' ? server.url : ORIGINS[origin];
  const headers = {
    ...(kind.type === undefined ? {} : { 'content-type': kind.type }),
    ...(header === undefined ? {} : { [header]: 'anything' }),
    ...(from === undefined ? {} : { origin: from }),
    ...(cookie === undefined ? {} : { cookie }),
  };
  if (kind.what === 'GET') return ask(server, { method: 'GET', path: `/graphql?query=${encodeURIComponent(QUERY)}`, headers });
  return ask(server, { headers, ...(kind.body === undefined ? {} : { body: kind.body }) });
}

describe.each(KINDS)('a forged request: $what', (kind) => {
  it('does something only where a browser would have asked first, and its page may', async () => {
    let calls = 0;
    const called = <T>(answer: T): T => {
      calls += 1;
      return answer;
    };
    const server = await serve(
      longshoreWith({
        hosts: async () => called([]),
        uploadChunk: (...args) => called(countingLongshore.uploadChunk(...args)),
      }),
      {
        origins: [LISTED],
      },
    );
    for (const cell of CELLS.filter((each) => each.kind === kind)) {
      const before = calls;
      const answer = await sendCell(server, cell);
      const name = JSON.stringify({ ...cell, kind: kind.what });
      expect([name, answer.status === 200 ? '200' : `${answer.status} ${String(codeOf(answer))}`]).toEqual([
        name,
        expected(cell),
      ]);
      expect([name, calls - before]).toEqual([name, answer.status === 200 ? 1 : 0]);
      // Only pages of listed origins may read across origins, and never as the person that a cookie makes them.
      const mayRead = cell.origin === 'listed' ? LISTED : undefined;
      expect([name, answer.headers['access-control-allow-origin']]).toEqual([name, mayRead]);
      expect(answer.headers['access-control-allow-credentials']).toBeUndefined();
      expect(answer.headers['set-cookie']).toBeUndefined();
      expect(answer.headers.vary?.toLowerCase()).toContain('origin');
    }
  });
});

it('has a cell for every combination', () => {
  expect(CELLS.length).toBe(13 * 9 * 3 * 2);
});

describe('the browser’s question before a request', () => {
  it.each(Object.entries(ORIGINS))('is answered for listed origins alone: %s', async (name, origin) => {
    const server = await serve(longshoreWith(), { origins: [LISTED] });
    const from = name === 'own' ? server.url : origin;
    const asking = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' };
    const { status, headers } = await ask(server, {
      method: 'OPTIONS',
      headers: { ...asking, ...(from === undefined ? {} : { origin: from }) },
    });
    expect(status).toBe(204);
    expect(headers['access-control-allow-origin']).toBe(name === 'listed' ? LISTED : undefined);
    expect(headers['access-control-allow-headers'] !== undefined).toBe(name === 'listed');
    expect(headers['access-control-allow-methods']).toBe(name === 'listed' ? 'GET, POST' : undefined);
    expect(headers['access-control-allow-credentials']).toBeUndefined();
    expect(headers['access-control-allow-private-network']).toBeUndefined();
  });
});

describe('a mutation by GET', () => {
  const mutation = 'mutation { abortUpload(file: { hostId: "h", fullPath: "p", hashCode: "c" }) { __typename } }';
  const hidden = `query a { hosts { id } } mutation b { abortUpload(file: { hostId: "h", fullPath: "p", hashCode: "c" }) { __typename } }`;

  it.each([
    ['plain', mutation, ''],
    ['behind a query', hidden, '&operationName=b'],
  ])('is refused even with the header: %s', async (_what, text, more) => {
    const server = await serve(longshoreWith({ abortUpload: () => Promise.reject(new Error('was called')) }));
    const path = `/graphql?query=${encodeURIComponent(text)}${more}`;
    const answer = await ask(server, { method: 'GET', path, headers: { 'x-graphql-yoga-csrf': '1' } });
    expect([answer.status, codeOf(answer)]).toEqual([405, 'BAD_REQUEST']);
  });
});

it('a subscription by EventSource of another site is refused', async () => {
  const server = await serve(longshoreWith());
  const text = 'subscription { mergeProgress(file: { hostId: "h", fullPath: "p", hashCode: "c" }) { phase } }';
  const path = `/graphql?query=${encodeURIComponent(text)}`;
  // All that an EventSource can send of its own.
  const headers = { accept: 'text/event-stream', 'cache-control': 'no-store', origin: 'https://evil.example', cookie: 'a=b' };
  const answer = await ask(server, { method: 'GET', path, headers });
  expect([answer.status, codeOf(answer)]).toEqual([403, 'CSRF_BLOCKED']);
});

describe('a page of another origin that is listed', () => {
  it('may read how long it is asked to wait, and the id of its request', async () => {
    const server = await serve(longshoreWith(), { origins: [LISTED] });
    const { headers } = await ask(server, { headers: { origin: LISTED, 'content-type': 'application/json' }, body: '{}' });
    expect(headers['access-control-expose-headers']).toBe('retry-after, x-request-id');
  });

  it('is told which headers it may send', async () => {
    const server = await serve(longshoreWith(), { origins: [LISTED] });
    const { headers } = await ask(server, { method: 'OPTIONS', headers: { origin: LISTED } });
    for (const name of ['content-type', 'authorization', 'x-graphql-yoga-csrf', 'apollo-require-preflight']) {
      expect(headers['access-control-allow-headers']).toContain(name);
    }
  });
});

it('each kind of refusal is in the audit', async () => {
  const audit = memoryAudit();
  const server = await serve(longshoreWith(), { audit, origins: [LISTED] });
  const refused = async (headers: Record<string, string>): Promise<string | undefined> => {
    const answer = await ask(server, { headers, body: JSON_BODY });
    return String(answer.headers['x-request-id']);
  };
  const id = await refused({ origin: 'https://evil.example' });
  expect(audit.events).toEqual([{ action: 'request', result: 'CSRF_BLOCKED', requestId: id, address: '127.0.0.1' }]);
});
