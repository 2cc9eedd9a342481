// What `statvfs@openssh.com` and `fstatvfs@openssh.com` (OpenSSH PROTOCOL §4.5) tell of a file system.
import type { Space } from '../core/ports.js';
import type { FieldReader } from './wire.js';

/** Reads their reply: eleven 64-bit numbers, of which the fragment size, the fragments free for us and the id are used. */
export function readSpace(fields: FieldReader): Space {
  fields.uint64(); // f_bsize
  const fragmentBytes = fields.uint64();
  fields.uint64(); // f_blocks
  fields.uint64(); // f_bfree
  const availableFragments = fields.uint64();
  fields.uint64(); // f_files
  fields.uint64(); // f_ffree
  fields.uint64(); // f_favail
  const fileSystem = fields.uint64();
  return { fileSystem: String(fileSystem), freeBytes: Number(availableFragments * fragmentBytes) };
}
