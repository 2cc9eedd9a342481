import type { GraphQLResolveInfo, GraphQLScalarType, GraphQLScalarTypeConfig } from 'graphql';
import type { HostAnswer, UploadReady as CoreUploadReady, UploadResumable as CoreUploadResumable, UploadFinished as CoreUploadFinished, UploadAborted as CoreUploadAborted, DirInfo as CoreDirInfo, StoredChunk as CoreStoredChunk, ChunkStored as CoreChunkStored, MergeStarted as CoreMergeStarted, UploadPage as CoreUploadPage, UploadSummary as CoreUploadSummary } from '../core/answers.js';
import type { Problem as CoreProblem, FileExists as CoreFileExists, UploadLocked as CoreUploadLocked, ChunksMissing as CoreChunksMissing, DigestMismatch as CoreDigestMismatch, TryAgainLater as CoreTryAgainLater, Refused as CoreRefused, ChunkRange as CoreChunkRange } from '../core/problems.js';
import type { MergeProgress as CoreMergeProgress } from '../core/progress.js';
import type { GraphQLContext } from './context.js';
export type Maybe<T> = T | null;
export type InputMaybe<T> = Maybe<T>;
export type RequireFields<T, K extends keyof T> = Omit<T, K> & { [P in K]-?: NonNullable<T[P]> };
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
  DateTime: { input: number; output: number; }
  /**
   * The bytes of one chunk, sent as the file of a
   * [GraphQL multipart request](https://github.com/jaydenseric/graphql-multipart-request-spec): `operations`, then `map`, then exactly
   * one file. It is streamed, so send it last and send `x-graphql-yoga-csrf: 1` (or `apollo-require-preflight: 1`) with it.
   */
  Upload: { input: Promise<import("./multipart.js").FileUpload>; output: Promise<import("./multipart.js").FileUpload>; }
};

/** The upload is no more, or it was published before and the file stays (`UploadFinished`), or why it still is. */
export type AbortUploadResult = Refused | TryAgainLater | UploadAborted | UploadFinished | UploadLocked;

/** A run of chunks, both ends included, counted from 1. */
export type ChunkRange = {
  readonly __typename?: 'ChunkRange';
  /** Number of the first chunk. */
  readonly first: Scalars['Int']['output'];
  /** Number of the last chunk, `first` or greater. */
  readonly last: Scalars['Int']['output'];
};

/** The chunk is on the host, with length and digest checked. */
export type ChunkStored = {
  readonly __typename?: 'ChunkStored';
  /** Whether it was there before this call, which then wrote nothing. */
  readonly alreadyStored: Scalars['Boolean']['output'];
  /** SHA-256 of its bytes, lower-case hex. */
  readonly digest: Scalars['String']['output'];
  /** Its number, counted from 1. */
  readonly index: Scalars['Int']['output'];
  /** Bytes of the whole upload that are there and verified. */
  readonly uploadedBytes: Scalars['ByteCount']['output'];
  /** Chunks of the whole upload that are there and verified. */
  readonly uploadedCount: Scalars['Int']['output'];
};

/** The merge can't begin, or failed, because chunks are missing. Sending those again heals it. */
export type ChunksMissing = Problem & {
  readonly __typename?: 'ChunksMissing';
  /** `CHUNKS_MISSING`. */
  readonly code: ProblemCode;
  /** For a person to read, in English. */
  readonly message: Scalars['String']['output'];
  /** How many chunks are missing in all, also beyond the listed runs. */
  readonly missingCount: Scalars['Int']['output'];
  /** The missing chunks as runs, ascending; at most 1 000 runs. */
  readonly ranges: ReadonlyArray<ChunkRange>;
  /** Whether the same call may succeed later without the client sending anything. */
  readonly retryable: Scalars['Boolean']['output'];
};

/** The bytes that arrived are not those that were declared. Nothing was stored; send the chunk again. */
export type DigestMismatch = Problem & {
  readonly __typename?: 'DigestMismatch';
  /** SHA-256 of the bytes that arrived, lower-case hex. */
  readonly actual: Scalars['String']['output'];
  /** `DIGEST_MISMATCH`. */
  readonly code: ProblemCode;
  /** SHA-256 as the client declared it, lower-case hex. */
  readonly expected: Scalars['String']['output'];
  /** Number of the chunk, counted from 1. */
  readonly index: Scalars['Int']['output'];
  /** For a person to read, in English. */
  readonly message: Scalars['String']['output'];
  /** Whether sending the same bytes again may help, as when they were damaged on the way. */
  readonly retryable: Scalars['Boolean']['output'];
};

/** An upload's staging directory. */
export type DirInfo = {
  readonly __typename?: 'DirInfo';
  /** How many chunks the content has. */
  readonly chunkCount: Scalars['Int']['output'];
  /** Numbers of all chunks that are there and verified, ascending. Up to 100 000: prefer `missing` for what to send. */
  readonly chunkList: ReadonlyArray<Scalars['Int']['output']>;
  /** Bytes in each chunk but the last. */
  readonly chunkSize: Scalars['Int']['output'];
  /** Stored chunks with their digests, ascending, so that a resuming client can compare them with its file. */
  readonly chunks: ReadonlyArray<StoredChunk>;
  /** Path of the staging directory on the host, for people. No call takes it. */
  readonly dir: Scalars['String']['output'];
  /** Stands for the staging directory in programs: a hash, the same for the same caller, host, target and content. */
  readonly dirHashCode: Scalars['String']['output'];
  /** The chunks to send, as runs, ascending. */
  readonly missing: ReadonlyArray<ChunkRange>;
  /** File name of the target. */
  readonly name: Scalars['String']['output'];
  /** Size of the whole content in bytes. */
  readonly size: Scalars['ByteCount']['output'];
  /** How the chunks will become the file. */
  readonly strategy: MergeStrategy;
  /** Bytes that are there and verified. */
  readonly uploadedBytes: Scalars['ByteCount']['output'];
  /** Chunks that are there and verified. */
  readonly uploadedCount: Scalars['Int']['output'];
};


/** An upload's staging directory. */
export type DirInfoChunksArgs = {
  after?: Scalars['Int']['input'];
  first?: Scalars['Int']['input'];
};

