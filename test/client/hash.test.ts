import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { PlainSha256 } from '../../src/client/browser/plain-sha256.js';
import { sha256Maker } from '../../src/client/browser/sha256.js';
import { bytes } from './sources.js';

const expected = (content: Uint8Array) => createHash('sha256').update(content).digest('hex');
const makeWasm = sha256Maker();

describe.each([
  ['in WebAssembly', makeWasm],
  ['in JavaScript', () => Promise.resolve(new PlainSha256())],
])('SHA-256 %s', (_name, make) => {
  it('is right at every length around its blocks, in one piece and in many', async () => {
    for (const length of [0, 1, 3, 55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 129, 1_000]) {
      const content = bytes(length, length + 1);
      for (const step of [1, 7, 64, 1_000]) {
        const hash = await make();
        for (let at = 0; at < length; at += step) await hash.update(content.subarray(at, at + step));
        expect(await hash.digest(), `${length} in steps of ${step}`).toBe(expected(content));
      }
    }
  });

  it('knows lengths beyond 2^32 bits', async () => {
    const piece = bytes(1024 * 1024);
    const hash = await make();
    const reference = createHash('sha256');
    for (let i = 0; i < 520; i += 1) {
      await hash.update(piece);
      reference.update(piece);
    }
    expect(await hash.digest()).toBe(reference.digest('hex'));
  });

  it('keeps hashes that run side by side apart', async () => {
    const [one, two] = [await make(), await make()];
    await one.update(Buffer.from('a'));
    await two.update(Buffer.from('b'));
    expect([await one.digest(), await two.digest()]).toEqual([expected(Buffer.from('a')), expected(Buffer.from('b'))]);
  });
});
