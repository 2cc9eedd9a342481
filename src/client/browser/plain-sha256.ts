// SHA-256 (FIPS 180-4) in nothing but JavaScript: for pages whose content policy forbids WebAssembly, and that have no `crypto.subtle`
// or, as here, need a hash that runs along with the bytes.

import type { Hash } from '../platform.js';

const BLOCK_BYTES = 64;
const ROUNDS = 64;

export class PlainSha256 implements Hash {
  readonly #state = Uint32Array.from(fractions(8, 1 / 2));
  readonly #schedule = new Uint32Array(ROUNDS);
  readonly #block = new Uint8Array(BLOCK_BYTES);
  #blockBytes = 0;
  #bytes = 0;

  update(piece: Uint8Array): void {
    this.#bytes += piece.byteLength;
    let at = 0;
    if (this.#blockBytes > 0) {
      at = Math.min(BLOCK_BYTES - this.#blockBytes, piece.byteLength);
      this.#block.set(piece.subarray(0, at), this.#blockBytes);
      this.#blockBytes += at;
      if (this.#blockBytes < BLOCK_BYTES) return;
      this.#compress(this.#block, 0);
      this.#blockBytes = 0;
    }
    for (; at + BLOCK_BYTES <= piece.byteLength; at += BLOCK_BYTES) this.#compress(piece, at);
    this.#block.set(piece.subarray(at));
    this.#blockBytes = piece.byteLength - at;
  }

  digest(): string {
    const bits = this.#bytes * 8;
    // One bit, zeros up to 8 bytes before the end of a block, the length in bits.
    const padding = new Uint8Array((this.#blockBytes < 56 ? 56 : 120) - this.#blockBytes + 8);
    padding[0] = 0x80;
    const view = new DataView(padding.buffer);
    view.setUint32(padding.byteLength - 8, Math.floor(bits / 2 ** 32));
    view.setUint32(padding.byteLength - 4, bits % 2 ** 32);
    this.update(padding);
    return Array.from(this.#state, (word) => word.toString(16).padStart(8, '0')).join('');
  }

  #compress(bytes: Uint8Array, at: number): void {
    const w = this.#schedule;
    for (let t = 0; t < 16; t += 1) {
      const i = at + t * 4;
      w[t] = (byte(bytes, i) << 24) | (byte(bytes, i + 1) << 16) | (byte(bytes, i + 2) << 8) | byte(bytes, i + 3);
    }
    for (let t = 16; t < ROUNDS; t += 1) {
      const x = word(w, t - 15);
      const y = word(w, t - 2);
      const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3);
      const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10);
      w[t] = (word(w, t - 16) + s0 + word(w, t - 7) + s1) | 0;
    }
    this.#mix(w);
  }

  #mix(w: Uint32Array): void {
    const state = this.#state;
    let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
    for (let t = 0; t < ROUNDS; t += 1) {
      const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + word(K, t) + word(w, t)) | 0;
      const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((value, i) => (state[i] = word(state, i) + value));
  }
}

/** The first 32 bits of the fractional parts of the roots of the first `count` primes: where the standard has its constants from. */
function fractions(count: number, exponent: number): number[] {
  const primes: number[] = [];
  for (let n = 2; primes.length < count; n += 1) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  return primes.map((prime) => Math.floor((prime ** exponent % 1) * 2 ** 32));
}

const K = Uint32Array.from(fractions(ROUNDS, 1 / 3));

function rotate(x: number, bits: number): number {
  return (x >>> bits) | (x << (32 - bits));
}

/** Never `undefined`: the loops stay within. */
function word(words: Uint32Array, i: number): number {
  return words[i] ?? 0;
}

function byte(bytes: Uint8Array, i: number): number {
  return bytes[i] ?? 0;
}