/** What is there (`DirInfo`), that all of it is published (`UploadFinished`), or why that can't be told. */
export type DirInfoResult = DirInfo | Refused | TryAgainLater | UploadFinished | UploadLocked;

/** There is a file at the target. Ask the person; the answer comes back as `ifExists: REPLACE` with `ifMatch`. */
export type FileExists = Problem & {
  readonly __typename?: 'FileExists';
  /** `FILE_EXISTS`. */
  readonly code: ProblemCode;
  /** Stands for this state of the file. Goes back as `ifMatch`, so that only the file the person saw is replaced. */
  readonly etag: Scalars['String']['output'];
  /** For a person to read, in English. */
  readonly message: Scalars['String']['output'];
  /** When it was last written, by the host's clock. */
  readonly modifiedAt: Scalars['DateTime']['output'];
  /** Always false: somebody has to decide. */
  readonly retryable: Scalars['Boolean']['output'];
  /** Its size in bytes. */
  readonly size: Scalars['ByteCount']['output'];
};

/** Which content is to be at which path of which host. The same three values, with the caller, always mean the same upload. */
export type FileRef = {
  /**
   * Absolute path of the target, in one of the host's `roots`, such as `/srv/media/film.mov`. It is taken as it is and never
   * decoded: every file name the host allows works. Anything malformed or outside the roots is answered `INVALID_PATH`. Missing
   * directories are made.
   */
  readonly fullPath: Scalars['String']['input'];
  /**
   * The content's identity. `sha256:<64 hex digits>` and `md5:<32 hex digits>` are proved on the host before the file is published. Any
   * other printable text of 1 to 200 bytes only identifies, so that an upload can begin at once with a quick fingerprint; the real hash
   * may follow as `mergeFile(digest:)`.
   */
  readonly hashCode: Scalars['String']['input'];
  /** A host's `id`, as `hosts` lists it. A host that the caller may not use is answered `HOST_UNKNOWN`, as if it did not exist. */
  readonly hostId: Scalars['ID']['input'];
};

/** An SSH server that files can be put on. */
export type Host = {
  readonly __typename?: 'Host';
  /** What was found out about it by trying. Empty until it was reached. */
  readonly capabilities: ReadonlyArray<HostCapability>;
  /** Bytes that may still be written in its first root, where the host tells. */
  readonly freeBytes?: Maybe<Scalars['ByteCount']['output']>;
  /** What `FileRef.hostId` takes. */
  readonly id: Scalars['ID']['output'];
  /** Name of the host for people, as the administrator wrote it. */
  readonly name: Scalars['String']['output'];
  /** Whether it answered just now. An unreachable host is told within 12 seconds. */
  readonly reachable: Scalars['Boolean']['output'];
  /** Absolute directories; targets lie in one of these. */
  readonly roots: ReadonlyArray<Scalars['String']['output']>;
  /** How files would be merged on it. Null until it was reached. */
  readonly strategy?: Maybe<MergeStrategy>;
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

/** The merge is under way (or done), or why not. */
export type MergeFileResult = ChunksMissing | FileExists | MergeStarted | Refused | TryAgainLater | UploadLocked;

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

/** A state of an upload on its way to the target. */
export type MergeProgress = {
  readonly __typename?: 'MergeProgress';
  /** Present rate in bytes per second, once it is known. */
  readonly bytesPerSecond?: Maybe<Scalars['Float']['output']>;
  /** Hash of the whole content, `sha256:<hex>` or `md5:<hex>`, when known. */
  readonly digest?: Maybe<Scalars['String']['output']>;
  /** Bytes of this phase that are done; in `RECEIVING` those that came, chunks still on their way included. */
  readonly doneBytes: Scalars['ByteCount']['output'];
  /** Expected rest of this phase in seconds, once it is known. */
  readonly etaSeconds?: Maybe<Scalars['Float']['output']>;
  /** 0 to 100, of this phase; never goes back within it. 100 at `DONE`, also for an empty file. */
  readonly percent: Scalars['Float']['output'];
  /** The stage it is in. */
  readonly phase: MergePhase;
  /** With `FAILED` or `ABORTED`: why. `ChunksMissing` tells which chunks to send again. */
  readonly problem?: Maybe<Problem>;
  /** At `DONE`: whether the bytes on the host were read and compared before publication. See `UploadFinished.proved`. */
  readonly proved: Scalars['Boolean']['output'];
  /** How the file is put together, once it is known. Falls to another one where a host turns out not to support it. */
  readonly strategy?: Maybe<MergeStrategy>;
  /** Bytes that this phase has in all. */
  readonly totalBytes: Scalars['ByteCount']['output'];
  /** When this state began to hold. */
  readonly updatedAt: Scalars['DateTime']['output'];
};

/** The merge waits, runs or is done. */
export type MergeStarted = {
  readonly __typename?: 'MergeStarted';
  /** Its present state. `mergeProgress` tells how it goes on. */
  readonly progress: MergeProgress;
};

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

/** What can be done. Every mutation may be repeated: the same call twice gives the same result. */
export type Mutation = {
  readonly __typename?: 'Mutation';
  /**
   * Ends the upload: its claim, its staged bytes and a merge that waits or runs. A file already published stays, and the answer is
   * `UploadFinished`. Idempotent.
   */
  readonly abortUpload: AbortUploadResult;
  /**
   * Starts the merge and answers at once; follow it with `mergeProgress`. Idempotent: a merge that waits or runs goes on, with the
   * newest options. After it is done the answer is `MergeStarted` with the phase `DONE`.
   */
  readonly mergeFile: MergeFileResult;
  /**
   * Stores one chunk. Its bytes are hashed and written while they arrive, and count only after length and digest match; a broken one
   * may be sent again, several may be under way at once in any order. A chunk that is already there with the same digest is answered
   * `alreadyStored`, with another digest `CHUNK_CONFLICT`; while an earlier attempt still runs, `CHUNK_BUSY`.
   */
  readonly uploadChunk: UploadChunkResult;
};


/** What can be done. Every mutation may be repeated: the same call twice gives the same result. */
export type MutationAbortUploadArgs = {
  file: FileRef;
};


/** What can be done. Every mutation may be repeated: the same call twice gives the same result. */
export type MutationMergeFileArgs = {
  chunkCount: Scalars['Int']['input'];
  digest?: InputMaybe<Scalars['String']['input']>;
  file: FileRef;
  ifExists?: IfExists;
  ifMatch?: InputMaybe<Scalars['String']['input']>;
};


/** What can be done. Every mutation may be repeated: the same call twice gives the same result. */
export type MutationUploadChunkArgs = {
  chunk: Scalars['Upload']['input'];
  digest?: InputMaybe<Scalars['String']['input']>;
  file: FileRef;
  index: Scalars['Int']['input'];
};

/** An expected refusal. Every union has some of these; the fields here suffice to tell a person and to decide on a retry. */
export type Problem = {
  /** What it is, for programs. */
  readonly code: ProblemCode;
  /** What it is, for a person to read, in English. */
  readonly message: Scalars['String']['output'];
  /** Whether the same call may succeed later without anybody changing anything. */
  readonly retryable: Scalars['Boolean']['output'];
};

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

/** What can be asked. Two of these also claim and open, as their descriptions say. */
export type Query = {
  readonly __typename?: 'Query';
  /**
   * Opens the upload's staging directory on the host and tells which chunks are there, so that the client sends the others.
   * Idempotent. Ask the network, never a cache. Content without the claim is answered `UPLOAD_UNKNOWN`: ask `uploadStatus` first.
   */
  readonly dirInfo: DirInfoResult;
  /** The hosts that the caller may use, in the order of the configuration, each with what was found out about it. */
  readonly hosts: ReadonlyArray<Host>;
  /**
   * May I upload this? Claims the target for the caller when it is free, or renews the caller's claim; `UploadReady` means begin,
   * `UploadResumable` go on. Idempotent. Ask the network, never a cache: this query also claims.
   *
   * One content at a time holds the claim on a target. This field alone moves the caller's own claim to other content.
   */
  readonly uploadStatus: UploadStatusResult;
  /** The caller's unfinished uploads, begun on any device, in an order that holds while they are paged through. */
  readonly uploads: UploadPage;
};


/** What can be asked. Two of these also claim and open, as their descriptions say. */
export type QueryDirInfoArgs = {
  file: FileRef;
};


/** What can be asked. Two of these also claim and open, as their descriptions say. */
export type QueryUploadStatusArgs = {
  chunkSize?: InputMaybe<Scalars['Int']['input']>;
  file: FileRef;
  ifExists?: IfExists;
  ifMatch?: InputMaybe<Scalars['String']['input']>;
  size: Scalars['ByteCount']['input'];
  takeOver?: Scalars['Boolean']['input'];
};


/** What can be asked. Two of these also claim and open, as their descriptions say. */
export type QueryUploadsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  first?: Scalars['Int']['input'];
  hostId?: InputMaybe<Scalars['ID']['input']>;
};

