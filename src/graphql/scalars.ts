import { inspect } from 'node:util';
import { GraphQLScalarType, Kind, print } from 'graphql';
import type { ASTNode } from 'graphql';
import { GraphQLUpload } from 'graphql-upload-minimal';
import { graphqlError } from './errors.js';

function isByteCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function toByteCount(value: unknown, node?: ASTNode): number {
  if (isByteCount(value)) return value;
  const message = `A ByteCount is an integer from 0 to ${Number.MAX_SAFE_INTEGER}, not ${shown(value, node)}.`;
  throw graphqlError('BAD_USER_INPUT', message, { node });
}

/** A wrong one here is our own mistake, not the client's. */
function fromByteCount(value: unknown): number {
  if (isByteCount(value)) return value;
  throw new TypeError(`${String(value)} is no number of bytes`);
}

// Full date and time with an offset: RFC 3339 §5.6. `Date.parse` alone takes much more.
const RFC_3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/i;

function toEpochMs(value: unknown, node?: ASTNode): number {
  const epochMs = typeof value === 'string' && RFC_3339.test(value) ? Date.parse(value) : NaN;
  if (Number.isFinite(epochMs)) return epochMs;
  throw graphqlError('BAD_USER_INPUT', `A DateTime is text like 2026-03-01T12:30:00.000Z, not ${shown(value, node)}.`, {
    node,
  });
}

/** A value as it can be shown in an error, shortened. */
function shown(value: unknown, node: ASTNode | undefined): string {
  return (node ? print(node) : inspect(value)).slice(0, 60);
}

/** Integers 0 … 2^53-1, as JSON numbers and as literals. */
const ByteCount = new GraphQLScalarType<number, number>({
  name: 'ByteCount',
  serialize: fromByteCount,
  parseValue: (value) => toByteCount(value),
  parseLiteral: (node) => toByteCount(node.kind === Kind.INT ? Number(node.value) : undefined, node),
});

/** Epoch milliseconds inside, ISO 8601 in UTC on the wire. */
const DateTime = new GraphQLScalarType<number, string>({
  name: 'DateTime',
  serialize: (value) => new Date(Number(value)).toISOString(),
  parseValue: (value) => toEpochMs(value),
  parseLiteral: (node) => toEpochMs(node.kind === Kind.STRING ? node.value : undefined, node),
});

export const scalars = { ByteCount, DateTime, Upload: GraphQLUpload };
