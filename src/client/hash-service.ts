// The worker's side: hashes what it is shown, and reads it here, so that the bytes never pass the thread that asked.

import { describeError, SourceChangedError } from './errors.js';
import type { HashReply, HashRequest } from './hash-messages.js';
import type { Hashing, HashPass, UploadSource } from './platform.js';

export interface HashServiceOptions<Content> {
  readonly hashing: Hashing;
  /** For one reader at a time, who is done with a piece when asking for the next. */
  readonly open: (content: Content) => UploadSource;
  readonly reply: (reply: HashReply) => void;
}

/** A pass, or a digest of its own, that is under way. */
interface Work {
  readonly source: UploadSource;
  readonly ending: AbortController;
  readonly pass: HashPass;
  /** Settles when nothing reads the source; doesn't reject. */
  reading: Promise<void>;
}

/** Says that it is ready, and returns what takes up each request. */
export function hashService<Content>(options: HashServiceOptions<Content>): (request: HashRequest<Content>) => void {
  const { hashing, open, reply } = options;
  const works = new Map<number, Work>();

  const begin = (id: number, content: Content) => {
    const source = open(content);
    const ending = new AbortController();
    const work: Work = { source, ending, pass: hashing.pass(source, ending.signal), reading: Promise.resolve() };
    works.set(id, work);
    return work;
  };
  const answer = async (id: number, digest: Promise<string>) => {
    try {
      reply({ kind: 'digest', id, digest: await digest });
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      reply({
        kind: 'failure',
        id,
        sourceChanged: error instanceof SourceChangedError,
        message: describeError(error),
        code: typeof code === 'string' ? code : undefined, // A DOMException has a number.
      });
    }
  };
  const goOn = (id: number, passId: number, digest: (pass: HashPass) => Promise<string>) => {
    const work = works.get(passId);
    if (work === undefined) void answer(id, Promise.reject(new Error(`no pass ${passId}`)));
    else work.reading = answer(id, digest(work.pass));
  };
  const end = (id: number) => {
    const work = works.get(id);
    if (work === undefined) return;
    works.delete(id);
    work.ending.abort();
    work.pass.end();
    // Nothing was written that closing could fail to keep.
    void work.reading.then(() => work.source.close?.()).catch(() => undefined);
  };

  reply({ kind: 'ready' });
  return (request) => {
    switch (request.kind) {
      case 'digest': {
        const { id, content, spans } = request;
        const work = begin(id, content);
        work.reading = answer(id, hashing.digest(work.source, spans, work.ending.signal));
        void work.reading.then(() => end(id));
        return;
      }
      case 'begin':
        begin(request.pass, request.content);
        return;
      case 'chunk':
        goOn(request.id, request.pass, (pass) => pass.chunk(request.span));
        return;
      case 'whole':
        goOn(request.id, request.pass, (pass) => pass.whole());
        return;
      case 'end':
        end(request.pass);
    }
  };
}
