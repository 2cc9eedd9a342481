// The calls around an upload's chunks: may I, what is there, give it up.
import type { ChunkService } from './chunk-service.js';
import type {
  AbortUploadAnswer,
  Caller,
  DirInfo,
  DirInfoAnswer,
  FileRefInput,
  UploadFinished,
  UploadStatusAnswer,
  UploadStatusInput,
} from './answers.js';
import { book, strikeOut } from './bookkeeping.js';
import type { ReceivedMap } from './chunks.js';
import { chooseChunkSize, chunkPlan } from './chunks.js';
import { ACTIVE_MS, claimKey, entering, finishedAnswer, lockedProblem, receivedIfAny, yieldToOthers } from './entrance.js';
import { MERGE_LEASE_MS, TOKEN_BYTES } from './lease.js';
import type { MergeService } from './merge-service.js';
import { uploadId } from './file-ref.js';
import type { Claim, LeaseOutcome } from './ports.js';
import { InputError, ProblemError, refused } from './problems.js';
import type { Refused } from './problems.js';
import type { MergeStrategy } from './progress.js';
import { isTerminal, unproved } from './progress.js';
import { nameOf } from './remote-path.js';
import type { Services, UploadCall } from './services.js';
import { onHost } from './services.js';
import type { StagedUpload } from './staging.js';
import { replaceObjection } from './target.js';

export class UploadService {
  readonly #services: Services;
  readonly #merges: MergeService;
  readonly #chunks: ChunkService;

  constructor(services: Services, others: { readonly merges: MergeService; readonly chunks: ChunkService }) {
    this.#services = services;
    this.#merges = others.merges;
    this.#chunks = others.chunks;
  }

