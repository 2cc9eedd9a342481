// An upload ticket in the wrong hands, for the wrong upload, at the wrong time: it is good for three operations of one upload of one
// person, and for nothing else.
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuthentication } from '../../src/http/identity/authentication.js';
import { createHashing } from '../../src/system.js';
import type { TestGateway } from '../support/gateway.js';
import { startTestGateway } from '../support/gateway.js';
import { ManualClock } from '../support/manual-clock.js';
import type { FileRef } from '../support/outside-client.js';
import { chunkOf, GraphQLFailure, OutsideClient } from '../support/outside-client.js';
import { realClock } from '../support/roles.js';
import { jwtAuthentication, SECRET, token } from './identity.js';
import { JWT_MODE, JWT_SECRET, tokenOf } from './support.js';

const CHUNK = 65_536;
const content = randomBytes(3 * CHUNK);

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({
    config: [JWT_MODE],
    hosts: (root) => [
      {
        id: 'editors',
        roots: [join(root, 'editors')],
        allow: { groups: ['editors', 'chiefs'] },
      },
    ],
  });
  mkdirSync(join(gateway.sshd.root, 'editors'));
  chmodSync(join(gateway.sshd.root, 'editors'), 0o777); // For the account on the host.
});
afterAll(() => gateway.stop());

let count = 0;
const newFile = (own: Partial<FileRef> = {}): FileRef => {
  count += 1;
  return { hostId: 'sshd', fullPath: join(gateway.sshd.root, `file-${count}`), hashCode: `content-${count}`, ...own };
};

