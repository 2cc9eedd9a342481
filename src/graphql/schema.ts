// The GraphQL edge. Secret: how the public schema maps onto core, and how a request's bytes become arguments. Called by http.
// May import core, and graphql, Yoga, busboy and graphql-upload-minimal, which no other room but http knows.
import { readFileSync } from 'node:fs';
import type { GraphQLScalarType, GraphQLSchema } from 'graphql';
import { createSchema } from 'graphql-yoga';
import type { GraphQLContext } from './context.js';
import { resolvers } from './resolvers.js';
import { scalars } from './scalars.js';

/** The executable schema of `schema.graphql` at the top of the package, two levels up from here as source and as built. */
export function loadSchema(): GraphQLSchema {
  return createSchema<GraphQLContext>({
    typeDefs: readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8'),
    resolvers: [resolvers, Object.fromEntries(Object.entries(scalars).map(([name, scalar]) => [name, behaviourOf(scalar)]))],
    resolverValidationOptions: { requireResolversToMatchSchema: 'error', requireResolversForResolveType: 'error' },
  });
}

/** What a scalar does, without a description, which would take the place of the schema's. */
function behaviourOf({ serialize, parseValue, parseLiteral }: GraphQLScalarType): Partial<GraphQLScalarType> {
  return { serialize, parseValue, parseLiteral };
}
