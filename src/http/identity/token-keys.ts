// The keys that an issuer signs its tokens with, and what algorithms that leaves (RFC 8725 section 3.1: never the token's own choice).
import { createPublicKey, createSecretKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { createRemoteJWKSet, errors } from 'jose';
import type { CryptoKey, FlattenedJWSInput, JWSHeaderParameters, RemoteJWKSet } from 'jose';
import type { Clock } from '../../core/ports.js';
import { authenticationUnavailable } from './bearer.js';

export type TokenAlgorithm = 'HS256' | 'RS256' | 'ES256' | 'EdDSA';

export type TokenKey =
  | { readonly kind: 'secret'; readonly secret: string }
  /** `pem`: SubjectPublicKeyInfo. */
  | { readonly kind: 'public-key'; readonly pem: string }
  /** A JWK Set (RFC 7517), fetched when it is needed. */
  | { readonly kind: 'jwks'; readonly url: string };

export interface TokenKeys {
  /** At least one. */
  readonly algorithms: readonly TokenAlgorithm[];
  /** The key for a token. Rejects with `AUTHENTICATION_UNAVAILABLE`, or with what jose says when there is none. */
  readonly keyFor: (header: JWSHeaderParameters, token: FlattenedJWSInput) => Promise<CryptoKey | KeyObject>;
}

const PUBLIC_KEY_ALGORITHMS = new Map<string | undefined, TokenAlgorithm>([
  ['rsa', 'RS256'],
  ['ec', 'ES256'],
  ['ed25519', 'EdDSA'],
]);

/** Throws when the key is for none of `algorithms`: then no token would ever do. */
export function tokenKeys(key: TokenKey, algorithms: readonly TokenAlgorithm[] | undefined, clock: Clock): TokenKeys {
  const { possible, keyFor } = sourceOf(key, clock);
  const pinned = algorithms === undefined ? possible : possible.filter((name) => algorithms.includes(name));
  if (pinned.length === 0) throw new Error(`auth.jwt.algorithms must have ${possible.join(' or ')}, which the key is for`);
  return { algorithms: pinned, keyFor };
}

type Source = Pick<TokenKeys, 'keyFor'> & { readonly possible: readonly TokenAlgorithm[] };

function sourceOf(key: TokenKey, clock: Clock): Source {
  if (key.kind === 'jwks') {
    const keys = new RemoteKeys(key.url, clock);
    return { possible: ['RS256', 'ES256', 'EdDSA'], keyFor: (header, token) => keys.keyFor(header, token) };
  }
  if (key.kind === 'secret') {
    const secret = createSecretKey(Buffer.from(key.secret));
    return { possible: ['HS256'], keyFor: async () => secret };
  }
  const publicKey = createPublicKey(key.pem);
  const algorithm = PUBLIC_KEY_ALGORITHMS.get(publicKey.asymmetricKeyType);
  if (algorithm === undefined) throw new Error('auth.jwt.publicKey must be an RSA, P-256 or Ed25519 key');
  return { possible: [algorithm], keyFor: async () => publicKey };
}

const FETCH_TIMEOUT_MS = 3_000;
/** A key that its issuer has withdrawn is believed no longer than this, as long as the issuer answers. */
const MAX_AGE_MS = 600_000;
/** From then on new ones are fetched meanwhile, so that nobody waits for them as long as there are calls. */
const REFRESH_AGE_MS = MAX_AGE_MS / 2;
/** An issuer that is away does no harm for a day; after that a withdrawn key would be believed for too long. */
const MAX_STALE_MS = 86_400_000;
/** Tokens with keys we don't know can be made by anybody: so they ask the issuer at most so often. */
const PAUSE_MS = 10_000;
/** The same as long as nobody can be let in anyway. */
const FIRST_PAUSE_MS = 1_000;

/** An issuer's keys over the network. jose fetches, reads and chooses; when to fetch is decided here. */
class RemoteKeys {
  readonly #remote: RemoteJWKSet;
  readonly #clock: Clock;
  /** On the monotonic clock, as all times here. */
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  #hasFailed = false;

  constructor(url: string, clock: Clock) {
    this.#clock = clock;
    this.#remote = createRemoteJWKSet(new URL(url), {
      timeoutDuration: FETCH_TIMEOUT_MS,
      cooldownDuration: Infinity,
      cacheMaxAge: Infinity,
    });
  }

  async keyFor(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    const calledAt = this.#clock.monotonic();
    await this.#freshen();
    if (this.#ageMs > MAX_STALE_MS) throw authenticationUnavailable();
    try {
      return await this.#remote(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
    }
    // It may be a new key, which only the issuer can tell.
    const waitMs = this.#fetchedAt >= calledAt ? 0 : await this.#refresh();
    if (waitMs > 0) throw authenticationUnavailable(waitMs);
    if (this.#hasFailed) throw authenticationUnavailable();
    return await this.#remote(header, token);
  }

  /** Waits for new keys only where the old ones won't do; an issuer that is away is waited for once. */
  async #freshen(): Promise<void> {
    if (this.#ageMs <= REFRESH_AGE_MS) return;
    const refreshed = this.#refresh();
    const mayBelieve = this.#ageMs <= MAX_AGE_MS || (this.#hasFailed && this.#ageMs <= MAX_STALE_MS);
    if (!mayBelieve) await refreshed;
  }

  get #ageMs(): number {
    return this.#clock.monotonic() - this.#fetchedAt;
  }

  /** Asks the issuer: 0; or after how many ms it may be asked again, if it was just now. Doesn't reject: what is known stays. */
  async #refresh(): Promise<number> {
    const pauseMs = this.#ageMs > MAX_STALE_MS ? FIRST_PAUSE_MS : PAUSE_MS;
    const now = this.#clock.monotonic();
    const waitMs = this.#triedAt + pauseMs - now;
    if (!this.#remote.reloading && waitMs > 0) return waitMs;
    this.#triedAt = now;
    try {
      await this.#remote.reload(); // Whoever asks while it is under way has part in it.
      this.#fetchedAt = this.#clock.monotonic();
      this.#hasFailed = false;
    } catch {
      this.#hasFailed = true; // Whatever it was: those who need new keys are told to come again.
    }
    return 0;
  }
}
