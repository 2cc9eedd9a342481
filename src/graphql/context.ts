import type { Caller, Longshore } from '../core/answers.js';

/** What a resolver has at hand. The same over HTTP, SSE and WebSocket. */
export interface GraphQLContext {
  readonly longshore: Longshore;
  readonly caller: Caller;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
}
