import { execFile } from 'node:child_process';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { BOUNDARY, file, longshoreWith, map, multipart, operations, serve } from './support.js';

const MIB = 1024 * 1024;
const CHUNK_BYTES = 300 * MIB;
const MAX_GROWTH_BYTES = 64 * MIB;

const sender = fileURLToPath(new URL('fixtures/send-chunk.mjs', import.meta.url));

it('streams 300 MiB to a reader slower than the client without keeping them', async () => {
  const usedBytes = (): number => {
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  let startBytes = 0;
  let peakBytes = 0;
  const longshore = longshoreWith({
    uploadChunk: async (_caller, { index, pieces }) => {
      startBytes = usedBytes();
      let uploadedBytes = 0;
      for await (const piece of pieces) {
        uploadedBytes += piece.length;
        peakBytes = Math.max(peakBytes, usedBytes());
        for (let i = 0; i < 3; i += 1) await turn();
      }
      return { kind: 'ChunkStored', index, digest: '', alreadyStored: false, uploadedBytes, uploadedCount: 1 };
    },
  });
  const server = await serve(longshore, { limits: { maxChunkBytes: CHUNK_BYTES } });
  const body = multipart(operations(), map(), file('')).toString();
  const head = body.slice(0, body.indexOf(`\r\n--${BOUNDARY}--`));
  const { stdout } = await promisify(execFile)(process.execPath, [
    sender,
    `${server.url}/graphql`,
    head,
    String(CHUNK_BYTES),
    BOUNDARY,
  ]);
  expect(stdout).toContain(`"uploadedBytes":${CHUNK_BYTES}`);
  expect(peakBytes - startBytes).toBeLessThan(MAX_GROWTH_BYTES);
});
