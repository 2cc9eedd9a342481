import { randomUUID } from 'node:crypto';
import { useCSRFPrevention } from '@graphql-yoga/plugin-csrf-prevention';
import type { DocumentNode, GraphQLSchema } from 'graphql';
import { createYoga } from 'graphql-yoga';
import type { Plugin, YogaServerInstance } from 'graphql-yoga';
import type { Caller, Longshore } from '../core/answers.js';
import type { Log } from '../core/ports.js';
import type { BodyLimits } from './body-limits.js';
import type { HttpExchange } from './bodies.js';
import { useBodies } from './bodies.js';
import type { GraphQLContext } from './context.js';
import { createMasking, graphqlError, nameArguments } from './errors.js';

/** Who asks, and for how long. Over HTTP there are request and response as well, on a WebSocket there are none. */
export interface Asker {
  readonly caller: Caller;
  readonly signal: AbortSignal;
}

export type GraphQLServer = YogaServerInstance<Asker & HttpExchange, GraphQLContext>;

export interface GraphQLServerOptions {
  readonly schema: GraphQLSchema;
  readonly longshore: Longshore;
  readonly log: Log;
  readonly limits: BodyLimits;
}

/** Headers a plain cross-site form can't send. Either will do, with any value. */
const PREFLIGHT_HEADERS = ['x-graphql-yoga-csrf', 'apollo-require-preflight'];

/**
 * Answers GraphQL over HTTP and SSE, and parses, validates, executes and masks for WebSocket (`getEnveloped`). Pages, CORS and paths are
 * http's business. The order of the plugins counts: a forged request is refused before its body is read.
 */
export function createGraphQLServer({ schema, longshore, log, limits }: GraphQLServerOptions): GraphQLServer {
  return createYoga<Asker & HttpExchange, GraphQLContext>({
    schema,
    context: ({ caller, signal }) => ({ longshore, caller, signal }),
    plugins: [useForgeryProtection(), useBodies(limits), useArgumentNames()],
    maskedErrors: { maskError: createMasking(log, randomUUID) },
    multipart: false,
    maxRequestBodySize: false,
    graphiql: false,
    landingPage: false,
    cors: false,
    // Everything worth logging is logged where it is masked.
    logging: false,
  });
}

function useForgeryProtection(): Plugin {
  const { onRequestParse } = useCSRFPrevention({ requestHeaders: PREFLIGHT_HEADERS });
  return {
    onRequestParse(payload) {
      try {
        return onRequestParse?.(payload);
      } catch {
        // The plugin throws for one reason only, without a code.
        const message = `Send the header ${PREFLIGHT_HEADERS.join(' or ')}, with any value, or a JSON body.`;
        throw graphqlError('CSRF_BLOCKED', message, { status: 403 });
      }
    },
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