  /** Claims the target for the caller when it is free. Idempotent. */
  async status(caller: Caller, input: UploadStatusInput): Promise<UploadStatusAnswer> {
    checkSize(input.size);
    const chunkSize = chooseChunkSize(input.size, input.chunkSize, this.#services.limits);
    return onHost<UploadStatusAnswer>(this.#services, { caller, operation: 'uploadStatus', file: input.file }, async (call) => {
      const finished = await finishedAnswer(this.#services, call);
      if (finished !== undefined) {
        await strikeOut(this.#services, call.identity);
        return sameSize(finished, input.size);
      }
      const answer = await this.#unfinishedStatus(call, input, chunkSize);
      if (answer.kind === 'UploadResumable') return answer;
      // It may have been published since this call came in: what is in the way is this very content, or what was staged is cleaned.
      const meanwhile = await finishedAnswer(this.#services, call);
      if (meanwhile !== undefined) {
        await this.#services.locks.release(claimKey(call));
        await strikeOut(this.#services, call.identity);
      } else if (answer.kind === 'UploadReady') await this.#services.feed.forget(call.identity.id);
      return meanwhile ?? answer;
    });
  }

  async #unfinishedStatus(call: UploadCall, input: UploadStatusInput, chunkSize: number): Promise<UploadStatusAnswer> {
    const { locks, assembly } = this.#services;
    const holder = await locks.holder(call.identity.targetKey);
    if (holder !== undefined && holder.person !== call.identity.person) return lockedProblem(call, holder);
    const staged = await assembly.find(call.host, call.identity, call.target);
    const published = staged === undefined ? undefined : await this.#merges.finishCutOff(staged, call.target);
    if (published !== undefined) return published;
    const objection = await this.#objection(call, input, staged);
    if (objection !== undefined) return objection;
    const received = staged === undefined ? undefined : await receivedIfAny(staged);
    const booking = await book(this.#services, call, { sizeBytes: input.size, uploadedBytes: received?.uploadedBytes });
    if (booking.kind === 'Refused') return booking;
    if (!booking.isNew) return this.#claim(call, input, { chunkSize, holder, staged, received });
    try {
      const answer = await this.#claim(call, input, { chunkSize, holder, staged, received });
      if ('code' in answer) await this.#strikeOutUnclaimed(call);
      return answer;
    } catch (error) {
      await this.#strikeOutUnclaimed(call);
      throw error;
    }
  }

  /** Unless the same call, made twice, got the claim the other time. */
  async #strikeOutUnclaimed(call: UploadCall): Promise<void> {
    const holder = await this.#services.locks.holder(call.identity.targetKey).catch(() => undefined);
    if (holder?.upload !== call.identity.uploadKey) await strikeOut(this.#services, call.identity);
  }

  async #claim(
    call: UploadCall,
    input: UploadStatusInput,
    { chunkSize, holder, staged, received }: Found,
  ): Promise<UploadStatusAnswer> {
    const { locks, limits, feed } = this.#services;
    const outcome = await locks.claim({
      ...claimKey(call),
      ttlMs: limits.claimTtlMs,
      move: input.takeOver ? 'always' : 'when-idle',
      idleMs: ACTIVE_MS,
      declared: { size: input.size, chunkSize },
      isFresh: received === undefined,
    });
    if (outcome.kind === 'taken') return lockedProblem(call, outcome.claim);
    if (holder !== undefined && holder.upload !== call.identity.uploadKey) await this.#tellMoved(holder);
    if (outcome.created) await yieldToOthers(this.#services, call, input.takeOver ? 0 : ACTIVE_MS);
    const claimedUntil = outcome.claim.until;
    if (staged === undefined || received === undefined) {
      return { kind: 'UploadReady', claimedUntil, chunkSize, chunkCount: chunkPlan(input.size, chunkSize).chunkCount };
    }
    // The end of an earlier merge is history; who watches from now on waits for the next.
    const last = await feed.last(call.identity.id);
    if (last !== undefined && isTerminal(last)) await feed.forget(call.identity.id);
    await this.#merges.bringBack(staged);
    await feed.knowReceived(call.identity.id, received.indexes(), received.plan);
    const { plan, uploadedBytes, count: uploadedCount } = received;
    const cut = { chunkSize: plan.chunkSize, chunkCount: plan.chunkCount };
    return { kind: 'UploadResumable', claimedUntil, ...cut, uploadedBytes, uploadedCount };
  }

  /** Opens the staging directory and reads from the host which chunks are there. Idempotent. */
  async dirInfo(caller: Caller, file: FileRefInput): Promise<DirInfoAnswer> {
    return onHost<DirInfoAnswer>(this.#services, { caller, operation: 'dirInfo', file }, async (call) => {
      return entering(this.#services, call, async (staged) => {
        await this.#merges.bringBack(staged);
        const received = await staged.received();
        // What arrives from now on is told as part of that.
        await this.#services.feed.knowReceived(call.identity.id, received.indexes(), received.plan);
        return dirInfoOf(call, staged, received, await staged.strategy());
      });
    });
  }

  /** Every chunk is given up; what was published before stays. Idempotent. */
  async abort(caller: Caller, file: FileRefInput): Promise<AbortUploadAnswer> {
    return onHost<AbortUploadAnswer>(this.#services, { caller, operation: 'abortUpload', file }, async (call) => {
      const finished = await finishedAnswer(this.#services, call);
      if (finished !== undefined) return finished;
      const seized = await this.#seize(call);
      if (seized.kind === 'taken' && seized.claim.person !== caller.person) return lockedProblem(call, seized.claim);
      try {
        return await this.#giveUp(call);
      } catch (error) {
        if (seized.kind === 'held' && seized.created) await this.#services.locks.release(claimKey(call)).catch(() => undefined);
        // Its merge has lost its lease over this, and says nothing more.
        await this.#merges.takeUp(call.identity).catch(() => undefined);
        throw error;
      }
    });
  }

  /** From now on no chunk and no merge of this upload goes on, through whichever process. */
  async #seize(call: UploadCall): Promise<LeaseOutcome> {
    const { locks, hashing, limits } = this.#services;
    const token = hashing.nonce(TOKEN_BYTES);
    return locks.seizeMerge({ ...claimKey(call), ttlMs: limits.claimTtlMs, token, leaseMs: MERGE_LEASE_MS });
  }

  /** What the merge and the chunks can't notice at once, as they run in other processes, they notice by the names that are gone. */
  async #giveUp(call: UploadCall): Promise<AbortUploadAnswer> {
    const { assembly, feed, locks, clock } = this.#services;
    const { id } = call.identity;
    const problem = refused('ABORTED', 'this upload was aborted');
    const holder = await locks.holder(call.identity.targetKey);
    const declared = holder?.upload === call.identity.uploadKey ? holder.declared : undefined;
    const [staged, last] = await Promise.all([assembly.find(call.host, call.identity, call.target), feed.last(id)]);
    // An abort that was cut off may have come so far that only its viewers are left.
    const isKnown = staged !== undefined || declared !== undefined || (last !== undefined && !isTerminal(last));
    // The rename decides; what comes before it could be in vain.
    const outcome = await staged?.discard();
    await this.#merges.cancel(id);
    await this.#chunks.stop(id, new ProblemError(problem));
    if (outcome?.kind === 'published' && staged !== undefined) return this.#merges.finishPublished(staged, outcome.published);
    // Also of what was known: it may have been published, and cleaned, since this call came in.
    const finished = await finishedAnswer(this.#services, call);
    const answer = finished ?? (isKnown ? undefined : await this.#endedAlready(call));
    const abortedAt = clock.now();
    if (answer === undefined) {
      const totalBytes = staged?.manifest.size ?? declared?.size ?? 0;
      await feed.publish(id, unproved({ phase: 'ABORTED', doneBytes: 0, totalBytes, problem, updatedAt: abortedAt }));
    }
    // Not before its end is told, so that nobody begins the same upload meanwhile.
    await locks.release(claimKey(call));
    await strikeOut(this.#services, call.identity);
    await this.#removeLatecomer(call);
    return answer ?? { kind: 'UploadAborted', abortedAt };
  }

  /**
   * A call that had come in before may have made the staging directory after it was looked for. Whoever begins anew has declared it; a claim
   * without that is of another such call, for the moment.
   */
  async #removeLatecomer(call: UploadCall): Promise<void> {
    const latecomer = await this.#services.assembly.find(call.host, call.identity, call.target);
    if (latecomer === undefined) return;
    const { locks, limits } = this.#services;
    const request = { ...claimKey(call), ttlMs: limits.claimTtlMs, move: 'never', idleMs: ACTIVE_MS } as const;
    const claim = await locks.claim(request);
    if (claim.kind !== 'held' || claim.claim.declared !== undefined) return;
    await latecomer.discard();
    await locks.release(claimKey(call));
  }

  /** To those who watch the content that gave way: nothing more comes of it until it is begun again. */
  async #tellMoved(claim: Claim): Promise<void> {
    const { feed, hashing, clock } = this.#services;
    const id = uploadId(hashing, claim.target, claim.upload);
    const last = await feed.last(id);
    if (last === undefined || isTerminal(last)) return;
    const problem = refused('UPLOAD_UNKNOWN', 'other content of the same person took the claim on this path', true);
    const state = { doneBytes: last.doneBytes, totalBytes: last.totalBytes, problem, updatedAt: clock.now() };
    await feed.publish(id, unproved({ phase: 'FAILED', ...state }));
  }

  /** The answer about an upload of which there is nothing. */
  async #endedAlready(call: UploadCall): Promise<AbortUploadAnswer> {
    const last = await this.#services.feed.last(call.identity.id);
    if (last?.phase === 'ABORTED') return { kind: 'UploadAborted', abortedAt: last.updatedAt };
    return refused('UPLOAD_UNKNOWN', 'no such upload is under way');
  }

