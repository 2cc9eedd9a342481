// Somebody without a token, with another's, with one of his own making: RFC 8725, JSON Web Token Best Current Practices.
import { createHmac } from 'node:crypto';
import { request } from 'node:http';
import { exportJWK } from 'jose';
import { describe, expect, it } from 'vitest';
import { ask, query } from '../http/support.js';
import {
  askWith,
  ecKeys,
  edKeys,
  inSeconds,
  jwtAuthentication,
  jwtServer,
  pemOf,
  rawToken,
  rsaKeys,
  SECRET,
  takenFor,
  token,
} from './identity.js';

const rsa = rsaKeys();
const ec = ecKeys();
const ed = edKeys();
const foreign = rsaKeys();

const pem = (keys: typeof rsa) => ({ key: { kind: 'public-key', pem: pemOf(keys) } }) as const;
const restricted = { issuer: 'https://issuer.example', audience: 'longshore' };
const wellMade = { iss: restricted.issuer, aud: restricted.audience };

/** Signed by hand: jose refuses to make it. */
function handSigned(header: object, payload: object, key: string | Uint8Array = SECRET): string {
  const unsigned = rawToken(header, payload).slice(0, -1);
  return `${unsigned}.${createHmac('sha256', key).update(unsigned).digest('base64url')}`;
}

const claims = (own: object = {}) => ({ sub: 'ann', exp: inSeconds(60), ...own });

describe('a good token', () => {
  it.each([
    ['HS256 with the secret', {}, () => token({ groups: ['editors', 'readers'] })],
    [
      'RS256 with its public key',
      pem(rsa),
      () => token({ groups: ['editors', 'readers'] }, { alg: 'RS256', key: rsa.privateKey }),
    ],
    [
      'ES256 with its public key',
      pem(ec),
      () => token({ groups: ['editors', 'readers'] }, { alg: 'ES256', key: ec.privateKey }),
    ],
    [
      'EdDSA with its public key',
      pem(ed),
      () => token({ groups: ['editors', 'readers'] }, { alg: 'EdDSA', key: ed.privateKey }),
    ],
  ])('of %s says who the caller is', async (_what, options, make) => {
    expect(await takenFor(await jwtServer(options), await make())).toBe('ann editors readers');
  });

  it.each([
    ['a claim of another name', { personClaim: 'email' }, { email: 'ann@example.com' }, 'ann@example.com'],
    [
      'a claim that dots lead to',
      { groupsClaim: 'realm_access.roles' },
      { realm_access: { roles: ['editors'] } },
      'ann editors',
    ],
    [
      'a claim with dots in its name',
      { groupsClaim: 'https://x.example/g' },
      { 'https://x.example/g': 'editors' },
      'ann editors',
    ],
    [
      'the claim of that name before what its dots lead to',
      { personClaim: 'a.b' },
      { 'a.b': 'right', a: { b: 'wrong' } },
      'right',
    ],
    ['no groups', {}, {}, 'ann'],
    ['no groups that the prototype would have', { groupsClaim: '__proto__' }, {}, 'ann'],
    ['one group as a text', {}, { groups: 'editors' }, 'ann editors'],
    ['one audience among several', restricted, { ...wellMade, aud: ['other', 'longshore'] }, 'ann'],
    ['an expiry within the tolerance', {}, { exp: inSeconds(-3) }, 'ann'],
  ])('may have %s', async (_what, options, own, expected) => {
    expect(await takenFor(await jwtServer(options), await token(own))).toBe(expected);
  });
});

