// Errors that a program has to fix, or nobody expected. What a person or a retrying client can act on is a `Problem`, not an error.
import { GraphQLError, parse, visit } from 'graphql';
import type { ASTNode, ValueNode } from 'graphql';
import { AccessError, InputError } from '../core/problems.js';
import type { Log } from '../core/ports.js';

/** `extensions.code` of top-level errors that are ours; GraphQL's own are `GRAPHQL_PARSE_FAILED` and `GRAPHQL_VALIDATION_FAILED`. */
export type ErrorCode =
  | 'UNAUTHENTICATED'
  | 'AUTHENTICATION_UNAVAILABLE'
  | 'FORBIDDEN'
  | 'BAD_USER_INPUT'
  | 'CSRF_BLOCKED'
  | 'BAD_MULTIPART'
  | 'BAD_REQUEST'
  | 'METHOD_NOT_ALLOWED'
  | 'NOT_ACCEPTABLE'
  | 'PAYLOAD_TOO_LARGE'
  | 'QUERY_TOO_COMPLEX'
  | 'RATE_LIMITED'
  | 'TOO_MANY_OPERATIONS'
  | 'UNSUPPORTED_MEDIA_TYPE'
  | 'URI_TOO_LONG'
  | 'INTERNAL_SERVER_ERROR';

interface ErrorDetails {
  /** HTTP status of the whole response. Without one it is 200: the request was well-formed, a field failed. */
  readonly status?: number;
  /** That status only where the client takes `application/graphql-response+json`; in plain JSON it is 200 (GraphQL over HTTP §6.4). */
  readonly isRequestError?: boolean;
  /** The connection can't go on: its body stopped in the middle. */
  readonly closeConnection?: boolean;
  /** Further headers of the response. Only with a status. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The same call may be made again after so long: told in the error, and in whole seconds by `Retry-After`. Only with a status. */
  readonly retryAfterMs?: number;
  readonly argument?: string;
  /** The same as an id in the log. */
  readonly id?: string;
  /** Where it happened, taken from the error it stands for. */
  readonly at?: GraphQLError;
  /** Or what of the document it is about. */
  readonly node?: ASTNode | undefined;
}

export function graphqlError(code: ErrorCode, message: string, details: ErrorDetails = {}): GraphQLError {
  const { status, argument, id, at, node, retryAfterMs } = details;
  return new GraphQLError(message, {
    nodes: node ?? at?.nodes ?? null,
    source: at?.source,
    positions: at?.positions,
    path: at?.path,
    extensions: {
      code,
      ...(argument === undefined ? {} : { argument }),
      ...(id === undefined ? {} : { id }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs, retryable: true }),
      // Yoga makes the response's status and headers of this, and keeps it out of the body.
      ...(status === undefined ? {} : { http: { status, ...httpDetails(details) } }),
    },
  });
}

function httpDetails({ isRequestError, closeConnection, headers, retryAfterMs }: ErrorDetails): object {
  const all = {
    ...headers,
    ...(closeConnection === true ? { connection: 'close' } : {}),
    ...(retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) }),
  };
  return { ...(isRequestError === true ? { spec: true } : {}), ...(Object.keys(all).length > 0 ? { headers: all } : {}) };
}

export interface MaskingOptions {
  readonly log: Log;
  readonly nextId: () => string;
  /** Whether messages about input may name what else the schema has. */
  readonly mayHint: boolean;
}

export type Masking = (error: unknown, requestId?: string) => GraphQLError;

/**
 * Turns whatever was thrown into what a client may see. Errors with a code pass; input that doesn't fit its type and `InputError` become
 * `BAD_USER_INPUT` with `argument`; everything else is logged and masked under `requestId`, or a fresh id where there is none. Masking
 * twice changes nothing.
 */
export function createMasking({ log, nextId, mayHint }: MaskingOptions): Masking {
  return (error, requestId) => {
    const at = error instanceof GraphQLError ? error : undefined;
    const cause = rootCause(error);
    const coercion = at && inputCoercion(at, cause, mayHint);
    if (coercion) return coercion;
    if (at?.extensions['code'] !== undefined) return at;
    const place = at === undefined ? {} : { at };
    if (cause instanceof InputError) {
      return graphqlError('BAD_USER_INPUT', cause.message, { argument: cause.argument, ...place });
    }
    if (cause instanceof AccessError) return graphqlError(cause.code, cause.message, place);
    const id = requestId ?? nextId();
    const fields = { requestId: id, err: cause, path: at?.path?.join('.') };
    if (cause instanceof Error && cause.name === 'AbortError') log.debug(fields, 'the client left before its answer');
    else log.error(fields, 'unexpected error');
    const status = at?.path === undefined ? { status: 500 } : {};
    return graphqlError('INTERNAL_SERVER_ERROR', `Unexpected error. The log has it as ${id}.`, { id, ...status, ...place });
  };
}

/** Gives errors about a literal the name of the argument it was given to. Errors about variables get theirs when masked. */
export function nameArguments(errors: readonly unknown[], document: ASTNode): void {
  for (const error of errors) {
    if (!(error instanceof GraphQLError)) continue;
    const node = error.nodes?.[0];
    if (error.extensions['code'] !== 'BAD_USER_INPUT' || node === undefined) continue;
    error.extensions['argument'] ??= argumentWith(document, (value) => value === node);
  }
}

function rootCause(error: unknown): unknown {
  if (error instanceof GraphQLError && error.originalError) return rootCause(error.originalError);
  return error;
}

/** Of a message that has the client's own value in it. */
const MAX_ECHO_LETTERS = 1_000;

/**
 * The executor's errors about values that don't fit have no code; the wording is all that tells them apart from its errors about what
 * our resolvers returned, which are ours to fix. Nothing else of GraphQL begins that way.
 */
function inputCoercion(error: GraphQLError, cause: unknown, mayHint: boolean): GraphQLError | undefined {
  if (!(cause instanceof GraphQLError) || error.extensions['argument'] !== undefined) return undefined;
  if (error.message.startsWith('Too many errors processing variables')) {
    return graphqlError('BAD_USER_INPUT', 'The variables have too many values that do not fit.', { status: 400, at: error });
  }
  const [, about, name] = /^(Variable|Argument) "\$?(\w+)"/.exec(error.message) ?? [];
  if (about === undefined || name === undefined) return undefined;
  const hinted = error.message.slice(0, MAX_ECHO_LETTERS);
  const message = mayHint ? hinted : hinted.replace(/ Did you mean .*/, '');
  if (about === 'Argument') return graphqlError('BAD_USER_INPUT', message, { argument: name, at: error });
  const document = error.source && parse(error.source);
  const argument = document && argumentWith(document, (value) => value.kind === 'Variable' && value.name.value === name);
  return graphqlError('BAD_USER_INPUT', message, {
    argument: argument ?? name,
    status: 400,
    isRequestError: true,
    at: error,
  });
}

/** The first argument whose value is, or has inside, what is looked for. */
function argumentWith(document: ASTNode, isIt: (value: ValueNode) => boolean): string | undefined {
  let current: string | undefined;
  let found: string | undefined;
  visit(document, {
    Argument: {
      enter(node) {
        current = node.name.value;
      },
      leave() {
        current = undefined;
      },
    },
    enter(node) {
      if (current !== undefined && isValue(node) && isIt(node)) found ??= current;
    },
  });
  return found;
}

function isValue(node: ASTNode): node is ValueNode {
  return node.kind === 'Variable' || node.kind.endsWith('Value');
}
