// The fastest running SHA-256 that this page may have: WebAssembly, or JavaScript where a content policy forbids that.

import { createSHA256, type IHasher } from 'hash-wasm';
import type { Hash } from '../platform.js';
import { PlainSha256 } from './plain-sha256.js';

/** Makes hashes. Those that were ended are used again: each has a WebAssembly memory of its own, which only the collector frees. */
export function sha256Maker(): () => Promise<Hash> {
  const idle: IHasher[] = [];
  let isForbidden = false;
  return async () => {
    if (isForbidden) return new PlainSha256();
    let hasher: IHasher;
    try {
      hasher = idle.pop() ?? (await createSHA256());
    } catch {
      isForbidden = true; // By the page's policy, or for want of memory: either way it is the slower one from now on.
      return new PlainSha256();
    }
    hasher.init();
    return {
      update: (piece) => void hasher.update(piece),
      digest: () => {
        const hex = hasher.digest('hex');
        idle.push(hasher);
        return hex;
      },
    };
  };
}

/** The browser's own SHA-256, several times as fast but only for bytes that are all there; `undefined` on pages over plain HTTP. */
export function platformDigest(): ((bytes: Uint8Array<ArrayBuffer>) => Promise<string>) | undefined {
  if (!globalThis.isSecureContext) return undefined;
  return async (bytes) => {
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  };
}
