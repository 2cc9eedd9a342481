// Getting chunks to the host: in parallel, bounded, in ascending order.

import { chunkSpan, type ChunkPlan, type ChunkSpan } from './chunks.js';
import type { UploadContext } from './context.js';
import type { HashedChunk } from './digests.js';
import { AbortedError, NetworkError, ProblemError, SourceChangedError } from './errors.js';
import type { UploadChunkAnswer, UploadFinished } from './operations.js';
import type { Milestones } from './pace.js';
import { Slots } from './turns.js';

/** `unknown`: the gateway no longer has this upload as the caller's; its status must be asked again. */
export type SendOutcome =
  { readonly kind: 'sent' | 'unknown' } | { readonly kind: 'finished'; readonly finished: UploadFinished };

type ChunkAnswer = Exclude<UploadChunkAnswer, { __typename: 'TryAgainLater' }>;

/** Sent again so often after a digest mismatch with unchanged bytes: the wire, or the memory of a machine, is broken then. */
const MISMATCH_ATTEMPTS = 5;
/** Chunks that are on their way to the wire, and as many that are being hashed behind them. */
export const AHEAD = 2;
/** Problems that fewer requests at the same time would not have met. */
const CROWDED: readonly string[] = ['HOST_BUSY', 'RATE_LIMITED'];

/**
 * Sends `chunks` over at most `parallel` requests at a time. The first outcome other than `sent`, or the first error, cancels
 * the requests in flight; it settles after all of them have ended.
 */
export async function sendChunks(
  context: UploadContext,
  plan: ChunkPlan,
  chunks: AsyncGenerator<HashedChunk, void>,
): Promise<SendOutcome> {
  // No more are hashed than will soon be sent: on a machine that has better to do at that moment, and from a disk that would be read twice.
  const room = new Slots(AHEAD);
  // One for each: see `Gate`.
  const endings = Array.from({ length: context.parallel }, () => new AbortController());
  const state = { hasEnded: false };
  const end = () => {
    state.hasEnded = true;
    for (const ending of endings) ending.abort();
  };
  let outcome: SendOutcome = { kind: 'sent' };
  let failure: { readonly error: unknown } | undefined;

  const sender = async (signal: AbortSignal) => {
    try {
      for (;;) {
        signal.throwIfAborted();
        const onWire = await room.turn(signal);
        try {
          const next = await chunks.next();
          if (next.done === true) return;
          const result = await sendChunk({ ...context, onWire }, plan, next.value, signal);
          if (result.kind === 'sent') continue;
          outcome = result;
          end();
          return;
        } finally {
          onWire();
        }
      }
    } catch (error) {
      // What fails because we cancelled it isn't why we did.
      if (!state.hasEnded) failure = { error };
      end();
    }
  };
  try {
    context.signal.addEventListener('abort', end);
    if (context.signal.aborted) end();
    await Promise.all(endings.map(({ signal }) => sender(signal)));
  } finally {
    context.signal.removeEventListener('abort', end);
    await chunks.return();
  }
  context.signal.throwIfAborted();
  if (failure !== undefined) throw failure.error;
  return outcome;
}

interface Sending extends UploadContext {
  /** To be called when the chunk is at the wire. */
  readonly onWire: () => void;
}

async function sendChunk(
  context: Sending,
  plan: ChunkPlan,
  { index, digest }: HashedChunk,
  signal: AbortSignal,
): Promise<SendOutcome> {
  const span = chunkSpan(plan, index);
  for (let mismatches = 1; ; mismatches += 1) {
    const answer = await context.retries.run((cut) => attempt(context, { index, digest, span }, cut), signal);
    switch (answer.__typename) {
      case 'ChunkStored':
        context.emit('chunk', { index, bytes: span.length, alreadyStored: answer.alreadyStored });
        return { kind: 'sent' };
      case 'UploadFinished':
        return { kind: 'finished', finished: answer };
      case 'DigestMismatch':
        if ((await context.hashing.digest(context.source, [span], signal)) !== digest) throw changedWhileSending();
        if (mismatches >= MISMATCH_ATTEMPTS) throw new ProblemError(answer);
        context.emit('retry', { code: answer.code, message: answer.message, attempt: mismatches, delayMs: 0 });
        continue;
      case 'UploadLocked':
        throw new ProblemError(answer);
      case 'Refused':
        return refusedChunk(answer, index);
    }
  }
}

async function attempt(
  context: Sending,
  chunk: HashedChunk & { readonly span: ChunkSpan },
  signal: AbortSignal,
): Promise<UploadChunkAnswer> {
  const { source, pace, onWire } = context;
  const answer = await pace.use(
    chunk.span.length,
    async (milestones) => {
      onWire();
      try {
        return await fly(context, { ...chunk, ...milestones }, signal);
      } catch (error) {
        // A browser tells a source that it can't read any more from a network that it can't reach only when asked.
        if (error instanceof NetworkError && !signal.aborted && (await source.hasChanged())) throw changedWhileSending();
        throw error;
      }
    },
    signal,
  );
  if (answer.__typename === 'TryAgainLater' && CROWDED.includes(answer.code)) pace.crowded();
  return answer;
}

async function fly(
  { gateway, source, file, ticket, meter, emitProgress }: UploadContext,
  { index, digest, span, sent, landed }: HashedChunk & Milestones & { readonly span: ChunkSpan },
  signal: AbortSignal,
): Promise<UploadChunkAnswer> {
  const { offset, length } = span;
  const flight = meter.flight(index);
  try {
    const answer = await gateway.uploadChunk(file, {
      index,
      digest,
      chunk: { length, pieces: () => source.read(offset, length), blob: () => source.blob?.(offset, length) },
      onBytesSent: (bytes) => {
        flight.moved(bytes);
        emitProgress();
        sent(bytes);
      },
      signal,
      ticket,
    });
    if (answer.__typename === 'ChunkStored') {
      flight.land();
      meter.stored(index);
      // One that was there already is answered before its bytes have come: that is no measure of the way.
      if (!answer.alreadyStored) landed();
    }
    return answer;
  } finally {
    flight.land();
  }
}

function refusedChunk(answer: Extract<ChunkAnswer, { __typename: 'Refused' }>, index: number): SendOutcome {
  if (answer.code === 'UPLOAD_UNKNOWN') return { kind: 'unknown' };
  if (answer.code === 'ABORTED') throw new AbortedError();
  if (answer.code === 'CHUNK_CONFLICT') {
    throw new SourceChangedError(`chunk ${index} is on the host with other bytes: this isn't the content that was begun`, {
      looksLikeBegun: true,
    });
  }
  throw new ProblemError(answer);
}

export function changedWhileSending(): SourceChangedError {
  return new SourceChangedError('the source changed while it was sent');
}
