// One upload from its status to the published file. The steps repeat when the gateway forgot the upload half-way.

import { chunkSpan, indexesOf, isConsistent, type ChunkPlan } from './chunks.js';
import type { UploadContext } from './context.js';
import { ahead, digestPass, type HashedChunk } from './digests.js';
import { GatewayError, ProblemError, SourceChangedError } from './errors.js';
import { merge, type Permission } from './merging.js';
import type { ChunkRange, FileExists, UploadFinished, UploadReady, UploadResumable } from './operations.js';
import { AHEAD, changedWhileSending, sendChunks, type SendOutcome } from './sending.js';

/** What the host has in the end. */
export interface Landed {
  /** `sha256:<hex>`; `undefined` only when the upload was finished before and its digest isn't known. */
  readonly digest: string | undefined;
  /** Whether the host itself has hashed the whole content. */
  readonly proved: boolean;
  /** Whether it had been finished before: nothing was sent. */
  readonly alreadyThere: boolean;
}

/** What was found on the host when the upload was opened. */
interface Opened {
  readonly kind: 'opened';
  readonly plan: ChunkPlan;
  /** Digests by index. */
  readonly stored: ReadonlyMap<number, string>;
}

type Step<Value> = Value | { readonly kind: 'finished'; readonly finished: UploadFinished } | { readonly kind: 'unknown' };

/** An upload that the gateway forgets so often is being taken away again and again by the same person elsewhere. */
const MAX_BEGINNINGS = 5;
const CHUNKS_PER_PAGE = 1_000;

/** Runs to the end. Rejects with the errors of `errors.ts`, what reading the source throws, or the signal's reason. */
export class UploadRun {
  readonly #context: UploadContext;
  #permission: Permission;

  constructor(context: UploadContext) {
    this.#context = context;
    this.#permission = { ifExists: context.target.ifExists === 'replace' ? 'REPLACE' : 'ASK' };
  }

  async run(): Promise<Landed> {
    for (let beginning = 1; beginning <= MAX_BEGINNINGS; beginning += 1) {
      const claimed = await this.#claim();
      if (claimed.__typename === 'UploadFinished') return landedBefore(claimed);
      const opened = claimed.__typename === 'UploadReady' ? this.#begin(claimed) : await this.#open();
      if (opened.kind === 'finished') return landedBefore(opened.finished);
      if (opened.kind === 'unknown') continue;
      const landed = await this.#sendAndMerge(opened);
      if (landed !== undefined) return landed;
    }
    throw new GatewayError('UPLOAD_UNKNOWN', 'the gateway keeps forgetting this upload: is the path in use from elsewhere?', {
      retryable: false,
    });
  }

  /** Returns once the target is ours, or what was finished before. */
  async #claim(): Promise<UploadReady | UploadResumable | UploadFinished> {
    const { gateway, retries, source, target, file, signal } = this.#context;
    for (;;) {
      const answer = await retries.run(
        (cut) =>
          gateway.uploadStatus(
            file,
            { size: source.size, chunkSize: target.chunkSize, takeOver: target.takeOver ?? false, ...this.#permission },
            cut,
          ),
        signal,
      );
      switch (answer.__typename) {
        case 'UploadReady':
        case 'UploadResumable':
          this.#context.ticket.current = answer.ticket ?? undefined;
          return answer;
        case 'UploadFinished':
          return answer;
        case 'FileExists':
          this.#permission = await this.#askPermission(answer);
          continue;
        case 'UploadLocked':
          throw new ProblemError(answer);
        case 'Refused':
          if (answer.code === 'TARGET_CHANGED' && this.#permission.ifMatch !== undefined)
            this.#permission = { ifExists: 'ASK' };
          else throw new ProblemError(answer);
      }
    }
  }

  /** Nothing is there: the first chunk makes the staging directory, and looking at it before would only cost the way to the host. */
  #begin({ chunkSize, chunkCount }: UploadReady): Opened {
    const { source, meter } = this.#context;
    const plan = { size: source.size, chunkSize, chunkCount };
    checkPlan(plan);
    meter.opened(plan, []);
    return { kind: 'opened', plan, stored: new Map() };
  }

