// The worker: hashes Blobs that the page shows it.

import { BlobSource } from '../blob-source.js';
import type { HashRequest } from '../hash-messages.js';
import { hashService } from '../hash-service.js';
import { hashingOf } from '../hashing.js';
import { platformDigest, sha256Maker } from './sha256.js';

const take = hashService<Blob>({
  hashing: hashingOf(sha256Maker(), platformDigest()),
  open: (blob) => new BlobSource(blob),
  reply: (message) => globalThis.postMessage(message),
});
globalThis.addEventListener('message', ({ data }: MessageEvent<HashRequest<Blob>>) => take(data));
