// What is to be hashed on a host, by whichever means.
import type { ChunkPlan } from '../core/chunks.js';
import type { HashAlgorithm, Hashing, Host } from '../core/ports.js';
import { Fault } from '../core/problems.js';
import { nameOf } from '../core/remote-path.js';
import type { RemotePath } from '../core/remote-path.js';
import { jobKey } from './host-job.js';

export interface HashCommand {
  readonly hashing: Hashing;
  /** A file in a staging directory. */
  readonly path: RemotePath;
  readonly plan: ChunkPlan;
  readonly signal: AbortSignal;
  /** Called when it is at work and can't tell how far. */
  readonly onAlive?: (() => void) | undefined;
}

export type HashWhole = HashCommand & { readonly algorithm: HashAlgorithm };

export interface ChunkHash {
  readonly index: number;
  /** SHA-256, lower-case hex. */
  readonly digest: string;
}

export type OnChunkHash = (chunk: ChunkHash) => void;

/** What takes longer than a fraction of a second leaves on the host how far it is, so that another gateway goes on with it. */
export function isLong({ plan }: HashCommand): boolean {
  return plan.size >= 256 * 1024 * 1024;
}

/** Stands for the bytes that are hashed, as far as SFTP tells: written to, or another file, they have another key. */
export async function hashingKey(host: Host, { path, plan, hashing }: HashCommand): Promise<string> {
  const facts = await host.lstat(path);
  if (facts?.kind !== 'file') throw new Fault('NOT_FOUND', `${path} is no file of ours any more`);
  return jobKey(hashing, [nameOf(path), facts.size, facts.modifiedAt, plan.chunkSize]);
}

/** A line of a log of chunk hashes: who hashed it, which it is, and the hash. */
export function chunkHashLine({ index, digest }: ChunkHash): string {
  return `0 ${index} ${digest}`;
}

/** Undefined for anything else. */
export function parseChunkHash(line: string): ChunkHash | undefined {
  const [, index, digest] = /^\d+ ([1-9]\d*) ([0-9a-f]{64})$/.exec(line) ?? [];
  return index === undefined || digest === undefined ? undefined : { index: Number(index), digest };
}
