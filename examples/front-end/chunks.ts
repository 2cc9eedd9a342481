// A file, cut and hashed in the browser.

export interface ChunkRange {
  readonly first: number;
  readonly last: number;
}

/** The numbers in the ranges. Several loops may take from one generator: each gets what no other had. */
export function* numbersIn(ranges: readonly ChunkRange[]): Generator<number> {
  for (const { first, last } of ranges) {
    for (let index = first; index <= last; index += 1) yield index;
  }
}

/** Chunk number `index`, from 1. Reads nothing yet. */
export function chunkOf(source: Blob, chunkSize: number, index: number): Blob {
  return source.slice((index - 1) * chunkSize, index * chunkSize);
}

/** SHA-256 as lower-case hex; null where browsers offer none: on a page that came over plain http, other than from localhost. */
export async function sha256(bytes: Blob): Promise<string | null> {
  if (!isSecureContext) return null;
  const digest = await crypto.subtle.digest('SHA-256', await bytes.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const FINGERPRINT_BYTES = 1024 * 1024;

/**
 * What `hashCode` takes: tells this content from another without reading all of it, and is the same after a reload. Not a proof of the
 * content; the digests of the chunks are.
 */
export async function fingerprint(source: File): Promise<string> {
  const beginning = await sha256(source.slice(0, FINGERPRINT_BYTES));
  return `${source.size}-${source.lastModified}-${beginning ?? 'unhashed'}`;
}
