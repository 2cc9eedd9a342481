// What a gateway or worker tells of itself: whether it is alive, whether it is ready, and its numbers.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { credentialsOf } from '../identity/authentication.js';
import { bearerToken, invalidToken } from '../identity/bearer.js';
import { sendJson } from '../responses.js';

export type Obstacles = readonly ('COORDINATION_UNAVAILABLE' | 'STOPPING')[];

export interface MetricsPage {
  readonly read: () => Promise<{ readonly contentType: string; readonly text: string }>;
  /** What readers have to show, as `Authorization: Bearer`; undefined: nothing. */
  readonly token?: string | undefined;
}

export interface OperationsOptions {
  /** What keeps requests from being served now, for `/ready`; empty: nothing, as by default. */
  readonly obstacles?: (() => Obstacles | Promise<Obstacles>) | undefined;
  /** What `/metrics` shows. Default: there is no such page. */
  readonly metrics?: MetricsPage | undefined;
}

export interface OperationPages {
  /** `/health` and `/ready`, for anybody. Resolves with false, nothing sent, when it is neither. */
  sendState(res: ServerResponse, path: string): Promise<boolean>;
  /** `/metrics`: rejects with `UNAUTHENTICATED` where its token isn't shown. Resolves with false, nothing sent, at any other path. */
  sendMetrics(req: IncomingMessage, res: ServerResponse, path: string): Promise<boolean>;
  /** From now on not ready. */
  stop(): void;
}

export function createOperationPages({ obstacles = () => [], metrics }: OperationsOptions): OperationPages {
  const ask = askedOnceASecond(obstacles);
  let isStopping = false;
  return {
    async sendState(res, path) {
      if (path === '/health') sendJson(res, 200, { status: 'ok' });
      else if (path === '/ready') sendReadiness(res, isStopping ? ['STOPPING'] : await ask());
      else return false;
      return true;
    },
    async sendMetrics(req, res, path) {
      if (path !== '/metrics' || metrics === undefined) return false;
      const { read, token } = metrics;
      if (token !== undefined && !isSame(bearerToken(credentialsOf(req).authorization), token)) {
        throw invalidToken('This is not the token for metrics.');
      }
      const { contentType, text } = await read();
      res.writeHead(200, { 'content-type': contentType, 'content-length': Buffer.byteLength(text) });
      res.end(text);
      return true;
    },
    stop() {
      isStopping = true;
    },
  };
}

function sendReadiness(res: ServerResponse, obstacles: Obstacles): void {
  if (obstacles.length === 0) sendJson(res, 200, { status: 'ready' });
  else sendJson(res, 503, { status: 'not ready', reasons: obstacles });
}

/** Anybody may ask whether we are ready, however often: what that costs isn't his to choose. */
const READINESS_AGE_MS = 1_000;

/** The same answer for a second after it was had, and to all who wait for it. */
function askedOnceASecond(ask: () => Obstacles | Promise<Obstacles>): () => Promise<Obstacles> {
  let answer: Promise<Obstacles> | undefined;
  let until = 0;
  return () => {
    if (answer !== undefined && performance.now() < until) return answer;
    until = Number.POSITIVE_INFINITY;
    answer = Promise.resolve()
      .then(ask)
      .finally(() => (until = performance.now() + READINESS_AGE_MS));
    return answer;
  };
}

/** In a time that tells nothing of how much of it is right. */
function isSame(one: string, other: string): boolean {
  return timingSafeEqual(digest(one), digest(other));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
