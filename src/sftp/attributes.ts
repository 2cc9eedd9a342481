// SFTP attributes (draft-ietf-secsh-filexfer-02 §5) as facts about a file, and what we set of them.
import type { FileFacts, FileKind, SettableFacts } from '../core/ports.js';
import { type FieldReader, uint32, uint64 } from './wire.js';

const HAS = { size: 0x1, owner: 0x2, permissions: 0x4, times: 0x8, extended: 0x8000_0000 } as const;

/** `st_mode`'s file type, as every POSIX system numbers it and the draft sends it. */
const TYPE_MASK = 0o170000;
const KINDS: ReadonlyMap<number, FileKind> = new Map([
  [0o100000, 'file'],
  [0o040000, 'directory'],
  [0o120000, 'symlink'],
]);

/** What is to be set; what is undefined stays. */
export interface Attributes {
  readonly size?: number;
  readonly mode?: number;
  /** Epoch seconds. SFTP version 3 sets both times or none: the access time gets the same. */
  readonly modifiedAtSeconds?: number;
}

/** Every attribute is optional on the wire; a file whose type isn't told counts as special, so that nothing opens it. */
export function readFacts(fields: FieldReader): FileFacts {
  const flags = fields.uint32();
  const size = (flags & HAS.size) === 0 ? 0 : Number(fields.uint64());
  if ((flags & HAS.owner) !== 0) {
    fields.uint32();
    fields.uint32();
  }
  const mode = (flags & HAS.permissions) === 0 ? 0 : fields.uint32();
  const [, modifiedAtSeconds] = (flags & HAS.times) === 0 ? [0, 0] : [fields.uint32(), fields.uint32()];
  if ((flags & HAS.extended) !== 0) passExtended(fields);
  return { kind: KINDS.get(mode & TYPE_MASK) ?? 'special', size, modifiedAt: modifiedAtSeconds * 1_000, mode: mode & 0o7777 };
}

/** Pairs of a type and its data, about things we don't know. */
function passExtended(fields: FieldReader): void {
  for (let count = fields.uint32(); count > 0; count -= 1) {
    fields.bytes();
    fields.bytes();
  }
}

export function attributesOf({ mode, modifiedAt }: SettableFacts): Attributes {
  return {
    ...(mode === undefined ? {} : { mode }),
    ...(modifiedAt === undefined ? {} : { modifiedAtSeconds: Math.floor(modifiedAt / 1_000) }),
  };
}

export function attributeFields({ size, mode, modifiedAtSeconds }: Attributes): readonly Buffer[] {
  let flags = 0;
  const fields: Buffer[] = [];
  if (size !== undefined) {
    flags |= HAS.size;
    fields.push(uint64(size));
  }
  if (mode !== undefined) {
    flags |= HAS.permissions;
    fields.push(uint32(mode));
  }
  if (modifiedAtSeconds !== undefined) {
    flags |= HAS.times;
    fields.push(uint32(modifiedAtSeconds), uint32(modifiedAtSeconds));
  }
  return [uint32(flags), ...fields];
}
