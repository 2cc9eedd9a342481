// The uploader as programs on Node use it.

import { Gateway } from '../gateway.js';
import { Transport, type TransportOptions } from '../transport.js';
import { Uploader as PortableUploader, type UploaderOptions } from '../uploader.js';
import { nodePlatform, type NodePlatformOptions } from './platform.js';

/** A gateway takes twice as many of one person, unless it was configured otherwise; there are so many only where that pays. */
const PARALLEL = 32;

export interface NodeUploaderOptions extends UploaderOptions, NodePlatformOptions {}

/** Uploads contents to one gateway. */
export class Uploader extends PortableUploader {
  constructor(options: NodeUploaderOptions) {
    super({ ...options, parallel: options.parallel ?? PARALLEL }, nodePlatform(options));
  }
}

/** The gateway's operations, one attempt each. */
export function connectGateway(options: TransportOptions): Gateway {
  return new Gateway(new Transport(options, nodePlatform()));
}
