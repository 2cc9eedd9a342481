// Which content is to be at which path of which host, checked; and the keys that follow from it.
import type { FileRefInput } from './answers.js';
import type { HashAlgorithm, Hashing, HostProfile } from './ports.js';
import { InputError, ProblemError, refused } from './problems.js';
import { isWithin, parseRemotePath, pathFlaw } from './remote-path.js';
import type { RemotePath } from './remote-path.js';

const MAX_HASH_CODE_BYTES = 200;
/**
 * What can't be seen, or makes a line look like another: control and format characters (bidirectional overrides, zero width), line and
 * paragraph separators, halves of surrogate pairs. The joiners stay, which emoji and some scripts are written with.
 */
const NOT_PRINTABLE = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
const HEX_LENGTH: Readonly<Record<HashAlgorithm, number>> = { sha256: 64, md5: 32 };

/** A hash of the whole content, to be proved on the host. */
export interface ContentDigest {
  readonly algorithm: HashAlgorithm;
  /** Lower case. */
  readonly hex: string;
}

/** A host as one caller may use it. */
export interface Access {
  readonly profile: HostProfile;
  /** At least one. Nothing outside them is reachable. */
  readonly roots: readonly RemotePath[];
}

export interface FileRef {
  readonly profile: HostProfile;
  /** As the client named it: links in it are not resolved yet. */
  readonly path: RemotePath;
  readonly hashCode: string;
}

/** One content on its way to one canonical target by one person. */
export interface UploadIdentity {
  readonly hostId: string;
  readonly target: RemotePath;
  readonly person: string;
  readonly hashCode: string;
  /** Key of host and target: 32 hex characters. */
  readonly targetKey: string;
  /** Key of person and content: 32 hex characters. */
  readonly uploadKey: string;
  /** Key of all four: 32 hex characters. */
  readonly id: string;
}

const KEY_LENGTH = 32;

/** Texts that may hold any character are joined by their lengths, so that no two lists give one key. */
export function keyOf(hashing: Hashing, ...parts: readonly string[]): string {
  return hashing.sha256(parts.map((part) => `${part.length}:${part}`).join('')).slice(0, KEY_LENGTH);
}

export function identify(
  hashing: Hashing,
  upload: Pick<UploadIdentity, 'hostId' | 'target' | 'person' | 'hashCode'>,
): UploadIdentity {
  const targetKey = keyOf(hashing, upload.hostId, upload.target);
  const uploadKey = keyOf(hashing, upload.person, upload.hashCode);
  return { ...upload, targetKey, uploadKey, id: uploadId(hashing, targetKey, uploadKey) };
}

/** The `id` of an identity. */
export function uploadId(hashing: Hashing, targetKey: string, uploadKey: string): string {
  return keyOf(hashing, targetKey, uploadKey);
}

/** Checks everything about a file that needs no look at the host. Throws `InputError` or `ProblemError`. */
export function parseFileRef({ profile, roots }: Access, file: FileRefInput): FileRef {
  checkHashCode(file.hashCode);
  const path = parseRemotePath(file.fullPath);
  if (path === undefined || path === '/') {
    throw new ProblemError(refused('INVALID_PATH', `the path ${pathFlaw(file.fullPath) ?? 'names no file'}`));
  }
  if (!roots.some((root) => isWithin(path, root))) {
    throw new ProblemError(refused('INVALID_PATH', 'the path is outside the roots of this host'));
  }
  return { profile, path, hashCode: file.hashCode };
}

function checkHashCode(hashCode: string): void {
  if (hashCode === '' || new TextEncoder().encode(hashCode).length > MAX_HASH_CODE_BYTES) {
    throw new InputError('hashCode', 'hashCode must have 1 … 200 bytes');
  }
  if (NOT_PRINTABLE.test(hashCode)) throw new InputError('hashCode', 'hashCode must be printable');
  if (/^(sha256|md5):/.test(hashCode)) parseContentDigest('hashCode', hashCode);
}

/** `sha256:<64 hex>` or `md5:<32 hex>`, lower case; a bare hash of either length is taken for what it looks like. */
export function parseContentDigest(argument: string, text: string): ContentDigest {
  const match = /^(?:(sha256|md5):)?([0-9a-f]+)$/.exec(text);
  const hex = match?.[2] ?? '';
  const algorithm = match?.[1] ?? (hex.length === HEX_LENGTH.md5 ? 'md5' : 'sha256');
  if ((algorithm === 'sha256' || algorithm === 'md5') && hex.length === HEX_LENGTH[algorithm]) return { algorithm, hex };
  throw new InputError(argument, `${argument} must be sha256:<64 hex> or md5:<32 hex>, in lower case`);
}

/** The hash that `hashCode` claims the content has, if it is one. */
export function claimedDigest(hashCode: string): ContentDigest | undefined {
  return /^(sha256|md5):/.test(hashCode) ? parseContentDigest('hashCode', hashCode) : undefined;
}

export function formatContentDigest(digest: ContentDigest): string {
  return `${digest.algorithm}:${digest.hex}`;
}

/** SHA-256 of a chunk as clients send it. */
export function checkChunkDigest(digest: string | undefined): void {
  if (digest === undefined || /^[0-9a-f]{64}$/.test(digest)) return;
  throw new InputError('digest', 'digest must be a SHA-256 in lower-case hex (64 characters)');
}
