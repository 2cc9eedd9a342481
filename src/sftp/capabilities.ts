// What an SFTP server says of itself when a session begins: the extensions of its VERSION answer (draft-ietf-secsh-filexfer-02 §4,
// OpenSSH PROTOCOL §4) and its limits.
import type { HostOffers } from '../core/ports.js';
import type { Limits } from './answers.js';
import { MAX_DATA_BYTES } from './wire.js';

/** What every server must take (draft §3: packets of 34000 bytes), when it doesn't tell more by `limits@openssh.com`. */
const DEFAULT_TRANSFER_BYTES = 31 * 1024;

export interface ServerCapabilities {
  readonly offers: HostOffers;
  /** Whether the space of an open file's file system can be asked for. */
  readonly spaceOfHandle: boolean;
  /** Longest READ and WRITE in one request. */
  readonly maxReadBytes: number;
  readonly maxWriteBytes: number;
}

/** By name, their versions: an extension of another version is another extension. */
export type Extensions = ReadonlyMap<string, string>;

export function offersLimits(extensions: Extensions): boolean {
  return extensions.get('limits@openssh.com') === '1';
}

export function toCapabilities(extensions: Extensions, limits?: Limits): ServerCapabilities {
  const has = (name: string, version: string): boolean => extensions.get(name) === version;
  return {
    offers: {
      hardLink: has('hardlink@openssh.com', '1'),
      posixRename: has('posix-rename@openssh.com', '1'),
      fsync: has('fsync@openssh.com', '1'),
      space: has('statvfs@openssh.com', '2'),
      copyData: has('copy-data', '1'),
      checkFile: has('check-file', '1'),
    },
    spaceOfHandle: has('fstatvfs@openssh.com', '2'),
    maxReadBytes: transferBytes(limits?.readBytes),
    maxWriteBytes: transferBytes(limits?.writeBytes),
  };
}

/** However much a server takes, no reply is longer than we read, and a longer WRITE gains nothing. */
function transferBytes(told: bigint | undefined): number {
  if (told === undefined || told === 0n) return DEFAULT_TRANSFER_BYTES;
  return told < BigInt(MAX_DATA_BYTES) ? Number(told) : MAX_DATA_BYTES;
}
