// What the examples are tried against: a gateway as its users start it, behind a line that can be slowed, held and cut.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GatewayProcess } from '../support/gateway-process.js';
import { startGatewayProcess } from '../support/gateway-process.js';
import { MIB } from '../support/bytes.js';
import type { Proxy } from '../support/proxy.js';
import { startProxy } from '../support/proxy.js';

export interface Stage {
  readonly gateway: GatewayProcess;
  /** Between the examples and the gateway: `LINE_BYTES_PER_SECOND`. */
  readonly line: Proxy;
  /** The gateway through the line. */
  readonly url: string;
  /** The host `local` on this disk. */
  readonly data: string;
  /** For the files that are sent. */
  readonly directory: string;
  stop(): Promise<void>;
}

/** 8 MiB take a second: enough to stop in the middle. */
const LINE_BYTES_PER_SECOND = 8 * MIB;

/** Chunks are of 1 MiB. `origins`: of pages that aren't the gateway's. */
export async function startStage(origins: readonly string[] = []): Promise<Stage> {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-examples-'));
  writeFileSync(
    join(directory, 'longshore.yaml'),
    `listen: { origins: ${JSON.stringify(origins)} }\nlimits: { chunkBytes: 1MiB }\n`,
  );
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  const gateway = await startGatewayProcess({ directory }).catch((error: unknown) => {
    remove();
    throw error;
  });
  const line = await startProxy(
    { address: '127.0.0.1', port: Number(new URL(gateway.url).port) },
    { bytesPerSecond: LINE_BYTES_PER_SECOND },
  );
  return {
    gateway,
    line,
    url: `http://127.0.0.1:${line.port}`,
    data: join(directory, 'data'),
    directory,
    async stop() {
      await gateway.stop();
      await line.stop();
      remove();
    },
  };
}
