/* eslint-disable */
import type { TypedDocumentNode as DocumentNode } from '@graphql-typed-document-node/core';
export type Maybe<T> = T | null;
export type InputMaybe<T> = T | null | undefined;
export type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
export type MakeOptional<T, K extends keyof T> = Omit<T, K> & { [SubKey in K]?: Maybe<T[SubKey]> };
export type MakeMaybe<T, K extends keyof T> = Omit<T, K> & { [SubKey in K]: Maybe<T[SubKey]> };
export type MakeEmpty<T extends { [key: string]: unknown }, K extends keyof T> = { [_ in K]?: never };
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
/** All built-in and custom scalars, mapped to their actual values */
export type Scalars = {
  ID: { input: string; output: string; }
  String: { input: string; output: string; }
  Boolean: { input: boolean; output: boolean; }
  Int: { input: number; output: number; }
  Float: { input: number; output: number; }
  /** A number of bytes: an integer from 0 to 9007199254740991 (2^53-1) as a JSON number, because `Int` ends at 2 GiB. */
  ByteCount: { input: number; output: number; }
  /** A moment in UTC as ISO 8601 with milliseconds, such as `2026-03-01T12:30:00.000Z`. */
  DateTime: { input: string; output: string; }
  /**
   * The bytes of one chunk, sent as the file of a
   * [GraphQL multipart request](https://github.com/jaydenseric/graphql-multipart-request-spec): `operations`, then `map`, then exactly
   * one file. It is streamed, so send it last and send `x-graphql-yoga-csrf: 1` (or `apollo-require-preflight: 1`) with it.
   */
  Upload: { input: Blob; output: never; }
};

/** Which content is to be at which path of which host. The same three values, with the caller, always mean the same upload. */
export type FileRef = {
  /**
   * Absolute path of the target, in one of the host's `roots`, such as `/srv/media/film.mov`. It is taken as it is and never
   * decoded: every file name the host allows works. Anything malformed or outside the roots is answered `INVALID_PATH`. Missing
   * directories are made.
   */
  fullPath: Scalars['String']['input'];
  /**
   * The content's identity. `sha256:<64 hex digits>` and `md5:<32 hex digits>` are proved on the host before the file is published. Any
   * other printable text of 1 to 200 bytes only identifies, so that an upload can begin at once with a quick fingerprint; the real hash
   * may follow as `mergeFile(digest:)`.
   */
  hashCode: Scalars['String']['input'];
  /** A host's `id`, as `hosts` lists it. A host that the caller may not use is answered `HOST_UNKNOWN`, as if it did not exist. */
  hostId: Scalars['ID']['input'];
};

/** Something a host was found to be able to do. */
export type HostCapability =
  /** Runs commands in a POSIX shell. */
  | 'COMMAND'
  /** Copies between its own files (`copy-data`). */
  | 'COPY_DATA'
  /** Makes bytes durable on request (`fsync@openssh.com`). */
  | 'FSYNC'
  /** Makes hard links (`hardlink@openssh.com`): publication never overwrites. */
  | 'HARD_LINK'
  /** Hashes files itself, so that content can be proved without reading it back. */
  | 'HASH_COMMAND'
  /** Renames over an existing file in one step (`posix-rename@openssh.com`). */
  | 'POSIX_RENAME'
  /** Writes at any offset, so that chunks need no joining. */
  | 'RANDOM_WRITE'
  /** Tells its free space (`statvfs@openssh.com`). */
  | 'SPACE';

/** What to do when there is already a file at the target. */
export type IfExists =
  /** Answer `FileExists` and leave the file alone. Checked again, atomically, at publication. */
  | 'ASK'
  /** Replace it. The old file stays whole until the new one takes its place in one step. */
  | 'REPLACE';

/** The stages of an upload. `DONE`, `FAILED` and `ABORTED` are final for a merge; after `FAILED` a new `mergeFile` starts another. */
export type MergePhase =
  /** The upload was aborted. */
  | 'ABORTED'
  /** Chunks are being joined. */
  | 'ASSEMBLING'
  /** The whole, verified file is at the target. */
  | 'DONE'
  /** It ended with a problem; the chunks are kept. */
  | 'FAILED'
  /** The file takes its place at the target. */
  | 'PUBLISHING'
  /** The merge waits for a worker. */
  | 'QUEUED'
  /** Chunks are coming in; no merge was asked for. */
  | 'RECEIVING'
  /** The host hashes the content, or it is read back. */
  | 'VERIFYING';

/** How the chunks become the file on a host. */
export type MergeStrategy =
  /** A command on the host joins chunk files; no byte crosses the network. */
  | 'COMMAND'
  /** The host's SFTP server joins chunk files; no byte crosses the network. */
  | 'COPY_DATA'
  /** Chunks were written at their place: nothing is left to join. */
  | 'IN_PLACE'
  /** The gateway reads and writes every byte again. Works with any SFTP server. */
  | 'RELAY';

