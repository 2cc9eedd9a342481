// Bytes for tests: sources of pieces, and the hash that tells whether they arrived.
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';

export const KIB = 1024;
export const MIB = 1024 * KIB;

export interface Content {
  readonly pieces: AsyncIterable<Uint8Array>;
  /** SHA-256 of everything yielded so far, hex. */
  digest(): string;
}

/** Bytes that can't be told from random ones, as pieces of `pieceBytes`, the last one shorter. */
export function randomContent(lengthBytes: number, pieceBytes = 64 * KIB): Content {
  const hash = createHash('sha256');
  const block = randomBytes(pieceBytes + 4 * KIB);
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let done = 0, index = 0; done < lengthBytes; index += 1) {
      const start = index % (4 * KIB);
      const piece = block.subarray(start, start + Math.min(pieceBytes, lengthBytes - done));
      hash.update(piece);
      done += piece.length;
      yield piece;
    }
  }
  return { pieces: pieces(), digest: () => hash.copy().digest('hex') };
}

export async function* piecesOf(...pieces: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield typeof piece === 'string' ? Buffer.from(piece) : piece;
}

export async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

export async function digestOf(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}

export function digestOfFile(file: string): Promise<string> {
  return digestOf(createReadStream(file));
}
