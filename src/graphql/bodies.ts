// How a request's body comes in: bounded in size, in silence and in slowness, whatever its type.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { BodyLimits } from './body-limits.js';
import { MAX_OPERATION_BYTES, Pace, bodyTimeout, invite, tooLarge } from './body-limits.js';
import type { GraphQLContext } from './context.js';
import { graphqlError } from './errors.js';
import { isMultipart, readMultipart } from './multipart.js';

/** What Yoga is given with each HTTP request. */
export interface HttpExchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

/**
 * Takes multipart requests in as streams and all others as a whole. Yoga's own limit must be off (`maxRequestBodySize: false`): it wraps
 * every parser, and copies each byte.
 */
export function useBodies(limits: BodyLimits): Plugin<GraphQLContext, HttpExchange> {
  return {
    onRequestParse({ request, serverContext: { req, res }, requestParser, setRequestParser, fetchAPI }) {
      if (request.method === 'POST' && isMultipart(req)) return setRequestParser(() => readMultipart(req, res, limits));
      if (requestParser === undefined) throw unreadable();
      setRequestParser(async (asked) => {
        const { url, method, headers } = asked;
        const body = method === 'POST' ? await readWhole(req, res, limits) : undefined;
        const whole = body === undefined ? asked : new fetchAPI.Request(url, { method, headers, body });
        // Awaited here, so that whatever it throws is caught here.
        return Promise.resolve()
          .then(() => requestParser(whole))
          .catch((error: unknown) => {
            throw isPlain(error) ? error : graphqlError('BAD_REQUEST', 'What was sent is not JSON.', { status: 400 });
          });
      });
    },
  };
}

function unreadable(): GraphQLError {
  const message = 'Send application/json, or multipart/form-data with a file.';
  return graphqlError('UNSUPPORTED_MEDIA_TYPE', message, { status: 415 });
}

/** Whether a client may see it as it is. Yoga tells what JavaScript had to say about a body that isn't JSON. */
function isPlain(error: unknown): boolean {
  return error instanceof GraphQLError && error.extensions['originalError'] === undefined;
}

/** The whole body, at most `MAX_OPERATION_BYTES`. The rest of one that is refused is left in the request. */
async function readWhole(req: IncomingMessage, res: ServerResponse, limits: BodyLimits): Promise<Buffer<ArrayBuffer>> {
  invite(req, res, MAX_OPERATION_BYTES);
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let lengthBytes = 0;
    const stop = (): void => {
      pace.stop();
      clearTimeout(deadline);
      req.off('data', take);
    };
    const fail = (error: Error): void => {
      stop();
      req.pause();
      reject(error);
    };
    const take = (piece: Buffer): void => {
      lengthBytes += piece.length;
      if (lengthBytes > MAX_OPERATION_BYTES) return fail(tooLarge(`The body may have at most ${MAX_OPERATION_BYTES} bytes.`));
      pieces.push(piece);
    };
    const pace = new Pace(req, { limits, code: 'BAD_REQUEST', isHeldBack: () => false, onFailure: fail });
    const { operationTimeoutMs } = limits;
    const late = (): void => fail(bodyTimeout('BAD_REQUEST', `The body took longer than ${operationTimeoutMs} ms.`));
    const deadline = setTimeout(late, operationTimeoutMs);
    req.on('data', take);
    req.on('error', fail);
    req.once('close', stop);
    req.once('end', () => {
      stop();
      resolve(Buffer.concat(pieces));
    });
  });
}
