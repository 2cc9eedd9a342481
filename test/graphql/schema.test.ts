import { readFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import {
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isScalarType,
  isSpecifiedScalarType,
  isUnionType,
} from 'graphql';
import type { GraphQLArgument, GraphQLField, GraphQLNamedType } from 'graphql';
import { expect, it } from 'vitest';
import { loadSchema } from '../../src/graphql/schema.js';

// Design §2, to the letter: outside clients are written against these names. Growing is allowed and belongs here too.
const FIXED = `
scalar Upload
scalar ByteCount
scalar DateTime
input FileRef { hostId: ID! fullPath: String! hashCode: String! }
enum IfExists { ASK REPLACE }
type Query { hosts: [Host!]! uploadStatus(file: FileRef! size: ByteCount! chunkSize: Int ifExists: IfExists! = ASK ifMatch: String takeOver: Boolean! = false): UploadStatusResult! dirInfo(file: FileRef!): DirInfoResult! uploads(hostId: ID first: Int! = 100 after: String): UploadPage! }
type Mutation { uploadChunk(file: FileRef! index: Int! digest: String chunk: Upload!): UploadChunkResult! mergeFile(file: FileRef! chunkCount: Int! digest: String ifExists: IfExists! = ASK ifMatch: String): MergeFileResult! abortUpload(file: FileRef!): AbortUploadResult! }
type Subscription { mergeProgress(file: FileRef!): MergeProgress! }
union UploadStatusResult = UploadReady | UploadResumable | UploadFinished | FileExists | UploadLocked | TryAgainLater | Refused
union DirInfoResult = DirInfo | UploadFinished | UploadLocked | TryAgainLater | Refused
union UploadChunkResult = ChunkStored | UploadFinished | DigestMismatch | UploadLocked | TryAgainLater | Refused
union MergeFileResult = MergeStarted | ChunksMissing | FileExists | UploadLocked | TryAgainLater | Refused
union AbortUploadResult = UploadAborted | UploadFinished | UploadLocked | TryAgainLater | Refused
interface Problem { code: ProblemCode! message: String! retryable: Boolean! }
type FileExists implements Problem { code: ProblemCode! message: String! retryable: Boolean! size: ByteCount! modifiedAt: DateTime! etag: String! }
type UploadLocked implements Problem { code: ProblemCode! message: String! retryable: Boolean! holder: String! mine: Boolean! since: DateTime! until: DateTime! }
type ChunksMissing implements Problem { code: ProblemCode! message: String! retryable: Boolean! ranges: [ChunkRange!]! missingCount: Int! }
type DigestMismatch implements Problem { code: ProblemCode! message: String! retryable: Boolean! index: Int! expected: String! actual: String! }
type TryAgainLater implements Problem { code: ProblemCode! message: String! retryable: Boolean! retryAfterMs: Int! }
type Refused implements Problem { code: ProblemCode! message: String! retryable: Boolean! }
enum ProblemCode { FILE_EXISTS UPLOAD_LOCKED CHUNKS_MISSING DIGEST_MISMATCH COORDINATION_UNAVAILABLE HOST_UNREACHABLE HOST_BUSY CHUNK_BUSY RATE_LIMITED HOST_UNKNOWN HOST_KEY_MISMATCH HOST_AUTH_FAILED HOST_UNSUPPORTED INVALID_PATH INVALID_TARGET PERMISSION_DENIED NOT_ENOUGH_SPACE UPLOAD_UNKNOWN SIZE_MISMATCH CHUNK_CONFLICT CONTENT_MISMATCH TARGET_CHANGED QUOTA_EXCEEDED MERGE_FAILED MERGE_STALLED ABORTED }
type Host { id: ID! name: String! roots: [String!]! reachable: Boolean! strategy: MergeStrategy capabilities: [HostCapability!]! freeBytes: ByteCount }
enum HostCapability { RANDOM_WRITE COPY_DATA COMMAND HARD_LINK POSIX_RENAME FSYNC SPACE HASH_COMMAND }
enum MergeStrategy { IN_PLACE COPY_DATA COMMAND RELAY }
type ChunkRange { first: Int! last: Int! }
type UploadReady { claimedUntil: DateTime! chunkSize: Int! chunkCount: Int! ticket: String }
type UploadResumable { claimedUntil: DateTime! chunkSize: Int! chunkCount: Int! uploadedBytes: ByteCount! uploadedCount: Int! ticket: String }
type UploadFinished { finishedAt: DateTime! size: ByteCount! contentDigest: String proved: Boolean! }
type UploadAborted { abortedAt: DateTime! }
type DirInfo { name: String! dir: String! dirHashCode: String! size: ByteCount! chunkSize: Int! chunkCount: Int! uploadedBytes: ByteCount! uploadedCount: Int! chunkList: [Int!]! chunks(first: Int! = 1000 after: Int! = 0): [StoredChunk!]! missing: [ChunkRange!]! strategy: MergeStrategy! }
type StoredChunk { index: Int! digest: String! }
type ChunkStored { index: Int! digest: String! alreadyStored: Boolean! uploadedBytes: ByteCount! uploadedCount: Int! }
type MergeStarted { progress: MergeProgress! }
type MergeProgress { phase: MergePhase! doneBytes: ByteCount! totalBytes: ByteCount! percent: Float! bytesPerSecond: Float etaSeconds: Float strategy: MergeStrategy digest: String proved: Boolean! problem: Problem updatedAt: DateTime! }
enum MergePhase { RECEIVING QUEUED ASSEMBLING VERIFYING PUBLISHING DONE FAILED ABORTED }
type UploadPage { items: [UploadSummary!]! nextAfter: String problems: [Problem!]! }
type UploadSummary { hostId: ID! fullPath: String! hashCode: String! size: ByteCount! uploadedBytes: ByteCount! phase: MergePhase! beganAt: DateTime! touchedAt: DateTime! }
`;

const own = Object.values(loadSchema().getTypeMap()).filter(
  (type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type),
);

it('has the fixed names, arguments, types, nullability and defaults', () => {
  expect(own.map(compact).toSorted()).toEqual(FIXED.trim().split('\n').toSorted());
});

it('describes every type, field, argument and enum value', () => {
  const described = own.flatMap((type) => [[type.name, type.description], ...partsOf(type)]);
  expect(described.length).toBeGreaterThan(200);
  const undescribed = described.filter(([, text]) => !text?.trim()).map(([name]) => name);
  expect(undescribed).toEqual([]);
});

it('is what the committed types were generated from', () => {
  const path = new URL('../../src/graphql/generated.ts', import.meta.url);
  const committed = readFileSync(path, 'utf8');
  execFileSync('npx', ['graphql-codegen', '--config', 'codegen.ts', '--check'], {
    cwd: new URL('../..', import.meta.url),
    stdio: 'pipe',
  });
  expect(readFileSync(path, 'utf8')).toBe(committed);
});

function compact(type: GraphQLNamedType): string {
  if (isScalarType(type)) return `scalar ${type.name}`;
  if (isUnionType(type)) return `union ${type.name} = ${type.getTypes().join(' | ')}`;
  if (isEnumType(type))
    return `enum ${type.name} { ${type
      .getValues()
      .map(({ name }) => name)
      .join(' ')} }`;
  const kind = isInputObjectType(type) ? 'input' : isInterfaceType(type) ? 'interface' : 'type';
  const role = isObjectType(type) && type.getInterfaces().length > 0 ? ` implements ${type.getInterfaces().join(' & ')}` : '';
  const fields = Object.values(type.getFields()).map(
    (field) => `${field.name}${'args' in field ? argumentsOf(field) : ''}: ${field.type}`,
  );
  return `${kind} ${type.name}${role} { ${fields.join(' ')} }`;
}

function argumentsOf({ args }: GraphQLField<unknown, unknown>): string {
  const text = ({ name, type, defaultValue }: GraphQLArgument): string =>
    `${name}: ${String(type)}${defaultValue === undefined ? '' : ` = ${JSON.stringify(defaultValue).replaceAll('"', '')}`}`;
  return args.length === 0 ? '' : `(${args.map(text).join(' ')})`;
}

type Described = [name: string, text: string | null | undefined];

function partsOf(type: GraphQLNamedType): Described[] {
  if (isEnumType(type)) return type.getValues().map(({ name, description }) => [`${type.name}.${name}`, description]);
  if (isScalarType(type) || isUnionType(type)) return [];
  if (isInputObjectType(type)) return Object.values(type.getFields()).map(({ name, description }) => [name, description]);
  return Object.values(type.getFields()).flatMap(({ name, description, args }): Described[] => [
    [`${type.name}.${name}`, description],
    ...args.map((argument): Described => [argument.name, argument.description]),
  ]);
}
