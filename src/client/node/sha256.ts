// Node's own SHA-256.

import { createHash } from 'node:crypto';
import type { Hash } from '../platform.js';

export function sha256(): Hash {
  const hash = createHash('sha256');
  return {
    update: (piece) => void hash.update(piece),
    digest: () => hash.digest('hex'),
  };
}