/** What a `Problem` is, for programs. More may come: treat an unknown one by its `retryable`. */
export type ProblemCode =
  /** The upload was aborted. */
  | 'ABORTED'
  /** Not all chunks are there (`ChunksMissing`). */
  | 'CHUNKS_MISSING'
  /** An earlier attempt at the same chunk still runs (`TryAgainLater`). */
  | 'CHUNK_BUSY'
  /** Another chunk with other bytes is already stored under this number. */
  | 'CHUNK_CONFLICT'
  /** Every chunk is as it was sent, but the whole doesn't have the hash that was declared. */
  | 'CONTENT_MISMATCH'
  /** The store of claims can't be reached (`TryAgainLater`). */
  | 'COORDINATION_UNAVAILABLE'
  /** The chunk's bytes are not those declared (`DigestMismatch`). */
  | 'DIGEST_MISMATCH'
  /** There is a file at the target (`FileExists`). */
  | 'FILE_EXISTS'
  /** The host refuses the gateway's own login. An administrator must look at this. */
  | 'HOST_AUTH_FAILED'
  /** The host takes no more at present (`TryAgainLater`). */
  | 'HOST_BUSY'
  /** The host shows another key than the configured one. An administrator must look at this. */
  | 'HOST_KEY_MISMATCH'
  /** There is no such host, or the caller may not use it. */
  | 'HOST_UNKNOWN'
  /** The host doesn't answer (`TryAgainLater`). */
  | 'HOST_UNREACHABLE'
  /** The host lacks what a safe publication needs. */
  | 'HOST_UNSUPPORTED'
  /** The path is malformed or leaves the host's roots. */
  | 'INVALID_PATH'
  /** At the target is something that is no regular file: a directory, a link, a device. */
  | 'INVALID_TARGET'
  /** The merge failed; the chunks are kept. `mergeFile` tries again. */
  | 'MERGE_FAILED'
  /** The merge made no headway for too long; the chunks are kept. `mergeFile` tries again. */
  | 'MERGE_STALLED'
  /** The host's file system has too little room. */
  | 'NOT_ENOUGH_SPACE'
  /** The host's account may not write there. */
  | 'PERMISSION_DENIED'
  /** A limit that the administrator set would be exceeded. */
  | 'QUOTA_EXCEEDED'
  /** The caller has too much under way (`TryAgainLater`). */
  | 'RATE_LIMITED'
  /** Size, chunk count or chunk length are not what the upload began with. */
  | 'SIZE_MISMATCH'
  /** The target changed while it was being published. */
  | 'TARGET_CHANGED'
  /** The target is claimed by somebody else, or by other content (`UploadLocked`). */
  | 'UPLOAD_LOCKED'
  /** There is no such upload, or its claim went to other content: begin with `uploadStatus`. */
  | 'UPLOAD_UNKNOWN';

type ProblemFacts_ChunksMissing_Fragment = { __typename: 'ChunksMissing', code: ProblemCode, message: string, retryable: boolean };

type ProblemFacts_DigestMismatch_Fragment = { __typename: 'DigestMismatch', code: ProblemCode, message: string, retryable: boolean };

type ProblemFacts_FileExists_Fragment = { __typename: 'FileExists', etag: string, code: ProblemCode, message: string, retryable: boolean };

type ProblemFacts_Refused_Fragment = { __typename: 'Refused', code: ProblemCode, message: string, retryable: boolean };

type ProblemFacts_TryAgainLater_Fragment = { __typename: 'TryAgainLater', retryAfterMs: number, code: ProblemCode, message: string, retryable: boolean };

type ProblemFacts_UploadLocked_Fragment = { __typename: 'UploadLocked', code: ProblemCode, message: string, retryable: boolean };

export type ProblemFactsFragment =
  | ProblemFacts_ChunksMissing_Fragment
  | ProblemFacts_DigestMismatch_Fragment
  | ProblemFacts_FileExists_Fragment
  | ProblemFacts_Refused_Fragment
  | ProblemFacts_TryAgainLater_Fragment
  | ProblemFacts_UploadLocked_Fragment
;

export type HostsQueryVariables = Exact<{ [key: string]: never; }>;


export type HostsQuery = { __typename?: 'Query', hosts: Array<{ __typename?: 'Host', id: string, name: string, roots: Array<string> }> };

export type UploadStatusQueryVariables = Exact<{
  file: FileRef;
  size: Scalars['ByteCount']['input'];
  ifExists: IfExists;
  ifMatch?: InputMaybe<Scalars['String']['input']>;
}>;


