// The state of one upload for a React page, whichever GraphQL client makes the calls.
import { useEffect, useRef, useState } from 'react';
import { fingerprint } from './chunks';
import type { Problem } from './patience';
import { UploadProblem } from './patience';

export interface FileRef {
  readonly hostId: string;
  readonly fullPath: string;
  readonly hashCode: string;
}

/** What the person wants. */
export interface Wish {
  readonly source: File;
  readonly hostId: string;
  readonly directory: string;
}

/** An upload to make. With `REPLACE` only the file with this etag gives way. */
export interface Job {
  readonly source: File;
  readonly file: FileRef;
  readonly ifExists: 'ASK' | 'REPLACE';
  readonly ifMatch?: string;
}

export interface MergeState {
  readonly phase: string;
  /** Of the phase. */
  readonly percent: number;
}

export interface RunOptions {
  /** Aborts the calls under way. What the gateway acknowledged is kept. */
  readonly signal: AbortSignal;
  readonly onStored: (uploadedBytes: number) => void;
  readonly onMerge: (merge: MergeState) => void;
}

/** Brings the file there, or rejects: with `UploadProblem` when the gateway says why not, or the signal's reason. */
export type Run = (job: Job, options: RunOptions) => Promise<void>;

export interface Upload {
  readonly step: 'new' | 'sending' | 'merging' | 'stopped' | 'failed' | 'done';
  readonly sentBytes: number;
  readonly totalBytes: number;
  readonly merge?: MergeState;
  /** With `failed`: why. */
  readonly problem?: Problem;
  /** Begins, or goes on where an upload of the same file to the same path stopped. */
  readonly start: (wish: Wish) => void;
  /** After `FILE_EXISTS`: the same again, and the file that was found gives way. */
  readonly replace: (etag: string) => void;
  readonly stop: () => void;
}

type State = Omit<Upload, 'start' | 'replace' | 'stop'>;

export function useUpload(run: Run): Upload {
  const [state, setState] = useState<State>({ step: 'new', sentBytes: 0, totalBytes: 0 });
  const wish = useRef<Wish>(null);
  const stopper = useRef<AbortController>(null);
  useEffect(() => () => stopper.current?.abort(), []);

  const begin = async (next: Wish, options: Omit<Job, 'source' | 'file'>): Promise<void> => {
    const { source, hostId, directory } = next;
    wish.current = next;
    const { signal } = (stopper.current = new AbortController());
    const change = (part: Partial<State>): void => setState((before) => ({ ...before, ...part }));
    setState({ step: 'sending', sentBytes: 0, totalBytes: source.size });
    try {
      const fullPath = `${directory.replace(/\/+$/, '')}/${source.name}`;
      await run(
        { source, file: { hostId, fullPath, hashCode: await fingerprint(source) }, ...options },
        {
          signal,
          // Answers of chunks that were sent side by side may overtake each other.
          onStored: (bytes) => setState((before) => ({ ...before, sentBytes: Math.max(before.sentBytes, bytes) })),
          onMerge: (merge) => change({ step: 'merging', sentBytes: source.size, merge }),
        },
      );
      change({ step: 'done', sentBytes: source.size, merge: { phase: 'DONE', percent: 100 } });
    } catch (error) {
      change(signal.aborted ? { step: 'stopped' } : { step: 'failed', problem: problemOf(error) });
    }
  };

  return {
    ...state,
    start: (next) => void begin(next, { ifExists: 'ASK' }),
    replace: (ifMatch) => void (wish.current && begin(wish.current, { ifExists: 'REPLACE', ifMatch })),
    stop: () => stopper.current?.abort(),
  };
}

function problemOf(error: unknown): Problem {
  if (error instanceof UploadProblem) return error.problem;
  return { __typename: 'Error', code: 'ERROR', message: error instanceof Error ? error.message : String(error) };
}
