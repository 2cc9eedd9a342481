// Verification before publication: the bytes on the host against what is known of them. By the host's own hashing tool where a
// command may be run; by reading back where configured, or where the tool fails; otherwise on the digests checked on the way in.
import type { ChunkPlan, ReceivedMap } from '../core/chunks.js';
import { chunkLength, chunksMissing } from '../core/chunks.js';
import type { ContentDigest } from '../core/file-ref.js';
import { formatContentDigest } from '../core/file-ref.js';
import type { Hash, HashAlgorithm, Hashing, Host } from '../core/ports.js';
import { isFault, refused } from '../core/problems.js';
import type { RemotePath } from '../core/remote-path.js';
import type { AssembleOptions, VerifyOutcome } from '../core/staging.js';
import { openOurs, withFile } from './files.js';
import type { HashCommand } from './hash-command.js';
import { hashChunks, hashWhole } from './host-hash.js';
import type { Hasher } from './probe.js';

/** To read so much back takes less time than to start a command, however far the host is. */
const SMALL_BYTES = 1024 * 1024;

export interface Verification extends AssembleOptions {
  readonly host: Host;
  readonly hashing: Hashing;
  /** What was assembled. */
  readonly path: RemotePath;
  /** Complete. */
  readonly received: ReceivedMap;
  /** Hashes of the whole content that are to be proved. */
  readonly digests: readonly ContentDigest[];
  readonly hasher?: Hasher;
  /** Takes chunks their place on the host. */
  readonly lose: (indexes: readonly number[]) => Promise<void>;
}

/** Whether the bytes on the host are looked at again before they are published. */
export function isLookedAt(host: Host, hasher: Hasher | undefined): boolean {
  return hasher !== undefined || host.profile.verify === 'read-back';
}

/** Chunks that turn out wrong lose their place in the received map. */
export async function verify(verification: Verification): Promise<VerifyOutcome> {
  const { host, received, hasher } = verification;
  if (received.plan.size === 0) return verifyNothing(verification);
  if (!isLookedAt(host, hasher)) return holds(verification, false);
  if (received.plan.size <= SMALL_BYTES) return readWhole(verification);
  if (hasher === undefined) return verifyByReadingBack(verification);
  try {
    return await verifyOnHost(verification, hasher);
  } catch (error) {
    // A tool that is there and fails (no memory, a policy against MD5), or a file too large for it: the bytes are still to be proved.
    if (!isFault(error, 'FAILURE', 'HOST_UNSUPPORTED')) throw error;
    return verifyByReadingBack(verification);
  }
}

/** No byte needs to be looked at to know the hash of none. */
function verifyNothing(verification: Verification): VerifyOutcome {
  for (const digest of verification.digests) {
    const actual = verification.hashing.start(digest.algorithm).digest();
    if (actual !== digest.hex) return contentDiffers(digest, actual);
  }
  return holds(verification, true);
}

async function verifyOnHost(verification: Verification, hasher: Hasher): Promise<VerifyOutcome> {
  const { host, digests, onProgress } = verification;
  const { size } = verification.received.plan;
  if (digests.length === 0) {
    const bad = await findBadChunks(verification, hasher);
    return bad.length === 0 ? holds(verification, true) : loseChunks(verification, bad);
  }
  for (const [at, digest] of digests.entries()) {
    const command = { ...commandOf(verification), algorithm: digest.algorithm };
    const actual = await hashWhole(host, hasher, command, (doneBytes) => {
      onProgress('VERIFYING', at * size + Math.min(doneBytes, size), digests.length * size);
    });
    if (actual === digest.hex) continue;
    const bad = await findBadChunks(verification, hasher);
    return bad.length > 0 ? loseChunks(verification, bad) : contentDiffers(digest, actual);
  }
  return holds(verification, true);
}

function commandOf({ hashing, path, received, signal, onAlive }: Verification): HashCommand {
  return { hashing, path, plan: received.plan, signal, onAlive };
}