export type UploadStatusQuery = { __typename?: 'Query', uploadStatus:
    | { __typename: 'FileExists', etag: string, code: ProblemCode, message: string, retryable: boolean }
    | { __typename: 'Refused', code: ProblemCode, message: string, retryable: boolean }
    | { __typename: 'TryAgainLater', retryAfterMs: number, code: ProblemCode, message: string, retryable: boolean }
    | { __typename: 'UploadFinished' }
    | { __typename: 'UploadLocked', code: ProblemCode, message: string, retryable: boolean }
    | { __typename: 'UploadReady' }
    | { __typename: 'UploadResumable' }
   };

export type DirInfoQueryVariables = Exact<{
  file: FileRef;
}>;


export type DirInfoQuery = { __typename?: 'Query', dirInfo:
    | { __typename: 'DirInfo', chunkSize: number, chunkCount: number, uploadedBytes: number, missing: Array<{ __typename?: 'ChunkRange', first: number, last: number }> }
    | { __typename: 'Refused', code: ProblemCode, message: string, retryable: boolean }
    | { __typename: 'TryAgainLater', retryAfterMs: number, code: ProblemCode, message: string, retryable: boolean }
    | { __typename: 'UploadFinished' }
    | { __typename: 'UploadLocked', code: ProblemCode, message: string, retryable: boolean }
   };

export type UploadChunkMutationVariables = Exact<{
  file: FileRef;
  index: Scalars['Int']['input'];
  digest?: InputMaybe<Scalars['String']['input']>;
  chunk: Scalars['Upload']['input'];
}>;


export type UploadChunkMutation = { __typename?: 'Mutation', uploadChunk:
    | { __typename: 'ChunkStored', uploadedBytes: number }
    | { __typename: 'DigestMismatch', code: ProblemCode, message: string, retryable: boolean }
    | { __typename: 'Refused', code: ProblemCode, message: string, retryable: boolean }
    | { __typename: 'TryAgainLater', retryAfterMs: number, code: ProblemCode, message: string, retryable: boolean }
    | { __typename: 'UploadFinished' }
    | { __typename: 'UploadLocked', code: ProblemCode, message: string, retryable: boolean }
   };

export type MergeFileMutationVariables = Exact<{
  file: FileRef;
  chunkCount: Scalars['Int']['input'];
  ifExists: IfExists;
  ifMatch?: InputMaybe<Scalars['String']['input']>;
}>;


export type MergeFileMutation = { __typename?: 'Mutation', mergeFile:
    | { __typename: 'ChunksMissing', code: ProblemCode, message: string, retryable: boolean }
    | { __typename: 'FileExists', etag: string, code: ProblemCode, message: string, retryable: boolean }
    | { __typename: 'MergeStarted' }
    | { __typename: 'Refused', code: ProblemCode, message: string, retryable: boolean }
    | { __typename: 'TryAgainLater', retryAfterMs: number, code: ProblemCode, message: string, retryable: boolean }
    | { __typename: 'UploadLocked', code: ProblemCode, message: string, retryable: boolean }
   };

export type MergeProgressSubscriptionVariables = Exact<{
  file: FileRef;
}>;


export type MergeProgressSubscription = { __typename?: 'Subscription', mergeProgress: { __typename?: 'MergeProgress', phase: MergePhase, percent: number, problem?:
      | { __typename: 'ChunksMissing', code: ProblemCode, message: string, retryable: boolean }
      | { __typename: 'DigestMismatch', code: ProblemCode, message: string, retryable: boolean }
      | { __typename: 'FileExists', etag: string, code: ProblemCode, message: string, retryable: boolean }
      | { __typename: 'Refused', code: ProblemCode, message: string, retryable: boolean }
      | { __typename: 'TryAgainLater', retryAfterMs: number, code: ProblemCode, message: string, retryable: boolean }
      | { __typename: 'UploadLocked', code: ProblemCode, message: string, retryable: boolean }
     | null } };

