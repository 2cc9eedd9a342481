// Bearer tokens as HTTP carries them, and how one is refused (RFC 6750).
import type { GraphQLError } from 'graphql';
import { graphqlError } from '../../graphql/errors.js';

/** Far more than any issuer's, and less than the headers of a request may have: longer ones aren't even decoded. */
const MAX_TOKEN_BYTES = 8 * 1024;
const CHALLENGE = 'Bearer realm="longshore"';
/** How long a client should leave an issuer alone whose keys can't be had. */
const RETRY_AFTER_MS = 2_000;

/** The one token of an `Authorization` header (RFC 6750 section 2.1). Throws `UNAUTHENTICATED` when it isn't exactly that. */
export function bearerToken(authorization: string | undefined): string {
  if (authorization === undefined || authorization === '') throw noToken();
  if (authorization.length > MAX_TOKEN_BYTES) throw invalidToken(`A token has at most ${MAX_TOKEN_BYTES} bytes.`);
  const [, token] = /^bearer +([\w.~+/-]+=*)$/i.exec(authorization) ?? [];
  if (token === undefined) throw invalidToken('Authorization has to be the word Bearer and one token.');
  return token;
}

/** The credentials don't do. `message` says which check failed, in ASCII without quotes, and nothing of the token. */
export function invalidToken(message: string): GraphQLError {
  const challenge = `${CHALLENGE}, error="invalid_token", error_description="${message}"`;
  return graphqlError('UNAUTHENTICATED', message, { status: 401, headers: { 'www-authenticate': challenge } });
}

/** Nobody knows whether they do: whose tokens are believed can't be asked for its keys. */
export function authenticationUnavailable(retryAfterMs = RETRY_AFTER_MS): GraphQLError {
  return graphqlError('AUTHENTICATION_UNAVAILABLE', 'The keys that tokens are signed with are not to be had just now.', {
    status: 503,
    retryAfterMs,
  });
}

function noToken(): GraphQLError {
  const message = 'This gateway wants to know who is there: send Authorization: Bearer and a token.';
  return graphqlError('UNAUTHENTICATED', message, { status: 401, headers: { 'www-authenticate': CHALLENGE } });
}
