// Who may ask, and how often: by address before anything else, by person once it is known who that is.
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { GraphQLError } from 'graphql';
import type { Caller } from '../../core/answers.js';
import type { Audit } from '../../core/ports.js';
import type { Allowance } from '../../graphql/context.js';
import { graphqlError } from '../../graphql/errors.js';
import { addressReader, networkOf, plain } from './addresses.js';
import { RateLimit } from './rate-limit.js';
import type { Visitor } from './refusals.js';
import { Refusals } from './refusals.js';

export interface AdmissionOptions {
  readonly trustedProxies?: readonly string[] | undefined;
  readonly callsPerSecondPerPerson?: number | undefined;
  readonly callsPerSecondPerAddress?: number | undefined;
  readonly subscriptionsPerPerson?: number | undefined;
  readonly audit?: Audit | undefined;
}

const DEFAULT_PER_PERSON = 500;
const DEFAULT_PER_ADDRESS = 1_000;
/** A person with 25 full pages; each subscription costs a feed and some kilobytes. */
const DEFAULT_SUBSCRIPTIONS = 5_000;
/** What wrong credentials count beyond the call itself: guessing is to be ten times as slow as asking. */
const FAILURE_CALLS = 9;
/** Nor can keys that nobody knows be asked for without end. */
const FAILURES: readonly string[] = ['UNAUTHENTICATED', 'AUTHENTICATION_UNAVAILABLE'];

const NO_AUDIT: Audit = { record: () => undefined };

export class Admission {
  readonly #addressOf: (req: IncomingMessage) => string;
  readonly #persons: RateLimit;
  readonly #addresses: RateLimit;
  readonly #maxSubscriptions: number;
  /** Live ones of each person who has any. */
  readonly #subscriptions = new Map<string, number>();
  readonly #refusals: Refusals;

  constructor(options: AdmissionOptions) {
    const { callsPerSecondPerPerson = DEFAULT_PER_PERSON, callsPerSecondPerAddress = DEFAULT_PER_ADDRESS } = options;
    const now = (): number => performance.now();
    this.#addressOf = addressReader(options.trustedProxies ?? []);
    this.#persons = new RateLimit({ perSecond: callsPerSecondPerPerson, now });
    this.#addresses = new RateLimit({ perSecond: callsPerSecondPerAddress, now });
    this.#maxSubscriptions = options.subscriptionsPerPerson ?? DEFAULT_SUBSCRIPTIONS;
    this.#refusals = new Refusals(options.audit ?? NO_AUDIT);
  }

  /** With an id of its own: what a client calls its request is not taken over. */
  visitorOf(req: IncomingMessage): Visitor {
    return { id: randomUUID(), address: this.#addressOf(req) };
  }

  /** For what can't be read as a request, and names no proxy's client. */
  visitorOfSocket(socket: Duplex): Visitor {
    const address = 'remoteAddress' in socket ? socket.remoteAddress : undefined;
    return { id: randomUUID(), address: typeof address === 'string' ? plain(address) : 'unknown' };
  }

  /** Throws `RATE_LIMITED` when there is too much from that address. */
  admitAddress({ address }: Visitor): void {
    refuseAfter(this.#addresses.take(networkOf(address)));
  }

  /** Throws `RATE_LIMITED` when there is too much from that person, whatever the transport. */
  admitCaller({ person }: Caller): void {
    refuseAfter(this.#persons.take(person));
  }

  allowanceOf({ person }: Caller): Allowance {
    return {
      charge: (calls) => this.#persons.charge(person, calls),
      subscribe: () => this.#subscribe(person),
    };
  }

  /** Notes what was refused before it became a call. Wrong credentials cost their address more than the call. */
  refused(visitor: Visitor, code: string): void {
    if (FAILURES.includes(code)) this.#addresses.charge(networkOf(visitor.address), FAILURE_CALLS);
    this.#refusals.record(visitor, code);
  }

  close(): void {
    this.#refusals.close();
  }

  #subscribe(person: string): () => void {
    if (this.#live(person) >= this.#maxSubscriptions) {
      const message = `At most ${this.#maxSubscriptions} subscriptions at a time of one person.`;
      throw graphqlError('TOO_MANY_OPERATIONS', message, { status: 429 });
    }
    this.#subscriptions.set(person, this.#live(person) + 1);
    let isLive = true;
    return () => {
      if (!isLive) return;
      isLive = false;
      const left = this.#live(person) - 1;
      if (left > 0) this.#subscriptions.set(person, left);
      else this.#subscriptions.delete(person);
    };
  }

  #live(person: string): number {
    return this.#subscriptions.get(person) ?? 0;
  }
}

function refuseAfter(retryAfterMs: number): void {
  if (retryAfterMs > 0) throw rateLimited(retryAfterMs);
}

function rateLimited(retryAfterMs: number): GraphQLError {
  return graphqlError('RATE_LIMITED', 'Too many calls. Wait, then try again.', { status: 429, retryAfterMs });
}