  /** Opens the staging directory and collects which chunks are in it, page by page. */
  async #open(): Promise<Step<Opened>> {
    const { gateway, retries, source, meter, file, ticket, signal } = this.#context;
    const stored = new Map<number, string>();
    for (let after = 0; ;) {
      const page = { first: CHUNKS_PER_PAGE, after };
      const answer = await retries.run((cut) => gateway.dirInfo(file, page, cut, ticket), signal);
      if (answer.__typename === 'UploadFinished') return { kind: 'finished', finished: answer };
      if (answer.__typename === 'Refused' && answer.code === 'UPLOAD_UNKNOWN') return { kind: 'unknown' };
      if (answer.__typename !== 'DirInfo') throw new ProblemError(answer);
      for (const { index, digest } of answer.chunks) stored.set(index, digest);
      after = Math.max(after, ...answer.chunks.map(({ index }) => index));
      if (answer.chunks.length > 0 && stored.size < answer.uploadedCount) continue;
      const plan = { size: source.size, chunkSize: answer.chunkSize, chunkCount: answer.chunkCount };
      if (answer.size !== source.size) {
        throw new SourceChangedError(`the upload that was begun has ${answer.size} bytes, this source has ${source.size}`, {
          looksLikeBegun: true,
        });
      }
      checkPlan(plan);
      meter.opened(plan, stored.keys());
      return { kind: 'opened', plan, stored };
    }
  }

  /** `undefined`: the gateway no longer knows the upload. */
  async #sendAndMerge({ plan, stored }: Opened): Promise<Landed | undefined> {
    const context = this.#context;
    const { enter } = context;
    const hashes: Hashes = { chunks: [], whole: undefined };
    const missing = missingChunks(context, plan, stored, hashes);

    await enter('sending');
    const outcome = await sendChunks(context, plan, ahead(missing, AHEAD));
    if (outcome.kind === 'finished') return landedBefore(outcome.finished);
    if (outcome.kind === 'unknown') return undefined;
    const { whole } = hashes;
    if (whole === undefined) throw new Error('the digest pass ended early');
    if (await context.source.hasChanged()) throw changedWhileSending();

    await enter('merging');
    const merged = await merge(context, {
      chunkCount: plan.chunkCount,
      digest: `sha256:${whole}`,
      permission: this.#permission,
      sendAgain: async (ranges) => {
        await enter('sending');
        const sent = await this.#sendAgain(plan, hashes.chunks, ranges);
        await enter('merging');
        return sent;
      },
      askPermission: async (existing) => (this.#permission = await this.#askPermission(existing)),
    });
    if (merged.kind === 'begin-again') return undefined;
    return { digest: `sha256:${whole}`, proved: merged.progress.proved, alreadyThere: false };
  }

  async #sendAgain(plan: ChunkPlan, digests: readonly string[], ranges: readonly ChunkRange[]): Promise<SendOutcome> {
    const indexes = indexesOf(ranges);
    for (const index of indexes) this.#context.meter.unstored(index);
    async function* again(): AsyncGenerator<HashedChunk, void> {
      for (const index of indexes) yield { index, digest: digests[index] ?? '' };
    }
    return await sendChunks(this.#context, plan, again());
  }

  async #askPermission(existing: FileExists): Promise<Permission> {
    const decision = (await this.#context.target.onFileExists?.(existing)) ?? 'keep';
    this.#context.signal.throwIfAborted();
    if (decision === 'keep') throw new ProblemError(existing);
    return { ifExists: 'REPLACE', ifMatch: existing.etag };
  }
}

/** What the pass over the source has found. */
interface Hashes {
  /** By index; kept for chunks that must be sent again. */
  readonly chunks: string[];
  whole: string | undefined;
}

/**
 * The chunks that aren't stored, each hashed. Those that are stored are compared on the way: the first that differs ends the
 * upload before anything behind it is sent.
 */
async function* missingChunks(
  { source, hashing, gate, meter, emitProgress, signal }: UploadContext,
  plan: ChunkPlan,
  stored: ReadonlyMap<number, string>,
  hashes: Hashes,
): AsyncGenerator<HashedChunk, void> {
  const pass = digestPass(source, plan, hashing, signal);
  try {
    for (;;) {
      await gate.passed(signal);
      const next = await pass.next();
      if (next.done === true) {
        hashes.whole = next.value;
        return;
      }
      const { index, digest } = next.value;
      hashes.chunks[index] = digest;
      meter.hashed(chunkSpan(plan, index).length);
      emitProgress();
      const there = stored.get(index);
      if (there === undefined) yield next.value;
      else if (there !== digest) throw otherContent(index);
    }
  } finally {
    await pass.return('');
  }
}

function checkPlan(plan: ChunkPlan): void {
  if (isConsistent(plan)) return;
  throw new GatewayError('NOT_UNDERSTOOD', 'chunk size and count contradict', { retryable: false });
}

function otherContent(index: number): SourceChangedError {
  return new SourceChangedError(`this isn't the content that was begun: chunk ${index} on the host has other bytes`, {
    looksLikeBegun: true,
  });
}

function landedBefore({ contentDigest, proved }: UploadFinished): Landed {
  return { digest: contentDigest ?? undefined, proved, alreadyThere: true };
}