/** The ticket of `uploadStatus`, asked with any token. */
async function ticketFor(file: FileRef, bearer: string): Promise<unknown> {
  const query = `query($file: FileRef!) { uploadStatus(file: $file, size: ${content.length}, chunkSize: ${CHUNK}) {
    ... on UploadReady { ticket } ... on UploadResumable { ticket } ... on Problem { code } } }`;
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${bearer}` };
  const response = await fetch(`${gateway.url}/graphql`, {
    ...{ method: 'POST', headers, body: JSON.stringify({ query, variables: { file } }) },
  });
  const { data, errors } = (await response.json()) as { data?: { uploadStatus: object }; errors?: [{ extensions: object }] };
  const answer = { ...errors?.[0].extensions, ...data?.uploadStatus };
  return 'ticket' in answer ? answer.ticket : answer;
}

const withToken = (bearer: unknown) => new OutsideClient(gateway, { token: String(bearer) });
const ann = () => tokenOf('ann', { groups: ['editors', 'staff'] });

/** What became of a call: the answer's type or problem, or the error's code. */
async function outcome(call: Promise<unknown>): Promise<unknown> {
  try {
    const answer = await call;
    if (typeof answer !== 'object' || answer === null) return answer;
    return ('code' in answer ? answer.code : undefined) ?? ('__typename' in answer ? answer.__typename : 'states');
  } catch (error) {
    if (error instanceof GraphQLFailure) return error.extensions['code'];
    if (Array.isArray(error)) return (error[0] as { extensions?: Record<string, unknown> }).extensions?.['code'];
    return (error as { code?: unknown }).code;
  }
}

/** All that can be asked, about one file. */
async function matrix(bearer: unknown, file: FileRef): Promise<Record<string, unknown>> {
  const client = withToken(bearer);
  const watched = new Promise((resolve) => {
    const states = client.watch(file, () => resolve('states'));
    void outcome(states).then(resolve);
  });
  return {
    dirInfo: await outcome(client.dirInfo(file)),
    uploadChunk: await outcome(client.chunk(file, 1, chunkOf(content, CHUNK, 1))),
    mergeProgress: await watched,
    uploadStatus: await outcome(client.status(file, content.length, { chunkSize: CHUNK })),
    mergeFile: await outcome(client.merge(file, 3)),
    uploads: await outcome(client.uploads()),
    hosts: await outcome(client.hosts()),
    abortUpload: await outcome(client.abort(file)),
  };
}

const LIVE_TOKEN_WANTED = {
  ...{ uploadStatus: 'UNAUTHENTICATED', mergeFile: 'UNAUTHENTICATED', uploads: 'UNAUTHENTICATED' },
  ...{ hosts: 'UNAUTHENTICATED', abortUpload: 'UNAUTHENTICATED' },
};

describe('a ticket', () => {
  it('keeps one upload going, and is good for no other operation', async () => {
    const file = newFile();
    const ticket = await ticketFor(file, await ann());
    expect(await matrix(ticket, file)).toEqual({
      ...{ dirInfo: 'DirInfo', uploadChunk: 'ChunkStored', mergeProgress: 'states' },
      ...LIVE_TOKEN_WANTED,
    });
  });

  it.each([
    ['another path', (file: FileRef) => ({ ...file, fullPath: `${file.fullPath}2` })],
    ['another content', (file: FileRef) => ({ ...file, hashCode: `${file.hashCode}2` })],
    ['another host', (file: FileRef) => ({ ...file, hostId: 'local' })],
    [
      'the same texts cut elsewhere',
      ({ hostId, fullPath, hashCode }: FileRef) => ({ hostId: hostId + fullPath, fullPath: '', hashCode }),
    ],
  ])('is not good for %s', async (_what, change) => {
    const file = newFile();
    const ticket = await ticketFor(file, await ann());
    expect(await matrix(ticket, change(file))).toEqual({
      ...{ dirInfo: 'FORBIDDEN', uploadChunk: 'FORBIDDEN', mergeProgress: 'FORBIDDEN' },
      ...LIVE_TOKEN_WANTED,
    });
  });

  it('is its person’s: in other hands it shows and touches nothing but that person’s upload', async () => {
    const file = newFile();
    const [annsTicket, bobsToken] = [await ticketFor(file, await ann()), await tokenOf('bob')];
    await withToken(annsTicket).chunk(file, 1, chunkOf(content, CHUNK, 1));
    // The same file, by another person: another upload, and locked.
    expect(await ticketFor(file, bobsToken)).toEqual({ code: 'UPLOAD_LOCKED' });
    expect(decodeJwt(String(annsTicket)).sub).toBe('ann');
  });

  it('comes with a live token alone: not for a ticket, not with a refusal', async () => {
    const file = newFile();
    const ticket = await ticketFor(file, await ann());
    expect(await ticketFor(file, String(ticket))).toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(await ticketFor(newFile({ hostId: 'editors' }), await tokenOf('eve'))).toEqual({ code: 'HOST_UNKNOWN' });
  });

  it('tells nothing but its person, its groups on that host, and a hash of the file', async () => {
    const file = newFile({ hostId: 'editors', fullPath: join(gateway.sshd.root, 'editors/secret-plan') });
    const ticket = String(await ticketFor(file, await ann()));
    const claims = decodeJwt(ticket);
    expect(Object.keys(claims).sort()).toEqual(['aud', 'exp', 'file', 'groups', 'sub']);
    expect(claims['groups']).toEqual(['editors']);
    expect(claims['file']).toMatch(/^[0-9a-f]{32}$/);
    expect(await outcome(withToken(ticket).dirInfo(file))).toBe('DirInfo');
  });

  it('is refused like its person where that may no longer use the host', async () => {
    const file = newFile({ hostId: 'editors', fullPath: join(gateway.sshd.root, 'editors/later') });
    const ticket = String(await ticketFor(file, await ann()));
    const { groups: _groups, ...others } = decodeJwt(ticket);
    // As if the groups had been taken from the host's `allow` since: none of those that the ticket has counts.
    const without = await forged({ ...others, groups: [] }, await realTicketKey());
    expect(await outcome(withToken(without).dirInfo(file))).toBe('HOST_UNKNOWN');
  });

  it('is null where nobody needs a token', async () => {
    const open = await startTestGateway();
    try {
      const query = `{ uploadStatus(file: { hostId: "local", fullPath: "/x", hashCode: "x" }, size: 1) { ... on UploadReady { ticket } } }`;
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${open.url}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query }) });
      expect(await response.json()).toEqual({ data: { uploadStatus: { ticket: null } } });
    } finally {
      await open.stop();
    }
  });
});

/** HKDF by Web Crypto, in place of Node's. */
async function realTicketKey(secret: Uint8Array = SECRET): Promise<Uint8Array> {
  const material = await crypto.subtle.importKey('raw', Buffer.from(secret), 'HKDF', false, ['deriveBits']);
  const info = new TextEncoder().encode('longshore upload ticket 1');
  const derivation = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info };
  return new Uint8Array(await crypto.subtle.deriveBits(derivation, material, 256));
}

async function forged(claims: object, key: Uint8Array, header: object = {}): Promise<string> {
  const all = { aud: 'longshore-upload', exp: Math.floor(Date.now() / 1_000) + 600, groups: [], ...claims };
  return await new SignJWT(all).setProtectedHeader({ alg: 'HS256', typ: 'longshore-ticket+jwt', ...header }).sign(key);
}

describe('refused with 401 is', () => {
  const refused = async (bearer: string, file: FileRef = newFile()) => await outcome(withToken(bearer).dirInfo(file));

  it('a ticket made with the issuer’s secret: tickets have a key of their own', async () => {
    expect(await refused(await forged({ sub: 'ann', file: 'f'.repeat(32) }, SECRET))).toBe('UNAUTHENTICATED');
  });

  it('a token made with the tickets’ key', async () => {
    expect(await refused(await token({}, { key: await realTicketKey() }))).toBe('UNAUTHENTICATED');
  });

  it('a ticket that calls itself a token, and a token that calls itself a ticket', async () => {
    const ticket = String(await ticketFor(newFile(), await ann()));
    const rename = (bearer: string, typ: string) => {
      const [, payload, signature] = bearer.split('.');
      const header = { ...decodeProtectedHeader(bearer), typ };
      return `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${payload}.${signature}`;
    };
    expect(await refused(rename(ticket, 'JWT'))).toBe('UNAUTHENTICATED');
    expect(await refused(rename(await ann(), 'longshore-ticket+jwt'))).toBe('UNAUTHENTICATED');
    expect(await refused(await token({}, { typ: 'longshore-ticket+jwt' }))).toBe('UNAUTHENTICATED');
  });

  it.each([
    ['without an end', { exp: undefined }],
    ['that has ended', { exp: 1_000_000_000 }],
    ['for another use', { aud: 'longshore' }],
    ['of nobody', { sub: undefined }],
    ['of a person no token could have', { sub: 'ann\n' }],
    ['for no upload', { file: undefined }],
    ['for every upload', { file: ['*'] }],
    ['with other groups', { groups: 'editors' }],
  ])('a ticket %s, though well signed', async (_what, own) => {
    const key = await realTicketKey();
    expect(await refused(await forged({ sub: 'ann', file: 'f'.repeat(32) }, key))).toBe('FORBIDDEN');
    expect(await refused(await forged({ sub: 'ann', file: 'f'.repeat(32), ...own }, key))).toBe('UNAUTHENTICATED');
  });

  it('a ticket without a signature', async () => {
    const [, payload] = String(await ticketFor(newFile(), await ann())).split('.');
    const header = Buffer.from(JSON.stringify({ alg: 'none', typ: 'longshore-ticket+jwt' })).toString('base64url');
    expect(await refused(`${header}.${payload}.`)).toBe('UNAUTHENTICATED');
  });
});

describe('a ticket of one gateway', () => {
  const file: FileRef = { hostId: 'h', fullPath: '/x', hashCode: 'x' };
  const authenticated = async (from: ReturnType<typeof jwtAuthentication>, bearer: string) =>
    await from({ authorization: `Bearer ${bearer}` });
  const issued = async (by: ReturnType<typeof jwtAuthentication>) =>
    String(await (await authenticated(by, await tokenOf('ann'))).issueTicket?.(file));

  it('is good at another one with the same secret, and at none with another', async () => {
    const own = jwtAuthentication({}, { ticketSecret: 'one secret for all gateways, and long enough' });
    const same = jwtAuthentication({}, { ticketSecret: 'one secret for all gateways, and long enough' });
    const other = jwtAuthentication({}, { ticketSecret: 'another secret, which is as long as that one' });
    const ticket = await issued(own);
    expect((await authenticated(same, ticket)).caller).toMatchObject({ person: 'ann', ticketFor: expect.any(String) });
    await expect(authenticated(other, ticket)).rejects.toMatchObject({ extensions: { code: 'UNAUTHENTICATED' } });
    await expect(authenticated(jwtAuthentication(), ticket)).rejects.toMatchObject({ extensions: { code: 'UNAUTHENTICATED' } });
  });

  it('gives no further ticket, and ends by its own time', async () => {
    const clock = new ManualClock(Date.now());
    const parts = { profiles: [], hashing: createHashing({ onBytes: () => undefined }), clock };
    const jwt = {
      key: { kind: 'secret', secret: JWT_SECRET },
      personClaim: 'sub',
      groupsClaim: 'groups',
      clockToleranceMs: 0,
    } as const;
    const gate = createAuthentication({ mode: 'jwt', jwt, ticketTtlMs: 60_000 }, parts);
    const ticket = await issued(gate);
    const identity = await authenticated(gate, ticket);
    expect(identity.issueTicket).toBeUndefined();
    expect((identity.expiresAt ?? 0) - realClock.now()).toBeLessThanOrEqual(61_000);
    await clock.advance(62_000);
    await expect(authenticated(gate, ticket)).rejects.toMatchObject({ extensions: { code: 'UNAUTHENTICATED' } });
  });
});
