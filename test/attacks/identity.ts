// What the tests about identity share: keys of an issuer, tokens with anything in them, and a server that tells who it takes the caller for.
import { generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { SignJWT } from 'jose';
import type { JWTPayload, JWTHeaderParameters } from 'jose';
import type { HostProfile } from '../../src/core/ports.js';
import type { AuthenticationOptions } from '../../src/http/identity/authentication.js';
import { createAuthentication } from '../../src/http/identity/authentication.js';
import type { RunningServer, ServerOptions } from '../../src/http/server.js';
import { createHashing } from '../../src/system.js';
import { longshoreWith, query, serve } from '../http/support.js';
import type { Answer } from '../http/support.js';
import { realClock } from '../support/roles.js';
import { JWT_SECRET } from './support.js';

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export const rsaKeys = (modulusLength = 2048): KeyPair => generateKeyPairSync('rsa', { modulusLength });
export const ecKeys = (): KeyPair => generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
export const edKeys = (): KeyPair => generateKeyPairSync('ed25519');

export const pemOf = ({ publicKey }: KeyPair): string => publicKey.export({ type: 'spki', format: 'pem' }).toString();

export const SECRET = new TextEncoder().encode(JWT_SECRET);

/** Epoch seconds. */
export const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1_000) + seconds;

/** A good token of ann's, but for what is said. */
export function token(
  claims: JWTPayload = {},
  { key = SECRET, ...header }: Partial<JWTHeaderParameters> & { readonly key?: Uint8Array | KeyObject } = {},
): Promise<string> {
  const payload = { sub: 'ann', exp: inSeconds(60), iat: inSeconds(0), ...claims };
  return new SignJWT(payload).setProtectedHeader({ alg: 'HS256', ...header }).sign(key);
}

/** A token as it goes over the wire, with nothing checked. */
export function rawToken(header: object, payload: object | string, signature = ''): string {
  const part = (value: object | string) =>
    Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
  return `${part(header)}.${part(payload)}.${signature}`;
}

type JwtOptions = Extract<AuthenticationOptions, { mode: 'jwt' }>['jwt'];

/** Lines of the configuration, as far as they aren't the default. */
export function jwtAuthentication(
  jwt: Partial<JwtOptions> = {},
  {
    profiles = [],
    clock = realClock,
    ...own
  }: { profiles?: HostProfile[]; clock?: typeof realClock; ticketSecret?: string } = {},
): NonNullable<ServerOptions['authenticate']> {
  const key = { kind: 'secret', secret: JWT_SECRET } as const;
  const defaults = { key, personClaim: 'sub', groupsClaim: 'groups', clockToleranceMs: 5_000 };
  const options = { mode: 'jwt', jwt: { ...defaults, ...jwt }, ticketTtlMs: 3_600_000, ...own } as const;
  return createAuthentication(options, { profiles, hashing: createHashing({ onBytes: () => undefined }), clock });
}

/** Whoever gets in is told who he is. */
export const mirror = longshoreWith({
  hosts: async ({ person, groups }) => [{ id: 'you', name: person, roots: groups, reachable: true, capabilities: [] }],
});

export async function jwtServer(jwt: Partial<JwtOptions> = {}): Promise<RunningServer> {
  return await serve(mirror, { authenticate: jwtAuthentication(jwt) });
}

export function askWith(server: RunningServer, authorization: string | undefined): Promise<Answer> {
  const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
  return query(server, '{ hosts { name roots } }', {}, headers);
}

/** The person and groups that a token is taken for, or why it is refused. */
export async function takenFor(server: RunningServer, bearer: string): Promise<string> {
  const { status, json } = await askWith(server, `Bearer ${bearer}`);
  const [you] = (json.data?.['hosts'] ?? []) as unknown as readonly { name: string; roots: readonly string[] }[];
  if (you !== undefined) return [you.name, ...you.roots].join(' ');
  return `${status} ${String(json.errors?.[0]?.extensions?.['code'])} ${json.errors?.[0]?.message}`;
}