/** Everything else that is refused, by `code` alone. */
export type Refused = Problem & {
  readonly __typename?: 'Refused';
  /** Any code that no other type is for. */
  readonly code: ProblemCode;
  /** For a person to read, in English. */
  readonly message: Scalars['String']['output'];
  /** Whether the same call may succeed later without anybody changing anything. */
  readonly retryable: Scalars['Boolean']['output'];
};

/** A chunk that is there and verified. */
export type StoredChunk = {
  readonly __typename?: 'StoredChunk';
  /** SHA-256 of its bytes, lower-case hex. */
  readonly digest: Scalars['String']['output'];
  /** Its number, counted from 1. */
  readonly index: Scalars['Int']['output'];
};

/** What can be watched, over WebSocket (`graphql-transport-ws`) or as server-sent events. */
export type Subscription = {
  readonly __typename?: 'Subscription';
  /**
   * The present state at once, then every change; ends after `DONE`, `FAILED` or `ABORTED`. A slow reader misses states between,
   * never the last one.
   */
  readonly mergeProgress: MergeProgress;
};


/** What can be watched, over WebSocket (`graphql-transport-ws`) or as server-sent events. */
export type SubscriptionMergeProgressArgs = {
  file: FileRef;
};

/**
 * Something is away or busy: `COORDINATION_UNAVAILABLE`, `HOST_UNREACHABLE`, `HOST_BUSY`, `CHUNK_BUSY` or `RATE_LIMITED`. Nothing is lost; make
 * the same call again.
 */
export type TryAgainLater = Problem & {
  readonly __typename?: 'TryAgainLater';
  /** One of those five. */
  readonly code: ProblemCode;
  /** For a person to read, in English. */
  readonly message: Scalars['String']['output'];
  /** How long to wait before the next attempt, in milliseconds. Wait longer after each further refusal. */
  readonly retryAfterMs: Scalars['Int']['output'];
  /** Always true. */
  readonly retryable: Scalars['Boolean']['output'];
};

/** The upload was ended, and what it had staged is gone. */
export type UploadAborted = {
  readonly __typename?: 'UploadAborted';
  /** When it was ended. */
  readonly abortedAt: Scalars['DateTime']['output'];
};

/** The chunk is stored, or need not be since the whole is published (`UploadFinished`), or why not. */
export type UploadChunkResult = ChunkStored | DigestMismatch | Refused | TryAgainLater | UploadFinished | UploadLocked;

/** This content is at the target already, and the target is unchanged since. */
export type UploadFinished = {
  readonly __typename?: 'UploadFinished';
  /** `sha256:<hex>` or `md5:<hex>`, when a hash of the whole content is known. */
  readonly contentDigest?: Maybe<Scalars['String']['output']>;
  /** When it was published. */
  readonly finishedAt: Scalars['DateTime']['output'];
  /**
   * Whether the bytes on the host were read and compared before publication: with `contentDigest` when there is one, else with every
   * chunk's digest. False: the chunks' digests were checked on their way in only.
   */
  readonly proved: Scalars['Boolean']['output'];
  /** Its size in bytes. */
  readonly size: Scalars['ByteCount']['output'];
};

