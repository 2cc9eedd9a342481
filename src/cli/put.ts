// `longshore put`: local files and directories to a path on a host.

import WebSocket from 'ws';
import { Uploader } from '../client/index.js';
import { Delivery, FILES_AT_ONCE, type DeliveryOptions } from './delivery.js';
import { parseDestination, targetsOf } from './destination.js';
import { UsageError } from './exit-codes.js';
import { parseSize } from './format.js';
import { transportOptions, type GatewayOptions } from './gateway-options.js';
import { lookAt } from './local-files.js';
import type { Terminal } from './terminal.js';

export interface PutOptions extends GatewayOptions, DeliveryOptions {
  readonly recursive: boolean;
  readonly parallel: string;
  readonly limitRate?: string;
  readonly chunkSize?: string;
}

const MAX_PARALLEL = 64;

/** Sends all that is named; a file that fails doesn't keep the next from being sent. Returns the exit code of the first failure. */
export async function put(paths: readonly string[], options: PutOptions, terminal: Terminal): Promise<number> {
  const last = paths.at(-1);
  if (last === undefined || paths.length < 2) throw new UsageError('put needs at least one file and HOST:/PATH');
  const destination = parseDestination(last);
  const namings = targetsOf(paths.slice(0, -1), destination);
  const uploader = new Uploader({
    ...transportOptions(options),
    parallel: parallelOf(options.parallel),
    maxBytesPerSecond: sizeOf('--limit-rate', options.limitRate),
    filesAtOnce: FILES_AT_ONCE,
    webSocket: WebSocket,
  });
  const chunkSize = sizeOf('--chunk-size', options.chunkSize);
  const looked = await lookAt(namings, options.recursive);
  const { host } = destination;
  return await new Delivery({ uploader, host, looked, chunkSize, options, terminal }).run();
}

function parallelOf(text: string): number {
  const parallel = Number(text);
  if (Number.isInteger(parallel) && parallel >= 1 && parallel <= MAX_PARALLEL) return parallel;
  throw new UsageError(`--parallel must be 1 … ${MAX_PARALLEL}, not "${text}"`);
}

function sizeOf(option: string, text: string | undefined): number | undefined {
  const bytes = text === undefined ? undefined : parseSize(text);
  if (text !== undefined && bytes === undefined) throw new UsageError(`${option} must be a size like 10MiB, not "${text}"`);
  return bytes;
}
