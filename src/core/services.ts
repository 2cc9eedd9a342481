// What the services are built from, and the way into a call: from what a client named to a host, a target and an identity.
import type { Caller, FileRefInput } from './answers.js';
import { decide } from './access.js';
import type { Operation } from './access.js';
import { identify, parseFileRef } from './file-ref.js';
import type { UploadIdentity } from './file-ref.js';
import type { Ledger, LedgerBounds } from './ledger.js';
import type { Audit, Clock, Hashing, Host, HostRepository, LockRepository, Log, MergeQueue, ProgressFeed } from './ports.js';
import { ProblemError, isFault, refused, tryAgainLater } from './problems.js';
import type { Problem, Refused, TryAgainLater, UploadLocked, Fault } from './problems.js';
import type { Assembly } from './staging.js';
import { resolveTarget } from './target.js';
import type { Target } from './target.js';

export interface Limits extends LedgerBounds {
  /** Chunk size when the client has no wish, bytes. */
  readonly chunkBytes: number;
  readonly maxChunkBytes: number;
  readonly maxFileBytes: number;
  readonly chunksInFlightPerPerson: number;
  /** How long a claim outlives the last call about it. */
  readonly claimTtlMs: number;
  /** How long unfinished uploads are kept on the hosts, and finished ones remembered. */
  readonly stagingTtlMs: number;
}

export interface Services {
  readonly hosts: HostRepository;
  readonly locks: LockRepository;
  readonly assembly: Assembly;
  readonly feed: ProgressFeed;
  readonly queue: MergeQueue;
  readonly clock: Clock;
  readonly hashing: Hashing;
  readonly log: Log;
  readonly audit: Audit;
  readonly ledger: Ledger;
  readonly limits: Limits;
}

/** A call about one upload, with its host in hand. */
export interface UploadCall {
  readonly host: Host;
  readonly target: Target;
  readonly identity: UploadIdentity;
}

/** Problems that every union of answers has. */
export type CommonProblem = UploadLocked | TryAgainLater | Refused;

/** Runs `work` on the file's host. Faults and problems thrown anywhere below become the answer. */
export async function onHost<T>(
  services: Services,
  about: { readonly caller: Caller; readonly operation: Operation; readonly file: FileRefInput },
  work: (call: UploadCall) => Promise<T>,
): Promise<T | CommonProblem> {
  return answering(async () => {
    const { hosts, hashing } = services;
    const { caller, operation, file } = about;
    const [access] = decide({ profiles: hosts.profiles, hashing }, caller, { operation, file });
    if (access === undefined) throw new Error('a call about a file has a host or is refused');
    const ref = parseFileRef(access, file);
    const { person } = caller;
    const begin = async (host: Host): Promise<T> => {
      const target = await resolveTarget(host, { path: ref.path, person });
      const identity = identify(hashing, { hostId: ref.profile.id, target: target.path, person, hashCode: ref.hashCode });
      return work({ host, target, identity });
    };
    return hosts.use(ref.profile.id, begin, person);
  });
}

/** `InputError` and what nobody expected pass through. */
export async function answering<T>(work: () => Promise<T>): Promise<T | CommonProblem> {
  try {
    return await work();
  } catch (error) {
    const problem = problemOf(error);
    if (problem === undefined || !isCommon(problem)) throw error;
    return problem;
  }
}

function isCommon(problem: Problem): problem is CommonProblem {
  return problem.kind === 'UploadLocked' || problem.kind === 'TryAgainLater' || problem.kind === 'Refused';
}

/** The problem an error stands for; undefined for an error that nobody expected. */
export function problemOf(error: unknown): Problem | undefined {
  if (error instanceof ProblemError) return error.problem;
  return isFault(error) ? problemOfFault(error) : undefined;
}

/** How long a client waits before it asks again about a host that was away. */
const HOST_AWAY_RETRY_MS = 3_000;

function problemOfFault(fault: Fault): CommonProblem {
  switch (fault.code) {
    case 'HOST_UNREACHABLE':
      return tryAgainLater('HOST_UNREACHABLE', fault.message, HOST_AWAY_RETRY_MS);
    case 'HOST_BUSY':
    case 'COORDINATION_UNAVAILABLE':
      return tryAgainLater(fault.code, fault.message);
    // The host had no reason to give, or something of ours was made or removed by a neighbour at this instant.
    case 'FAILURE':
    case 'ALREADY_EXISTS':
      return tryAgainLater('HOST_BUSY', fault.message);
    case 'NOT_FOUND':
      return refused('UPLOAD_UNKNOWN', `${fault.message}; begin again with uploadStatus`);
    case 'NOT_ENOUGH_SPACE':
      return refused('NOT_ENOUGH_SPACE', fault.message, true);
    case 'PERMISSION_DENIED':
    case 'HOST_UNKNOWN':
    case 'HOST_KEY_MISMATCH':
    case 'HOST_AUTH_FAILED':
    case 'HOST_UNSUPPORTED':
      return refused(fault.code, fault.message);
  }
}