/** Somebody is uploading to this target: another person, or the caller with other content. */
export type UploadLocked = Problem & {
  readonly __typename?: 'UploadLocked';
  /** `UPLOAD_LOCKED`. */
  readonly code: ProblemCode;
  /** The person who holds the claim. */
  readonly holder: Scalars['String']['output'];
  /** For a person to read, in English. */
  readonly message: Scalars['String']['output'];
  /** Whether that is the caller, with other content. `uploadStatus(takeOver: true)` takes it over. */
  readonly mine: Scalars['Boolean']['output'];
  /** Whether the target may become free by itself: claims end when nothing comes for a while. */
  readonly retryable: Scalars['Boolean']['output'];
  /** When the claim began. */
  readonly since: Scalars['DateTime']['output'];
  /** When it ends unless it is renewed. */
  readonly until: Scalars['DateTime']['output'];
};

/** A page of unfinished uploads. */
export type UploadPage = {
  readonly __typename?: 'UploadPage';
  /** At most `first` of them. */
  readonly items: ReadonlyArray<UploadSummary>;
  /** What `after` takes for the next page. Null: this is the last one. */
  readonly nextAfter?: Maybe<Scalars['String']['output']>;
  /** Hosts that could not be asked. Their uploads are left out of this page; nothing is lost. */
  readonly problems: ReadonlyArray<Problem>;
};

/** The target is claimed, and nothing is there yet: send all chunks. */
export type UploadReady = {
  readonly __typename?: 'UploadReady';
  /** How many chunks the content has; 0 for an empty file, else at most 100 000. */
  readonly chunkCount: Scalars['Int']['output'];
  /** Bytes in each chunk but the last. Use this, not the wish. */
  readonly chunkSize: Scalars['Int']['output'];
  /** When the claim ends unless a call or bytes renew it. */
  readonly claimedUntil: Scalars['DateTime']['output'];
  /**
   * An upload ticket: what `dirInfo`, `uploadChunk` and `mergeProgress` of this upload, and nothing else, take in place of a token, for as long
   * as its gateway says (a week by default). So an upload can take longer than its token lives: send it as `Authorization: Bearer <ticket>`,
   * and a live token with everything else, `mergeFile` among it. `null` where nobody needs a token.
   */
  readonly ticket?: Maybe<Scalars['String']['output']>;
};

/** The target is claimed, and part of the content is there: ask `dirInfo` and send the rest. */
export type UploadResumable = {
  readonly __typename?: 'UploadResumable';
  /** How many chunks the content has. */
  readonly chunkCount: Scalars['Int']['output'];
  /** Bytes in each chunk but the last, as the upload began. */
  readonly chunkSize: Scalars['Int']['output'];
  /** When the claim ends unless a call or bytes renew it. */
  readonly claimedUntil: Scalars['DateTime']['output'];
  /** An upload ticket, as in `UploadReady`. */
  readonly ticket?: Maybe<Scalars['String']['output']>;
  /** Bytes that are there and verified. */
  readonly uploadedBytes: Scalars['ByteCount']['output'];
  /** Chunks that are there and verified. */
  readonly uploadedCount: Scalars['Int']['output'];
};

/** The target is claimed (`UploadReady`, `UploadResumable`), the content is already there (`UploadFinished`), or why not. */
export type UploadStatusResult = FileExists | Refused | TryAgainLater | UploadFinished | UploadLocked | UploadReady | UploadResumable;

/** An unfinished upload, enough to show it and to go on with it. */
export type UploadSummary = {
  readonly __typename?: 'UploadSummary';
  /** When it began. */
  readonly beganAt: Scalars['DateTime']['output'];
  /** Path of its target on that host. */
  readonly fullPath: Scalars['String']['output'];
  /** Identity of its content, as it was given. With the two above it makes the `FileRef` to go on with. */
  readonly hashCode: Scalars['String']['output'];
  /** `id` of its host. */
  readonly hostId: Scalars['ID']['output'];
  /** The stage it is in. */
  readonly phase: MergePhase;
  /** Size of the whole content in bytes. */
  readonly size: Scalars['ByteCount']['output'];
  /** When bytes or calls last came. */
  readonly touchedAt: Scalars['DateTime']['output'];
  /** Bytes that are there and verified. */
  readonly uploadedBytes: Scalars['ByteCount']['output'];
};



export type ResolverTypeWrapper<T> = Promise<T> | T;


export type ResolverWithResolve<TResult, TParent, TContext, TArgs> = {
  resolve: ResolverFn<TResult, TParent, TContext, TArgs>;
};
export type Resolver<TResult, TParent = Record<PropertyKey, never>, TContext = Record<PropertyKey, never>, TArgs = Record<PropertyKey, never>> = ResolverFn<TResult, TParent, TContext, TArgs> | ResolverWithResolve<TResult, TParent, TContext, TArgs>;

export type ResolverFn<TResult, TParent, TContext, TArgs> = (
  parent: TParent,
  args: TArgs,
  context: TContext,
  info: GraphQLResolveInfo
) => Promise<TResult> | TResult;

export type SubscriptionSubscribeFn<TResult, TParent, TContext, TArgs> = (
  parent: TParent,
  args: TArgs,
  context: TContext,
  info: GraphQLResolveInfo
) => AsyncIterable<TResult> | Promise<AsyncIterable<TResult>>;

export type SubscriptionResolveFn<TResult, TParent, TContext, TArgs> = (
  parent: TParent,
  args: TArgs,
  context: TContext,
  info: GraphQLResolveInfo
) => TResult | Promise<TResult>;

export interface SubscriptionSubscriberObject<TResult, TKey extends string, TParent, TContext, TArgs> {
  subscribe: SubscriptionSubscribeFn<{ [key in TKey]: TResult }, TParent, TContext, TArgs>;
  resolve?: SubscriptionResolveFn<TResult, { [key in TKey]: TResult }, TContext, TArgs>;
}

export interface SubscriptionResolverObject<TResult, TParent, TContext, TArgs> {
  subscribe: SubscriptionSubscribeFn<any, TParent, TContext, TArgs>;
  resolve: SubscriptionResolveFn<TResult, any, TContext, TArgs>;
}

