// `longshore/client/react`: uploads as React state. The uploads themselves live outside of components: one that goes away takes
// nothing with it, and whoever holds a handle can show it again.

import { useCallback, useMemo, useSyncExternalStore } from 'react';
import type { BatchOutcome, BatchProgress, UploadBatch } from '../batch.js';
import type { UploadProgress } from '../progress.js';
import type { Upload, UploadResult } from '../upload.js';

export interface UploadState {
  readonly progress: UploadProgress;
  /** Once it is done. */
  readonly result: UploadResult | undefined;
  /** Once it has ended otherwise: an `UploadError`, or what reading the source threw. */
  readonly error: unknown;
}

export interface UploadsState {
  readonly progress: BatchProgress;
  /** Once all have ended. */
  readonly outcomes: readonly BatchOutcome[] | undefined;
}

/** The state of an upload, up to ten times a second; `undefined` without one. */
export function useUpload(upload: Upload): UploadState;
export function useUpload(upload: Upload | undefined): UploadState | undefined;
export function useUpload(upload: Upload | undefined): UploadState | undefined {
  const store = useMemo(() => (upload === undefined ? NOTHING : uploadStore(upload)), [upload]);
  return useStore<UploadState | undefined>(store);
}

/** The state of a batch; its rows are `batch.uploads`, each for a component with `useUpload`. */
export function useUploads(batch: UploadBatch): UploadsState;
export function useUploads(batch: UploadBatch | undefined): UploadsState | undefined;
export function useUploads(batch: UploadBatch | undefined): UploadsState | undefined {
  const store = useMemo(() => (batch === undefined ? NOTHING : batchStore(batch)), [batch]);
  return useStore<UploadsState | undefined>(store);
}

interface Store<State> {
  /** The same object as long as nothing has changed. */
  readonly state: () => State;
  readonly subscribe: (listener: () => void) => () => void;
}

const NOTHING: Store<undefined> = { state: () => undefined, subscribe: () => () => undefined };

function useStore<State>(store: Store<State>): State {
  return useSyncExternalStore(
    useCallback((listener) => store.subscribe(listener), [store]),
    store.state,
    store.state,
  );
}

function uploadStore(upload: Upload): Store<UploadState> {
  return storeOf<UploadState>({ progress: upload.progress, result: undefined, error: undefined }, (set) => {
    const showProgress = () => set({ progress: upload.progress });
    upload.done.then(
      (result) => set({ progress: upload.progress, result }),
      (error: unknown) => set({ progress: upload.progress, error }),
    );
    return [upload.on('progress', showProgress), showProgress];
  });
}

function batchStore(batch: UploadBatch): Store<UploadsState> {
  return storeOf<UploadsState>({ progress: batch.progress, outcomes: undefined }, (set) => {
    const showProgress = () => set({ progress: batch.progress });
    void batch.done.then((outcomes) => set({ progress: batch.progress, outcomes }));
    return [batch.on('progress', showProgress), showProgress];
  });
}

/** `watch` is called with the first listener; what it returns ends it with the last one, and looks anew for what was missed before. */
function storeOf<State>(
  first: State,
  watch: (set: (change: Partial<State>) => void) => readonly [unwatch: () => void, look: () => void],
): Store<State> {
  let state = first;
  let unwatch: (() => void) | undefined;
  const listeners = new Set<() => void>();
  const set = (change: Partial<State>) => {
    state = { ...state, ...change };
    for (const listener of [...listeners]) listener();
  };
  return {
    state: () => state,
    subscribe(listener) {
      listeners.add(listener);
      if (unwatch === undefined) {
        const [end, look] = watch(set);
        unwatch = end;
        look();
      }
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        unwatch?.();
        unwatch = undefined;
      };
    },
  };
}
