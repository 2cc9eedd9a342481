// Upload tickets: what lets an upload that takes longer than its token's life go on. A ticket is a JWT of our own, for one person and one
// upload; what it is good for is decided in core/access.ts. Its key is used for nothing else, so that no token passes for a ticket, and
// no ticket for a token.
import { createSecretKey, hkdfSync, randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';
import { fileKey } from '../../core/access.js';
import type { Caller, FileRefInput } from '../../core/answers.js';
import type { Clock, Hashing, HostProfile } from '../../core/ports.js';
import { invalidToken } from './bearer.js';
import { endOf, headerOf, isPersonId, verified } from './tokens.js';

export interface TicketOptions {
  /** Whatever secret the gateways share; undefined: tickets are good for this process alone. */
  readonly secret: string | undefined;
  readonly ttlMs: number;
  readonly profiles: readonly HostProfile[];
  readonly hashing: Hashing;
  readonly clock: Clock;
}

const TYPE = 'longshore-ticket+jwt';
const AUDIENCE = 'longshore-upload';
const ALGORITHM = 'HS256';
const KEY_BYTES = 32;
/** Any one of them lets the person use the host. */
const MAX_GROUPS = 16;

export class Tickets {
  readonly #options: TicketOptions;
  readonly #key: KeyObject;

  constructor(options: TicketOptions) {
    this.#options = options;
    // HKDF (RFC 5869): the same secret, told apart by what it is for.
    const secret = options.secret ?? randomBytes(KEY_BYTES);
    this.#key = createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', 'longshore upload ticket 1', KEY_BYTES)));
  }

  /** Whether a token says that it is a ticket. Throws `UNAUTHENTICATED` when it is nothing at all. */
  static isTicket(token: string): boolean {
    return headerOf(token)['typ'] === TYPE;
  }

  async issue({ person, groups }: Caller, file: FileRefInput): Promise<string> {
    const { profiles, hashing, ttlMs, clock } = this.#options;
    const allowed = profiles.find(({ id }) => id === file.hostId)?.allow?.groups ?? [];
    const claims = {
      file: fileKey(hashing, file),
      groups: groups.filter((group) => allowed.includes(group)).slice(0, MAX_GROUPS),
    };
    return await new SignJWT(claims)
      .setProtectedHeader({ alg: ALGORITHM, typ: TYPE })
      .setSubject(person)
      .setAudience(AUDIENCE)
      .setExpirationTime(Math.ceil((clock.now() + ttlMs) / 1_000))
      .sign(this.#key);
  }

  /** The caller that a ticket stands for, until `expiresAt`. Rejects with `UNAUTHENTICATED`. */
  async verify(ticket: string): Promise<{ readonly caller: Caller; readonly expiresAt: number }> {
    const checks = { algorithms: [ALGORITHM], typ: TYPE, audience: AUDIENCE, requiredClaims: ['exp', 'sub', 'file'] };
    const currentDate = new Date(this.#options.clock.now());
    const claims = await verified(() => jwtVerify(ticket, this.#key, { ...checks, currentDate }));
    const { sub: person, groups, file } = claims;
    // We made it, so this is for a version of ours that makes them otherwise.
    if (!isPersonId(person) || !isTexts(groups) || typeof file !== 'string')
      throw invalidToken('This ticket is of another kind.');
    return { caller: { person, groups, ticketFor: file }, expiresAt: endOf(claims, 0) };
  }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}