export type SubscriptionObject<TResult, TKey extends string, TParent, TContext, TArgs> =
  | SubscriptionSubscriberObject<TResult, TKey, TParent, TContext, TArgs>
  | SubscriptionResolverObject<TResult, TParent, TContext, TArgs>;

export type SubscriptionResolver<TResult, TKey extends string, TParent = Record<PropertyKey, never>, TContext = Record<PropertyKey, never>, TArgs = Record<PropertyKey, never>> =
  | ((...args: any[]) => SubscriptionObject<TResult, TKey, TParent, TContext, TArgs>)
  | SubscriptionObject<TResult, TKey, TParent, TContext, TArgs>;

export type TypeResolveFn<TTypes, TParent = Record<PropertyKey, never>, TContext = Record<PropertyKey, never>> = (
  parent: TParent,
  context: TContext,
  info: GraphQLResolveInfo
) => Maybe<TTypes> | Promise<Maybe<TTypes>>;

export type IsTypeOfResolverFn<T = Record<PropertyKey, never>, TContext = Record<PropertyKey, never>> = (obj: T, context: TContext, info: GraphQLResolveInfo) => boolean | Promise<boolean>;

export type NextResolverFn<T> = () => Promise<T>;

export type DirectiveResolverFn<TResult = Record<PropertyKey, never>, TParent = Record<PropertyKey, never>, TContext = Record<PropertyKey, never>, TArgs = Record<PropertyKey, never>> = (
  next: NextResolverFn<TResult>,
  parent: TParent,
  args: TArgs,
  context: TContext,
  info: GraphQLResolveInfo
) => TResult | Promise<TResult>;



/** Mapping of union types */
export type ResolversUnionTypes<_RefType extends Record<string, unknown>> = {
  AbortUploadResult:
    | ( CoreRefused )
    | ( CoreTryAgainLater )
    | ( CoreUploadAborted )
    | ( CoreUploadFinished )
    | ( CoreUploadLocked )
  ;
  DirInfoResult:
    | ( CoreDirInfo )
    | ( CoreRefused )
    | ( CoreTryAgainLater )
    | ( CoreUploadFinished )
    | ( CoreUploadLocked )
  ;
  MergeFileResult:
    | ( CoreChunksMissing )
    | ( CoreFileExists )
    | ( CoreMergeStarted )
    | ( CoreRefused )
    | ( CoreTryAgainLater )
    | ( CoreUploadLocked )
  ;
  UploadChunkResult:
    | ( CoreChunkStored )
    | ( CoreDigestMismatch )
    | ( CoreRefused )
    | ( CoreTryAgainLater )
    | ( CoreUploadFinished )
    | ( CoreUploadLocked )
  ;
  UploadStatusResult:
    | ( CoreFileExists )
    | ( CoreRefused )
    | ( CoreTryAgainLater )
    | ( CoreUploadFinished )
    | ( CoreUploadLocked )
    | ( CoreUploadReady )
    | ( CoreUploadResumable )
  ;
};


/** Mapping between all available schema types and the resolvers types */
export type ResolversTypes = {
  AbortUploadResult: ResolverTypeWrapper<ResolversUnionTypes<ResolversTypes>['AbortUploadResult']>;
  Boolean: ResolverTypeWrapper<Scalars['Boolean']['output']>;
  ByteCount: ResolverTypeWrapper<Scalars['ByteCount']['output']>;
  ChunkRange: ResolverTypeWrapper<CoreChunkRange>;
  ChunkStored: ResolverTypeWrapper<CoreChunkStored>;
  ChunksMissing: ResolverTypeWrapper<CoreChunksMissing>;
  DateTime: ResolverTypeWrapper<Scalars['DateTime']['output']>;
  DigestMismatch: ResolverTypeWrapper<CoreDigestMismatch>;
  DirInfo: ResolverTypeWrapper<CoreDirInfo>;
  DirInfoResult: ResolverTypeWrapper<ResolversUnionTypes<ResolversTypes>['DirInfoResult']>;
  FileExists: ResolverTypeWrapper<CoreFileExists>;
  FileRef: FileRef;
  Float: ResolverTypeWrapper<Scalars['Float']['output']>;
  Host: ResolverTypeWrapper<HostAnswer>;
  HostCapability: HostCapability;
  ID: ResolverTypeWrapper<Scalars['ID']['output']>;
  IfExists: IfExists;
  Int: ResolverTypeWrapper<Scalars['Int']['output']>;
  MergeFileResult: ResolverTypeWrapper<ResolversUnionTypes<ResolversTypes>['MergeFileResult']>;
  MergePhase: MergePhase;
  MergeProgress: ResolverTypeWrapper<CoreMergeProgress>;
  MergeStarted: ResolverTypeWrapper<CoreMergeStarted>;
  MergeStrategy: MergeStrategy;
  Mutation: ResolverTypeWrapper<Record<PropertyKey, never>>;
  Problem: ResolverTypeWrapper<CoreProblem>;
  ProblemCode: ProblemCode;
  Query: ResolverTypeWrapper<Record<PropertyKey, never>>;
  Refused: ResolverTypeWrapper<CoreRefused>;
  StoredChunk: ResolverTypeWrapper<CoreStoredChunk>;
  String: ResolverTypeWrapper<Scalars['String']['output']>;
  Subscription: ResolverTypeWrapper<Record<PropertyKey, never>>;
  TryAgainLater: ResolverTypeWrapper<CoreTryAgainLater>;
  Upload: ResolverTypeWrapper<Scalars['Upload']['output']>;
  UploadAborted: ResolverTypeWrapper<CoreUploadAborted>;
  UploadChunkResult: ResolverTypeWrapper<ResolversUnionTypes<ResolversTypes>['UploadChunkResult']>;
  UploadFinished: ResolverTypeWrapper<CoreUploadFinished>;
  UploadLocked: ResolverTypeWrapper<CoreUploadLocked>;
  UploadPage: ResolverTypeWrapper<CoreUploadPage>;
  UploadReady: ResolverTypeWrapper<CoreUploadReady>;
  UploadResumable: ResolverTypeWrapper<CoreUploadResumable>;
  UploadStatusResult: ResolverTypeWrapper<ResolversUnionTypes<ResolversTypes>['UploadStatusResult']>;
  UploadSummary: ResolverTypeWrapper<CoreUploadSummary>;
};

