// SFTP attributes (draft-ietf-secsh-filexfer-02 §5) as facts about a file.
import type { Attributes } from 'ssh2';
import type { FileFacts, FileKind } from '../core/ports.js';

/** `st_mode`'s file type, as every POSIX system numbers it and the draft sends it. */
const TYPE_MASK = 0o170000;
const KINDS: ReadonlyMap<number, FileKind> = new Map([
  [0o100000, 'file'],
  [0o040000, 'directory'],
  [0o120000, 'symlink'],
]);

/** Every attribute is optional on the wire; a file whose type isn't told counts as special, so that nothing opens it. */
export function toFacts(attributes: Partial<Attributes>): FileFacts {
  const mode = attributes.mode ?? 0;
  return {
    kind: KINDS.get(mode & TYPE_MASK) ?? 'special',
    size: attributes.size ?? 0,
    modifiedAt: (attributes.mtime ?? 0) * 1_000,
    mode: mode & 0o7777,
  };
}
