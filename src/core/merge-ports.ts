// What core needs of the world for merges, and for telling how far an upload is. Part of ports.ts.
import type { ChunkPlan } from './chunks.js';
import type { MergeProgress } from './progress.js';
import type { RemotePath } from './remote-path.js';

/** Names the upload whose merge was asked for. All else is read from the host. */
export interface MergeJob {
  readonly id: string;
  readonly hostId: string;
  readonly target: RemotePath;
  readonly person: string;
  readonly hashCode: string;
}

/** Jobs are shared by all processes with the same store; bounds are each process's own, and a cluster runs as many times as much. */
export interface MergeQueue {
  /** Does nothing when a job with this id waits; while one runs, it runs once more afterwards, so that no request is lost. */
  add(job: MergeJob): Promise<void>;
  /** Forgets a job that waits; one that runs goes on. */
  remove(id: string): Promise<void>;
  /** Whether a job with this id waits or runs. */
  has(id: string): Promise<boolean>;
  /**
   * Runs jobs on the hosts that this process knows, with a bound in all and one for each host; those on others are left to other processes. `work` handles
   * its own failures. `giveUp` is told of a job that is not run again, since one process after the other died over it; one of them may
   * have been thought dead and go on.
   */
  process(
    work: (job: MergeJob, signal: AbortSignal) => Promise<void>,
    giveUp: (job: MergeJob, signal: AbortSignal) => Promise<void>,
  ): void;
  /** Stops taking jobs and aborts the running ones. */
  close(): Promise<void>;
}

/** How much of an upload is on its host. */
export interface ReceivedTotals {
  readonly count: number;
  readonly bytes: number;
}

/** What one process knows of an upload's chunks that are on their way through it. */
export interface Arriving {
  readonly plan: ChunkPlan;
  /** Of chunks that aren't counted as received yet. */
  readonly bytes: number;
}

/** A request for a merge that nobody has answered yet. */
export interface Asked {
  /** Epoch ms; tells one request from another. */
  readonly askedAt: number;
  /** What was asked for, as core wrote it. */
  readonly text: string;
}

/** One writer at a time tells of an upload; who watches may do so through any process. `COORDINATION_UNAVAILABLE` as with locks. */
export interface ProgressFeed {
  /**
   * Stores the state as the latest, then tells every watcher, in one step. `DONE` stays until it is forgotten, and so does `ABORTED`,
   * which `DONE` alone replaces: who tells anything else had not noticed. So does a state whose request is newer than `answers`, the
   * `askedAt` that this one is about: the newer one's answer is yet to come. States stay for a time that the adapter is given; after a
   * terminal one, what was `received` and `asked` is forgotten.
   */
  publish(id: string, progress: MergeProgress, answers?: number): Promise<void>;
  /** The same where no state is stored; else nothing. */
  begin(id: string, progress: MergeProgress): Promise<void>;
  /**
   * Tells `queued` unless a merge is under way or the upload is `DONE` or `ABORTED`, and keeps `asked` as the newest request, in one
   * step. Without it, what was asked before stays. Gives the state that is stored then.
   */
  ask(id: string, queued: MergeProgress, asked?: Asked): Promise<MergeProgress>;
  /** The newest request, until a terminal state is told. */
  asked(id: string): Promise<Asked | undefined>;
  /**
   * Notes that a chunk is on the host, and gives all that is there by now, whichever process brought it. `arriving` is what is still on
   * its way through this one. Told is it only where no state or a failure is stored: else that is for `arriving`. Undefined, and nothing
   * done, while it isn't known what was there before: see `knowReceived`.
   */
  received(id: string, index: number, arriving: Arriving): Promise<ReceivedTotals | undefined>;
  /**
   * Tells `RECEIVING`: the bytes on the host, and those on their way there through this process and others, each as it told within the
   * last `ARRIVING_MS`. Never less than was told before, and never more than there are. Nothing is done while any other state is stored,
   * or while it isn't known what is on the host.
   */
  arriving(id: string, arriving: Arriving): Promise<void>;
  /** What was found on the host, added to what is known already. Idempotent; tells nobody. */
  knowReceived(id: string, indexes: readonly number[], plan: ChunkPlan): Promise<ReceivedTotals>;
  /** What was counted is no longer on the host: it is to be looked at anew, and what is told begins anew. */
  forgetReceived(id: string): Promise<void>;
  last(id: string): Promise<MergeProgress | undefined>;
  /** Forgets the stored state and what was received, so that a fresh upload doesn't begin with the end of an old one. */
  forget(id: string): Promise<void>;
  /**
   * The stored state at once when there is one, then newer ones; a slow reader sees the latest, and always the terminal one, which
   * ends it. Goes on, with the newest state, after the store was away.
   */
  watch(id: string): AsyncIterable<MergeProgress>;
}

/** A process that tells nothing of its arriving chunks for so long may be gone: they count no longer. */
export const ARRIVING_MS = 5_000;
