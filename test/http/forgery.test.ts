import { describe, expect, it } from 'vitest';
import {
  MULTIPART_TYPE,
  ask,
  codeOf,
  countingLongshore,
  file,
  longshoreWith,
  map,
  multipart,
  operations,
  serve,
} from './support.js';

const GET = { method: 'GET', path: `/graphql?query=${encodeURIComponent('{ hosts { id } }')}` };
const JSON_BODY = JSON.stringify({ query: '{ hosts { id } }' });
const MULTIPART_BODY = multipart(operations(), map(), file('bytes'));
const SIMPLE = [
  ['GET', {}, GET],
  ['text', { 'content-type': 'text/plain' }, { body: JSON_BODY }],
  ['text that calls itself JSON', { 'content-type': 'text/plain; charset=application/json' }, { body: JSON_BODY }],
  ['a form', { 'content-type': 'application/x-www-form-urlencoded' }, { body: 'query={hosts{id}}' }],
  ['multipart', { 'content-type': MULTIPART_TYPE }, { body: MULTIPART_BODY }],
  [
    'multipart in capitals',
    { 'content-type': MULTIPART_TYPE.replace('multipart/form-data', 'MultiPart/Form-Data') },
    { body: MULTIPART_BODY },
  ],
  ['no content type', {}, { body: JSON_BODY }],
] as const;

describe('a request that a plain form could send', () => {
  it.each(SIMPLE)('is refused: %s', async (_what, headers, asking) => {
    const server = await serve(countingLongshore);
    const answer = await ask(server, { ...asking, headers: { ...headers, origin: 'https://evil.example' } });
    expect([answer.status, codeOf(answer)]).toEqual([403, 'CSRF_BLOCKED']);
  });

  it.each(['x-graphql-yoga-csrf', 'apollo-require-preflight'])('is answered with the header %s', async (header) => {
    const server = await serve(countingLongshore);
    const get = await ask(server, { ...GET, headers: { [header]: 'anything' } });
    expect(get.json.data).toEqual({ hosts: [] });
    const upload = await ask(server, { headers: { 'content-type': MULTIPART_TYPE, [header]: '1' }, body: MULTIPART_BODY });
    expect(upload.json.data?.['uploadChunk']).toMatchObject({ uploadedBytes: 5 });
  });
});

it('a JSON body needs no header, since no form can send one', async () => {
  const server = await serve(longshoreWith());
  expect((await ask(server, { headers: { 'content-type': 'application/json' }, body: JSON_BODY })).json.data).toEqual({
    hosts: [],
  });
});

it('a mutation by GET is refused even with the header', async () => {
  const server = await serve(longshoreWith());
  const mutation = 'mutation { abortUpload(file: { hostId: "h", fullPath: "p", hashCode: "c" }) { __typename } }';
  const path = `/graphql?query=${encodeURIComponent(mutation)}`;
  expect((await ask(server, { method: 'GET', path, headers: { 'x-graphql-yoga-csrf': '1' } })).status).toBe(405);
});

describe('a page of another origin', () => {
  const listed = 'https://files.example.com';

  it('may read answers when it is listed, and only then', async () => {
    const server = await serve(longshoreWith(), { origins: [listed] });
    const from = async (origin: string): Promise<unknown> =>
      (await ask(server, { method: 'OPTIONS', headers: { origin } })).headers['access-control-allow-origin'];
    expect(await from(listed)).toBe(listed);
    expect(await from('https://files.example.com.evil.example')).toBeUndefined();
    expect(await from('null')).toBeUndefined();
  });

  it('may read how long it is asked to wait', async () => {
    const server = await serve(longshoreWith(), { origins: [listed] });
    const { headers } = await ask(server, { headers: { origin: listed, 'content-type': 'application/json' }, body: '{}' });
    expect(headers['access-control-expose-headers']).toBe('retry-after');
  });

  it('is told which headers it may send', async () => {
    const server = await serve(longshoreWith(), { origins: [listed] });
    const { status, headers } = await ask(server, { method: 'OPTIONS', headers: { origin: listed } });
    expect(status).toBe(204);
    expect(headers['access-control-allow-headers']).toContain('x-graphql-yoga-csrf');
    expect(headers.vary).toContain('origin');
    expect(headers['access-control-allow-credentials']).toBeUndefined();
  });
});
