// How much a person may have under way, and how much room there is for it: asked before an upload is claimed, kept true as it goes on.
import type { Entry, LedgerBounds } from './ledger.js';
import type { Clock, Space } from './ports.js';
import { refused } from './problems.js';
import type { Refused } from './problems.js';
import type { Services, UploadCall } from './services.js';
import type { StagedUpload } from './staging.js';

/** Between two times that what an upload still needs is put right: so many chunks at most are promised space twice. */
const CHUNKS_BETWEEN_UPDATES = 16;
/** How long what a host said about its free space is believed while chunks come. */
const SPACE_MS = 5_000;
/** Directories whose space is remembered. */
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
  const { sizeBytes, uploadedBytes } = wanted;
  const [space, { strategy }] = await Promise.all([
    assembly.space(call.host, call.target),
    assembly.powers(call.host, call.target),
  ]);
  const neededBytes = sizeBytes - (uploadedBytes ?? 0) + mergeBytes(sizeBytes, strategy);
  const freeBytes = space && Math.max(0, space.freeBytes - call.host.profile.keepFreeBytes);
  const isStaged = uploadedBytes !== undefined;
  const entry: Entry = {
    person: call.identity.person,
    id: call.identity.id,
    sizeBytes,
    isStaged,
    ttlMs: isStaged ? limits.stagingTtlMs : limits.claimTtlMs,
    ...(space && freeBytes !== undefined && { space: { key: spaceKey(call, space), neededBytes, freeBytes } }),
  };
  const outcome = await ledger.enter(entry, limits);
  switch (outcome.kind) {
    case 'entered':
      return { kind: 'booked', isNew: outcome.isNew };
    case 'exceeded':
      return exceeded(outcome.bound, outcome.used, limits);
    case 'no-space': {
      const free = Math.max(0, (freeBytes ?? 0) - outcome.promisedBytes);
      return refused('NOT_ENOUGH_SPACE', `${neededBytes} bytes more are needed and ${free} are free on the host`, true);
    }
  }
}

/** Something of it is on the host from now on. Never rejects: books that are away are made up when the upload is next asked about. */
export async function bookStaged({ ledger, limits }: Services, { identity }: UploadCall): Promise<void> {
  await ledger.update(identity, { isStaged: true, ttlMs: limits.stagingTtlMs }).catch(() => undefined);
}

/** Space that was promised and is taken up by now. Never rejects; mostly does nothing. */
export async function bookReceived(
  { ledger, limits }: Services,
  staged: StagedUpload,
  received: { readonly bytes: number; readonly count: number },
): Promise<void> {
  if (received.count % CHUNKS_BETWEEN_UPDATES !== 0) return;
  const { size } = staged.manifest;
  const neededBytes = size - received.bytes + mergeBytes(size, await staged.strategy());
  await ledger.update(staged.identity, { neededBytes, ttlMs: limits.stagingTtlMs }).catch(() => undefined);
}

/** It is over, one way or the other. Never rejects: what can't be struck out lapses. */
export async function strikeOut({ ledger }: Services, upload: Pick<Entry, 'person' | 'id'>): Promise<void> {
  await ledger.leave(upload).catch(() => undefined);
}

/** Whether a host's file systems have more room than is to be kept free, as of a few seconds ago. Costs nothing where nothing is to be. */
export class KeptFree {
  readonly #clock: Clock;
  readonly #remembered = new Map<string, { readonly space: Promise<Space | undefined>; readonly until: number }>();

  constructor({ clock }: { readonly clock: Clock }) {
    this.#clock = clock;
  }

  async check({ assembly }: Services, call: UploadCall): Promise<Refused | undefined> {
    const { id, keepFreeBytes } = call.host.profile;
    if (keepFreeBytes === 0) return undefined;
    const space = await this.#recall(`${id} ${call.target.base}`, () => assembly.space(call.host, call.target));
    if (space === undefined || space.freeBytes > keepFreeBytes) return undefined;
    return refused('NOT_ENOUGH_SPACE', `${keepFreeBytes} bytes are to be left free on the host`, true);
  }

  #recall(key: string, look: () => Promise<Space | undefined>): Promise<Space | undefined> {
    const now = this.#clock.monotonic();
    const known = this.#remembered.get(key);
    if (known !== undefined && known.until > now) return known.space;
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
    const space = look();
    this.#remembered.set(key, { space, until: now + SPACE_MS });
    // A failure is told to whoever waits, and not remembered.
    space.catch(() => this.#remembered.delete(key));
    return space;
  }
}

/** What isn't written where it belongs is there twice until it is published. */
function mergeBytes(sizeBytes: number, strategy: string | undefined): number {
  return strategy === 'IN_PLACE' ? 0 : sizeBytes;
}

function spaceKey({ host }: UploadCall, { fileSystem }: Space): string {
  return `${host.profile.id} ${fileSystem}`;
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