export const ProblemFactsFragmentDoc = {"kind":"Document","definitions":[{"kind":"FragmentDefinition","name":{"kind":"Name","value":"ProblemFacts"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Problem"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"retryable"}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"TryAgainLater"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"retryAfterMs"}}]}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"FileExists"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"etag"}}]}}]}}]} as unknown as DocumentNode<ProblemFactsFragment, unknown>;
export const HostsDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"Hosts"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"hosts"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"name"}},{"kind":"Field","name":{"kind":"Name","value":"roots"}}]}}]}}]} as unknown as DocumentNode<HostsQuery, HostsQueryVariables>;
export const UploadStatusDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"UploadStatus"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"file"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"FileRef"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"size"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ByteCount"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"ifExists"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"IfExists"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"ifMatch"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"uploadStatus"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"file"},"value":{"kind":"Variable","name":{"kind":"Name","value":"file"}}},{"kind":"Argument","name":{"kind":"Name","value":"size"},"value":{"kind":"Variable","name":{"kind":"Name","value":"size"}}},{"kind":"Argument","name":{"kind":"Name","value":"ifExists"},"value":{"kind":"Variable","name":{"kind":"Name","value":"ifExists"}}},{"kind":"Argument","name":{"kind":"Name","value":"ifMatch"},"value":{"kind":"Variable","name":{"kind":"Name","value":"ifMatch"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"FragmentSpread","name":{"kind":"Name","value":"ProblemFacts"}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"ProblemFacts"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Problem"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"retryable"}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"TryAgainLater"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"retryAfterMs"}}]}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"FileExists"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"etag"}}]}}]}}]} as unknown as DocumentNode<UploadStatusQuery, UploadStatusQueryVariables>;
export const DirInfoDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"DirInfo"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"file"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"FileRef"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"dirInfo"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"file"},"value":{"kind":"Variable","name":{"kind":"Name","value":"file"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"DirInfo"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"chunkSize"}},{"kind":"Field","name":{"kind":"Name","value":"chunkCount"}},{"kind":"Field","name":{"kind":"Name","value":"uploadedBytes"}},{"kind":"Field","name":{"kind":"Name","value":"missing"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"first"}},{"kind":"Field","name":{"kind":"Name","value":"last"}}]}}]}},{"kind":"FragmentSpread","name":{"kind":"Name","value":"ProblemFacts"}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"ProblemFacts"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Problem"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"retryable"}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"TryAgainLater"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"retryAfterMs"}}]}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"FileExists"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"etag"}}]}}]}}]} as unknown as DocumentNode<DirInfoQuery, DirInfoQueryVariables>;
export const UploadChunkDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"UploadChunk"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"file"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"FileRef"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"index"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"Int"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"digest"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"chunk"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"Upload"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"uploadChunk"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"file"},"value":{"kind":"Variable","name":{"kind":"Name","value":"file"}}},{"kind":"Argument","name":{"kind":"Name","value":"index"},"value":{"kind":"Variable","name":{"kind":"Name","value":"index"}}},{"kind":"Argument","name":{"kind":"Name","value":"digest"},"value":{"kind":"Variable","name":{"kind":"Name","value":"digest"}}},{"kind":"Argument","name":{"kind":"Name","value":"chunk"},"value":{"kind":"Variable","name":{"kind":"Name","value":"chunk"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"ChunkStored"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"uploadedBytes"}}]}},{"kind":"FragmentSpread","name":{"kind":"Name","value":"ProblemFacts"}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"ProblemFacts"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Problem"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"retryable"}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"TryAgainLater"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"retryAfterMs"}}]}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"FileExists"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"etag"}}]}}]}}]} as unknown as DocumentNode<UploadChunkMutation, UploadChunkMutationVariables>;
export const MergeFileDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"MergeFile"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"file"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"FileRef"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"chunkCount"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"Int"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"ifExists"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"IfExists"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"ifMatch"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"mergeFile"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"file"},"value":{"kind":"Variable","name":{"kind":"Name","value":"file"}}},{"kind":"Argument","name":{"kind":"Name","value":"chunkCount"},"value":{"kind":"Variable","name":{"kind":"Name","value":"chunkCount"}}},{"kind":"Argument","name":{"kind":"Name","value":"ifExists"},"value":{"kind":"Variable","name":{"kind":"Name","value":"ifExists"}}},{"kind":"Argument","name":{"kind":"Name","value":"ifMatch"},"value":{"kind":"Variable","name":{"kind":"Name","value":"ifMatch"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"FragmentSpread","name":{"kind":"Name","value":"ProblemFacts"}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"ProblemFacts"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Problem"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"retryable"}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"TryAgainLater"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"retryAfterMs"}}]}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"FileExists"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"etag"}}]}}]}}]} as unknown as DocumentNode<MergeFileMutation, MergeFileMutationVariables>;
export const MergeProgressDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"subscription","name":{"kind":"Name","value":"MergeProgress"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"file"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"FileRef"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"mergeProgress"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"file"},"value":{"kind":"Variable","name":{"kind":"Name","value":"file"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"phase"}},{"kind":"Field","name":{"kind":"Name","value":"percent"}},{"kind":"Field","name":{"kind":"Name","value":"problem"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"ProblemFacts"}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"ProblemFacts"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Problem"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}},{"kind":"Field","name":{"kind":"Name","value":"retryable"}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"TryAgainLater"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"retryAfterMs"}}]}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"FileExists"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"etag"}}]}}]}}]} as unknown as DocumentNode<MergeProgressSubscription, MergeProgressSubscriptionVariables>;