async function findBadChunks(verification: Verification, hasher: Hasher | 'gateway'): Promise<readonly number[]> {
  const { host, received, onProgress } = verification;
  const { plan } = received;
  const bad: number[] = [];
  let doneBytes = 0;
  await hashChunks(host, hasher, commandOf(verification), ({ index, digest }) => {
    if (received.digest(index) !== digest) bad.push(index);
    doneBytes += chunkLength(plan, index);
    onProgress('VERIFYING', doneBytes, plan.size);
  });
  return bad;
}

/** Chunk by chunk where no hash of the whole is asked for: that goes on where a run before it stopped. */
async function verifyByReadingBack(verification: Verification): Promise<VerifyOutcome> {
  if (verification.digests.length > 0) return readWhole(verification);
  const bad = await findBadChunks(verification, 'gateway');
  return bad.length === 0 ? holds(verification, true) : loseChunks(verification, bad);
}

/** One pass gives every chunk's hash and the whole's. */
async function readWhole(verification: Verification): Promise<VerifyOutcome> {
  const { host, hashing, path, received, digests, onProgress, signal } = verification;
  const { plan } = received;
  const algorithms = [...new Set<HashAlgorithm>(digests.map((digest) => digest.algorithm))];
  const wholes = new Map(algorithms.map((algorithm) => [algorithm, hashing.start(algorithm)]));
  const bad: number[] = [];
  await withFile(openOurs(host, path, 'read'), async (data) => {
    const chunks = new ChunkHashes(hashing, plan);
    for await (const piece of data.read(0, plan.size, signal)) {
      chunks.update(piece);
      for (const whole of wholes.values()) whole.update(piece);
      onProgress('VERIFYING', chunks.doneBytes, plan.size);
    }
    bad.push(...chunks.end().flatMap((digest, at) => (digest === received.digest(at + 1) ? [] : [at + 1])));
  });
  if (bad.length > 0) return loseChunks(verification, bad);
  for (const [algorithm, whole] of wholes) {
    const actual = whole.digest();
    const wrong = digests.find((digest) => digest.algorithm === algorithm && digest.hex !== actual);
    if (wrong !== undefined) return contentDiffers(wrong, actual);
  }
  return holds(verification, true);
}

/** The hash of each chunk of a file that is read from its beginning, whatever the pieces. */
class ChunkHashes {
  readonly #hashing: Hashing;
  readonly #plan: ChunkPlan;
  readonly #digests: string[] = [];
  #hash: Hash;
  /** Of the chunk that is being hashed. */
  #leftBytes: number;
  doneBytes = 0;

  constructor(hashing: Hashing, plan: ChunkPlan) {
    this.#hashing = hashing;
    this.#plan = plan;
    this.#hash = hashing.start('sha256');
    this.#leftBytes = chunkLength(plan, 1);
  }

  update(piece: Uint8Array): void {
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + this.#leftBytes);
      this.#hash.update(part);
      at += part.length;
      this.doneBytes += part.length;
      this.#leftBytes -= part.length;
      if (this.#leftBytes === 0) this.#next();
    }
  }

  /** Of all chunks; those that the file was too short for have the hash of what there was. */
  end(): readonly string[] {
    while (this.#digests.length < this.#plan.chunkCount) this.#next();
    return this.#digests;
  }

  #next(): void {
    this.#digests.push(this.#hash.digest());
    this.#hash = this.#hashing.start('sha256');
    const index = this.#digests.length + 1;
    this.#leftBytes = index <= this.#plan.chunkCount ? chunkLength(this.#plan, index) : Infinity;
  }
}

function holds(verification: Verification, proved: boolean): VerifyOutcome {
  const digest = verification.digests[0];
  return { kind: 'holds', verified: { proved, ...(digest && { digest }) } };
}

async function loseChunks(verification: Verification, bad: readonly number[]): Promise<VerifyOutcome> {
  const { received, lose } = verification;
  await lose(bad);
  for (const index of bad) received.remove(index);
  return { kind: 'chunks-lost', problem: chunksMissing(received) };
}

function contentDiffers(expected: ContentDigest, actual: string): VerifyOutcome {
  const message = `every chunk is as it was sent, but the whole is ${expected.algorithm}:${actual}, not ${formatContentDigest(expected)}`;
  return { kind: 'content-differs', problem: refused('CONTENT_MISMATCH', message) };
}
