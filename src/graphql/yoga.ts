import { randomUUID } from 'node:crypto';
import type { DocumentNode, GraphQLSchema } from 'graphql';
import { createYoga, handleStreamOrSingleExecutionResult } from 'graphql-yoga';
import type { Plugin, YogaServerInstance } from 'graphql-yoga';
import type { Longshore } from '../core/answers.js';
import type { Log } from '../core/ports.js';
import type { BodyLimits } from './body-limits.js';
import type { HttpExchange } from './bodies.js';
import { useBodies } from './bodies.js';
import type { Asker, GraphQLContext } from './context.js';
import { documentCaches, useBoundedValidation, useDocumentLimits } from './documents.js';
import type { Masking } from './errors.js';
import { createMasking, nameArguments } from './errors.js';
import { useSharedStates } from './states.js';

/** Over HTTP there are request and response as well, on a WebSocket there are none. */
export type GraphQLServer = YogaServerInstance<Asker & HttpExchange, GraphQLContext>;

export interface GraphQLServerOptions {
  readonly schema: GraphQLSchema;
  readonly longshore: Longshore;
  readonly log: Log;
  readonly limits: BodyLimits;
  /** Whether clients may ask for the schema, and are told what they may have meant. */
  readonly introspection: boolean;
  /** Hears of each HTTP request that is refused before it becomes a call: the error's code. */
  readonly onRefused?: (code: string, exchange: HttpExchange) => void;
  /** Told when an answer begins. */
  readonly onAnswer?: (exchange: HttpExchange) => void;
}

/**
 * Answers GraphQL over HTTP and SSE, and parses, validates, executes and masks for WebSocket (`getEnveloped`). Pages, CORS, paths and
 * headers, forged requests' among them, are http's business.
 */
export function createGraphQLServer(options: GraphQLServerOptions): GraphQLServer {
  const { schema, longshore, log, limits, introspection } = options;
  const mask = createMasking({ log, nextId: randomUUID, mayHint: introspection });
  return createYoga<Asker & HttpExchange, GraphQLContext>({
    schema,
    context: ({ caller, signal, allowance, issueTicket, expiresAt }) => ({
      ...{ longshore, caller, signal, allowance, issueTicket, expiresAt },
    }),
    plugins: [
      useBodies(limits),
      useDocumentLimits(),
      useArgumentNames(),
      useBoundedValidation(options),
      useSharedStates(),
      useRequestIds(mask),
      useNotices(options),
    ],
    maskedErrors: { maskError: (error) => mask(error) },
    parserAndValidationCache: documentCaches(),
    multipart: false,
    maxRequestBodySize: false,
    graphiql: false,
    landingPage: false,
    cors: false,
    // Everything worth logging is logged where it is masked.
    logging: false,
  });
}

/** Masks what happened in a call under the id of its request; Yoga's own masking comes after it and finds nothing to do. */
function useRequestIds(mask: Masking): Plugin<GraphQLContext> {
  type Result = { readonly errors?: readonly unknown[] };
  const masking =
    ({ caller }: GraphQLContext) =>
    ({ result, setResult }: { result: Result; setResult: (result: never) => void }): void => {
      if (result.errors === undefined) return;
      setResult({ ...result, errors: result.errors.map((error) => mask(error, caller.request?.id)) } as never);
    };
  return {
    onExecute: ({ args }) => ({
      onExecuteDone: (payload) => handleStreamOrSingleExecutionResult(payload, masking(args.contextValue)),
    }),
    onSubscribe: ({ args }) => ({
      onSubscribeResult: (payload) => handleStreamOrSingleExecutionResult(payload, masking(args.contextValue)),
      onSubscribeError: ({ error, setError }) => setError(mask(error, args.contextValue.caller.request?.id)),
    }),
  };
}

/** Tells http what it can't see: which requests were refused, and when an answer begins. */
function useNotices({ onRefused, onAnswer }: GraphQLServerOptions): Plugin<GraphQLContext, HttpExchange> {
  return {
    onResultProcess({ result, serverContext }) {
      if (Array.isArray(result) || !('errors' in result) || 'data' in result) return;
      const code = result.errors[0]?.extensions['code'];
      if (typeof code === 'string') onRefused?.(code, serverContext);
    },
    onResponse: ({ serverContext }) => onAnswer?.(serverContext),
  };
}

function useArgumentNames(): Plugin {
  return {
    onValidate: ({ params }) => {
      return ({ valid, result }) => {
        if (!valid) nameArguments(result, params.documentAST as DocumentNode);
      };
    },
  };
}
