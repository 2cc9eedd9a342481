// Who is asking. One function for HTTP, SSE and WebSocket: each transport only collects the credentials.
import type { IncomingMessage } from 'node:http';
import type { Caller } from '../../core/answers.js';
import type { Clock, Hashing, HostProfile } from '../../core/ports.js';
import type { IssueTicket } from '../../graphql/context.js';
import { graphqlError } from '../../graphql/errors.js';
import { bearerToken } from './bearer.js';
import { Tickets } from './tickets.js';
import { createTokens, isPersonId, MAX_PERSON_BYTES } from './tokens.js';
import type { TokenOptions } from './tokens.js';

/** What a client said about itself. Absent and empty are the same. */
export interface Credentials {
  /** `Authorization` header, or `connectionParams.authorization`: `Bearer …`. */
  readonly authorization?: string;
  /** `x-person-id` header, or `connectionParams.personId`. Believed only where nobody has to prove who he is. */
  readonly personId?: string;
}

export interface Identity {
  readonly caller: Caller;
  /** Epoch ms: when the credentials end, and with them what was subscribed to. Undefined: never. */
  readonly expiresAt?: number | undefined;
  /** Only for those who showed a live token. */
  readonly issueTicket?: IssueTicket | undefined;
}

/**
 * Rejects with `UNAUTHENTICATED` (HTTP 401, WebSocket 4401) when the credentials don't do, with `AUTHENTICATION_UNAVAILABLE` (503, 1013)
 * when nobody can tell.
 */
export type Authenticate = (credentials: Credentials) => Promise<Identity>;

/** As in the configuration. */
export type AuthenticationOptions =
  | { readonly mode: 'none' }
  | {
      readonly mode: 'jwt';
      readonly jwt: TokenOptions;
      /** Undefined: derived from the shared secret, or a new one for this process. */
      readonly ticketSecret?: string;
      readonly ticketTtlMs: number;
    };

export interface AuthenticationParts {
  readonly profiles: readonly HostProfile[];
  readonly hashing: Hashing;
  readonly clock: Clock;
}

/** Throws when the options fit no token. */
export function createAuthentication(options: AuthenticationOptions, parts: AuthenticationParts): Authenticate {
  if (options.mode === 'none') return believe;
  const { jwt, ticketSecret, ticketTtlMs } = options;
  const tokens = createTokens(jwt, parts.clock);
  const secret = ticketSecret ?? (jwt.key.kind === 'secret' ? jwt.key.secret : undefined);
  const tickets = new Tickets({ ...parts, secret, ttlMs: ticketTtlMs });
  return async ({ authorization }) => {
    const token = bearerToken(authorization);
    if (Tickets.isTicket(token)) return await tickets.verify(token);
    const { person, groups, expiresAt } = await tokens(token);
    const caller: Caller = { person, groups };
    return { caller, expiresAt, issueTicket: (file) => tickets.issue(caller, file) };
  };
}

/** Of a request's headers. More than one `Authorization` is none that does. */
export function credentialsOf({ headers, headersDistinct }: IncomingMessage): Credentials {
  const authorization = headersDistinct['authorization']?.join(', ');
  const personId = headers['x-person-id'];
  return {
    ...(authorization === undefined ? {} : { authorization }),
    ...(typeof personId === 'string' ? { personId } : {}),
  };
}

const ANONYMOUS = 'anonymous';

/** `auth.mode: none`: a person is who he says he is. Safe on loopback alone. */
export async function believe({ personId }: Credentials): Promise<Identity> {
  const person = personId === undefined || personId === '' ? ANONYMOUS : personId;
  if (!isPersonId(person)) {
    const message = `A person's id is printable text of at most ${MAX_PERSON_BYTES} bytes.`;
    throw graphqlError('UNAUTHENTICATED', message, { status: 401 });
  }
  return { caller: { person, groups: [] } };
}
