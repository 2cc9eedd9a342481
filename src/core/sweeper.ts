// Cleaning up on the hosts: uploads that nobody has touched for a long time, and what crashes left. One process does it for all.
import { mergeEvent } from './audit.js';
import { strikeOut } from './bookkeeping.js';
import type { UploadIdentity } from './file-ref.js';
import { finishUpload } from './ending.js';
import { isFault, refused } from './problems.js';
import { unproved } from './progress.js';
import { problemOf } from './services.js';
import type { Services } from './services.js';
import type { ExpiredUpload } from './staging.js';
import type { Host } from './ports.js';
import { TOKEN_BYTES } from './lease.js';

const HOUR_MS = 60 * 60_000;
/** Of the interval: for how long a host counts as swept. Less than the whole, so that the next round finds it free. */
const SWEPT_FOR = 0.8;
/** How long another process leaves a host alone that is being swept, or could not be. */
const BUSY_MS = 5 * 60_000;
/** The first round comes soon: a gateway that is often restarted must not never sweep. */
const FIRST_ROUND_MS = 60_000;

export class Sweeper {
  readonly #services: Services;
  readonly #intervalMs: number;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(services: Services) {
    this.#services = services;
    // Whoever asks for a short life of staging wants to see it end.
    this.#intervalMs = Math.min(HOUR_MS, services.limits.stagingTtlMs / 2);
  }

  /** Sweeps all hosts again and again, in the background. */
  start(): void {
    this.#running = this.#run();
  }

  /** Resolves when a sweep that is under way has reached a point where it can end. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** Sweeps one host, unless another process is at it or has done so within the interval. Never rejects. */
  async sweep(hostId: string): Promise<void> {
    const { hosts, locks, hashing, log } = this.#services;
    const token = hashing.nonce(TOKEN_BYTES);
    const lease = (forMs: number) => locks.leaseChore(`sweep ${hostId}`, token, forMs);
    try {
      if (!(await lease(Math.min(BUSY_MS, this.#intervalMs * SWEPT_FOR)))) return;
      await hosts.use(hostId, (host) => this.#sweep(host));
      await lease(this.#intervalMs * SWEPT_FOR);
    } catch (error) {
      // A host or a store that is away is swept another time.
      const code = problemOf(error)?.code;
      log.warn({ host: hostId, ...(code === undefined ? { err: error } : { code }) }, 'sweep failed');
    }
  }

  async #sweep(host: Host): Promise<void> {
    const { assembly, limits, log } = this.#services;
    const quiet = await assembly.expired(host, Math.min(HOUR_MS, limits.stagingTtlMs));
    for (const upload of quiet) {
      if (this.#stop.signal.aborted) return;
      try {
        if (upload.untouchedMs >= limits.stagingTtlMs || (await this.#isFinished(upload))) await this.#remove(host, upload);
      } catch (error) {
        if (isFault(error, 'HOST_UNREACHABLE', 'COORDINATION_UNAVAILABLE')) throw error;
        // One that can't be removed is no reason to leave the others.
        log.warn({ host: host.profile.id, upload: upload.identity.id, err: error }, 'expired upload not removed');
      }
    }
    await assembly.tidy(host);
  }

  async #run(): Promise<void> {
    const { hosts, clock } = this.#services;
    const { signal } = this.#stop;
    for (let pauseMs = Math.min(FIRST_ROUND_MS, this.#intervalMs); ; pauseMs = this.#intervalMs) {
      try {
        await clock.sleep(pauseMs, signal);
      } catch {
        return; // Stopped.
      }
      for (const profile of hosts.profiles) if (!signal.aborted) await this.sweep(profile.id);
    }
  }

  /** Published by a run that could not clean. */
  async #isFinished({ identity }: ExpiredUpload): Promise<boolean> {
    return (await this.#services.locks.finished(identity.uploadKey, identity.targetKey)) !== undefined;
  }

  /** Under the claim, so that nobody begins with it meanwhile. A target that anybody is busy with is left for another time. */
  async #remove(host: Host, { identity, target }: ExpiredUpload): Promise<void> {
    const { locks, assembly, limits, log, audit } = this.#services;
    const claim = { target: identity.targetKey, person: identity.person, upload: identity.uploadKey };
    if ((await locks.holder(identity.targetKey)) !== undefined) return;
    const outcome = await locks.claim({ ...claim, ttlMs: limits.claimTtlMs, move: 'never', idleMs: 0 });
    if (outcome.kind !== 'held' || !outcome.created) return;
    try {
      const staged = await assembly.find(host, identity, target);
      if (staged === undefined) return;
      const end = await staged.discard();
      if (end.kind === 'published') return void (await finishUpload(this.#services, staged, end.published));
      await strikeOut(this.#services, identity);
      await this.#tellExpired(identity, staged.manifest.size);
      audit.record({ ...mergeEvent(identity, 'done', { sizeBytes: staged.manifest.size }), action: 'expire' });
      log.info({ host: identity.hostId, upload: identity.id }, 'expired upload removed');
    } finally {
      await locks.release(claim);
    }
  }

  async #tellExpired(identity: UploadIdentity, totalBytes: number): Promise<void> {
    const { feed, clock } = this.#services;
    const problem = refused('ABORTED', 'nobody has touched this upload for too long');
    const updatedAt = clock.now();
    await feed.publish(identity.id, unproved({ phase: 'ABORTED', doneBytes: 0, totalBytes, problem, updatedAt }));
  }
}
