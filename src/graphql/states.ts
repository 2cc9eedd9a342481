// Subscriptions. A state goes to everybody who watches an upload, most of whom ask the same of it: what it becomes is made once.
import { createHash } from 'node:crypto';
import { createSourceEventStream, execute, getOperationAST, locatedError, print } from 'graphql';
import type { ExecutionArgs, ExecutionResult } from 'graphql';
import type { Plugin } from 'graphql-yoga';

/** Of one state: our clients ask a handful of questions, anybody else for any number. */
const MAX_KEPT = 16;

type Results = AsyncIterableIterator<ExecutionResult>;

/**
 * Executes subscriptions as GraphQL has it (§6.2.3), and each state once for all who ask the same of it. So what resolvers make of a
 * state must come from the state and the arguments alone.
 */
export function useSharedStates(): Plugin {
  const kept = new WeakMap<object, Map<string, ExecutionResult>>();
  const subscribe = async (args: ExecutionArgs): Promise<Results | ExecutionResult> => {
    const states = await createSourceEventStream(args);
    if (!(Symbol.asyncIterator in states)) return states;
    const question = questionOf(args);
    const resultOf = async (state: unknown): Promise<ExecutionResult> => {
      const shared = typeof state === 'object' && state !== null ? state : {};
      const results = kept.get(shared) ?? new Map<string, ExecutionResult>();
      const known = results.get(question);
      if (known !== undefined) return known;
      const result = await execute({ ...args, rootValue: state });
      // Errors are told with the id of who asks.
      if (result.errors === undefined && results.size < MAX_KEPT) kept.set(shared, results.set(question, result));
      return result;
    };
    return resulting(states, { resultOf, failureOf: (error) => locatedError(error, operationOf(args)) });
  };
  return { onSubscribe: ({ setSubscribeFn }) => setSubscribeFn(subscribe) };
}

/** Short, however long the question is: it is kept for as long as its answers are awaited. */
function questionOf({ document, operationName, variableValues }: ExecutionArgs): string {
  const text = JSON.stringify([document.loc?.source.body ?? print(document), operationName, variableValues]);
  return createHash('sha256').update(text).digest('base64');
}

function operationOf({ document, operationName }: ExecutionArgs) {
  return getOperationAST(document, operationName) ?? undefined;
}

interface Making {
  readonly resultOf: (state: unknown) => Promise<ExecutionResult>;
  readonly failureOf: (error: unknown) => Error;
}

/** Returning it returns the source at once: an async generator would wait for the next state. */
function resulting(states: AsyncIterable<unknown>, { resultOf, failureOf }: Making): Results {
  const source = states[Symbol.asyncIterator]();
  const end = { done: true, value: undefined } as const;
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      try {
        const state = await source.next();
        return state.done === true ? end : { done: false, value: await resultOf(state.value) };
      } catch (error) {
        throw failureOf(error);
      }
    },
    async return() {
      await source.return?.();
      return end;
    },
  };
}
