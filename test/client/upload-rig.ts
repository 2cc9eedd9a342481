// A stub of a gateway, and uploads to it on a clock that only their own waits move.

import { nodePlatform, type Platform, type Upload } from '../../src/client/index.js';
import type { UploadTarget } from '../../src/client/context.js';
import { Uploader, type UploaderOptions } from '../../src/client/uploader.js';
import type { MemorySource } from './sources.js';
import { StubGateway } from './stub-gateway.js';

/** Bytes of the stub's chunks. */
export const CHUNK = 1024;

export class UploadRig {
  readonly gateway: StubGateway;
  readonly endpoint: string;
  /** What the client waited for, in ms; waits end at once and move its clock. */
  readonly waits: number[] = [];

  private constructor(gateway: StubGateway, endpoint: string) {
    this.gateway = gateway;
    this.endpoint = endpoint;
  }

  static async open(): Promise<UploadRig> {
    const gateway = new StubGateway();
    return new UploadRig(gateway, await gateway.listen());
  }

  async close(): Promise<void> {
    await this.gateway.close();
  }

  platform(): Platform {
    let now = 0;
    return {
      ...nodePlatform(),
      webSocket: undefined,
      now: () => now,
      wait: (ms) => {
        this.waits.push(ms);
        now += ms;
        return Promise.resolve();
      },
      random: () => 0.5,
    };
  }

  uploader(options: Partial<UploaderOptions> = {}, platform: Platform = this.platform()): Uploader {
    return new Uploader({ endpoint: this.endpoint, ...options, parallel: options.parallel ?? 3 }, platform);
  }

  upload(source: MemorySource, target: Partial<UploadTarget> = {}, options: Partial<UploaderOptions> = {}): Upload {
    return this.uploader(options).upload(source, { host: 'local', path: '/inbox/file', ...target });
  }

  /** Of the chunks that have arrived, in that order. */
  indexes(): unknown[] {
    return this.gateway.of('UploadChunk').map(({ variables }) => variables['index']);
  }
}
