// Thin: arguments in, core's answers out. Times and byte counts are the scalars' business, rules are core's.
import { AccessError, InputError } from '../core/problems.js';
import type { MergeProgress } from '../core/progress.js';
import { endingAt, releasing } from './expiry.js';
import type { Resolvers } from './generated.js';

/** Most stored chunks a page of `DirInfo.chunks` may have: about a megabyte of digests. */
const MAX_STORED_CHUNKS = 10_000;

const byKind = { __resolveType: <Kind extends string>(answer: { readonly kind: Kind }): Kind => answer.kind };

export const resolvers: Resolvers = {
  Query: {
    hosts: (_root, _args, { longshore, caller }) => longshore.hosts(caller),
    async uploadStatus(_root, { chunkSize, ifMatch, ...input }, { longshore, caller, issueTicket }) {
      const answer = await longshore.uploadStatus(caller, { ...input, ...given({ chunkSize, ifMatch }) });
      if (answer.kind !== 'UploadReady' && answer.kind !== 'UploadResumable') return answer;
      // A function, so that only who asks for one has it made.
      return { ...answer, ticket: () => issueTicket?.(input.file) ?? null };
    },
    dirInfo: (_root, { file }, { longshore, caller }) => longshore.dirInfo(caller, file),
    uploads: (_root, { hostId, first, after }, { longshore, caller }) =>
      longshore.uploads(caller, { first, ...given({ hostId, after }) }),
  },

  Mutation: {
    async uploadChunk(_root, { file, index, digest, chunk }, { longshore, caller, signal }) {
      const part = await chunk;
      const pieces = part.createReadStream();
      try {
        return await longshore.uploadChunk(caller, { file, index, ...given({ digest }), pieces, signal });
      } catch (error) {
        // Whatever the broken stream became on its way through core, the client is told what was wrong with its request.
        throw part.failure() ?? error;
      }
    },
    mergeFile: (_root, { digest, ifMatch, ...input }, { longshore, caller }) =>
      longshore.mergeFile(caller, { ...input, ...given({ digest, ifMatch }) }),
    abortUpload: (_root, { file }, { longshore, caller }) => longshore.abortUpload(caller, file),
  },

  Subscription: {
    mergeProgress: {
      // Core's own iterable, whose return() ends it at once: an async generator around it would wait for the next state.
      subscribe(_root, { file }, { longshore, caller, expiresAt, allowance }) {
        return releasing(allowance?.subscribe(), () => {
          const states = longshore.mergeProgress(caller, file);
          return expiresAt === undefined ? states : endingAt(states, expiresAt, tokenEnded);
        });
      },
      resolve: (progress: MergeProgress) => progress,
    },
  },

  DirInfo: {
    chunks(dirInfo, { first, after }) {
      if (first < 1 || first > MAX_STORED_CHUNKS)
        throw new InputError('first', `first must be from 1 to ${MAX_STORED_CHUNKS}.`);
      if (after < 0) throw new InputError('after', 'after must be 0 or the number of a chunk.');
      return dirInfo.chunks({ first, after });
    },
  },

  Problem: byKind,
  UploadStatusResult: byKind,
  DirInfoResult: byKind,
  UploadChunkResult: byKind,
  MergeFileResult: byKind,
  AbortUploadResult: byKind,
};

function tokenEnded(): AccessError {
  return new AccessError('UNAUTHENTICATED', 'The token has expired meanwhile: subscribe again with a fresh one.');
}

type Given<T> = { readonly [Key in keyof T]?: NonNullable<T[Key]> };

/** Without the arguments that the client left out or sent as null: absent is undefined in core. */
function given<T extends object>(args: T): Given<T> {
  return Object.fromEntries(Object.entries(args).filter(([, value]) => value !== null && value !== undefined)) as Given<T>;
}