  /** What speaks against this upload before anybody claims anything. */
  async #objection(call: UploadCall, input: UploadStatusInput, staged: StagedUpload | undefined) {
    const { limits, hashing, assembly, queue } = this.#services;
    if (input.size > limits.maxFileBytes) {
      return refused('QUOTA_EXCEEDED', `a file may have at most ${limits.maxFileBytes} bytes here`);
    }
    if (staged !== undefined && staged.manifest.size !== input.size) {
      const begun = staged.manifest.size.toString();
      return refused('SIZE_MISMATCH', `this upload was begun with ${begun} bytes, not ${input.size}`);
    }
    // A merge that is under way looks for itself, and what is there may be its own doing.
    const isMerging = staged !== undefined && (await queue.has(call.identity.id));
    const objection = isMerging ? undefined : replaceObjection(hashing, call.target.facts, input);
    if (objection !== undefined) return objection;
    const powers = await assembly.powers(call.host, call.target);
    if (powers.strategy === undefined)
      return refused(
        'HOST_UNSUPPORTED',
        'this host has no way to publish a file atomically, or can not do what its strategy in the configuration needs',
      );
    if (input.ifExists === 'REPLACE' && !powers.capabilities.includes('POSIX_RENAME')) {
      return refused('HOST_UNSUPPORTED', 'this host offers no way to replace a file atomically');
    }
    return undefined;
  }
}

/** What there was before the claim is taken. */
interface Found {
  readonly chunkSize: number;
  readonly holder: Claim | undefined;
  readonly staged: StagedUpload | undefined;
  readonly received: ReceivedMap | undefined;
}

/** One content has one size; a fingerprint that is the same for two names neither. */
function sameSize(finished: UploadFinished, size: number): UploadFinished | Refused {
  if (finished.size === size) return finished;
  return refused('SIZE_MISMATCH', `this content was published with ${finished.size} bytes, not ${size}`);
}

function checkSize(size: number): void {
  if (!Number.isSafeInteger(size) || size < 0) throw new InputError('size', 'size must be 0 … 2^53-1 bytes');
}

function dirInfoOf(call: UploadCall, staged: StagedUpload, received: ReceivedMap, strategy: MergeStrategy): DirInfo {
  const { target, id } = call.identity;
  return {
    kind: 'DirInfo',
    name: nameOf(target),
    dir: staged.directory,
    dirHashCode: id,
    size: received.plan.size,
    chunkSize: received.plan.chunkSize,
    chunkCount: received.plan.chunkCount,
    uploadedBytes: received.uploadedBytes,
    uploadedCount: received.count,
    chunkList: received.indexes(),
    chunks: (page) => received.page(page),
    missing: received.missing(),
    strategy,
  };
}
