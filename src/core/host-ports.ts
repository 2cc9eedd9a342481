// What core needs of SSH hosts. Part of ports.ts.
import type { RemotePath, Root } from './remote-path.js';

export type HashAlgorithm = 'sha256' | 'md5';

export interface HostProfile {
  readonly id: string;
  readonly name: string;
  readonly roots: readonly Root[];
  /** Who may use it; undefined: every authenticated person. */
  readonly allow?: { readonly groups: readonly string[]; readonly persons: readonly string[] };
  readonly strategy: 'auto' | 'in-place' | 'copy-data' | 'command' | 'relay';
  /** strict: fsync before each acknowledgement. normal: fsync at publication. */
  readonly durability: 'normal' | 'strict';
  /** host: with the host's own tools, else trust the digests checked on the way in. read-back: without tools, read all again. */
  readonly verify: 'host' | 'read-back';
  /** Bytes that uploads leave free on its file systems. */
  readonly keepFreeBytes: number;
}

export type FileKind = 'file' | 'directory' | 'symlink' | 'special';

export interface FileFacts {
  readonly kind: FileKind;
  readonly size: number;
  /** Epoch ms; SFTP version 3 has whole seconds. */
  readonly modifiedAt: number;
  /** Permission bits, 0 … 0o7777. */
  readonly mode: number;
}

export interface DirectoryEntry extends FileFacts {
  readonly name: string;
}

/** What the host's SFTP server offered when the session began. */
export interface HostOffers {
  readonly hardLink: boolean;
  readonly posixRename: boolean;
  readonly fsync: boolean;
  readonly space: boolean;
  readonly copyData: boolean;
  /** Hashing of ranges of a file by the server (`OpenFile.hash`). */
  readonly checkFile: boolean;
}

export interface Space {
  /** Same value = same file system, as far as the host tells. */
  readonly fileSystem: string;
  /** Bytes that our account may still write. */
  readonly freeBytes: number;
}

export interface WriteOptions {
  readonly signal: AbortSignal;
  /** Called before each write to the host; throws when the right to write has ended. */
  readonly check?: () => void;
}

/** Bytes of a file, at least one. */
export interface FileRange {
  readonly path: RemotePath;
  readonly offset: number;
  readonly lengthBytes: number;
}

export interface AppendOptions {
  readonly signal: AbortSignal;
  /** How long the output is, bytes. */
  readonly from: number;
  /** Told of the output's length again and again as it grows; all before it is there. */
  readonly onGrown: (lengthBytes: number) => void;
}

/** Whole seconds in SFTP version 3. */
export type SettableFacts = Partial<Pick<FileFacts, 'mode' | 'modifiedAt'>>;

