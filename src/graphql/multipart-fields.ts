// The two text fields of a GraphQL multipart request: pure functions from what a client sent to operations with a place for the file.
// https://github.com/jaydenseric/graphql-multipart-request-spec
import type { Upload } from 'graphql-upload-minimal';
import { graphqlError } from './errors.js';
import type { GraphQLError } from 'graphql';

type JsonObject = Record<string, unknown>;

/** Where the file of part `partName` belongs. */
export interface Placement {
  readonly partName: string;
  put(upload: Upload): void;
}

/** Names that could reach a prototype. JSON makes them own properties, so looking for own properties alone would let them pass. */
const FORBIDDEN_NAMES: readonly string[] = ['__proto__', 'constructor', 'prototype'];

export function badMultipart(message: string): GraphQLError {
  return graphqlError('BAD_MULTIPART', message, { status: 400 });
}

/** The `operations` field: one operation. `BAD_MULTIPART` otherwise, for a batch too. */
export function readOperations(text: string): JsonObject {
  const operations = parseJson('operations', text);
  if (Array.isArray(operations)) throw badMultipart("Batching is not supported: 'operations' must be one object.");
  if (!isObject(operations)) throw badMultipart("'operations' must be a JSON object.");
  return operations;
}

/** The `map` field: exactly one file, for exactly one variable that is null until then. `BAD_MULTIPART` otherwise. */
export function readMap(text: string, operations: JsonObject): Placement {
  const map = parseJson('map', text);
  if (!isObject(map)) throw badMultipart("'map' must be a JSON object.");
  const [entry, ...more] = Object.entries(map);
  if (entry === undefined || more.length > 0) throw badMultipart("'map' must name exactly one file.");
  const [partName, paths] = entry;
  const path: unknown = Array.isArray(paths) && paths.length === 1 ? paths[0] : undefined;
  if (typeof path !== 'string') throw badMultipart("'map' must give the file exactly one path.");
  return { partName, put: findPlace(operations, path) };
}

function findPlace(operations: JsonObject, path: string): (upload: Upload) => void {
  const names = path.split('.');
  const last = names.pop();
  if (names[0] !== 'variables' || last === undefined) throw badMultipart("A path in 'map' must begin with 'variables.'.");
  let holder: object = operations;
  for (const name of names) {
    const inner = ownProperty(holder, name);
    if (typeof inner !== 'object' || inner === null) throw badMultipart("A path in 'map' leads nowhere in 'operations'.");
    holder = inner;
  }
  if (ownProperty(holder, last) !== null) throw badMultipart("A path in 'map' must lead to a variable that is null.");
  return (upload) => void Reflect.set(holder, last, upload);
}

function ownProperty(holder: object, name: string): unknown {
  if (FORBIDDEN_NAMES.includes(name) || !Object.hasOwn(holder, name)) return undefined;
  return Reflect.get(holder, name);
}

function parseJson(field: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw badMultipart(`'${field}' is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
