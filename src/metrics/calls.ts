// Calls, measured on their way in.
import type { Longshore, UploadChunkAnswer, UploadChunkInput } from '../core/answers.js';
import type { Instruments } from './instruments.js';

const OUTCOMES = ['stored', 'already_stored', 'refused', 'broken_off'];

/** The same, and each call is measured. A subscription counts as long as it is watched, and has no length. */
export function measuredCalls(longshore: Longshore, instruments: Instruments): Longshore {
  const { callSeconds, chunks, chunksInFlight, receivedBytes, subscriptions } = instruments;
  const timed = async <T>(operation: keyof Longshore, call: () => Promise<T>): Promise<T> => {
    const end = callSeconds.startTimer({ operation });
    try {
      return await call();
    } finally {
      end();
    }
  };
  const taken = async (input: UploadChunkInput, take: (input: UploadChunkInput) => Promise<UploadChunkAnswer>) => {
    chunksInFlight.inc();
    let outcome = 'broken_off';
    try {
      const answer = await take({ ...input, pieces: told(input.pieces, { next: ({ length }) => receivedBytes.inc(length) }) });
      outcome = outcomeOf(answer);
      return answer;
    } finally {
      chunksInFlight.dec();
      chunks.inc({ outcome });
    }
  };
  for (const outcome of OUTCOMES) chunks.inc({ outcome }, 0);
  return {
    hosts: (caller) => timed('hosts', () => longshore.hosts(caller)),
    uploads: (caller, input) => timed('uploads', () => longshore.uploads(caller, input)),
    uploadStatus: (caller, input) => timed('uploadStatus', () => longshore.uploadStatus(caller, input)),
    dirInfo: (caller, file) => timed('dirInfo', () => longshore.dirInfo(caller, file)),
    uploadChunk: (caller, input) =>
      timed('uploadChunk', () => taken(input, (counted) => longshore.uploadChunk(caller, counted))),
    mergeFile: (caller, input) => timed('mergeFile', () => longshore.mergeFile(caller, input)),
    abortUpload: (caller, file) => timed('abortUpload', () => longshore.abortUpload(caller, file)),
    mergeProgress: (caller, file) =>
      told(longshore.mergeProgress(caller, file), { begin: () => subscriptions.inc(), end: () => subscriptions.dec() }),
  };
}

function outcomeOf(answer: UploadChunkAnswer): string {
  if (answer.kind === 'ChunkStored') return answer.alreadyStored ? 'already_stored' : 'stored';
  // Published meanwhile, with this chunk in it.
  return answer.kind === 'UploadFinished' ? 'already_stored' : 'refused';
}

interface Listener<T> {
  readonly begin?: () => void;
  readonly next?: (value: T) => void;
  /** Once, however it ends. */
  readonly end?: () => void;
}

/** The same; the listener hears how each reading of it goes. Leaving ends the source at once, as before. */
function told<T>(source: AsyncIterable<T>, { begin, next, end }: Listener<T>): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = source[Symbol.asyncIterator]();
      begin?.();
      let isOpen = true;
      const over = (): void => {
        if (isOpen) end?.();
        isOpen = false;
      };
      return {
        async next() {
          try {
            const result = await iterator.next();
            if (result.done === true) over();
            else next?.(result.value);
            return result;
          } catch (error) {
            over();
            throw error;
          }
        },
        async return() {
          over();
          return (await iterator.return?.()) ?? { done: true, value: undefined };
        },
      };
    },
  };
}