export interface OpenFile {
  /**
   * Writes the pieces back to back from `offset`, several writes under way at once, and resolves when the host has acknowledged
   * all of them. The source is pulled no faster than the host takes it. After a rejection no further write is issued, and
   * none is under way.
   */
  write(offset: number, pieces: AsyncIterable<Uint8Array>, options: WriteOptions): Promise<void>;
  /** Yields the bytes from `offset` in order, at most `lengthBytes`, fewer when the file ends; reads ahead within a bound. */
  read(offset: number, lengthBytes: number, signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /**
   * Hash of a range, made by the server, lower-case hex. The range must lie in the file. Holds up whatever else goes through the same
   * session, so: bounded ranges. Needs `offers.checkFile`.
   */
  hash(algorithm: HashAlgorithm, offset: number, lengthBytes: number): Promise<string>;
  facts(): Promise<FileFacts>;
  /** `HOST_UNSUPPORTED` where the host can't. */
  setFacts(facts: SettableFacts): Promise<void>;
  truncate(size: number): Promise<void>;
  /** Durable on the host's disk; does nothing where the host can't. */
  sync(): Promise<void>;
  /** Never rejects; after it the handle is gone. */
  close(): Promise<void>;
}

/**
 * - read: must exist
 * - write: must exist, for reading and writing, bytes kept
 * - create: must not exist (`ALREADY_EXISTS`), for reading and writing
 * - create-private: as create, readable by our account alone
 */
export type OpenMode = 'read' | 'write' | 'create' | 'create-private';

/** A file for each path. */
export type OpenFiles<Paths extends readonly RemotePath[]> = { readonly [At in keyof Paths]: OpenFile };

/**
 * A host, for the length of one `use`. Every operation has a deadline (`HOST_UNREACHABLE` when it passes) and rejects with a
 * `Fault`. Nothing is opened that is not a regular file, as far as the caller looked first.
 */
export interface Host {
  readonly profile: HostProfile;
  readonly offers: HostOffers;
  /** Without following a link at the end; undefined when nothing is there. */
  lstat(path: RemotePath): Promise<FileFacts | undefined>;
  /** With every link resolved; undefined when nothing is there. */
  realPath(path: RemotePath): Promise<RemotePath | undefined>;
  /** Without `.` and `..`; names that are no well-formed Unicode are left out. `NOT_FOUND` when there is no such directory. */
  list(path: RemotePath): Promise<readonly DirectoryEntry[]>;
  /** `ALREADY_EXISTS` when something is there. */
  makeDirectory(path: RemotePath, mode?: number): Promise<void>;
  removeDirectory(path: RemotePath): Promise<void>;
  open(path: RemotePath, mode: OpenMode): Promise<OpenFile>;
  /** As `open` of each, in this order: all of them, or none. On hosts that answer in order it takes no longer than one. */
  openAll<const Paths extends readonly RemotePath[]>(paths: Paths, mode: OpenMode): Promise<OpenFiles<Paths>>;
  /** A small file, or its first `maxBytes`; undefined when none is there, or something other than a regular file. */
  readFile(path: RemotePath, maxBytes: number): Promise<Uint8Array | undefined>;
  /** A small file that wasn't there (`ALREADY_EXISTS`), readable by our account alone; durable where `durability` is strict. */
  makeFile(path: RemotePath, bytes: Uint8Array): Promise<void>;
  /** Plain SFTP rename. Whether it refuses an existing target is the host's choice: see the probe. */
  rename(from: RemotePath, to: RemotePath): Promise<void>;
  /** Atomically, over whatever file is at `to`. Needs `offers.posixRename`. */
  replace(from: RemotePath, to: RemotePath): Promise<void>;
  /** A second name for a file; `ALREADY_EXISTS` when something is at `to`. Needs `offers.hardLink`. */
  link(existing: RemotePath, to: RemotePath): Promise<void>;
  unlink(path: RemotePath): Promise<void>;
  setFacts(path: RemotePath, facts: SettableFacts): Promise<void>;
  /** Names made or removed in it are durable afterwards; does nothing where the host can't. */
  syncDirectory(path: RemotePath): Promise<void>;
  /** Undefined where the host can't tell. */
  space(path: RemotePath): Promise<Space | undefined>;
  /**
   * Appends ranges of other files to the one at `output`, in their order. The host's server copies them by itself, in bounded steps, on
   * a session that nobody else waits for. Ranges are pulled ahead. `FAILURE` when a source ends before its range, `HOST_BUSY` when the
   * output is longer than `from`, `NOT_ENOUGH_SPACE` as far as the host can tell. After a rejection no request is under way, and the
   * output is right and whole up to its length, or gone; where the host was lost right after a step had failed on it, a hole may be
   * left. Needs `offers.copyData`.
   */
  append(output: RemotePath, ranges: AsyncIterable<FileRange>, options: AppendOptions): Promise<void>;
  /**
   * Runs a constant POSIX `sh` script with arguments (quoted by the adapter alone) and yields its output's lines as they come.
   * Ends when it exits with 0; `FAILURE` otherwise, `HOST_UNSUPPORTED` where commands are refused. Returning early ends it.
   */
  run(script: string, args: readonly string[], options?: RunOptions): AsyncIterable<string>;
}

export interface RunOptions {
  readonly signal?: AbortSignal;
  /** Longest silence before the command is given up, ms. Default 30 000. */
  readonly idleTimeoutMs?: number;
  /**
   * When the reader stops early. terminate (default): the command and what it started are sent SIGTERM. close: only its output is closed,
   * so that what it has detached stays, and it ends itself when it next writes.
   */
  readonly whenLeft?: 'terminate' | 'close';
}

export interface HostRepository {
  /** As configured, in that order. */
  readonly profiles: readonly HostProfile[];
  /**
   * Lends the host for the length of `work`. `HOST_UNKNOWN`, `HOST_UNREACHABLE`, `HOST_KEY_MISMATCH`, `HOST_AUTH_FAILED`. `person`: for whom, so that
   * who writes one file there has his part beside who writes many.
   */
  use<T>(hostId: string, work: (host: Host) => Promise<T>, person?: string): Promise<T>;
  /** Ends all connections. Later calls reject. */
  close(): Promise<void>;
}
