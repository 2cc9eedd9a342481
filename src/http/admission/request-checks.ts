// What a request must look like before anything is done about it: all that can be told from its first lines.
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { GraphQLError } from 'graphql';
import { graphqlError } from '../../graphql/errors.js';
import { isAllowedOrigin, isHost } from './origins.js';

/** Headers a plain cross-site form can't send. Either will do, with any value. */
const PREFLIGHT_HEADERS = ['x-graphql-yoga-csrf', 'apollo-require-preflight'];
/** Nor can it send these types of body: a browser asks first (https://fetch.spec.whatwg.org/#cors-safelisted-request-header). */
const PREFLIGHT_TYPES = ['application/json', 'application/graphql+json', 'application/graphql'];

/** Of a request's target. The largest query our clients send by GET has none. */
const MAX_TARGET_LETTERS = 8 * 1024;

const ANSWER_TYPES =
  /(^|[\s,])(\*\/\*|application\/(\*|json|graphql-response\+json)|text\/(\*|event-stream)|multipart\/(\*|mixed))/i;

/** Throws `BAD_REQUEST` or `URI_TOO_LONG`: one host, a path as its target, and no letter that some proxy would read otherwise. */
export function checkRequestLine(req: IncomingMessage): void {
  const { url = '', httpVersion, headersDistinct } = req;
  // Node's parser takes 0.9 and 2.0 for the same as 1.1.
  if (httpVersion !== '1.1' && httpVersion !== '1.0') throw badRequest('This server speaks HTTP/1.1.');
  if (url.length > MAX_TARGET_LETTERS) {
    throw graphqlError('URI_TOO_LONG', `A target may have at most ${MAX_TARGET_LETTERS} letters.`, { status: 414 });
  }
  if (!/^\/[\x21-\x7e]*$/.test(url)) throw badRequest('The target must be a path, in ASCII.');
  const hosts = headersDistinct['host'] ?? [];
  // HTTP/1.0 has none (RFC 9112 section 3.2).
  if (hosts.length > 1 || (hosts.length === 0 && httpVersion !== '1.0')) throw badRequest('There must be one Host.');
  if (hosts.some((host) => !isHost(host))) throw badRequest('The Host is none.');
}

/**
 * Throws when a page of another site could have sent this without asking first (`CSRF_BLOCKED`), or when one did that may not
 * (`FORBIDDEN`).
 */
export function checkForgery(req: IncomingMessage, origins: readonly string[]): void {
  if (!wasPreflighted(req)) {
    const message = `Send the header ${PREFLIGHT_HEADERS.join(' or ')}, with any value, or a JSON body.`;
    throw graphqlError('CSRF_BLOCKED', message, { status: 403 });
  }
  if (!isAllowedOrigin(req, origins)) throw foreignOrigin();
}

export function foreignOrigin(): GraphQLError {
  return graphqlError('FORBIDDEN', 'Pages of this origin may not use this server.', { status: 403 });
}

/** Throws what a GraphQL request can't be read or answered for: `METHOD_NOT_ALLOWED`, `NOT_ACCEPTABLE` or `UNSUPPORTED_MEDIA_TYPE`. */
export function checkForm({ method, headers }: IncomingMessage): void {
  if (method !== 'GET' && method !== 'POST') {
    const details = { status: 405, headers: { allow: 'GET, POST, OPTIONS' } };
    throw graphqlError('METHOD_NOT_ALLOWED', 'GraphQL is asked by GET or POST.', details);
  }
  if (headers.accept !== undefined && !ANSWER_TYPES.test(headers.accept)) {
    throw graphqlError('NOT_ACCEPTABLE', 'Answers are JSON, and those to subscriptions text/event-stream.', { status: 406 });
  }
  if (method === 'POST') checkEncoding(headers);
}

/** Whether a browser would have asked us first before it let a page of another site send this. */
function wasPreflighted({ headers }: IncomingMessage): boolean {
  if (PREFLIGHT_HEADERS.some((name) => headers[name] !== undefined)) return true;
  return PREFLIGHT_TYPES.includes(typeOf(headers['content-type']));
}

function typeOf(contentType = ''): string {
  return (contentType.split(';', 1)[0] ?? '').trim().toLowerCase();
}

/** Bodies are UTF-8 as they come: what unfolds to a multiple of itself isn't taken. */
function checkEncoding(headers: IncomingHttpHeaders): void {
  const coding = headers['content-encoding'] ?? 'identity';
  if (coding.toLowerCase() !== 'identity') throw unsupported('Bodies are taken without a content coding.');
  const charset = /;\s*charset\s*=\s*"?([^\s;"]*)/i.exec(headers['content-type'] ?? '')?.[1] ?? 'utf-8';
  if (!/^utf-?8$/i.test(charset)) throw unsupported('Bodies are UTF-8.');
}

function unsupported(message: string): GraphQLError {
  return graphqlError('UNSUPPORTED_MEDIA_TYPE', message, { status: 415 });
}

function badRequest(message: string): GraphQLError {
  return graphqlError('BAD_REQUEST', message, { status: 400 });
}