/** Mapping between all available schema types and the resolvers parents */
export type ResolversParentTypes = {
  AbortUploadResult: ResolversUnionTypes<ResolversParentTypes>['AbortUploadResult'];
  Boolean: Scalars['Boolean']['output'];
  ByteCount: Scalars['ByteCount']['output'];
  ChunkRange: CoreChunkRange;
  ChunkStored: CoreChunkStored;
  ChunksMissing: CoreChunksMissing;
  DateTime: Scalars['DateTime']['output'];
  DigestMismatch: CoreDigestMismatch;
  DirInfo: CoreDirInfo;
  DirInfoResult: ResolversUnionTypes<ResolversParentTypes>['DirInfoResult'];
  FileExists: CoreFileExists;
  FileRef: FileRef;
  Float: Scalars['Float']['output'];
  Host: HostAnswer;
  ID: Scalars['ID']['output'];
  Int: Scalars['Int']['output'];
  MergeFileResult: ResolversUnionTypes<ResolversParentTypes>['MergeFileResult'];
  MergeProgress: CoreMergeProgress;
  MergeStarted: CoreMergeStarted;
  Mutation: Record<PropertyKey, never>;
  Problem: CoreProblem;
  Query: Record<PropertyKey, never>;
  Refused: CoreRefused;
  StoredChunk: CoreStoredChunk;
  String: Scalars['String']['output'];
  Subscription: Record<PropertyKey, never>;
  TryAgainLater: CoreTryAgainLater;
  Upload: Scalars['Upload']['output'];
  UploadAborted: CoreUploadAborted;
  UploadChunkResult: ResolversUnionTypes<ResolversParentTypes>['UploadChunkResult'];
  UploadFinished: CoreUploadFinished;
  UploadLocked: CoreUploadLocked;
  UploadPage: CoreUploadPage;
  UploadReady: CoreUploadReady;
  UploadResumable: CoreUploadResumable;
  UploadStatusResult: ResolversUnionTypes<ResolversParentTypes>['UploadStatusResult'];
  UploadSummary: CoreUploadSummary;
};

export type AbortUploadResultResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['AbortUploadResult'] = ResolversParentTypes['AbortUploadResult']> = {
  __resolveType: TypeResolveFn<'Refused' | 'TryAgainLater' | 'UploadAborted' | 'UploadFinished' | 'UploadLocked', ParentType, ContextType>;
};

export interface ByteCountScalarConfig extends GraphQLScalarTypeConfig<ResolversTypes['ByteCount'], any> {
  name: 'ByteCount';
}

export type ChunkRangeResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['ChunkRange'] = ResolversParentTypes['ChunkRange']> = {
  first?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  last?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
};

export type ChunkStoredResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['ChunkStored'] = ResolversParentTypes['ChunkStored']> = {
  alreadyStored?: Resolver<ResolversTypes['Boolean'], ParentType, ContextType>;
  digest?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  index?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  uploadedBytes?: Resolver<ResolversTypes['ByteCount'], ParentType, ContextType>;
  uploadedCount?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  __isTypeOf?: IsTypeOfResolverFn<ParentType, ContextType>;
};

export type ChunksMissingResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['ChunksMissing'] = ResolversParentTypes['ChunksMissing']> = {
  code?: Resolver<ResolversTypes['ProblemCode'], ParentType, ContextType>;
  message?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  missingCount?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  ranges?: Resolver<ReadonlyArray<ResolversTypes['ChunkRange']>, ParentType, ContextType>;
  retryable?: Resolver<ResolversTypes['Boolean'], ParentType, ContextType>;
  __isTypeOf?: IsTypeOfResolverFn<ParentType, ContextType>;
};

export interface DateTimeScalarConfig extends GraphQLScalarTypeConfig<ResolversTypes['DateTime'], any> {
  name: 'DateTime';
}

export type DigestMismatchResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['DigestMismatch'] = ResolversParentTypes['DigestMismatch']> = {
  actual?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  code?: Resolver<ResolversTypes['ProblemCode'], ParentType, ContextType>;
  expected?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  index?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  message?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  retryable?: Resolver<ResolversTypes['Boolean'], ParentType, ContextType>;
  __isTypeOf?: IsTypeOfResolverFn<ParentType, ContextType>;
};

export type DirInfoResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['DirInfo'] = ResolversParentTypes['DirInfo']> = {
  chunkCount?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  chunkList?: Resolver<ReadonlyArray<ResolversTypes['Int']>, ParentType, ContextType>;
  chunkSize?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  chunks?: Resolver<ReadonlyArray<ResolversTypes['StoredChunk']>, ParentType, ContextType, RequireFields<DirInfoChunksArgs, 'after' | 'first'>>;
  dir?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  dirHashCode?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  missing?: Resolver<ReadonlyArray<ResolversTypes['ChunkRange']>, ParentType, ContextType>;
  name?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  size?: Resolver<ResolversTypes['ByteCount'], ParentType, ContextType>;
  strategy?: Resolver<ResolversTypes['MergeStrategy'], ParentType, ContextType>;
  uploadedBytes?: Resolver<ResolversTypes['ByteCount'], ParentType, ContextType>;
  uploadedCount?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  __isTypeOf?: IsTypeOfResolverFn<ParentType, ContextType>;
};

export type DirInfoResultResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['DirInfoResult'] = ResolversParentTypes['DirInfoResult']> = {
  __resolveType: TypeResolveFn<'DirInfo' | 'Refused' | 'TryAgainLater' | 'UploadFinished' | 'UploadLocked', ParentType, ContextType>;
};

export type FileExistsResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['FileExists'] = ResolversParentTypes['FileExists']> = {
  code?: Resolver<ResolversTypes['ProblemCode'], ParentType, ContextType>;
  etag?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  message?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  modifiedAt?: Resolver<ResolversTypes['DateTime'], ParentType, ContextType>;
  retryable?: Resolver<ResolversTypes['Boolean'], ParentType, ContextType>;
  size?: Resolver<ResolversTypes['ByteCount'], ParentType, ContextType>;
  __isTypeOf?: IsTypeOfResolverFn<ParentType, ContextType>;
};

