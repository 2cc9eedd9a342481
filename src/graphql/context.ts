import type { Caller, FileRefInput, Longshore } from '../core/answers.js';

/** Makes an upload ticket: what its caller may send in place of a token for this one upload. */
export type IssueTicket = (file: FileRefInput) => Promise<string>;

/** What a caller may still use, over all transports together. */
export interface Allowance {
  /** Counts so many calls more, for what a request has turned out to ask. */
  charge(calls: number): void;
  /** Counts a subscription until the returned function is called. Throws `TOO_MANY_OPERATIONS`. */
  subscribe(): () => void;
}

/** Who asks, and for how long. */
export interface Asker {
  readonly caller: Caller;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
  /** Absent: without end. */
  readonly allowance?: Allowance | undefined;
  /** Absent where callers have no token to outlive, or didn't show it. */
  readonly issueTicket?: IssueTicket | undefined;
  /** Epoch ms: when to end what was subscribed to. Undefined: never, or whoever brought the call sees to it. */
  readonly expiresAt?: number | undefined;
}

/** What a resolver has at hand. The same over HTTP, SSE and WebSocket. */
export interface GraphQLContext extends Asker {
  readonly longshore: Longshore;
}
