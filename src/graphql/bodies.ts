// How a request's body comes in: bounded in size and in silence, whatever its type.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Plugin } from 'graphql-yoga';
import type { BodyLimits } from './body-limits.js';
import { MAX_OPERATION_BYTES, invite, stoppedArriving, tooLarge } from './body-limits.js';
import type { GraphQLContext } from './context.js';
import { isMultipart, readMultipart } from './multipart.js';

/** What Yoga is given with each HTTP request. */
export interface HttpExchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

/**
 * Takes multipart requests in as streams and all others as a whole. Yoga's own limit must be off (`maxRequestBodySize: false`): it wraps
 * every parser, and copies each byte. Comes after CSRF prevention, so that nothing of a forged request is read.
 */
export function useBodies(limits: BodyLimits): Plugin<GraphQLContext, HttpExchange> {
  return {
    onRequestParse({ request, serverContext, requestParser, setRequestParser, fetchAPI }) {
      if (request.method !== 'POST') return;
      const { req, res } = serverContext;
      if (isMultipart(req)) {
        setRequestParser(() => readMultipart(req, res, limits));
      } else if (requestParser) {
        setRequestParser(async ({ url, method, headers }) => {
          const body = await readWhole(req, res, limits);
          return requestParser(new fetchAPI.Request(url, { method, headers, body }));
        });
      }
    },
  };
}

/** The whole body, at most `MAX_OPERATION_BYTES`. The rest of one that is refused is left in the request. */
async function readWhole(req: IncomingMessage, res: ServerResponse, limits: BodyLimits): Promise<Buffer<ArrayBuffer>> {
  invite(req, res, MAX_OPERATION_BYTES);
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let lengthBytes = 0;
    const idle = setTimeout(() => fail(stoppedArriving(limits.idleTimeoutMs, 'BAD_REQUEST')), limits.idleTimeoutMs);
    const fail = (error: Error): void => {
      clearTimeout(idle);
      req.off('data', take).pause();
      reject(error);
    };
    const take = (piece: Buffer): void => {
      idle.refresh();
      lengthBytes += piece.length;
      if (lengthBytes > MAX_OPERATION_BYTES) return fail(tooLarge(`The body may have at most ${MAX_OPERATION_BYTES} bytes.`));
      pieces.push(piece);
    };
    req.on('data', take);
    req.on('error', fail);
    req.once('close', () => clearTimeout(idle));
    req.once('end', () => {
      clearTimeout(idle);
      resolve(Buffer.concat(pieces));
    });
  });
}
