// How `put` shows what is under way: bars where somebody looks, lines where a log is written, JSON where a program reads.

import { performance } from 'node:perf_hooks';
import { isOver as hasEnded, type Retry, type Upload, type UploadProgress } from '../client/index.js';
import { progressLine, progressText, totalLine } from './progress-line.js';
import type { Tally } from './tally.js';
import type { Terminal } from './terminal.js';

export interface Display {
  /** In the same turn in which the upload begins. */
  readonly begins: (upload: Upload) => void;
  readonly ends: (upload: Upload) => void;
  /** What is printed afterwards comes below. */
  readonly close: () => void;
}

const LINE_EVERY_MS = 5_000;
const JSON_EVERY_MS = 1_000;

/** A bar for all files when there are several, and one for each that is under way; gone in the end. */
export async function showBars(tally: Tally, isSeveral: boolean, show: NonNullable<Terminal['show']>): Promise<Display> {
  const retries = new Map<Upload, Retry>();
  const close = await show((columns) => [
    ...(isSeveral ? [totalLine(tally.total, columns)] : []),
    ...[...tally.running].map((upload) => progressLine(upload, retries.get(upload), columns)),
  ]);
  return {
    begins: (upload) => {
      // News of a failure stands there until bytes move again, or the merge is heard of.
      let { wireBytes, merge } = upload.progress;
      upload.on('retry', (retry) => {
        retries.set(upload, retry);
        ({ wireBytes, merge } = upload.progress);
      });
      upload.on('chunk', () => retries.delete(upload));
      upload.on('progress', (progress) => {
        if (progress.wireBytes !== wireBytes || progress.merge !== merge) retries.delete(upload);
      });
    },
    ends: (upload) => retries.delete(upload),
    close,
  };
}

/** A line per phase, per new trouble, and every few seconds; of many files only the latter two. `clock` is in ms. */
export function showLines(isSeveral: boolean, { say }: Terminal, clock = () => performance.now()): Display {
  let lastState = '';
  // All chunks of all files lose the gateway together, and one of them may still be answered meanwhile: one outage is one piece of news.
  const outage = { isOn: false, saidAt: Number.NEGATIVE_INFINITY };
  const isOver = () => (outage.isOn = false);
  const tellOutage = (name: string, message: string) => {
    if (outage.isOn || clock() - outage.saidAt < LINE_EVERY_MS) return;
    outage.isOn = true;
    outage.saidAt = clock();
    say(`${name}: the gateway can't be reached (${message}); trying again`);
  };
  return {
    begins: (upload) => {
      const name = isSeveral ? upload.target.path : upload.name;
      let phase = '';
      let saidAt = isSeveral ? clock() : Number.NEGATIVE_INFINITY;
      let { merge } = upload.progress;
      upload.on('chunk', isOver);
      upload.on('progress', (progress: UploadProgress) => {
        if (progress.merge !== merge) isOver();
        ({ merge } = progress);
        const current = isSeveral ? '' : `${progress.phase} ${merge?.phase ?? ''}`;
        if (hasEnded(progress.phase) || (current === phase && clock() - saidAt < LINE_EVERY_MS)) return;
        phase = current;
        saidAt = clock();
        const state = `${name}: ${progressText(progress)}`;
        // Where the path turns out to be a directory, the same begins a second time.
        if (state !== lastState) say(state);
        lastState = state;
      });
      let retry = { message: '', saidAt: Number.NEGATIVE_INFINITY };
      upload.on('retry', ({ code, message, delayMs }) => {
        if (code === 'NETWORK') return tellOutage(name, message);
        // All chunks under way fail of the same cause at the same time.
        if (message === retry.message && clock() - retry.saidAt < LINE_EVERY_MS) return;
        retry = { message, saidAt: clock() };
        say(`${name}: ${message}; trying again in ${(delayMs / 1_000).toFixed(1)} s`);
      });
    },
    ends: nothing,
    close: nothing,
  };
}

/** One JSON object per line on standard output: `phase`, `progress` (at once when the merge is a phase further, else at most once a second), `chunk`, `retry`. */
export function showJson({ print }: Terminal): Display {
  return {
    begins: (upload) => {
      const { host, path } = upload.target;
      let printed: { readonly at: number; readonly mergePhase?: string | undefined } = { at: Number.NEGATIVE_INFINITY };
      const emit = (event: string, facts: object) => print(JSON.stringify({ event, host, path, ...facts }));
      upload.on('phase', (phase) => emit('phase', { phase }));
      upload.on('chunk', (chunk) => emit('chunk', chunk));
      upload.on('retry', (retry) => emit('retry', retry));
      upload.on('progress', (progress) => {
        const now = performance.now();
        const mergePhase = progress.merge?.phase;
        if (now - printed.at < JSON_EVERY_MS && mergePhase === printed.mergePhase) return;
        printed = { at: now, mergePhase };
        emit('progress', progress);
      });
    },
    ends: nothing,
    close: nothing,
  };
}

const nothing = () => undefined;
