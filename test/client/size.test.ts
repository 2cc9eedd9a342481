import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { bundleProgram } from './bundle.js';

/** WebAssembly in base64 begins like this: hash-wasm's. */
const WASM = 'AGFzbQ';
const KIB = 1_024;

const weigh = (content: string | Uint8Array) => gzipSync(content).byteLength;
const has = (content: string | Uint8Array, text: string) => Buffer.from(content).includes(text);

it('costs a page at most 20 KiB before it can upload, and 10 KiB more for its worker (minified, gzip)', async () => {
  const files = await bundleProgram("import { Uploader } from 'longshore/client';\nglobalThis.Uploader = Uploader;");
  const entry = files.find(({ isEntry }) => isEntry)?.content ?? '';
  const worker = files.find(({ name }) => name.includes('hash-worker'))?.content ?? '';
  expect([has(entry, WASM), has(worker, WASM)]).toEqual([false, true]);
  expect(weigh(entry)).toBeLessThan(20 * KIB);
  expect(weigh(worker)).toBeLessThan(10 * KIB);
});

it('costs a program that only asks at most 5 KiB, without hashing and sending', async () => {
  const files = await bundleProgram("import { connectGateway } from 'longshore/client';\nglobalThis.connect = connectGateway;");
  const entry = files.find(({ isEntry }) => isEntry)?.content ?? '';
  expect(weigh(entry)).toBeLessThan(5 * KIB);
  for (const text of [WASM, 'hash-worker', 'graphql-transport-ws', 'fp1:']) expect(has(entry, text), text).toBe(false);
});
