// How much a person may have under way, and how much room there is for it: asked before an upload is claimed, kept true as it goes on.
import type { Entry, LedgerBounds } from './ledger.js';
import type { Clock, Space } from './ports.js';
import { isFault, refused } from './problems.js';
import type { Refused } from './problems.js';
import type { Services, UploadCall } from './services.js';
import type { StagedUpload } from './staging.js';

/** How long what a host said about its free space is believed while chunks come, and between two times that an upload is put right. */
const FRESH_MS = 5_000;
/** Directories whose space, and uploads whose last time is remembered. */
const MAX_REMEMBERED = 1_000;

export interface Wanted {
  readonly sizeBytes: number;
  /** Of it, on the host already; undefined when nothing of the upload is. */
  readonly uploadedBytes: number | undefined;
}

export type Booking = { readonly kind: 'booked'; readonly isNew: boolean } | Refused;

/** Enters an upload that is about to be claimed, or goes on: `QUOTA_EXCEEDED`, `NOT_ENOUGH_SPACE`. */
export async function book(services: Services, call: UploadCall, wanted: Wanted): Promise<Booking> {
  const { assembly, ledger, limits } = services;
  const [space, { strategy }] = await Promise.all([
    assembly.space(call.host, call.target),
    assembly.powers(call.host, call.target),
  ]);
  const entry = entryOf(services, call, { ...wanted, space, strategy });
  const outcome = await ledger.enter(entry, limits);
  switch (outcome.kind) {
    case 'entered':
      return { kind: 'booked', isNew: outcome.isNew };
    case 'exceeded':
      return exceeded(outcome.bound, outcome.used, limits);
    case 'no-space': {
      const { neededBytes = 0, freeBytes = 0 } = entry.space ?? {};
      const free = Math.max(0, freeBytes - outcome.promisedBytes);
      return refused('NOT_ENOUGH_SPACE', `${neededBytes} bytes more are needed and ${free} are free on the host`, true);
    }
  }
}

/** It is over, one way or the other. Never rejects: what can't be struck out lapses. */
export async function strikeOut({ ledger }: Services, upload: Pick<Entry, 'person' | 'id'>): Promise<void> {
  await ledger.leave(upload).catch(() => undefined);
}

/** The books while chunks come: whether there is room for one more, and what they have brought. Mostly costs nothing. */
export class ChunkBooks {
  readonly #clock: Clock;
  readonly #spaces = new Map<string, { readonly space: Promise<Space | undefined>; readonly until: number }>();
  /** By upload: monotonic time of the last time. */
  readonly #enteredAt = new Map<string, number>();

  constructor({ clock }: { readonly clock: Clock }) {
    this.#clock = clock;
  }

  /** Whether the file system has no more than is to be kept free, as of a few seconds ago. */
  async objection(services: Services, call: UploadCall): Promise<Refused | undefined> {
    const { keepFreeBytes } = call.host.profile;
    if (keepFreeBytes === 0) return undefined;
    const space = await this.#space(services, call);
    if (space === undefined || space.freeBytes > keepFreeBytes) return undefined;
    return refused('NOT_ENOUGH_SPACE', `${keepFreeBytes} bytes are to be left free on the host`, true);
  }

  /**
   * Some of it is on the host: the books have that, and a line that lapsed is there again. Never rejects: books that are away are put
   * right by a later chunk.
   */
  async received(services: Services, call: UploadCall, staged: StagedUpload, uploadedBytes: number): Promise<void> {
    const now = this.#clock.monotonic();
    const { id } = call.identity;
    if (now - (this.#enteredAt.get(id) ?? Number.NEGATIVE_INFINITY) < FRESH_MS) return;
    if (this.#enteredAt.size >= MAX_REMEMBERED) this.#enteredAt.clear();
    this.#enteredAt.set(id, now);
    try {
      const [space, strategy] = await Promise.all([this.#space(services, call), staged.strategy()]);
      const sizeBytes = staged.manifest.size;
      await services.ledger.enter(entryOf(services, call, { sizeBytes, uploadedBytes, space, strategy }));
    } catch (error) {
      if (!isFault(error)) throw error;
    }
  }

  #space({ assembly }: Services, call: UploadCall): Promise<Space | undefined> {
    const now = this.#clock.monotonic();
    const key = `${call.host.profile.id} ${call.target.base}`;
    const known = this.#spaces.get(key);
    if (known !== undefined && known.until > now) return known.space;
    if (this.#spaces.size >= MAX_REMEMBERED) this.#spaces.clear();
    const space = assembly.space(call.host, call.target);
    this.#spaces.set(key, { space, until: now + FRESH_MS });
    // A failure is told to whoever waits, and not remembered.
    space.catch(() => {
      if (this.#spaces.get(key)?.space === space) this.#spaces.delete(key);
    });
    return space;
  }
}

interface Known extends Wanted {
  readonly space: Space | undefined;
  readonly strategy: string | undefined;
}

/** Space is promised as long as a claim lives without a call: whoever sends nothing keeps no disk from others. */
function entryOf({ limits }: Services, call: UploadCall, { sizeBytes, uploadedBytes = 0, space, strategy }: Known): Entry {
  const isStaged = uploadedBytes > 0;
  const { id: hostId, keepFreeBytes } = call.host.profile;
  return {
    person: call.identity.person,
    id: call.identity.id,
    sizeBytes,
    isStaged,
    ttlMs: isStaged ? limits.stagingTtlMs : limits.claimTtlMs,
    ...(space && {
      space: {
        key: `${hostId} ${space.fileSystem}`,
        neededBytes: sizeBytes - uploadedBytes + mergeBytes(sizeBytes, strategy),
        freeBytes: Math.max(0, space.freeBytes - keepFreeBytes),
        ttlMs: limits.claimTtlMs,
      },
    }),
  };
}

/** What isn't written where it belongs is there twice until it is published. */
function mergeBytes(sizeBytes: number, strategy: string | undefined): number {
  return strategy === 'IN_PLACE' ? 0 : sizeBytes;
}

function exceeded(bound: keyof LedgerBounds, used: number, limits: LedgerBounds): Refused {
  switch (bound) {
    case 'uploadsPerPerson':
      return refused('QUOTA_EXCEEDED', `you have ${used} unfinished uploads already; ${limits[bound]} are allowed`);
    case 'bytesPerPerson': {
      const message = `your other unfinished uploads have ${used} bytes already; with this one ${limits[bound]} are allowed`;
      return refused('QUOTA_EXCEEDED', message);
    }
    case 'claimsPerPerson':
      // Those lapse by themselves.
      return refused('QUOTA_EXCEEDED', `you have claimed ${used} targets without sending anything to them`, true);
  }
}