export type HostResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['Host'] = ResolversParentTypes['Host']> = {
  capabilities?: Resolver<ReadonlyArray<ResolversTypes['HostCapability']>, ParentType, ContextType>;
  freeBytes?: Resolver<Maybe<ResolversTypes['ByteCount']>, ParentType, ContextType>;
  id?: Resolver<ResolversTypes['ID'], ParentType, ContextType>;
  name?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  reachable?: Resolver<ResolversTypes['Boolean'], ParentType, ContextType>;
  roots?: Resolver<ReadonlyArray<ResolversTypes['String']>, ParentType, ContextType>;
  strategy?: Resolver<Maybe<ResolversTypes['MergeStrategy']>, ParentType, ContextType>;
};

export type MergeFileResultResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['MergeFileResult'] = ResolversParentTypes['MergeFileResult']> = {
  __resolveType: TypeResolveFn<'ChunksMissing' | 'FileExists' | 'MergeStarted' | 'Refused' | 'TryAgainLater' | 'UploadLocked', ParentType, ContextType>;
};

export type MergeProgressResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['MergeProgress'] = ResolversParentTypes['MergeProgress']> = {
  bytesPerSecond?: Resolver<Maybe<ResolversTypes['Float']>, ParentType, ContextType>;
  digest?: Resolver<Maybe<ResolversTypes['String']>, ParentType, ContextType>;
  doneBytes?: Resolver<ResolversTypes['ByteCount'], ParentType, ContextType>;
  etaSeconds?: Resolver<Maybe<ResolversTypes['Float']>, ParentType, ContextType>;
  percent?: Resolver<ResolversTypes['Float'], ParentType, ContextType>;
  phase?: Resolver<ResolversTypes['MergePhase'], ParentType, ContextType>;
  problem?: Resolver<Maybe<ResolversTypes['Problem']>, ParentType, ContextType>;
  proved?: Resolver<ResolversTypes['Boolean'], ParentType, ContextType>;
  strategy?: Resolver<Maybe<ResolversTypes['MergeStrategy']>, ParentType, ContextType>;
  totalBytes?: Resolver<ResolversTypes['ByteCount'], ParentType, ContextType>;
  updatedAt?: Resolver<ResolversTypes['DateTime'], ParentType, ContextType>;
};

export type MergeStartedResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['MergeStarted'] = ResolversParentTypes['MergeStarted']> = {
  progress?: Resolver<ResolversTypes['MergeProgress'], ParentType, ContextType>;
  __isTypeOf?: IsTypeOfResolverFn<ParentType, ContextType>;
};

export type MutationResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['Mutation'] = ResolversParentTypes['Mutation']> = {
  abortUpload?: Resolver<ResolversTypes['AbortUploadResult'], ParentType, ContextType, RequireFields<MutationAbortUploadArgs, 'file'>>;
  mergeFile?: Resolver<ResolversTypes['MergeFileResult'], ParentType, ContextType, RequireFields<MutationMergeFileArgs, 'chunkCount' | 'file' | 'ifExists'>>;
  uploadChunk?: Resolver<ResolversTypes['UploadChunkResult'], ParentType, ContextType, RequireFields<MutationUploadChunkArgs, 'chunk' | 'file' | 'index'>>;
};

export type ProblemResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['Problem'] = ResolversParentTypes['Problem']> = {
  __resolveType: TypeResolveFn<'ChunksMissing' | 'DigestMismatch' | 'FileExists' | 'Refused' | 'TryAgainLater' | 'UploadLocked', ParentType, ContextType>;
};

export type QueryResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['Query'] = ResolversParentTypes['Query']> = {
  dirInfo?: Resolver<ResolversTypes['DirInfoResult'], ParentType, ContextType, RequireFields<QueryDirInfoArgs, 'file'>>;
  hosts?: Resolver<ReadonlyArray<ResolversTypes['Host']>, ParentType, ContextType>;
  uploadStatus?: Resolver<ResolversTypes['UploadStatusResult'], ParentType, ContextType, RequireFields<QueryUploadStatusArgs, 'file' | 'ifExists' | 'size' | 'takeOver'>>;
  uploads?: Resolver<ResolversTypes['UploadPage'], ParentType, ContextType, RequireFields<QueryUploadsArgs, 'first'>>;
};

export type RefusedResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['Refused'] = ResolversParentTypes['Refused']> = {
  code?: Resolver<ResolversTypes['ProblemCode'], ParentType, ContextType>;
  message?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  retryable?: Resolver<ResolversTypes['Boolean'], ParentType, ContextType>;
  __isTypeOf?: IsTypeOfResolverFn<ParentType, ContextType>;
};

export type StoredChunkResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['StoredChunk'] = ResolversParentTypes['StoredChunk']> = {
  digest?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  index?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
};

export type SubscriptionResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['Subscription'] = ResolversParentTypes['Subscription']> = {
  mergeProgress?: SubscriptionResolver<ResolversTypes['MergeProgress'], "mergeProgress", ParentType, ContextType, RequireFields<SubscriptionMergeProgressArgs, 'file'>>;
};

export type TryAgainLaterResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['TryAgainLater'] = ResolversParentTypes['TryAgainLater']> = {
  code?: Resolver<ResolversTypes['ProblemCode'], ParentType, ContextType>;
  message?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  retryAfterMs?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  retryable?: Resolver<ResolversTypes['Boolean'], ParentType, ContextType>;
  __isTypeOf?: IsTypeOfResolverFn<ParentType, ContextType>;
};

export interface UploadScalarConfig extends GraphQLScalarTypeConfig<ResolversTypes['Upload'], any> {
  name: 'Upload';
}

export type UploadAbortedResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['UploadAborted'] = ResolversParentTypes['UploadAborted']> = {
  abortedAt?: Resolver<ResolversTypes['DateTime'], ParentType, ContextType>;
  __isTypeOf?: IsTypeOfResolverFn<ParentType, ContextType>;
};

