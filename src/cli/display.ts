// How `put` shows an upload: a bar where somebody looks, lines where a log is written, JSON where a program reads.

import { performance } from 'node:perf_hooks';
import cliProgress from 'cli-progress';
import type { Retry, Upload, UploadPhase, UploadProgress } from '../client/index.js';
import { factsOf, fractionOf, percentText } from './progress-line.js';
import type { Terminal } from './terminal.js';

export interface Display {
  /** Leaves the screen free for a question, and takes it again. */
  readonly pause: () => void;
  readonly resume: () => void;
  /** Ends the display; what follows is written below it. */
  readonly end: () => void;
}

const BAR_CELLS = 24;
const FRAMES_PER_SECOND = 8;
const LINE_EVERY_MS = 5_000;
const JSON_EVERY_MS = 1_000;

/** A single line that is redrawn, and gone in the end. */
export function showBar(upload: Upload, name: string, screen: NodeJS.WriteStream): Display {
  let retry: Retry | undefined;
  upload.on('retry', (event) => (retry = event));
  upload.on('progress', ({ wireBytes }) => {
    // Bytes move again, so nothing is being waited for.
    if (wireBytes !== wireBytesAtRetry) retry = undefined;
    wireBytesAtRetry = wireBytes;
  });
  upload.on('chunk', () => (retry = undefined));
  let wireBytesAtRetry = 0;

  const create = () =>
    new cliProgress.SingleBar({
      stream: screen,
      fps: FRAMES_PER_SECOND,
      barsize: BAR_CELLS,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      hideCursor: true,
      linewrap: false,
      clearOnComplete: true,
      gracefulExit: false, // Signals are `put`'s.
      format: (options) => {
        const progress = upload.progress;
        const fraction = fractionOf(progress);
        const bar = cliProgress.Format.BarFormat(Math.min(1, fraction), options);
        return `${name}  ${bar} ${percentText(fraction)}  ${factsOf(progress, retry)}`;
      },
    });
  let bar = create();
  bar.start(1, 0);
  return {
    pause: () => {
      bar.stop();
    },
    resume: () => {
      bar = create();
      bar.start(1, 0);
    },
    end: () => {
      bar.stop();
    },
  };
}

/** A line per phase, per new trouble, and every few seconds. */
export function showLines(upload: Upload, name: string, { say }: Terminal): Display {
  let phase = '';
  let saidAt = Number.NEGATIVE_INFINITY;
  const show = (progress: UploadProgress) => {
    const now = performance.now();
    const current = `${progress.phase} ${progress.merge?.phase ?? ''}`;
    if (isOver(progress.phase) || (current === phase && now - saidAt < LINE_EVERY_MS)) return;
    phase = current;
    saidAt = now;
    say(`${name}: ${percentText(fractionOf(progress)).trim()}  ${factsOf(progress, undefined)}`);
  };
  upload.on('progress', show);
  let retry = { message: '', saidAt: Number.NEGATIVE_INFINITY };
  upload.on('retry', ({ message, delayMs }) => {
    // All chunks under way fail of the same cause at the same time: that is one piece of news.
    const now = performance.now();
    if (message === retry.message && now - retry.saidAt < LINE_EVERY_MS) return;
    retry = { message, saidAt: now };
    say(`${name}: ${message}; trying again in ${(delayMs / 1_000).toFixed(1)} s`);
  });
  return SILENT;
}

/** One JSON object per line on standard output: `phase`, `progress` at most once a second, `chunk`, `retry`. */
export function showJson(
  upload: Upload,
  target: { readonly host: string; readonly path: string },
  { print }: Terminal,
): Display {
  let printedAt = Number.NEGATIVE_INFINITY;
  const emit = (event: string, facts: object) => {
    print(JSON.stringify({ event, ...target, ...facts }));
  };
  upload.on('phase', (phase) => {
    emit('phase', { phase });
  });
  upload.on('chunk', (chunk) => {
    emit('chunk', chunk);
  });
  upload.on('retry', (retry) => {
    emit('retry', retry);
  });
  upload.on('progress', (progress) => {
    const now = performance.now();
    if (now - printedAt < JSON_EVERY_MS && progress.merge === undefined) return;
    printedAt = now;
    emit('progress', progress);
  });
  return SILENT;
}

function isOver(phase: UploadPhase): boolean {
  return phase === 'done' || phase === 'failed' || phase === 'stopped' || phase === 'aborted';
}

const nothing = () => undefined;
const SILENT: Display = { pause: nothing, resume: nothing, end: nothing };
