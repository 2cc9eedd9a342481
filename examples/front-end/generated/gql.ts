/* eslint-disable */
import * as types from './graphql';
import type { TypedDocumentNode as DocumentNode } from '@graphql-typed-document-node/core';

/**
 * Map of all GraphQL operations in the project.
 *
 * This map has several performance disadvantages:
 * 1. It is not tree-shakeable, so it will include all operations in the project.
 * 2. It is not minifiable, so the string of a GraphQL query will be multiple times inside the bundle.
 * 3. It does not support dead code elimination, so it will add unused operations.
 *
 * Therefore it is highly recommended to use the babel or swc plugin for production.
 * Learn more about it here: https://the-guild.dev/graphql/codegen/plugins/presets/preset-client#reducing-bundle-size
 */
type Documents = {
    "\n  fragment ProblemFacts on Problem {\n    __typename\n    code\n    message\n    retryable\n    ... on TryAgainLater {\n      retryAfterMs\n    }\n    ... on FileExists {\n      etag\n    }\n  }\n": typeof types.ProblemFactsFragmentDoc,
    "\n  query Hosts {\n    hosts {\n      id\n      name\n      roots\n    }\n  }\n": typeof types.HostsDocument,
    "\n  query UploadStatus($file: FileRef!, $size: ByteCount!, $ifExists: IfExists!, $ifMatch: String) {\n    uploadStatus(file: $file, size: $size, ifExists: $ifExists, ifMatch: $ifMatch) {\n      __typename\n      ...ProblemFacts\n    }\n  }\n": typeof types.UploadStatusDocument,
    "\n  query DirInfo($file: FileRef!) {\n    dirInfo(file: $file) {\n      __typename\n      ... on DirInfo {\n        chunkSize\n        chunkCount\n        uploadedBytes\n        missing {\n          first\n          last\n        }\n      }\n      ...ProblemFacts\n    }\n  }\n": typeof types.DirInfoDocument,
    "\n  mutation UploadChunk($file: FileRef!, $index: Int!, $digest: String, $chunk: Upload!) {\n    uploadChunk(file: $file, index: $index, digest: $digest, chunk: $chunk) {\n      __typename\n      ... on ChunkStored {\n        uploadedBytes\n      }\n      ...ProblemFacts\n    }\n  }\n": typeof types.UploadChunkDocument,
    "\n  mutation MergeFile($file: FileRef!, $chunkCount: Int!, $ifExists: IfExists!, $ifMatch: String) {\n    mergeFile(file: $file, chunkCount: $chunkCount, ifExists: $ifExists, ifMatch: $ifMatch) {\n      __typename\n      ...ProblemFacts\n    }\n  }\n": typeof types.MergeFileDocument,
    "\n  subscription MergeProgress($file: FileRef!) {\n    mergeProgress(file: $file) {\n      phase\n      percent\n      problem {\n        ...ProblemFacts\n      }\n    }\n  }\n": typeof types.MergeProgressDocument,
};
const documents: Documents = {
    "\n  fragment ProblemFacts on Problem {\n    __typename\n    code\n    message\n    retryable\n    ... on TryAgainLater {\n      retryAfterMs\n    }\n    ... on FileExists {\n      etag\n    }\n  }\n": types.ProblemFactsFragmentDoc,
    "\n  query Hosts {\n    hosts {\n      id\n      name\n      roots\n    }\n  }\n": types.HostsDocument,
    "\n  query UploadStatus($file: FileRef!, $size: ByteCount!, $ifExists: IfExists!, $ifMatch: String) {\n    uploadStatus(file: $file, size: $size, ifExists: $ifExists, ifMatch: $ifMatch) {\n      __typename\n      ...ProblemFacts\n    }\n  }\n": types.UploadStatusDocument,
    "\n  query DirInfo($file: FileRef!) {\n    dirInfo(file: $file) {\n      __typename\n      ... on DirInfo {\n        chunkSize\n        chunkCount\n        uploadedBytes\n        missing {\n          first\n          last\n        }\n      }\n      ...ProblemFacts\n    }\n  }\n": types.DirInfoDocument,
    "\n  mutation UploadChunk($file: FileRef!, $index: Int!, $digest: String, $chunk: Upload!) {\n    uploadChunk(file: $file, index: $index, digest: $digest, chunk: $chunk) {\n      __typename\n      ... on ChunkStored {\n        uploadedBytes\n      }\n      ...ProblemFacts\n    }\n  }\n": types.UploadChunkDocument,
    "\n  mutation MergeFile($file: FileRef!, $chunkCount: Int!, $ifExists: IfExists!, $ifMatch: String) {\n    mergeFile(file: $file, chunkCount: $chunkCount, ifExists: $ifExists, ifMatch: $ifMatch) {\n      __typename\n      ...ProblemFacts\n    }\n  }\n": types.MergeFileDocument,
    "\n  subscription MergeProgress($file: FileRef!) {\n    mergeProgress(file: $file) {\n      phase\n      percent\n      problem {\n        ...ProblemFacts\n      }\n    }\n  }\n": types.MergeProgressDocument,
};

