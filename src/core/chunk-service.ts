// Taking one chunk: its lease, the way to the host, and what was there already.
import { Arrivals } from './arrivals.js';
import type { Arrival } from './arrivals.js';
import { ChunkBooks } from './bookkeeping.js';
import type { Caller, UploadChunkAnswer, UploadChunkInput } from './answers.js';
import type { ChunkPlan, ReceivedMap } from './chunks.js';
import { checkIndex, chunkPlan } from './chunks.js';
import type { Admission } from './entrance.js';
import { claimKey, entering, rememberedFirst } from './entrance.js';
import { checkChunkDigest } from './file-ref.js';
import type { Held } from './lease.js';
import { Lease, SLOT_LEASE_MS, SLOT_WORD_MS, TOKEN_BYTES } from './lease.js';
import type { Arriving, ReceivedTotals } from './ports.js';
import { InputError, ProblemError, isFault, refused, tryAgainLater } from './problems.js';
import type { DigestMismatch, Refused } from './problems.js';
import type { Services, UploadCall } from './services.js';
import { onHost } from './services.js';
import { settled } from './settled.js';
import type { ReceiveOutcome, StagedUpload } from './staging.js';

export class ChunkService {
  readonly #services: Services;
  readonly #inFlight = new Map<string, number>();
  readonly #arrivals: Arrivals;
  readonly #books: ChunkBooks;

  constructor(services: Services) {
    this.#services = services;
    this.#arrivals = new Arrivals(services);
    this.#books = new ChunkBooks(services);
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
      return await onHost(this.#services, { caller, operation: 'uploadChunk', file: input.file }, (call) =>
        this.#takeChunk(call, input),
      );
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
    const noRoom = await this.#books.objection(this.#services, call);
    if (noRoom !== undefined) return noRoom;
    const chunk = { ...input, ...countedPieces(input.pieces) };
    return rememberedFirst(
      (by) => this.#underLease(call, chunk, by),
      () => chunk.readBytes() !== undefined,
    );
  }

