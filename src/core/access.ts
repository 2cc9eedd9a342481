// Who may do what: decided here and nowhere else, before anything is touched. What a person may do follows from the configuration and
// from who he is; an upload ticket narrows that to the few calls that keep one upload going.
import type { Caller, FileRefInput, Longshore } from './answers.js';
import { keyOf } from './file-ref.js';
import type { Access } from './file-ref.js';
import type { Hashing, HostProfile } from './ports.js';
import { AccessError, ProblemError, refused } from './problems.js';
import { rootOf } from './remote-path.js';

export type Operation = keyof Longshore;

/** What is asked: about one file, about one host, or about all that the caller may use. */
export interface AccessRequest {
  readonly operation: Operation;
  readonly file?: FileRefInput;
  readonly hostId?: string;
}

/** As configurations have them at most. */
const MAX_HOST_ID = 63;

/** Calls that keep an upload going, without making, showing or ending anything. All others want to know again who is there. */
const BY_TICKET: readonly Operation[] = ['dirInfo', 'uploadChunk', 'mergeProgress'];

/**
 * The hosts that the call may reach, at least one when it names one. A host that the caller may not use is as if it did not exist:
 * `HOST_UNKNOWN`, as a `ProblemError`. `AccessError` when an upload ticket isn't good for the call.
 */
export function decide(
  { profiles, hashing }: { readonly profiles: readonly HostProfile[]; readonly hashing: Hashing },
  caller: Caller,
  { operation, file, hostId = file?.hostId }: AccessRequest,
): readonly Access[] {
  if (caller.ticketFor !== undefined) checkTicket(caller.ticketFor, operation, file && fileKey(hashing, file));
  const accesses = profiles.filter(({ id }) => hostId === undefined || id === hostId).flatMap((each) => accessTo(each, caller));
  if (hostId !== undefined && accesses.length === 0) {
    throw new ProblemError(refused('HOST_UNKNOWN', `no host ${JSON.stringify(hostId.slice(0, MAX_HOST_ID))}`));
  }
  return accesses;
}

/** What an upload ticket is bound to, besides its person: the file as it was named. 32 hex characters. */
export function fileKey(hashing: Hashing, { hostId, fullPath, hashCode }: FileRefInput): string {
  return keyOf(hashing, hostId, fullPath, hashCode);
}

/** Nobody's host is nobody's business: none when the caller may not use it, or has no root on it. */
function accessTo(profile: HostProfile, { person, groups }: Caller): readonly Access[] {
  const { allow } = profile;
  if (allow !== undefined && !allow.persons.includes(person) && !groups.some((group) => allow.groups.includes(group)))
    return [];
  const roots = profile.roots.map((root) => rootOf(root, person)).filter((root) => root !== undefined);
  return roots.length === 0 ? [] : [{ profile, roots }];
}

function checkTicket(ticketFor: string, operation: Operation, key: string | undefined): void {
  if (!BY_TICKET.includes(operation)) {
    throw new AccessError('UNAUTHENTICATED', `An upload ticket is not good for ${operation}: send a live token.`);
  }
  if (key !== ticketFor) throw new AccessError('FORBIDDEN', 'This upload ticket is for another upload.');
}
