// The numbers of this room, in one place so that a test may shorten them and a reader may question them.
import type { Clock, Log } from '../core/ports.js';
import type { CommonBound } from './send-window.js';

const MIB = 1024 * 1024;

export interface SftpLimits {
  /** From the first packet to a working SFTP session. A caller is told about an unreachable host within 12 s (design §2). */
  readonly connectTimeoutMs: number;
  /** How long the oldest unanswered request of a channel may go without an answer, once its bytes have left this process. */
  readonly callTimeoutMs: number;
  /** The same for requests that wait for a disk: fsync, and close on network file systems. */
  readonly slowCallTimeoutMs: number;
  /** A connection on which nothing arrives for this long is dead. Its pings are answered by any living sshd, each `pingIntervalMs`. */
  readonly silenceTimeoutMs: number;
  readonly pingIntervalMs: number;
  /** A connection nobody used for this long is closed. */
  readonly idleTimeoutMs: number;
  /**
   * First and longest pause after failed attempts to connect; callers meanwhile get the last fault at once. A host that comes back is used
   * again within the longest.
   */
  readonly backOffMs: number;
  readonly maxBackOffMs: number;
  /** The same for a host that turned us away, or isn't who we know: each further try may lock the account. */
  readonly refusalBackOffMs: number;
  readonly maxRefusalBackOffMs: number;
  /** How long a caller waits for an attempt after one that failed. It goes on without him. */
  readonly probePatienceMs: number;
  /** Connections per host. */
  readonly maxConnections: number;
  /** How often it is looked whether one more would pay, while files are open. */
  readonly growthLookMs: number;
  /**
   * Bytes of writes under way per channel, shared fairly by its files: the SSH window that OpenSSH grants a channel. With 1 MiB half
   * the rate is left at a round trip of 50 ms, 4 MiB and more gain nothing and cost memory. ProFTPD grants 4 GiB: there this is the
   * only bound.
   */
  readonly writeWindowBytes: number;
  /**
   * The same of all channels to all hosts together: what a slow host, or many, may cost this process. A channel that is written on may always
   * have one WRITE.
   */
  readonly writesUnderWayBytes: number;
  /** Bytes of reads under way per `read`. */
  readonly readWindowBytes: number;
  /**
   * Channels for open files per connection. With the control channel and some commands it stays below sshd's MaxSessions of 10.
   */
  readonly bulkChannels: number;
  /** One step of a copy that the server makes: nothing stops it, and its end is what is seen of it. */
  readonly copyStepBytes: number;
  /** Bytes of such steps under way, so that the server has the next one when it has done one. */
  readonly copyWindowBytes: number;
}

export const DEFAULT_LIMITS: SftpLimits = {
  connectTimeoutMs: 10_000,
  callTimeoutMs: 10_000,
  slowCallTimeoutMs: 60_000,
  silenceTimeoutMs: 10_000,
  pingIntervalMs: 3_000,
  idleTimeoutMs: 60_000,
  backOffMs: 250,
  maxBackOffMs: 8_000,
  refusalBackOffMs: 5_000,
  maxRefusalBackOffMs: 60_000,
  probePatienceMs: 2_000,
  maxConnections: 4,
  growthLookMs: 200,
  writeWindowBytes: 2 * MIB,
  writesUnderWayBytes: 256 * MIB,
  readWindowBytes: 2 * MIB,
  bulkChannels: 4,
  copyStepBytes: 10 * MIB,
  copyWindowBytes: 64 * MIB,
};

/** What every part of the room is given. */
export interface Context {
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: SftpLimits;
  /** 0 ≤ value < 1; for jitter. */
  readonly random: () => number;
  /** Of all hosts. */
  readonly writeBound: CommonBound;
  /** Told of bytes that reads have brought. */
  readonly onBytesRead: (bytes: number) => void;
}