/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 *
 *
 * @example
 * ```ts
 * const query = graphql(`query GetUser($id: ID!) { user(id: $id) { name } }`);
 * ```
 *
 * The query argument is unknown!
 * Please regenerate the types.
 */
export function graphql(source: string): unknown;

/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  fragment ProblemFacts on Problem {\n    __typename\n    code\n    message\n    retryable\n    ... on TryAgainLater {\n      retryAfterMs\n    }\n    ... on FileExists {\n      etag\n    }\n  }\n"): (typeof documents)["\n  fragment ProblemFacts on Problem {\n    __typename\n    code\n    message\n    retryable\n    ... on TryAgainLater {\n      retryAfterMs\n    }\n    ... on FileExists {\n      etag\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Hosts {\n    hosts {\n      id\n      name\n      roots\n    }\n  }\n"): (typeof documents)["\n  query Hosts {\n    hosts {\n      id\n      name\n      roots\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query UploadStatus($file: FileRef!, $size: ByteCount!, $ifExists: IfExists!, $ifMatch: String) {\n    uploadStatus(file: $file, size: $size, ifExists: $ifExists, ifMatch: $ifMatch) {\n      __typename\n      ...ProblemFacts\n    }\n  }\n"): (typeof documents)["\n  query UploadStatus($file: FileRef!, $size: ByteCount!, $ifExists: IfExists!, $ifMatch: String) {\n    uploadStatus(file: $file, size: $size, ifExists: $ifExists, ifMatch: $ifMatch) {\n      __typename\n      ...ProblemFacts\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query DirInfo($file: FileRef!) {\n    dirInfo(file: $file) {\n      __typename\n      ... on DirInfo {\n        chunkSize\n        chunkCount\n        uploadedBytes\n        missing {\n          first\n          last\n        }\n      }\n      ...ProblemFacts\n    }\n  }\n"): (typeof documents)["\n  query DirInfo($file: FileRef!) {\n    dirInfo(file: $file) {\n      __typename\n      ... on DirInfo {\n        chunkSize\n        chunkCount\n        uploadedBytes\n        missing {\n          first\n          last\n        }\n      }\n      ...ProblemFacts\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation UploadChunk($file: FileRef!, $index: Int!, $digest: String, $chunk: Upload!) {\n    uploadChunk(file: $file, index: $index, digest: $digest, chunk: $chunk) {\n      __typename\n      ... on ChunkStored {\n        uploadedBytes\n      }\n      ...ProblemFacts\n    }\n  }\n"): (typeof documents)["\n  mutation UploadChunk($file: FileRef!, $index: Int!, $digest: String, $chunk: Upload!) {\n    uploadChunk(file: $file, index: $index, digest: $digest, chunk: $chunk) {\n      __typename\n      ... on ChunkStored {\n        uploadedBytes\n      }\n      ...ProblemFacts\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation MergeFile($file: FileRef!, $chunkCount: Int!, $ifExists: IfExists!, $ifMatch: String) {\n    mergeFile(file: $file, chunkCount: $chunkCount, ifExists: $ifExists, ifMatch: $ifMatch) {\n      __typename\n      ...ProblemFacts\n    }\n  }\n"): (typeof documents)["\n  mutation MergeFile($file: FileRef!, $chunkCount: Int!, $ifExists: IfExists!, $ifMatch: String) {\n    mergeFile(file: $file, chunkCount: $chunkCount, ifExists: $ifExists, ifMatch: $ifMatch) {\n      __typename\n      ...ProblemFacts\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription MergeProgress($file: FileRef!) {\n    mergeProgress(file: $file) {\n      phase\n      percent\n      problem {\n        ...ProblemFacts\n      }\n    }\n  }\n"): (typeof documents)["\n  subscription MergeProgress($file: FileRef!) {\n    mergeProgress(file: $file) {\n      phase\n      percent\n      problem {\n        ...ProblemFacts\n      }\n    }\n  }\n"];

export function graphql(source: string) {
  return (documents as any)[source] ?? {};
}

export type DocumentType<TDocumentNode extends DocumentNode<any, any>> = TDocumentNode extends DocumentNode<  infer TType,  any>  ? TType  : never;