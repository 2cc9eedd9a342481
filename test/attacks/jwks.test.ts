// The issuer's keys over the network: exchanged, withdrawn, away, slow, nonsense, and asked for by tokens with keys that nobody has.
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import { exportJWK } from 'jose';
import { expect, it, onTestFinished } from 'vitest';
import { serve } from '../http/support.js';
import { ManualClock } from '../support/manual-clock.js';
import { listenOnLoopback } from '../support/port.js';
import type { KeyPair } from './identity.js';
import { askWith, ecKeys, jwtAuthentication, mirror, pemOf, rsaKeys, SECRET, takenFor, token } from './identity.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const UNAVAILABLE = '503 AUTHENTICATION_UNAVAILABLE The keys that tokens are signed with are not to be had just now.';
const UNKNOWN_KEY = "401 UNAUTHENTICATED The token's key is not one of its issuer's.";

const keys = { a: rsaKeys(), b: ecKeys() };

async function jwkOf(kid: string, { publicKey }: KeyPair, own: object = {}): Promise<object> {
  return { ...(await exportJWK(publicKey)), kid, use: 'sig', ...own };
}

/** A gateway that believes an issuer whose answer a test chooses, and whose clock it moves. */
async function gatewayOfIssuer() {
  let fetches = 0;
  let answer = (res: ServerResponse): unknown => res.end(JSON.stringify({ keys: [] }));
  const issuer = createServer((_req, res) => {
    fetches += 1;
    answer(res);
  });
  const url = `http://127.0.0.1:${await listenOnLoopback(issuer)}/jwks`;
  const stop = () => {
    issuer.closeAllConnections();
    issuer.close();
  };
  onTestFinished(stop);
  const clock = new ManualClock(Date.now());
  const server = await serve(mirror, { authenticate: jwtAuthentication({ key: { kind: 'jwks', url } }, { clock }) });
  return {
    server,
    stop,
    fetches: () => fetches,
    pass: (ms: number) => clock.advance(ms),
    answerWith: (next: (res: ServerResponse) => unknown) => void (answer = next),
    publish: (...jwks: readonly object[]) => void (answer = (res) => res.end(JSON.stringify({ keys: jwks }))),
    /** A token that holds until the clock has moved far. */
    token: (kid: string | undefined, alg: string, { privateKey }: KeyPair) =>
      token({ exp: Math.floor(Date.now() / 1_000) + 400_000 }, { alg, key: privateKey, ...(kid === undefined ? {} : { kid }) }),
  };
}

it('a new key is believed at once, a withdrawn one no longer than ten minutes', async () => {
  const { server, publish, pass, fetches, token: tokenOf } = await gatewayOfIssuer();
  publish(await jwkOf('a', keys.a));
  const [old, fresh] = [await tokenOf('a', 'RS256', keys.a), await tokenOf('b', 'ES256', keys.b)];
  expect(await takenFor(server, old)).toBe('ann');
  for (let calls = 0; calls < 10; calls += 1) await takenFor(server, old);
  expect(fetches()).toBe(1);

  await pass(MINUTE);
  publish(await jwkOf('b', keys.b));
  expect(await takenFor(server, fresh)).toBe('ann');
  expect(fetches()).toBe(2);
  await pass(MINUTE);
  expect(await takenFor(server, old)).toBe(UNKNOWN_KEY);
  expect(await takenFor(server, fresh)).toBe('ann');
});

it('a key that was withdrawn without a successor is believed for ten minutes at most', async () => {
  const { server, publish, pass, token: tokenOf } = await gatewayOfIssuer();
  publish(await jwkOf('a', keys.a));
  const old = await tokenOf('a', 'RS256', keys.a);
  expect(await takenFor(server, old)).toBe('ann');
  publish();
  await pass(9 * MINUTE);
  expect(await takenFor(server, old)).toBe('ann');
  await pass(2 * MINUTE);
  expect(await takenFor(server, old)).toBe(UNKNOWN_KEY);
});