  async #underLease(call: UploadCall, input: Chunk, by: Admission['by']): Promise<UploadChunkAnswer> {
    const { locks, clock, hashing, limits } = this.#services;
    const token = hashing.nonce(TOKEN_BYTES);
    const slot = { ...claimKey(call), ttlMs: limits.claimTtlMs, index: input.index, token, leaseMs: SLOT_LEASE_MS };
    const lease = new Lease({
      clock,
      leaseMs: SLOT_LEASE_MS,
      wordMs: SLOT_WORD_MS,
      ask: (renews) => locks.leaseSlot({ ...slot, ...(renews !== undefined && { renews }) }),
      release: () => locks.releaseSlot(slot),
    });
    const work = (staged: StagedUpload) => lease.hold((held) => this.#receive(call, staged, { ...input, held }));
    try {
      return await entering(this.#services, call, work, { take: () => lease.take(), by });
    } catch (error) {
      // Whoever doesn't get in gives the lease back, too.
      await lease.release();
      const known = isBusy(error) ? await this.#alreadyThere(call, input) : undefined;
      if (known === undefined) throw error;
      return known;
    }
  }

  /** A chunk that is on the host already needs no lease: not its own, which another sender may have, nor while it is merged. */
  async #alreadyThere(call: UploadCall, input: UploadChunkInput): Promise<UploadChunkAnswer | undefined> {
    if (input.digest === undefined) return undefined;
    const staged = await this.#services.assembly.find(call.host, call.identity, call.target);
    if (staged === undefined || input.index > planOf(staged).chunkCount) return undefined;
    const digest = await staged.storedDigest(input.index, input.digest);
    if (digest === undefined) return undefined;
    const isSame = digest === input.digest;
    return this.#answer(call, staged, {
      index: input.index,
      outcome: isSame ? { kind: 'stored', digest, alreadyStored: true } : { kind: 'conflict' },
      arriving: () => ({ plan: planOf(staged), bytes: 0 }),
    });
  }

  async #receive(call: UploadCall, staged: StagedUpload, input: Chunk & { readonly held: Held }) {
    const { index, digest, pieces, held } = input;
    checkIndex(planOf(staged), index);
    const arrival = this.#arrivals.begin(call.identity.id, planOf(staged));
    try {
      const outcome = await staged.receive({
        index,
        ...(digest !== undefined && { digest }),
        pieces,
        signal: AbortSignal.any([input.signal, held.signal, arrival.signal]),
        check: () => {
          held.check();
          // Bytes that are only compared with what is there already don't come by here.
          arrival.came(input.readBytes() ?? 0);
        },
        confirm: held.confirm,
      });
      // Both at once: one way to the store.
      const answering = this.#answer(call, staged, { index, outcome, arriving: arrival.received });
      const [answer] = await settled([answering, held.giveBack()]);
      return answer;
    } finally {
      arrival.end();
    }
  }

  async #answer(call: UploadCall, staged: StagedUpload, { index, outcome, arriving }: Stored): Promise<UploadChunkAnswer> {
    if (outcome.kind !== 'stored') return refusal(index, outcome);
    const { digest, alreadyStored } = outcome;
    const { bytes: uploadedBytes, count: uploadedCount } = await this.#tellReceived(call.identity.id, staged, {
      index,
      arriving: arriving(),
    });
    if (!alreadyStored) await this.#books.received(this.#services, call, staged, uploadedBytes);
    return { kind: 'ChunkStored', index, digest, alreadyStored, uploadedBytes, uploadedCount };
  }

  /** The chunk is stored, and that is the answer, also when the feed is away: then the host tells how much is there. */
  async #tellReceived(
    id: string,
    staged: StagedUpload,
    { index, arriving }: { readonly index: number; readonly arriving: Arriving },
  ): Promise<ReceivedTotals> {
    const { feed } = this.#services;
    let map: ReceivedMap | undefined;
    try {
      const totals = await feed.received(id, index, arriving);
      if (totals !== undefined) return totals;
      map = await staged.received();
      const known = await feed.knowReceived(id, map.indexes(), arriving.plan);
      return (await feed.received(id, index, arriving)) ?? known;
    } catch (error) {
      if (!isFault(error, 'COORDINATION_UNAVAILABLE')) throw error;
      const { count, uploadedBytes: bytes } = map ?? (await staged.received());
      return { count, bytes };
    }
  }
}

interface Chunk extends UploadChunkInput {
  /** Of `pieces`; undefined while nobody has begun to read them. */
  readonly readBytes: () => number | undefined;
}

interface Stored {
  readonly index: number;
  readonly outcome: ReceiveOutcome;
  /** What is still on its way through this process, once this chunk is not. */
  readonly arriving: Arrival['received'];
}

function planOf({ manifest }: StagedUpload): ChunkPlan {
  return chunkPlan(manifest.size, manifest.chunkSize);
}

/** The same pieces, and how many bytes of them were read; undefined while nobody has begun to. */
function countedPieces(pieces: AsyncIterable<Uint8Array>) {
  let readBytes: number | undefined;
  const counted: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]() {
      readBytes = 0;
      const source = pieces[Symbol.asyncIterator]();
      return {
        async next() {
          const result = await source.next();
          if (result.done !== true) readBytes = (readBytes ?? 0) + result.value.length;
          return result;
        },
        return: async () => (await source.return?.()) ?? { done: true, value: undefined },
      };
    },
  };
  return { pieces: counted, readBytes: () => readBytes };
}

function isBusy(error: unknown): boolean {
  return error instanceof ProblemError && error.problem.code === 'CHUNK_BUSY';
}

function refusal(index: number, outcome: Exclude<ReceiveOutcome, { readonly kind: 'stored' }>): DigestMismatch | Refused {
  switch (outcome.kind) {
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
