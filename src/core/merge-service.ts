// The end of an upload: asking for the merge, watching it, and what the queue runs.
import type { Caller, FileRefInput, MergeFileAnswer, MergeFileInput, UploadFinished } from './answers.js';
import { chunkPlan, chunksMissing } from './chunks.js';
import { entering, finishedAnswer, receivedIfAny, rememberedFirst } from './entrance.js';
import type { ContentDigest, UploadIdentity } from './file-ref.js';
import { claimedDigest, parseContentDigest } from './file-ref.js';
import { orElse, prepared } from './latest.js';
import { doneProgress, failedProgress, finishUpload } from './ending.js';
import { giveUpMerge, runMerge } from './merge-run.js';
import type { MergeJob } from './ports.js';
import { InputError, refused } from './problems.js';
import type { Problem } from './problems.js';
import type { MergeProgress } from './progress.js';
import { isMerging, isTerminal, unproved } from './progress.js';
import type { Services, UploadCall } from './services.js';
import { answering, onHost, problemOf } from './services.js';
import type { MergeRequest, Published, StagedUpload } from './staging.js';
import { replaceObjection } from './target.js';
import type { Target } from './target.js';
import { Audience } from './viewer.js';

type MergeWish = Omit<MergeFileInput, 'digest'> & { readonly digest?: ContentDigest };

export class MergeService {
  readonly #services: Services;
  readonly #runs = new Map<string, { readonly stop: AbortController; readonly done: Promise<void> }>();
  /** By the upload's id. */
  readonly #audiences = new Map<string, Audience>();

  constructor(services: Services) {
    this.#services = services;
  }

  /** Puts the merge in the queue and answers at once. Idempotent; the newest options win until publication. */
  async request(caller: Caller, input: MergeFileInput): Promise<MergeFileAnswer> {
    if (!Number.isInteger(input.chunkCount) || input.chunkCount < 0)
      throw new InputError('chunkCount', 'chunkCount must be 0 or more');
    const { digest: _, ...options } = input;
    const digest = mergeDigest(input);
    const wish: MergeWish = { ...options, ...(digest && { digest }) };
    return onHost<MergeFileAnswer>(this.#services, { caller, operation: 'mergeFile', file: input.file }, async (call) => {
      const answer = await rememberedFirst((by) =>
        entering(this.#services, call, (staged) => this.#ask(call, staged, wish), { by }),
      );
      return answer.kind === 'UploadFinished' ? { kind: 'MergeStarted', progress: doneProgress(answer) } : answer;
    });
  }

