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
import type { ReceivedMap } from './chunks.js';
import { chooseChunkSize, chunkPlan } from './chunks.js';
import { ACTIVE_MS, checkOthers, claimKey, entering, finishedAnswer, lockedProblem } from './entrance.js';
import type { MergeService } from './merge-service.js';
import { InputError, ProblemError, refused } from './problems.js';
import type { Refused } from './problems.js';
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
    return onHost<UploadStatusAnswer>(this.#services, { caller, file: input.file }, async (call) => {
      const finished = await finishedAnswer(this.#services, call);
      if (finished !== undefined) return sameSize(finished, input.size);
      const answer = await this.#unfinishedStatus(call, input, chunkSize);
      if (answer.kind === 'UploadResumable') return answer;
      // It may have been published since this call came in: what is in the way is this very content, or what was staged is cleaned.
      const meanwhile = await finishedAnswer(this.#services, call);
      if (meanwhile !== undefined) await this.#services.locks.release(claimKey(call));
      else if (answer.kind === 'UploadReady') await this.#services.feed.forget(call.identity.id);
      return meanwhile ?? answer;
    });
  }

  async #unfinishedStatus(call: UploadCall, input: UploadStatusInput, chunkSize: number): Promise<UploadStatusAnswer> {
    const { locks, limits, assembly, feed } = this.#services;
    const holder = await locks.holder(call.identity.targetKey);
    if (holder !== undefined && holder.person !== call.identity.person) return lockedProblem(call, holder);
    const staged = await assembly.find(call.host, call.identity, call.target);
    const published = staged === undefined ? undefined : await this.#merges.finishCutOff(staged, call.target);
    if (published !== undefined) return published;
    const objection = await this.#objection(call, input, staged);
    if (objection !== undefined) return objection;

    const outcome = await locks.claim({
      ...claimKey(call),
      ttlMs: limits.claimTtlMs,
      move: input.takeOver ? 'always' : 'when-idle',
      idleMs: ACTIVE_MS,
      declared: { size: input.size, chunkSize },
    });
    if (outcome.kind === 'taken') return lockedProblem(call, outcome.claim);
    const received = await this.#receivedUnderClaim(call, staged, { ...input, isNew: outcome.created });
    const claimedUntil = outcome.claim.until;
    if (staged === undefined || received === undefined) {
      return { kind: 'UploadReady', claimedUntil, chunkSize, chunkCount: chunkPlan(input.size, chunkSize).chunkCount };
    }
    // The end of an earlier merge is history; who watches from now on waits for the next.
    const last = await feed.last(call.identity.id);
    if (last !== undefined && isTerminal(last)) await feed.forget(call.identity.id);
    await this.#merges.bringBack(staged);
    const { plan, uploadedBytes, count: uploadedCount } = received;
    const cut = { chunkSize: plan.chunkSize, chunkCount: plan.chunkCount };
    return { kind: 'UploadResumable', claimedUntil, ...cut, uploadedBytes, uploadedCount };
  }

  /** Opens the staging directory and reads from the host which chunks are there. Idempotent. */
  async dirInfo(caller: Caller, file: FileRefInput): Promise<DirInfoAnswer> {
    return onHost<DirInfoAnswer>(this.#services, { caller, file }, async (call) => {
      return entering(this.#services, call, async (staged) => {
        await this.#merges.bringBack(staged);
        return dirInfoOf(call, staged.directory, await staged.refreshReceived());
      });
    });
  }

  /** Every chunk is given up; what was published before stays. Idempotent. */
  async abort(caller: Caller, file: FileRefInput): Promise<AbortUploadAnswer> {
    const { assembly, feed, locks } = this.#services;
    return onHost<AbortUploadAnswer>(this.#services, { caller, file }, async (call) => {
      const finished = await finishedAnswer(this.#services, call);
      if (finished !== undefined) return finished;
      const { identity } = call;
      const claim = await locks.holder(identity.targetKey);
      if (claim !== undefined && claim.person !== identity.person) return lockedProblem(call, claim);
      const staged = await assembly.find(call.host, identity, call.target);
      await staged?.withdrawMergeRequest();
      await this.#merges.cancel(identity.id);
      await this.#chunks.stop(identity.id, new ProblemError(refused('ABORTED', 'this upload was aborted')));
      if (staged === undefined && claim?.upload !== identity.uploadKey) {
        const last = await feed.last(identity.id);
        if (last?.phase === 'ABORTED') return { kind: 'UploadAborted', abortedAt: last.updatedAt };
        return (await finishedAnswer(this.#services, call)) ?? refused('UPLOAD_UNKNOWN', 'no such upload is under way');
      }
      const outcome = await staged?.discard();
      if (outcome?.kind === 'published' && staged !== undefined) return this.#merges.finishPublished(staged, outcome.published);
      await locks.release(claimKey(call));
      const abortedAt = this.#services.clock.now();
      const totalBytes = staged?.manifest.size ?? claim?.declared?.size ?? 0;
      const problem = refused('ABORTED', 'this upload was aborted');
      await feed.publish(identity.id, unproved({ phase: 'ABORTED', doneBytes: 0, totalBytes, problem, updatedAt: abortedAt }));
      return { kind: 'UploadAborted', abortedAt };
    });
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
        'this host can not both take chunks at any offset and publish a file atomically, and this version needs both',
      );
    if (input.ifExists === 'REPLACE' && !powers.capabilities.includes('POSIX_RENAME')) {
      return refused('HOST_UNSUPPORTED', 'this host offers no way to replace a file atomically');
    }
    return undefined;
  }

  /** What is there already; undefined for nothing. A claim that is new, and of no use after all, is given back. */
  async #receivedUnderClaim(
    call: UploadCall,
    staged: StagedUpload | undefined,
    input: UploadStatusInput & { readonly isNew: boolean },
  ): Promise<ReceivedMap | undefined> {
    try {
      const received = staged === undefined ? undefined : await receivedIfAny(staged);
      if (input.isNew) await checkOthers(this.#services, call, input.takeOver ? 0 : ACTIVE_MS);
      await this.#checkSpace(call, input.size - (received?.uploadedBytes ?? 0));
      return received;
    } catch (error) {
      if (input.isNew) await this.#services.locks.release(claimKey(call));
      throw error;
    }
  }

  async #checkSpace(call: UploadCall, neededBytes: number): Promise<void> {
    const free = await this.#services.assembly.freeBytes(call.host, call.target);
    if (free === undefined || free >= neededBytes) return;
    const message = `${neededBytes} bytes are to come and ${free} are free on the host`;
    throw new ProblemError(refused('NOT_ENOUGH_SPACE', message, true));
  }
}

