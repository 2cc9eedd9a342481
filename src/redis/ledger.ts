// What persons have under way, for all gateways. Secret: two kinds of books, a person's and a file system's, that one script writes
// together. The twin of src/memory/ledger.ts; both pass test/contract/ledger.ts.
import type { Entry, EntryOutcome, Ledger, LedgerBounds } from '../core/ledger.js';
import type { RedisConnection } from './connection.js';
import { unavailable } from './connection.js';
import type { Script } from './scripts.js';
import { loadScript } from './scripts.js';

type Upload = Pick<Entry, 'person' | 'id'>;

export class RedisLedger implements Ledger {
  readonly #redis: RedisConnection;
  readonly #enter = loadScript('ledger-record', 'ledger-enter');
  readonly #leave = loadScript('ledger-record', 'ledger-leave');

  constructor(options: { readonly redis: RedisConnection }) {
    this.#redis = options.redis;
  }

  async enter(entry: Entry, bounds?: LedgerBounds): Promise<EntryOutcome> {
    const { sizeBytes, isStaged, ttlMs, space } = entry;
    const reply = await this.#run(this.#enter, entry, [
      ...[sizeBytes, isStaged ? '1' : '0', Math.ceil(ttlMs)],
      ...[
        this.#redis.keys.part(space?.key ?? ''),
        space?.neededBytes ?? 0,
        space?.freeBytes ?? 0,
        Math.ceil(space?.ttlMs ?? 0),
      ],
      ...[bounds?.uploadsPerPerson ?? '', bounds?.bytesPerPerson ?? '', bounds?.claimsPerPerson ?? ''],
    ]);
    const [kind, first, used] = Array.isArray(reply) ? reply.map(String) : [];
    if (kind === 'entered') return { kind, isNew: first === '1' };
    if (kind === 'exceeded' && isBound(first)) return { kind, bound: first, used: Number(used) };
    if (kind === 'no-space') return { kind, promisedBytes: Number(first) };
    throw unavailable(new Error(`unexpected answer ${String(kind)}`));
  }

  async leave(upload: Upload): Promise<void> {
    await this.#run(this.#leave, upload, []);
  }

  #run(script: Script, { person, id }: Upload, args: readonly (string | number)[]): Promise<unknown> {
    const { keys } = this.#redis;
    return this.#redis.run(script, [keys.personBook(person)], [id, keys.spaceBook(''), ...args]);
  }
}

function isBound(name: string | undefined): name is keyof LedgerBounds {
  return name === 'uploadsPerPerson' || name === 'bytesPerPerson' || name === 'claimsPerPerson';
}