  /** See `Longshore.mergeProgress`. */
  watch(caller: Caller, file: FileRefInput): AsyncIterable<MergeProgress> {
    return prepared(async () => {
      const { feed } = this.#services;
      const answer = await onHost(this.#services, { caller, operation: 'mergeProgress', file }, async (call) => {
        const { id } = call.identity;
        const present = this.#audiences.get(id);
        // What others are shown is the present state, and what was lost of it is looked for on everybody's behalf.
        if (present !== undefined) return { kind: 'watch' as const, states: present.join() };
        const problem = await answering(() => this.#ensureState(call));
        // It may have ended while it was looked for.
        const last = problem?.code === 'UPLOAD_UNKNOWN' ? await feed.last(id) : undefined;
        const isOver = last !== undefined && isTerminal(last);
        if (problem !== undefined && !isOver) return problem;
        return { kind: 'watch' as const, states: this.#audience(call.identity).join() };
      });
      return answer.kind === 'watch' ? answer.states : only(failedProgress(this.#services, answer));
    });
  }

  /** For whoever seized a merge and could not do what he wanted: those who watch it must not wait for ever. */
  async takeUp(identity: UploadIdentity): Promise<void> {
    const { queue, feed } = this.#services;
    const last = await feed.last(identity.id);
    if (last !== undefined && isMerging(last)) await queue.add(jobOf(identity));
  }

  /** Queues a merge that was asked for and has no job: its process died, or the queue lost it. */
  async bringBack(staged: StagedUpload): Promise<void> {
    if (await this.#services.queue.has(staged.identity.id)) return;
    const request = await staged.mergeRequest();
    if (request !== undefined) await this.#enqueue(staged);
  }

  /** Ends a merge that waits, or runs in this process, without a word to its viewers, and waits until it has ended. */
  async cancel(id: string): Promise<void> {
    await this.#services.queue.remove(id);
    const run = this.#runs.get(id);
    run?.stop.abort(new Error('the upload was aborted'));
    await run?.done;
  }

  /** What the queue runs. Never rejects: a failed merge is a state that its viewers see. */
  async run(job: MergeJob, signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const run = { stop, done: runMerge(this.#services, job, AbortSignal.any([signal, stop.signal])) };
    this.#runs.set(job.id, run);
    await run.done;
    // A job that was thought dead may run here a second time by now.
    if (this.#runs.get(job.id) === run) this.#runs.delete(job.id);
  }

  /** For a merge that is not run again: see `MergeQueue.process`. */
  giveUp(job: MergeJob, signal: AbortSignal): Promise<void> {
    return giveUpMerge(this.#services, job, signal);
  }

  /** Ends an upload that a run published before it was cut off; undefined when none did, or one is at it now. */
  async finishCutOff(staged: StagedUpload, target: Target): Promise<UploadFinished | undefined> {
    if (target.facts === undefined || (await this.#services.queue.has(staged.identity.id))) return undefined;
    const published = await staged.recoverPublication();
    return published === undefined ? undefined : this.finishPublished(staged, published);
  }

  /** For whoever finds that publication came first. */
  finishPublished(staged: StagedUpload, published: Published): Promise<UploadFinished> {
    return finishUpload(this.#services, staged, published);
  }

  #audience(identity: UploadIdentity): Audience {
    const { id } = identity;
    const present = this.#audiences.get(id);
    if (present !== undefined) return present;
    const states = orElse(this.#services.feed.watch(id), (error) => {
      const problem = problemOf(error);
      return problem === undefined ? undefined : failedProgress(this.#services, problem);
    });
    const audience = new Audience(states, {
      clock: this.#services.clock,
      onSilence: (shown) => this.#lookAgain(identity, shown),
      onOver: () => this.#audiences.delete(id),
    });
    this.#audiences.set(id, audience);
    return audience;
  }

  async #ask(call: UploadCall, staged: StagedUpload, wish: MergeWish): Promise<MergeFileAnswer | UploadFinished> {
    const published = await this.finishCutOff(staged, call.target);
    if (published !== undefined) return published;
    const { chunkCount } = chunkPlan(staged.manifest.size, staged.manifest.chunkSize);
    if (wish.chunkCount !== chunkCount) {
      return refused('SIZE_MISMATCH', `this upload has ${chunkCount} chunks, not ${wish.chunkCount}`);
    }
    const received = await staged.received();
    if (!received.isComplete) return chunksMissing(received);
    const objection = await this.#objection(call, wish, staged);
    if (objection !== undefined) return objection;
    const { ifExists, ifMatch, digest } = wish;
    const request: MergeRequest = {
      ifExists,
      ...(ifMatch !== undefined && { ifMatch }),
      ...(digest && { digest }),
      askedAt: this.#services.clock.now(),
    };
    await staged.requestMerge(request);
    return { kind: 'MergeStarted', progress: await this.#enqueue(staged, request) };
  }

  async #objection(call: UploadCall, wish: MergeWish, staged: StagedUpload) {
    const objection = replaceObjection(this.#services.hashing, call.target.facts, wish);
    // A run that is under way looks for itself, and what is there may be its own doing.
    return objection === undefined || (await this.#services.queue.has(staged.identity.id)) ? undefined : objection;
  }

  /**
   * `request` is one that is asked for now. Told first: a job tells what comes next as soon as there is one. When it can't be added, who
   * watches looks again, and adds it.
   */
  async #enqueue(staged: StagedUpload, request?: MergeRequest): Promise<MergeProgress> {
    const { queue, feed, clock } = this.#services;
    const { identity, manifest } = staged;
    const queued = unproved({ phase: 'QUEUED', doneBytes: 0, totalBytes: manifest.size, updatedAt: clock.now() });
    const asked = request && { askedAt: request.askedAt, text: JSON.stringify(request) };
    const progress = await feed.ask(identity.id, queued, asked);
    await queue.add(jobOf(identity));
    return progress;
  }

  /**
   * For who was told nothing for a while: a merge whose job is nowhere, since the store lost it, gets one, and with it goes on, or ends. The store
   * may have lost its state, too.
   */
  async #lookAgain(identity: UploadIdentity, shown: MergeProgress): Promise<MergeProgress | undefined> {
    const { queue, feed } = this.#services;
    if (isMerging(shown)) {
      await feed.begin(identity.id, shown);
      if (!(await queue.has(identity.id))) await this.takeUp(identity);
    }
    return feed.last(identity.id);
  }

  /** Makes sure that the feed holds the present state; a problem when there is nothing to watch. */
  async #ensureState(call: UploadCall): Promise<Problem | undefined> {
    const { feed, assembly, locks, queue, clock } = this.#services;
    const { identity, host, target } = call;
    const finished = await finishedAnswer(this.#services, call);
    const last = await feed.last(identity.id);
    if (finished !== undefined) {
      if (last?.phase !== 'DONE') await feed.publish(identity.id, doneProgress(finished));
      return undefined;
    }
    if (last !== undefined && isTerminal(last)) return undefined;
    // Under way: what is staged is the merge's own business.
    if (last !== undefined && isMerging(last) && (await queue.has(identity.id))) return undefined;
    const staged = await assembly.find(host, identity, target);
    if (staged !== undefined) await this.bringBack(staged);
    if (last !== undefined || (await feed.last(identity.id)) !== undefined) return undefined;
    const claim = await locks.holder(identity.targetKey);
    const declared = claim?.upload === identity.uploadKey && claim.person === identity.person ? claim.declared : undefined;
    const received = staged === undefined ? undefined : await receivedIfAny(staged);
    const totalBytes = received?.plan.size ?? declared?.size;
    if (totalBytes === undefined) return refused('UPLOAD_UNKNOWN', 'no such upload is under way; begin with uploadStatus');
    const doneBytes = received?.uploadedBytes ?? 0;
    const state = { doneBytes, totalBytes, updatedAt: clock.now() };
    await feed.begin(identity.id, unproved({ phase: 'RECEIVING', ...state }));
    return undefined;
  }
}

function jobOf({ id, hostId, target, person, hashCode }: UploadIdentity): MergeJob {
  return { id, hostId, target, person, hashCode };
}

/** The hash `mergeFile` brings; it may repeat `hashCode`, not contradict it. */
function mergeDigest(input: MergeFileInput): ContentDigest | undefined {
  if (input.digest === undefined) return undefined;
  const digest = parseContentDigest('digest', input.digest);
  const claimed = claimedDigest(input.file.hashCode);
  if (claimed?.algorithm === digest.algorithm && claimed.hex !== digest.hex) {
    throw new InputError('digest', 'digest is not the hash that hashCode says');
  }
  return digest;
}

async function* only<T>(value: T): AsyncIterable<T> {
  await Promise.resolve();
  yield value;
}