/** One content has one size; a fingerprint that is the same for two names neither. */
function sameSize(finished: UploadFinished, size: number): UploadFinished | Refused {
  if (finished.size === size) return finished;
  return refused('SIZE_MISMATCH', `this content was published with ${finished.size} bytes, not ${size}`);
}

/** Undefined when somebody on the host has removed what was staged: then the upload begins afresh. */
async function receivedIfAny(staged: StagedUpload): Promise<ReceivedMap | undefined> {
  try {
    return await staged.refreshReceived();
  } catch (error) {
    if (error instanceof ProblemError && error.problem.code === 'UPLOAD_UNKNOWN') return undefined;
    throw error;
  }
}

function checkSize(size: number): void {
  if (!Number.isSafeInteger(size) || size < 0) throw new InputError('size', 'size must be 0 … 2^53-1 bytes');
}

function dirInfoOf(call: UploadCall, directory: string, received: ReceivedMap): DirInfo {
  const { target, id } = call.identity;
  return {
    kind: 'DirInfo',
    name: nameOf(target),
    dir: directory,
    dirHashCode: id,
    size: received.plan.size,
    chunkSize: received.plan.chunkSize,
    chunkCount: received.plan.chunkCount,
    uploadedBytes: received.uploadedBytes,
    uploadedCount: received.count,
    chunkList: received.indexes(),
    chunks: (page) => received.page(page),
    missing: received.missing(),
    strategy: 'IN_PLACE',
  };
}
