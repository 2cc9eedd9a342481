// A chunk on its way in: hashed and counted as it passes, and what is wrong with it once it has.
import type { Hashing } from '../core/ports.js';
import type { ReceiveOutcome, ReceiveRequest } from '../core/staging.js';

export interface Intake {
  readonly hashing: Hashing;
  readonly request: Pick<ReceiveRequest, 'digest' | 'pieces'>;
  /** What the chunk must have. */
  readonly expectedBytes: number;
}

export type Taken = { readonly kind: 'right'; readonly digest: string } | Flaw;
export type Flaw = Extract<ReceiveOutcome, { readonly kind: 'digest-mismatch' | 'length-mismatch' }>;

/** Thrown out of the source when more bytes come than the chunk has. */
class TooLong extends Error {}

/** Lets the pieces pass to `take`, which must not resolve before it has taken all of them. No byte too many ever reaches it. */
export async function takeIn(intake: Intake, take: (pieces: AsyncIterable<Uint8Array>) => Promise<void>): Promise<Taken> {
  const { hashing, request, expectedBytes } = intake;
  const lengthMismatch = { kind: 'length-mismatch', expectedBytes } as const;
  const hash = hashing.start('sha256');
  let passedBytes = 0;
  async function* pass(): AsyncIterable<Uint8Array> {
    for await (const piece of request.pieces) {
      passedBytes += piece.length;
      if (passedBytes > expectedBytes) throw new TooLong();
      hash.update(piece);
      yield piece;
    }
  }
  try {
    await take(pass());
  } catch (error) {
    if (error instanceof TooLong) return lengthMismatch;
    throw error;
  }
  if (passedBytes < expectedBytes) return lengthMismatch;
  const digest = hash.digest();
  const expected = request.digest;
  if (expected !== undefined && expected !== digest) return { kind: 'digest-mismatch', expected, actual: digest };
  return { kind: 'right', digest };
}

/** What came, against what is on the host. With a digest the answer needs no byte; without one the bytes are hashed and go nowhere. */
export async function compareWithStored(intake: Intake, stored: string): Promise<ReceiveOutcome> {
  const known = { kind: 'stored', digest: stored, alreadyStored: true } as const;
  const { digest } = intake.request;
  if (digest !== undefined) return digest === stored ? known : { kind: 'conflict' };
  const taken = await takeIn(intake, async (pieces) => {
    for await (const piece of pieces) void piece;
  });
  if (taken.kind !== 'right') return taken;
  return taken.digest === stored ? known : { kind: 'conflict' };
}
