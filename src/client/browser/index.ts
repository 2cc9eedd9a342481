// The surface for browsers. Hashing is done in a worker (`hash-worker.js`, which bundlers find by itself); where none may run, on the
// page's own thread in slices. Neither needs `crypto.subtle`, so pages on plain HTTP work. A strict content policy needs
// `connect-src` with the gateway and `worker-src 'self'`; with `'wasm-unsafe-eval'` hashing is faster. Without a bundler an import map
// has to name `graphql-ws/client` and `hash-wasm`; workers don't see it, so hashing is done on the page's thread then.

import { Gateway } from '../gateway.js';
import { Transport, type TransportOptions } from '../transport.js';
import { Uploader as PortableUploader, type UploaderOptions as PortableOptions } from '../uploader.js';
import { browserHashing, type HashingOptions } from './hashing.js';
import { browserPlatform } from './platform.js';

export * from '../surface.js';
export { chosenFiles, droppedFiles, type ChosenFile } from './chosen.js';
export { browserHashing, type HashingOptions } from './hashing.js';
export { browserPlatform } from './platform.js';

export interface UploaderOptions extends PortableOptions, HashingOptions {}

/** Browsers open six connections to a host (HTTP/1.1); one stays for questions and for the page. */
const PARALLEL = 5;

/** Uploads contents to one gateway. */
export class Uploader extends PortableUploader {
  constructor(options: UploaderOptions) {
    super({ ...options, parallel: options.parallel ?? PARALLEL }, browserPlatform(browserHashing(options)));
  }
}

/** The gateway's operations, one attempt each. */
export function connectGateway(options: TransportOptions): Gateway {
  return new Gateway(new Transport(options, browserPlatform()));
}