describe('refused before anything is looked at, with 401 and a challenge (RFC 6750), is', () => {
  const text = 'x'.repeat(201);
  const hs256 = { alg: 'HS256' };

  it.each([
    // What it says of itself.
    ['an expired token', {}, () => token({ exp: inSeconds(-60) }), 'has expired'],
    ['a token without an end', {}, () => handSigned(hs256, { sub: 'ann' }), 'lacks the claim exp'],
    ['a token whose end is text', {}, () => handSigned(hs256, claims({ exp: '9999999999' })), 'claim exp'],
    [
      'a token that ends at infinity',
      {},
      () => handSigned(hs256, `{"sub":"ann","exp":1e999}` as never),
      'claim exp is no time',
    ],
    ['a token that ends after all calendars', {}, () => token({ exp: 1e300 }), 'claim exp is no time'],
    ['a token for later', {}, () => token({ nbf: inSeconds(60) }), 'not good yet'],
    ['a token from the future', {}, () => token({ iat: inSeconds(60) }), 'issued in the future'],
    ['a token issued at a text', {}, () => handSigned(hs256, claims({ iat: 'now' })), 'claim iat'],
    ['a token of another issuer', restricted, () => token({ ...wellMade, iss: 'https://issuer.example/' }), 'claim iss'],
    ['a token of no issuer', restricted, () => token({ aud: restricted.audience }), 'lacks the claim iss'],
    ['a token for another audience', restricted, () => token({ ...wellMade, aud: 'longshore2' }), 'claim aud'],
    ['a token for other audiences', restricted, () => token({ ...wellMade, aud: ['a', ['longshore']] as never }), 'claim aud'],
    ['a token for no audience', restricted, () => token({ iss: restricted.issuer }), 'lacks the claim aud'],
    // Who it says the caller is.
    ['a token of nobody', {}, () => token({ sub: undefined as never }), 'claim with the person'],
    ['a token of the empty person', {}, () => token({ sub: '' }), 'claim with the person'],
    ['a token of a number', {}, () => handSigned(hs256, claims({ sub: 7 })), 'claim with the person'],
    ['a token of several persons', {}, () => handSigned(hs256, claims({ sub: ['ann'] })), 'claim with the person'],
    ['a person with a line break', {}, () => token({ sub: 'ann\nbob' }), 'claim with the person'],
    ['a person with a NUL', {}, () => token({ sub: 'ann\0' }), 'claim with the person'],
    ['a person written from right to left', {}, () => token({ sub: '\u202enna' }), 'claim with the person'],
    ['a person with half a character', {}, () => token({ sub: '\ud800' }), 'claim with the person'],
    ['a person of 201 bytes', {}, () => token({ sub: text }), 'claim with the person'],
    ['a person of the prototype', { personClaim: 'constructor.name' }, () => token(), 'claim with the person'],
    ['a person by __proto__', { personClaim: '__proto__.sub' }, () => token(), 'claim with the person'],
    ['a person by a text’s properties', { personClaim: 'sub.length' }, () => token(), 'claim with the person'],
    [
      'a group that is no text',
      {},
      () => handSigned(hs256, claims({ groups: ['a', { toString: 'b' }] })),
      'claim with the groups',
    ],
    ['groups that are an object', {}, () => token({ groups: { editors: true } }), 'claim with the groups'],
    // How it is signed.
    ['no signature, as alg none asks', {}, () => rawToken({ alg: 'none' }, claims()), 'algorithm'],
    ['no signature, as alg nOnE asks', {}, () => rawToken({ alg: 'nOnE' }, claims()), 'algorithm'],
    ['no signature under a good name', {}, () => rawToken(hs256, claims()), 'signature'],
    ['a signature with another secret', {}, () => token({}, { key: Buffer.from('x'.repeat(40)) }), 'signature'],
    ['HS384 with the secret', {}, () => token({}, { alg: 'HS384', key: Buffer.from('x'.repeat(64)) }), 'algorithm'],
    ['HS256 with the public key for a secret', pem(rsa), () => handSigned(hs256, claims(), pemOf(rsa)), 'algorithm'],
    ['RS256 where ES256 is pinned', pem(ec), () => token({}, { alg: 'RS256', key: rsa.privateKey }), 'algorithm'],
    ['PS256 where RS256 is pinned', pem(rsa), () => token({}, { alg: 'PS256', key: rsa.privateKey }), 'algorithm'],
    ['RS256 with a foreign key', pem(rsa), () => token({}, { alg: 'RS256', key: foreign.privateKey }), 'signature'],
    ['a changed person', {}, async () => swapPayload(await token(), claims({ sub: 'root' })), 'signature'],
    // What it brings along.
    [
      'a key in the token',
      pem(rsa),
      async () => token({}, { alg: 'RS256', key: foreign.privateKey, jwk: await exportJWK(foreign.publicKey) }),
      'signature',
    ],
    [
      'a key’s address in the token',
      pem(rsa),
      () => token({}, { alg: 'RS256', key: foreign.privateKey, jku: 'http://127.0.0.1:9/jwks' }),
      'signature',
    ],
    [
      'a certificate’s address in the token',
      pem(rsa),
      () => token({}, { alg: 'RS256', key: foreign.privateKey, x5u: 'http://127.0.0.1:9/x' }),
      'signature',
    ],
    ['a key’s name that is a path', {}, () => handSigned({ ...hs256, kid: '../../dev/null' }, claims(), ''), 'signature'],
    ['an extension that must be understood', {}, () => handSigned({ ...hs256, crit: ['exp'], exp: 1 }, claims()), 'extension'],
    ['an unencoded payload', {}, () => handSigned({ ...hs256, crit: ['b64'], b64: false }, claims()), 'extension'],
    // What it is.
    ['a huge token', {}, () => token({ more: 'x'.repeat(9_000) }), 'at most'],
    ['no token', {}, async () => 'nonsense', 'no token that can be'],
    ['a token of four parts', {}, async () => `${await token()}.x`, 'no token that can be'],
    ['an encrypted token', {}, async () => rawToken({ alg: 'dir', enc: 'A128GCM' }, '') + '.x.x', 'no token that can be'],
    ['a header that is no JSON', {}, async () => `x.${(await token()).split('.').slice(1).join('.')}`, 'no token that can be'],
    ['a header that is a list', {}, () => rawToken([], claims()), 'no token that can be'],
    ['a payload that is a list', {}, () => handSigned(hs256, []), 'no token that can be'],
    ['a payload of a thousand lists', {}, () => handSigned(hs256, '['.repeat(1_000) as never), 'no token that can be'],
  ])('%s', async (_what, options, make, why) => {
    const bearer = await make();
    const { status, headers, json, text: body } = await askWith(await jwtServer(options), `Bearer ${bearer}`);
    const [error] = json.errors ?? [];
    expect([status, error?.extensions?.['code']]).toEqual([401, 'UNAUTHENTICATED']);
    expect(error?.message).toContain(why);
    expect(headers['www-authenticate']).toBe(
      `Bearer realm="longshore", error="invalid_token", error_description="${error?.message}"`,
    );
    expect(body).not.toContain(bearer.slice(0, 20));
  });

  it('no token at all: the challenge is bare', async () => {
    const { status, headers } = await askWith(await jwtServer(), undefined);
    expect([status, headers['www-authenticate']]).toEqual([401, 'Bearer realm="longshore"']);
  });

  it.each([
    ['another scheme', (good: string) => `Basic ${good}`],
    ['no scheme', (good: string) => good],
    ['two tokens', (good: string) => `Bearer ${good} ${good}`],
    ['two tokens with a comma', (good: string) => `Bearer ${good}, Bearer ${good}`],
    ['a token in quotes', (good: string) => `Bearer "${good}"`],
    ['Bearer alone', () => 'Bearer '],
  ])('%s', async (_what, header) => {
    expect((await askWith(await jwtServer(), header(await token()))).status).toBe(401);
  });

  it('an Authorization header twice, whichever of them is good', async () => {
    const { port } = await jwtServer();
    const good = `Bearer ${await token()}`;
    const statusOf = (...authorization: readonly string[]) =>
      new Promise((resolve, reject) => {
        const headers = { 'content-type': 'application/json', authorization };
        const req = request({
          port,
          host: '127.0.0.1',
          path: '/graphql',
          method: 'POST',
          headers: headers as never,
          agent: false,
        });
        req.once('error', reject).once('response', ({ statusCode }) => resolve(statusCode));
        req.end(JSON.stringify({ query: '{ hosts { id } }' }));
      });
    expect(await statusOf(good)).toBe(200);
    expect(await statusOf(good, 'Bearer x')).toBe(401);
    expect(await statusOf('Bearer x', good)).toBe(401);
  });

  it.each([
    ['a name in a header', '/graphql', { 'x-person-id': 'ann' }],
    ['a token in the address', '/graphql?access_token=TOKEN&authorization=Bearer%20TOKEN', {}],
    ['a token in a cookie', '/graphql', { cookie: 'token=TOKEN; authorization=Bearer TOKEN' }],
  ])('%s', async (_what, path, headers: Record<string, string>) => {
    const good = await token();
    const fill = (text: string) => text.replaceAll('TOKEN', good);
    const filled = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, fill(value)]));
    const { status } = await ask(await jwtServer(), {
      path: fill(path),
      headers: { 'content-type': 'application/json', ...filled },
      body: JSON.stringify({ query: '{ hosts { id } }' }),
    });
    expect(status).toBe(401);
  });
});

it('a name beside a token counts for nothing', async () => {
  const { json } = await query(
    await jwtServer(),
    '{ hosts { name } }',
    {},
    { authorization: `Bearer ${await token()}`, 'x-person-id': 'root' },
  );
  expect(json.data).toEqual({ hosts: [{ name: 'ann' }] });
});

it('a key that is for none of the pinned algorithms ends the start, not each call', () => {
  expect(() => jwtAuthentication({ ...pem(rsa), algorithms: ['ES256'] })).toThrow('algorithms must have RS256');
});

function swapPayload(good: string, payload: object): string {
  const [header, , signature] = good.split('.');
  return `${header}.${Buffer.from(JSON.stringify(payload)).toString('base64url')}.${signature}`;
}
