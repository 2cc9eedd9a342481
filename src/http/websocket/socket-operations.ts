/** A page follows far fewer uploads; a bound on what one connection can make us watch. */
const MAX_OPERATIONS = 200;
/** Queries and mutations at a time: each may have a megabyte to answer, and this is no way to send chunks. */
const MAX_CALLS = 32;
/** Of the messages with which they began, which are kept as long as they last. */
const MAX_HELD_BYTES = 1024 * 1024;

/** The operations of one connection, and how many there may be. */
export class Operations {
  /** By id: as `graphql-ws` has them, with what they hold and whether they are answered once. */
  readonly #held = new Map<string, { readonly lengthBytes: number; isCall: boolean }>();

  /** Why another one of `lengthBytes` can't begin, if it can't. `underWay` has its id, too, and those of all others that last. */
  begin(id: string, lengthBytes: number, underWay: Readonly<Record<string, unknown>>): string | undefined {
    for (const known of this.#held.keys()) if (!(known in underWay)) this.#held.delete(known);
    if (this.#held.size >= MAX_OPERATIONS) return `At most ${MAX_OPERATIONS} operations at a time on one connection.`;
    const heldBytes = [...this.#held.values()].reduce((sum, each) => sum + each.lengthBytes, lengthBytes);
    if (heldBytes > MAX_HELD_BYTES) return 'The operations on this connection are too large together.';
    this.#held.set(id, { lengthBytes, isCall: false });
    return undefined;
  }

  /** Why it can't be answered now, if it can't: it is a query or a mutation. */
  call(id: string): string | undefined {
    const calls = [...this.#held.values()].filter(({ isCall }) => isCall);
    if (calls.length >= MAX_CALLS) return `At most ${MAX_CALLS} queries and mutations at a time on one connection.`;
    const own = this.#held.get(id);
    if (own !== undefined) own.isCall = true;
    return undefined;
  }
}
