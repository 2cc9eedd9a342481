// The names in a staging directory and the small JSON files among them: what they hold, and reading them without trust.
import { MAX_CHUNK_COUNT, chunkPlan } from '../core/chunks.js';
import type { ContentDigest, UploadIdentity } from '../core/file-ref.js';
import { ProblemError, refused } from '../core/problems.js';
import type { Manifest, MergeRequest, Verified } from '../core/staging.js';
import { isJobFile } from './host-job.js';

export const MANIFEST = 'manifest.json';
export const DATA = 'data';
export const RECEIVED = 'received';
export const MERGE = 'merge.json';
export const INTENT = 'intent.json';

const NONCE = /^[0-9a-f]{16}$/;
const CHUNK_FILE = /^c\.([1-9]\d{0,5})\.([1-9]\d{0,15})\.([0-9a-f]{64})$/;
const PART = /^p\.[1-9]\d{0,5}\.[0-9a-f]{16}$/;
const OUTPUT = /^out\.[0-9a-f]{16}$/;
const KEPT = /^kept\.[0-9a-f]{16}$/;
const SMALL_FILE = /^(?:manifest|merge|intent)\.json(?:\.[0-9a-f]{16})?$/;
/** An upload's directory; `n.` while it is being made, `x.` once it is given up. */
const UPLOAD_DIRECTORY = /^[0-9a-f]{32}$/;
const GIVEN_UP_DIRECTORY = /^[nx]\.[0-9a-f]{16}$/;

/** Whether a file in a staging directory is of our making. Nothing else is ever deleted. */
export function isOurs(name: string): boolean {
  if (name === DATA || name === RECEIVED) return true;
  return isJobFile(name) || [SMALL_FILE, CHUNK_FILE, PART, OUTPUT, KEPT].some((ours) => ours.test(name));
}

/** What a chunk file's name says of it: it is verified, and never written again. */
export interface ChunkFile {
  readonly index: number;
  readonly lengthBytes: number;
  /** SHA-256, lower-case hex. */
  readonly digest: string;
}

export function chunkFileName({ index, lengthBytes, digest }: ChunkFile): string {
  return `c.${index}.${lengthBytes}.${digest}`;
}

export function parseChunkFileName(name: string): ChunkFile | undefined {
  const [, index, lengthBytes, digest] = CHUNK_FILE.exec(name) ?? [];
  if (index === undefined || lengthBytes === undefined || digest === undefined) return undefined;
  return { index: Number(index), lengthBytes: Number(lengthBytes), digest };
}

/** A chunk file in the making. */
export function partName(index: number, nonce: string): string {
  return `p.${index}.${nonce}`;
}

export function isPartName(name: string): boolean {
  return PART.test(name);
}

/** What the chunk files of an upload are joined to, by a nonce of its own; and what `data` is called while it is published, by its directory's. */
export function outputName(nonce: string): string {
  return `out.${nonce}`;
}

/** Of such a name. */
export function outputNonce(name: string): string {
  return name.slice('out.'.length);
}

export function isOutputName(name: string): boolean {
  return OUTPUT.test(name);
}

/** A second name of an output, for as long as it isn't known where the first has led. */
export function keptName(output: string): string {
  return `kept.${outputNonce(output)}`;
}

export function isUploadDirectory(name: string): boolean {
  return UPLOAD_DIRECTORY.test(name);
}

export function isGivenUpDirectory(name: string): boolean {
  return GIVEN_UP_DIRECTORY.test(name);
}

/** Names the one output that may be published, and how the target will look. */
export interface Intent {
  readonly output: string;
  readonly ifExists: MergeRequest['ifExists'];
  readonly size: number;
  /** The modification time the output was given, epoch ms. */
  readonly modifiedAt: number;
  /** So that a run that comes after a crash can say what this one knew. */
  readonly verified: Verified;
}

type Fields = Readonly<Record<string, unknown>>;

function parseFields(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Fields) : undefined;
  } catch {
    // Not JSON: somebody else's file, or one that was edited.
    return undefined;
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** The manifest of any upload, or undefined when the text is none. `HOST_UNSUPPORTED` for another version's: it is left alone. */
export function parseManifest(text: string): Manifest | undefined {
  const fields = parseFields(text);
  if (fields === undefined) return undefined;
  const { version, hostId, path, person, hashCode, size, chunkSize, layout, nonce, beganAt } = fields;
  if (version !== 1 && isCount(version)) {
    throw new ProblemError(refused('HOST_UNSUPPORTED', 'this upload was staged by another version of Longshore'));
  }
  if (typeof hostId !== 'string' || typeof path !== 'string' || typeof person !== 'string' || typeof hashCode !== 'string') {
    return undefined;
  }
  if (version !== 1 || !isCount(size) || !isCount(chunkSize) || chunkSize === 0 || !isCount(beganAt)) return undefined;
  if (layout !== 'in-place' && layout !== 'chunk-files') return undefined;
  if (typeof nonce !== 'string' || !NONCE.test(nonce)) return undefined;
  // More than we ever make: its received map alone could take all memory.
  if (chunkPlan(size, chunkSize).chunkCount > MAX_CHUNK_COUNT) return undefined;
  return { version, hostId, path, person, hashCode, size, chunkSize, layout, nonce, beganAt };
}

/** Whether a manifest is this very upload's; the directory's name is only a hash of it. */
export function isManifestOf(manifest: Manifest, identity: UploadIdentity): boolean {
  return (
    manifest.hostId === identity.hostId &&
    manifest.path === identity.target &&
    manifest.person === identity.person &&
    manifest.hashCode === identity.hashCode
  );
}

export function parseMergeRequest(text: string): MergeRequest | undefined {
  const { ifExists, ifMatch, digest, askedAt } = parseFields(text) ?? {};
  if ((ifExists !== 'ASK' && ifExists !== 'REPLACE') || !isCount(askedAt)) return undefined;
  if (ifMatch !== undefined && typeof ifMatch !== 'string') return undefined;
  const known = parseDigest(digest);
  if (digest !== undefined && known === undefined) return undefined;
  return { ifExists, askedAt, ...(ifMatch !== undefined && { ifMatch }), ...(known && { digest: known }) };
}

function parseDigest(value: unknown): ContentDigest | undefined {
  const { algorithm, hex } = (value ?? {}) as Fields;
  if ((algorithm !== 'sha256' && algorithm !== 'md5') || typeof hex !== 'string') return undefined;
  return { algorithm, hex };
}

export function parseIntent(text: string): Intent | undefined {
  const { output, ifExists, size, modifiedAt, verified } = parseFields(text) ?? {};
  const { proved, digest } = (verified ?? {}) as Fields;
  const known = parseDigest(digest);
  if (typeof output !== 'string' || (output !== DATA && !isOutputName(output))) return undefined;
  if ((ifExists !== 'ASK' && ifExists !== 'REPLACE') || !isCount(size) || !isCount(modifiedAt)) return undefined;
  return { output, ifExists, size, modifiedAt, verified: { proved: proved === true, ...(known && { digest: known }) } };
}
