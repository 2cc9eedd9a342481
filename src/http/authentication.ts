// Who is asking. One function for HTTP, SSE and WebSocket: each transport only collects the credentials.
import type { Caller } from '../core/answers.js';
import { graphqlError } from '../graphql/errors.js';

/** What a client said about itself. Absent and empty are the same. */
export interface Credentials {
  /** `Authorization` header, or `connectionParams.authorization`: `Bearer …`. */
  readonly authorization?: string;
  /** `x-person-id` header, or `connectionParams.personId`. Believed only where nobody has to prove who he is. */
  readonly personId?: string;
}

/** Resolves with the caller. Rejects with `UNAUTHENTICATED` (HTTP 401, WebSocket 4401) when the credentials don't do. */
export type Authenticate = (credentials: Credentials) => Promise<Caller>;

const ANONYMOUS = 'anonymous';

/** A person's id becomes a Redis key and part of a hash: bounded, and readable in logs. */
const MAX_PERSON_BYTES = 200;

/** `auth.mode: none`: a person is who he says he is. Safe on loopback alone. */
export async function believe({ personId }: Credentials): Promise<Caller> {
  const person = personId === undefined || personId === '' ? ANONYMOUS : personId;
  if (!isPrintable(person) || Buffer.byteLength(person) > MAX_PERSON_BYTES) {
    const message = `A person's id is printable text of at most ${MAX_PERSON_BYTES} bytes.`;
    throw graphqlError('UNAUTHENTICATED', message, { status: 401 });
  }
  return { person, groups: [] };
}

/** No control, format (bidirectional overrides, zero width), unassigned or surrogate code points, no line or paragraph separators. */
function isPrintable(text: string): boolean {
  return !/[\p{C}\p{Zl}\p{Zp}]/u.test(text);
}
