import { describe, expect, it } from 'vitest';
import { showBars, showJson } from '../../src/cli/display.js';
import { Tally } from '../../src/cli/tally.js';
import type { Terminal } from '../../src/cli/terminal.js';
import type { UploadEvents } from '../../src/client/context.js';
import { Emitter } from '../../src/client/emitter.js';
import type { MergeProgress, Retry, Upload } from '../../src/client/index.js';
import { ProgressMeter } from '../../src/client/progress.js';
import { progress } from '../client/stub-gateway.js';

/** An upload that says what the test says. */
function handle() {
  const emitter = new Emitter<UploadEvents>();
  const meter = new ProgressMeter(100, () => 0);
  meter.enter('merging');
  const upload = {
    name: 'film.mov',
    target: { host: 'local', path: '/film.mov' },
    get progress() {
      return meter.snapshot();
    },
    on: <Name extends keyof UploadEvents>(name: Name, listener: (event: UploadEvents[Name]) => void) =>
      emitter.on(name, listener),
  } as Upload;
  const tell = () => emitter.emit('progress', meter.snapshot());
  const merge = (phase: string, percent = 0) => {
    meter.merging(progress(phase, { percent }) as unknown as MergeProgress);
    tell();
  };
  return { upload, tell, merge, retry: (retry: Retry) => emitter.emit('retry', retry) };
}

describe('a bar', () => {
  const trouble: Retry = { code: 'NETWORK', message: 'the subscription was lost', attempt: 1, delayMs: 1_000 };

  it('tells of an attempt that failed until the merge is heard of again', async () => {
    let draw: (columns: number) => readonly string[] = () => [];
    const tally = new Tally(() => 0);
    const { upload, tell, merge, retry } = handle();
    const display = await showBars(tally, false, async (lines) => {
      draw = lines;
      return await Promise.resolve(() => undefined);
    });
    tally.begins(upload);
    display.begins(upload);
    merge('VERIFYING', 10);
    retry(trouble);
    tell(); // Of anything else.
    expect(draw(120)[0]).toContain('waiting: the subscription was lost (attempt 1 failed)');
    merge('VERIFYING', 20);
    expect(draw(120)[0]).toContain('verifying on the host');
  });
});

describe('JSON', () => {
  it('tells of progress at once when the merge is a phase further, else at most once a second', () => {
    const printed: string[] = [];
    const { upload, tell, merge } = handle();
    const display = showJson({ print: (line: string) => printed.push(line) } as Partial<Terminal> as Terminal);
    display.begins(upload);
    tell();
    tell();
    for (let percent = 0; percent < 100; percent += 1) merge('VERIFYING', percent);
    merge('DONE', 100);
    merge('DONE', 100);
    const phases = printed.map((line) => (JSON.parse(line) as { merge?: { phase: string } }).merge?.phase);
    expect(phases).toEqual([undefined, 'VERIFYING', 'DONE']);
  });
});