export type UploadChunkResultResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['UploadChunkResult'] = ResolversParentTypes['UploadChunkResult']> = {
  __resolveType: TypeResolveFn<'ChunkStored' | 'DigestMismatch' | 'Refused' | 'TryAgainLater' | 'UploadFinished' | 'UploadLocked', ParentType, ContextType>;
};

export type UploadFinishedResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['UploadFinished'] = ResolversParentTypes['UploadFinished']> = {
  contentDigest?: Resolver<Maybe<ResolversTypes['String']>, ParentType, ContextType>;
  finishedAt?: Resolver<ResolversTypes['DateTime'], ParentType, ContextType>;
  proved?: Resolver<ResolversTypes['Boolean'], ParentType, ContextType>;
  size?: Resolver<ResolversTypes['ByteCount'], ParentType, ContextType>;
  __isTypeOf?: IsTypeOfResolverFn<ParentType, ContextType>;
};

export type UploadLockedResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['UploadLocked'] = ResolversParentTypes['UploadLocked']> = {
  code?: Resolver<ResolversTypes['ProblemCode'], ParentType, ContextType>;
  holder?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  message?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  mine?: Resolver<ResolversTypes['Boolean'], ParentType, ContextType>;
  retryable?: Resolver<ResolversTypes['Boolean'], ParentType, ContextType>;
  since?: Resolver<ResolversTypes['DateTime'], ParentType, ContextType>;
  until?: Resolver<ResolversTypes['DateTime'], ParentType, ContextType>;
  __isTypeOf?: IsTypeOfResolverFn<ParentType, ContextType>;
};

export type UploadPageResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['UploadPage'] = ResolversParentTypes['UploadPage']> = {
  items?: Resolver<ReadonlyArray<ResolversTypes['UploadSummary']>, ParentType, ContextType>;
  nextAfter?: Resolver<Maybe<ResolversTypes['String']>, ParentType, ContextType>;
  problems?: Resolver<ReadonlyArray<ResolversTypes['Problem']>, ParentType, ContextType>;
};

export type UploadReadyResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['UploadReady'] = ResolversParentTypes['UploadReady']> = {
  chunkCount?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  chunkSize?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  claimedUntil?: Resolver<ResolversTypes['DateTime'], ParentType, ContextType>;
  ticket?: Resolver<Maybe<ResolversTypes['String']>, ParentType, ContextType>;
  __isTypeOf?: IsTypeOfResolverFn<ParentType, ContextType>;
};

export type UploadResumableResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['UploadResumable'] = ResolversParentTypes['UploadResumable']> = {
  chunkCount?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  chunkSize?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  claimedUntil?: Resolver<ResolversTypes['DateTime'], ParentType, ContextType>;
  ticket?: Resolver<Maybe<ResolversTypes['String']>, ParentType, ContextType>;
  uploadedBytes?: Resolver<ResolversTypes['ByteCount'], ParentType, ContextType>;
  uploadedCount?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  __isTypeOf?: IsTypeOfResolverFn<ParentType, ContextType>;
};

export type UploadStatusResultResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['UploadStatusResult'] = ResolversParentTypes['UploadStatusResult']> = {
  __resolveType: TypeResolveFn<'FileExists' | 'Refused' | 'TryAgainLater' | 'UploadFinished' | 'UploadLocked' | 'UploadReady' | 'UploadResumable', ParentType, ContextType>;
};

export type UploadSummaryResolvers<ContextType = GraphQLContext, ParentType extends ResolversParentTypes['UploadSummary'] = ResolversParentTypes['UploadSummary']> = {
  beganAt?: Resolver<ResolversTypes['DateTime'], ParentType, ContextType>;
  fullPath?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  hashCode?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  hostId?: Resolver<ResolversTypes['ID'], ParentType, ContextType>;
  phase?: Resolver<ResolversTypes['MergePhase'], ParentType, ContextType>;
  size?: Resolver<ResolversTypes['ByteCount'], ParentType, ContextType>;
  touchedAt?: Resolver<ResolversTypes['DateTime'], ParentType, ContextType>;
  uploadedBytes?: Resolver<ResolversTypes['ByteCount'], ParentType, ContextType>;
};

export type Resolvers<ContextType = GraphQLContext> = {
  AbortUploadResult?: AbortUploadResultResolvers<ContextType>;
  ByteCount?: GraphQLScalarType;
  ChunkRange?: ChunkRangeResolvers<ContextType>;
  ChunkStored?: ChunkStoredResolvers<ContextType>;
  ChunksMissing?: ChunksMissingResolvers<ContextType>;
  DateTime?: GraphQLScalarType;
  DigestMismatch?: DigestMismatchResolvers<ContextType>;
  DirInfo?: DirInfoResolvers<ContextType>;
  DirInfoResult?: DirInfoResultResolvers<ContextType>;
  FileExists?: FileExistsResolvers<ContextType>;
  Host?: HostResolvers<ContextType>;
  MergeFileResult?: MergeFileResultResolvers<ContextType>;
  MergeProgress?: MergeProgressResolvers<ContextType>;
  MergeStarted?: MergeStartedResolvers<ContextType>;
  Mutation?: MutationResolvers<ContextType>;
  Problem?: ProblemResolvers<ContextType>;
  Query?: QueryResolvers<ContextType>;
  Refused?: RefusedResolvers<ContextType>;
  StoredChunk?: StoredChunkResolvers<ContextType>;
  Subscription?: SubscriptionResolvers<ContextType>;
  TryAgainLater?: TryAgainLaterResolvers<ContextType>;
  Upload?: GraphQLScalarType;
  UploadAborted?: UploadAbortedResolvers<ContextType>;
  UploadChunkResult?: UploadChunkResultResolvers<ContextType>;
  UploadFinished?: UploadFinishedResolvers<ContextType>;
  UploadLocked?: UploadLockedResolvers<ContextType>;
  UploadPage?: UploadPageResolvers<ContextType>;
  UploadReady?: UploadReadyResolvers<ContextType>;
  UploadResumable?: UploadResumableResolvers<ContextType>;
  UploadStatusResult?: UploadStatusResultResolvers<ContextType>;
  UploadSummary?: UploadSummaryResolvers<ContextType>;
};

