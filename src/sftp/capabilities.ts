// What an SFTP server says of itself when a session begins: the extensions of its VERSION answer (draft-ietf-secsh-filexfer-02 §4,
// OpenSSH PROTOCOL §4) and its limits.
import type { SFTPWrapper } from 'ssh2';
import type { HostOffers } from '../core/ports.js';

/** What every server must take (draft §3: packets of 34000 bytes), when it doesn't tell more by `limits@openssh.com`. */
const DEFAULT_TRANSFER_BYTES = 31 * 1024;

export interface ServerCapabilities {
  readonly offers: HostOffers;
  /** Whether the space of an open file's file system can be asked for. */
  readonly spaceOfHandle: boolean;
  /** Longest READ and WRITE in one request. ssh2 would split longer ones into a serial chain. */
  readonly maxReadBytes: number;
  readonly maxWriteBytes: number;
}

/**
 * Reads what ssh2 1.17 keeps of the VERSION answer and of the limits it asked for. It has no public way to them, and its `ext_…`
 * methods throw when called without the offer. Should the fields move, the host counts as a plain SFTP server: slower, still right.
 */
export function readCapabilities(sftp: SFTPWrapper): ServerCapabilities {
  const has = (name: string, version: string): boolean => property(property(sftp, '_extensions'), name) === version;
  const toldLimits = has('limits@openssh.com', '1');
  return {
    offers: {
      hardLink: has('hardlink@openssh.com', '1'),
      posixRename: has('posix-rename@openssh.com', '1'),
      fsync: has('fsync@openssh.com', '1'),
      space: has('statvfs@openssh.com', '2'),
      copyData: has('copy-data', '1'),
    },
    spaceOfHandle: has('fstatvfs@openssh.com', '2'),
    maxReadBytes: toldLimits ? positive(property(sftp, '_maxReadLen')) : DEFAULT_TRANSFER_BYTES,
    maxWriteBytes: toldLimits ? positive(property(sftp, '_maxWriteLen')) : DEFAULT_TRANSFER_BYTES,
  };
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function positive(value: unknown): number {
  return typeof value === 'number' && value > 0 ? value : DEFAULT_TRANSFER_BYTES;
}
