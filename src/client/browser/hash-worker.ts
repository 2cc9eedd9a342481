// The worker: hashes Blobs that the page shows it. They are read here, so that their bytes never pass the page's thread.

import { BlobSource } from '../blob-source.js';
import { SourceChangedError } from '../errors.js';
import { hashingOf } from '../hashing.js';
import type { HashPass } from '../platform.js';
import type { HashReply, HashRequest } from './hash-messages.js';
import { platformDigest, sha256Maker } from './sha256.js';

interface Work {
  readonly ending: AbortController;
  readonly pass?: HashPass;
}

const hashing = hashingOf(sha256Maker(), platformDigest());
const works = new Map<number, Work>();

globalThis.addEventListener('message', ({ data }: MessageEvent<HashRequest>) => {
  switch (data.kind) {
    case 'digest': {
      const { id, blob, spans } = data;
      const ending = new AbortController();
      works.set(id, { ending });
      void answer(id, () => hashing.digest(new BlobSource(blob), spans, ending.signal)).finally(() => works.delete(id));
      return;
    }
    case 'begin': {
      const ending = new AbortController();
      works.set(data.pass, { ending, pass: hashing.pass(new BlobSource(data.blob), ending.signal) });
      return;
    }
    case 'chunk':
      void answer(data.id, () => passOf(data.pass).chunk(data.span));
      return;
    case 'whole':
      void answer(data.id, () => passOf(data.pass).whole());
      return;
    case 'end':
      works.get(data.pass)?.ending.abort();
      works.delete(data.pass);
  }
});
reply({ kind: 'ready' });

function passOf(id: number): HashPass {
  const pass = works.get(id)?.pass;
  if (pass === undefined) throw new Error(`no pass ${id}`);
  return pass;
}

/** Doesn't reject. */
async function answer(id: number, work: () => Promise<string>): Promise<void> {
  try {
    reply({ kind: 'digest', id, digest: await work() });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    reply({ kind: 'failure', id, sourceChanged: error instanceof SourceChangedError, message });
  }
}

function reply(message: HashReply): void {
  globalThis.postMessage(message);
}