it('a key that was withdrawn while nobody called is believed by no call after ten minutes', async () => {
  const { server, publish, pass, token: tokenOf } = await gatewayOfIssuer();
  publish(await jwkOf('a', keys.a));
  const old = await tokenOf('a', 'RS256', keys.a);
  expect(await takenFor(server, old)).toBe('ann');
  publish();
  await pass(11 * MINUTE);
  expect(await takenFor(server, old)).toBe(UNKNOWN_KEY);
});

it('an issuer that is away does no harm to those whose keys are known, for a day', async () => {
  const { server, publish, stop, pass, token: tokenOf } = await gatewayOfIssuer();
  publish(await jwkOf('a', keys.a));
  const known = await tokenOf('a', 'RS256', keys.a);
  expect(await takenFor(server, known)).toBe('ann');
  stop();
  await pass(60 * MINUTE);
  expect(await takenFor(server, known)).toBe('ann');
  // Nobody can tell whether that is a new one.
  expect(await takenFor(server, await tokenOf('b', 'ES256', keys.b))).toBe(UNAVAILABLE);
  await pass(24 * 60 * MINUTE);
  expect(await takenFor(server, known)).toBe(UNAVAILABLE);
});

it.each([
  ['cuts the line', (res: ServerResponse) => res.destroy()],
  ['fails', (res: ServerResponse) => res.writeHead(500).end('{"keys":[]}')],
  ['answers nonsense', (res: ServerResponse) => res.end('<html>')],
  ['answers with something else', (res: ServerResponse) => res.end('{"keys":"none"}')],
  ['sends elsewhere', (res: ServerResponse) => res.writeHead(302, { location: '/jwks?again' }).end()],
])('an issuer that %s at first: come again, and then it is asked again', async (_what, fail) => {
  const { server, publish, answerWith, pass, fetches, token: tokenOf } = await gatewayOfIssuer();
  answerWith(fail);
  const good = await tokenOf('a', 'RS256', keys.a);
  const { status, headers } = await askWith(server, `Bearer ${good}`);
  expect([status, headers['retry-after']]).toEqual([503, '2']);
  publish(await jwkOf('a', keys.a));
  expect(await takenFor(server, good)).toBe(UNAVAILABLE);
  expect(fetches()).toBe(1);
  await pass(2 * SECOND);
  expect(await takenFor(server, good)).toBe('ann');
});

it('an issuer that goes silent holds up nobody whose key is known', async () => {
  const { server, publish, answerWith, pass, fetches, token: tokenOf } = await gatewayOfIssuer();
  publish(await jwkOf('a', keys.a));
  const known = await tokenOf('a', 'RS256', keys.a);
  expect(await takenFor(server, known)).toBe('ann');
  let given = 0;
  answerWith((res) => (given += res.destroyed ? 0 : 1));
  const began = performance.now();
  await pass(6 * MINUTE);
  expect(await takenFor(server, known)).toBe('ann');
  await expect.poll(() => given).toBe(1);
  expect(performance.now() - began).toBeLessThan(1_000);
  // Once it is known to be away, later tries don't hold anybody up either.
  answerWith((res) => res.destroy());
  await expect.poll(async () => (await pass(MINUTE), await takenFor(server, known), fetches()), { timeout: 10_000 }).toBe(3);
  answerWith(() => undefined);
  await pass(20 * MINUTE);
  const later = performance.now();
  expect(await takenFor(server, known)).toBe('ann');
  await expect.poll(fetches).toBe(4);
  expect(performance.now() - later).toBeLessThan(1_000);
});

it('a good token with a new key is told to come again when the issuer was asked just now, and then it is believed', async () => {
  const { server, publish, pass, fetches, token: tokenOf } = await gatewayOfIssuer();
  publish(await jwkOf('a', keys.a));
  expect(await takenFor(server, await tokenOf('a', 'RS256', keys.a))).toBe('ann');
  await pass(MINUTE);
  expect(await takenFor(server, await tokenOf('nobody’s', 'RS256', keys.a))).toBe(UNKNOWN_KEY);
  publish(await jwkOf('a', keys.a), await jwkOf('b', keys.b));
  const fresh = await tokenOf('b', 'ES256', keys.b);
  await pass(4 * SECOND);
  const { status, headers, json } = await askWith(server, `Bearer ${fresh}`);
  expect([status, headers['retry-after'], json.errors?.[0]?.extensions]).toEqual([
    ...[503, '6', { code: 'AUTHENTICATION_UNAVAILABLE', retryAfterMs: 6_000, retryable: true }],
  ]);
  expect(fetches()).toBe(2);
  await pass(6 * SECOND);
  expect(await takenFor(server, fresh)).toBe('ann');
});

