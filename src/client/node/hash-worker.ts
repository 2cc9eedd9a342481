// The worker: hashes files, which it opens itself.

import { parentPort } from 'node:worker_threads';
import type { HashRequest } from '../hash-messages.js';
import { hashService } from '../hash-service.js';
import { hashingOf } from '../hashing.js';
import { FileSource, type FileFacts } from './file-source.js';
import { sha256 } from './sha256.js';

if (parentPort === null) throw new Error('this is no program: the SDK starts it as a worker');
const port = parentPort;
const take = hashService<FileFacts>({
  hashing: hashingOf(sha256),
  open: (facts) => FileSource.asWas(facts),
  reply: (message) => port.postMessage(message),
});
port.on('message', (request: HashRequest<FileFacts>) => take(request));
