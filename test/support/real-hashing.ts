// Hashing as core asks for it, by node alone.
import { createHash, randomBytes } from 'node:crypto';
import type { Hashing } from '../../src/core/ports.js';

export const realHashing: Hashing = {
  start(algorithm) {
    const hash = createHash(algorithm);
    return { update: (piece) => void hash.update(piece), digest: () => hash.digest('hex') };
  },
  sha256: (data) => createHash('sha256').update(data).digest('hex'),
  nonce: (bytes) => randomBytes(bytes).toString('hex'),
};
