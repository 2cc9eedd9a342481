// The calls that bring chunks to a host: may I, what is there, take this one, give it up.
import { Arrivals } from './arrivals.js';
import type {
  AbortUploadAnswer,
  Caller,
  DirInfo,
  DirInfoAnswer,
  FileRefInput,
  UploadChunkAnswer,
  UploadChunkInput,
  UploadStatusAnswer,
  UploadStatusInput,
} from './answers.js';
import type { ReceivedMap } from './chunks.js';
import { checkIndex, chooseChunkSize, chunkPlan } from './chunks.js';
import { ACTIVE_MS, checkOthers, claimKey, entering, finishedAnswer, lockedProblem } from './entrance.js';
import { checkChunkDigest } from './file-ref.js';
import type { MergeService } from './merge-service.js';
import { InputError, ProblemError, refused, tryAgainLater } from './problems.js';
import { unproved } from './progress.js';
import { nameOf } from './remote-path.js';
import type { Services, UploadCall } from './services.js';
import { onHost } from './services.js';
import { SLOT_LEASE_MS, holdingLease } from './lease.js';
import type { Held } from './lease.js';
import type { ReceiveOutcome, StagedUpload } from './staging.js';
import { replaceObjection } from './target.js';

const TOKEN_BYTES = 16;

export class UploadService {
  readonly #services: Services;
  readonly #merges: MergeService;
  readonly #inFlight = new Map<string, number>();
  readonly #arrivals = new Arrivals();

  constructor(services: Services, merges: MergeService) {
    this.#services = services;
    this.#merges = merges;
  }

  /** Claims the target for the caller when it is free. Idempotent. */
  async status(caller: Caller, input: UploadStatusInput): Promise<UploadStatusAnswer> {
    const { locks, limits, assembly, feed } = this.#services;
    checkSize(input.size);
    const chunkSize = chooseChunkSize(input.size, input.chunkSize, limits);
    return onHost<UploadStatusAnswer>(this.#services, { caller, file: input.file }, async (call) => {
      const finished = await finishedAnswer(this.#services, call);
      if (finished !== undefined) return finished;
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
        await feed.forget(call.identity.id);
        return { kind: 'UploadReady', claimedUntil, chunkSize, chunkCount: chunkPlan(input.size, chunkSize).chunkCount };
      }
      await this.#merges.bringBack(staged);
      const { plan, uploadedBytes, count: uploadedCount } = received;
      const cut = { chunkSize: plan.chunkSize, chunkCount: plan.chunkCount };
      return { kind: 'UploadResumable', claimedUntil, ...cut, uploadedBytes, uploadedCount };
    });
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

  async putChunk(caller: Caller, input: UploadChunkInput): Promise<UploadChunkAnswer> {
    checkChunkDigest(input.digest);
    if (!Number.isInteger(input.index) || input.index < 1) throw new InputError('index', 'index must be 1 or more');
    const { chunksInFlightPerPerson } = this.#services.limits;
    const underWay = this.#inFlight.get(caller.person) ?? 0;
    if (underWay >= chunksInFlightPerPerson) {
      return tryAgainLater('RATE_LIMITED', `${underWay} chunks of yours are under way already`);
    }
    this.#inFlight.set(caller.person, underWay + 1);
    try {
      return await onHost(this.#services, { caller, file: input.file }, (call) => this.#takeChunk(call, input));
    } finally {
      const left = (this.#inFlight.get(caller.person) ?? 1) - 1;
      if (left === 0) this.#inFlight.delete(caller.person);
      else this.#inFlight.set(caller.person, left);
    }
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
      await this.#arrivals.stop(identity.id, new ProblemError(refused('ABORTED', 'this upload was aborted')));
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
    const { limits, hashing, assembly } = this.#services;
    if (input.size > limits.maxFileBytes) {
      return refused('QUOTA_EXCEEDED', `a file may have at most ${limits.maxFileBytes} bytes here`);
    }
    if (staged !== undefined && staged.manifest.size !== input.size) {
      const begun = staged.manifest.size.toString();
      return refused('SIZE_MISMATCH', `this upload was begun with ${begun} bytes, not ${input.size}`);
    }
    const objection = replaceObjection(hashing, call.target.facts, input);
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

  async #takeChunk(call: UploadCall, input: UploadChunkInput): Promise<UploadChunkAnswer> {
    const { locks, clock, hashing, limits } = this.#services;
    const token = hashing.nonce(TOKEN_BYTES);
    const request = { ...claimKey(call), ttlMs: limits.claimTtlMs, index: input.index, token, leaseMs: SLOT_LEASE_MS };
    const lease = {
      clock,
      leaseMs: SLOT_LEASE_MS,
      leasedAt: clock.monotonic(),
      renew: () => locks.leaseSlot(request),
      release: () => locks.releaseSlot(request),
    };
    const work = (staged: StagedUpload) => holdingLease(lease, (slot) => this.#receive(call, staged, { ...input, slot }));
    try {
      return await entering(this.#services, call, work, lease.renew);
    } catch (error) {
      // Whoever doesn't get in gives the lease back, too; a second time does no harm.
      await lease.release().catch(() => undefined); // It lapses by itself.
      throw error;
    }
  }

  async #receive(call: UploadCall, staged: StagedUpload, input: UploadChunkInput & { readonly slot: Held }) {
    const { index, digest, pieces, slot } = input;
    checkIndex(chunkPlan(staged.manifest.size, staged.manifest.chunkSize), index);
    const arrival = this.#arrivals.begin(call.identity.id);
    try {
      const outcome = await staged.receive({
        index,
        ...(digest !== undefined && { digest }),
        pieces,
        signal: AbortSignal.any([input.signal, slot.signal, arrival.signal]),
        check: slot.check,
      });
      const received = await staged.received();
      if (outcome.kind === 'stored' && !outcome.alreadyStored) await this.#tellReceiving(call, received);
      return chunkAnswer(input, outcome, received);
    } finally {
      arrival.end();
    }
  }

  async #tellReceiving(call: UploadCall, received: ReceivedMap): Promise<void> {
    const { feed, clock } = this.#services;
    // The upload was given up while this chunk was on its way; that is the end of it.
    if ((await feed.last(call.identity.id))?.phase === 'ABORTED') return;
    const state = { doneBytes: received.uploadedBytes, totalBytes: received.plan.size, updatedAt: clock.now() };
    await feed.publish(call.identity.id, unproved({ phase: 'RECEIVING', ...state }));
  }
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

function chunkAnswer(input: UploadChunkInput, outcome: ReceiveOutcome, received: ReceivedMap): UploadChunkAnswer {
  const { index } = input;
  switch (outcome.kind) {
    case 'stored': {
      const { digest, alreadyStored } = outcome;
      const { uploadedBytes, count: uploadedCount } = received;
      return { kind: 'ChunkStored', index, digest, alreadyStored, uploadedBytes, uploadedCount };
    }
    case 'conflict':
      return refused('CHUNK_CONFLICT', `chunk ${index} is on the host already, with other bytes`);
    case 'digest-mismatch': {
      const { expected, actual } = outcome;
      const message = `chunk ${index} arrived with other bytes than its digest says`;
      return { kind: 'DigestMismatch', code: 'DIGEST_MISMATCH', message, retryable: true, index, expected, actual };
    }
    case 'length-mismatch': {
      const expected = outcome.expectedBytes.toString();
      return refused('SIZE_MISMATCH', `chunk ${index} has ${expected} bytes, and another number came`, true);
    }
  }
}
