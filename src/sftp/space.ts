// What `statvfs@openssh.com` (OpenSSH PROTOCOL §4.5) tells of a file system.
import type { Space } from '../core/ports.js';

/** The part of ssh2's answer that is used; `f_sid` is its name for `f_fsid`. */
export interface FileSystemFacts {
  readonly f_frsize: number;
  readonly f_bavail: number;
  readonly f_sid: number;
}

/**
 * ssh2 reads 64-bit numbers as doubles, so of an id above 2^53 the lowest bits are lost: file systems that differ there alone would
 * count as one, and a rename between them would then fail with the host's own words.
 */
export function toSpace(facts: FileSystemFacts): Space {
  return { fileSystem: String(facts.f_sid), freeBytes: facts.f_bavail * facts.f_frsize };
}
