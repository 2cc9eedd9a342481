// Contents and sources for the client's tests.

import type { UploadSource } from '../../src/client/index.js';

/** The same bytes for the same length, without a period that a chunk could fit. */
export function bytes(length: number, seed = 1): Buffer {
  const content = Buffer.alloc(length);
  let state = seed;
  for (let i = 0; i < length; i += 1) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    content[i] = state >> 16;
  }
  return content;
}

/** A source over a buffer that a test may change under the reader's hands. */
export class MemorySource implements UploadSource {
  readonly name = 'memory';
  readonly size: number;
  readonly lastModified = 1_700_000_000_123;
  fingerprintable = true;
  changed = false;
  /** How often. */
  closed = 0;
  content: Buffer;
  /** Called before each piece with its offset. */
  onRead: (offset: number) => void = () => undefined;

  constructor(content: Buffer) {
    this.content = content;
    this.size = content.byteLength;
  }

  async *read(offset: number, length: number): AsyncGenerator<Uint8Array, void> {
    for (let at = offset; at < offset + length; at += 1_000) {
      this.onRead(at);
      yield await Promise.resolve(Buffer.from(this.content.subarray(at, Math.min(at + 1_000, offset + length))));
    }
  }

  close(): Promise<void> {
    this.closed += 1;
    return Promise.resolve();
  }

  hasChanged(): Promise<boolean> {
    return Promise.resolve(this.changed);
  }
}
