// Taking one chunk: its lease, the way to the host, and what was there already.
import { Arrivals } from './arrivals.js';
import type { Caller, UploadChunkAnswer, UploadChunkInput } from './answers.js';
import type { ReceivedMap } from './chunks.js';
import { checkIndex, chunkPlan } from './chunks.js';
import { claimKey, entering } from './entrance.js';
import { checkChunkDigest } from './file-ref.js';
import type { Held } from './lease.js';
import { SLOT_LEASE_MS, holdingLease } from './lease.js';
import { InputError, ProblemError, refused, tryAgainLater } from './problems.js';
import { unproved } from './progress.js';
import type { Services, UploadCall } from './services.js';
import { onHost } from './services.js';
import type { ReceiveOutcome, StagedUpload } from './staging.js';

const TOKEN_BYTES = 16;

export class ChunkService {
  readonly #services: Services;
  readonly #inFlight = new Map<string, number>();
  readonly #arrivals = new Arrivals();

  constructor(services: Services) {
    this.#services = services;
  }

  async put(caller: Caller, input: UploadChunkInput): Promise<UploadChunkAnswer> {
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

  /** Ends the chunks of an upload that arrive in this process, with `reason`, and waits until they have ended. */
  stop(id: string, reason: Error): Promise<void> {
    return this.#arrivals.stop(id, reason);
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
      const known = isBusy(error) ? await this.#alreadyThere(call, input) : undefined;
      if (known === undefined) throw error;
      return known;
    }
  }

  /** A chunk that is on the host already needs no lease: not its own, which another sender may have, nor while it is merged. */
  async #alreadyThere(call: UploadCall, input: UploadChunkInput): Promise<UploadChunkAnswer | undefined> {
    const staged = await this.#services.assembly.find(call.host, call.identity, call.target);
    const received = await staged?.received();
    const digest = received?.digest(input.index);
    if (received === undefined || digest === undefined || input.digest === undefined) return undefined;
    const isSame = digest === input.digest;
    return chunkAnswer(input, isSame ? { kind: 'stored', digest, alreadyStored: true } : { kind: 'conflict' }, received);
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

function isBusy(error: unknown): boolean {
  return error instanceof ProblemError && error.problem.code === 'CHUNK_BUSY';
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
