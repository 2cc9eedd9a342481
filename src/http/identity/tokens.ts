// Tokens of an issuer (JWT, RFC 7519, with the advice of RFC 8725): who they are for, and until when.
import { decodeProtectedHeader, errors, jwtVerify } from 'jose';
import type { JWTPayload, JWTVerifyOptions } from 'jose';
import type { Clock } from '../../core/ports.js';
import { GraphQLError } from 'graphql';
import { invalidToken } from './bearer.js';
import { tokenKeys } from './token-keys.js';
import type { TokenAlgorithm, TokenKey } from './token-keys.js';

export interface TokenOptions {
  readonly key: TokenKey;
  /** Undefined: those the key is for. */
  readonly algorithms?: readonly TokenAlgorithm[];
  readonly issuer?: string;
  readonly audience?: string;
  /** Of this name, or with dots that lead into claims. */
  readonly personClaim: string;
  readonly groupsClaim: string;
  readonly clockToleranceMs: number;
}

/** What a token vouches for. */
export interface Vouched {
  readonly person: string;
  readonly groups: readonly string[];
  /** Epoch ms: from then on the token is refused. */
  readonly expiresAt: number;
}

/** A person's id becomes a Redis key, a directory's name and part of a hash: bounded, and readable in logs. */
export const MAX_PERSON_BYTES = 200;

/** Resolves for a good token; rejects with `UNAUTHENTICATED`, or `AUTHENTICATION_UNAVAILABLE`. Throws at once for options that fit no token. */
export function createTokens(options: TokenOptions, clock: Clock): (token: string) => Promise<Vouched> {
  const { key, issuer, audience, personClaim, groupsClaim, clockToleranceMs } = options;
  const { algorithms, keyFor } = tokenKeys(key, options.algorithms, clock);
  const checks: JWTVerifyOptions = {
    algorithms: [...algorithms],
    requiredClaims: ['exp'],
    clockTolerance: clockToleranceMs / 1_000,
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
  };
  return async (token) => {
    const claims = await verified(() => jwtVerify(token, keyFor, { ...checks, currentDate: new Date(clock.now()) }));
    const { iat } = claims;
    if (iat !== undefined && iat * 1_000 > clock.now() + clockToleranceMs) {
      throw invalidToken('The token was issued in the future.');
    }
    const expiresAt = endOf(claims, clockToleranceMs);
    if (expiresAt <= clock.now()) throw invalidToken('The token has expired.');
    return { person: personOf(claimAt(claims, personClaim)), groups: groupsOf(claimAt(claims, groupsClaim)), expiresAt };
  };
}

/** The token's header, read but not yet believed. */
export function headerOf(token: string): Readonly<Record<string, unknown>> {
  try {
    const header = decodeProtectedHeader(token);
    // Extensions that we'd have to know (RFC 7515 section 4.1.11), and know none of.
    if (header.crit === undefined) return header;
  } catch {
    throw invalidToken('This is no token that can be read.');
  }
  throw invalidToken('The token wants an extension that is not known here.');
}

/** What jose found good; else the refusal. */
export async function verified(verify: () => Promise<{ readonly payload: JWTPayload }>): Promise<JWTPayload> {
  try {
    return (await verify()).payload;
  } catch (error) {
    if (error instanceof GraphQLError) throw error;
    throw invalidToken(reasonOf(error));
  }
}

/** Epoch ms. */
export function endOf({ exp = Number.NaN }: JWTPayload, toleranceMs: number): number {
  const expiresAt = exp * 1_000 + toleranceMs;
  if (!Number.isSafeInteger(Math.trunc(expiresAt))) throw invalidToken('The claim exp is no time.');
  return expiresAt;
}

/** Printable text of 1 to 200 bytes: without control, format (bidirectional overrides, zero width) and unassigned characters. */
export function isPersonId(value: unknown): value is string {
  if (typeof value !== 'string' || value === '' || Buffer.byteLength(value) > MAX_PERSON_BYTES) return false;
  return !/[\p{C}\p{Zl}\p{Zp}]/u.test(value);
}

function personOf(claim: unknown): string {
  if (isPersonId(claim)) return claim;
  throw invalidToken(`The claim with the person has to be printable text of at most ${MAX_PERSON_BYTES} bytes.`);
}

function groupsOf(claim: unknown): readonly string[] {
  if (claim === undefined || claim === null) return [];
  const groups: readonly unknown[] = Array.isArray(claim) ? claim : [claim];
  if (groups.every((group) => typeof group === 'string')) return groups;
  throw invalidToken('The claim with the groups has to be a list of texts.');
}

/** The claim of that name; else what its dots lead to. Own properties alone: `__proto__` leads nowhere. */
function claimAt(claims: JWTPayload, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let value: unknown = claims;
  for (const step of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[step];
  }
  return value;
}

function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'The token has expired.';
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim, reason } = error;
    if (reason === 'missing') return `The token lacks the claim ${claim}.`;
    return claim === 'nbf' ? 'The token is not good yet.' : `The token's claim ${claim} is not what it has to be.`;
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return "The token's algorithm is not one that is used here.";
  if (error instanceof errors.JWSSignatureVerificationFailed) return "The token's signature does not hold.";
  if (error instanceof errors.JWKSNoMatchingKey) return "The token's key is not one of its issuer's.";
  if (error instanceof errors.JWKSMultipleMatchingKeys)
    return "The token does not name which of its issuer's keys it is signed with.";
  return 'This is no token that can be checked.';
}