it('an issuer that never answers holds up a call for three seconds, whoever else waits', async () => {
  const { server, answerWith, fetches, token: tokenOf } = await gatewayOfIssuer();
  answerWith(() => undefined);
  const good = await tokenOf('a', 'RS256', keys.a);
  const began = performance.now();
  expect(await Promise.all([takenFor(server, good), takenFor(server, good)])).toEqual([UNAVAILABLE, UNAVAILABLE]);
  expect(performance.now() - began).toBeLessThan(4_500);
  expect(fetches()).toBe(1);
});

it('who comes while an issuer is being asked has part in the answer', async () => {
  const { server, answerWith, fetches, token: tokenOf } = await gatewayOfIssuer();
  const body = JSON.stringify({ keys: [await jwkOf('a', keys.a)] });
  answerWith((res) => setTimeout(() => res.end(body), 300));
  const good = await tokenOf('a', 'RS256', keys.a);
  const calls = Array.from({ length: 5 }, () => takenFor(server, good));
  expect(await Promise.all(calls)).toEqual(calls.map(() => 'ann'));
  expect(fetches()).toBe(1);
});

it('a flood of tokens with keys that nobody has makes one fetch in ten seconds', async () => {
  const { server, publish, pass, fetches, token: tokenOf } = await gatewayOfIssuer();
  publish(await jwkOf('a', keys.a));
  const good = await tokenOf('a', 'RS256', keys.a);
  expect(await takenFor(server, good)).toBe('ann');
  const flood = async () => {
    for (let i = 0; i < 50; i += 1)
      expect(await takenFor(server, await tokenOf(`unknown-${i}`, 'RS256', keys.a))).toBe(UNKNOWN_KEY);
  };
  await pass(10 * SECOND);
  await flood();
  expect(fetches()).toBe(2);
  await pass(10 * SECOND);
  await flood();
  expect(fetches()).toBe(3);
  expect(await takenFor(server, good)).toBe('ann');
});

it.each([
  ['with the name of another key', async () => token({}, { alg: 'ES256', kid: 'a', key: keys.b.privateKey }), UNKNOWN_KEY],
  [
    'with no name among several',
    async () => token({}, { alg: 'RS256', key: keys.a.privateKey }),
    "401 UNAUTHENTICATED The token does not name which of its issuer's keys it is signed with.",
  ],
  [
    'HS256 with a public key',
    async () => token({}, { alg: 'HS256', kid: 'a', key: Buffer.from(pemOf(keys.a)) }),
    "401 UNAUTHENTICATED The token's algorithm is not one that is used here.",
  ],
  [
    'HS256 with a secret that the issuer published',
    async () => token({}, { alg: 'HS256', kid: 'secret', key: SECRET }),
    "401 UNAUTHENTICATED The token's algorithm is not one that is used here.",
  ],
  [
    'with a key that is for encryption',
    async () => token({}, { alg: 'RS256', kid: 'enc', key: keys.a.privateKey }),
    UNKNOWN_KEY,
  ],
])('a token signed %s is refused', async (_what, make, answer) => {
  const { server, publish } = await gatewayOfIssuer();
  publish(
    await jwkOf('a', keys.a),
    await jwkOf('a2', keys.a),
    await jwkOf('b', keys.b),
    await jwkOf('enc', keys.a, { use: 'enc' }),
    { kty: 'oct', kid: 'secret', k: Buffer.from(SECRET).toString('base64url') },
  );
  expect(await takenFor(server, await make())).toBe(answer);
});
