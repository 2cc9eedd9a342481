import { describe, expect, it } from 'vitest';
import { showBars, showJson, showLines } from '../../src/cli/display.js';
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
  const stored = () => emitter.emit('chunk', { index: 1, bytes: 1, alreadyStored: false });
  return { upload, tell, merge, stored, retry: (retry: Retry) => emitter.emit('retry', retry) };
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

describe('lines', () => {
  function lines() {
    const said: string[] = [];
    let now = 0;
    const terminal = { say: (line: string) => said.push(line) } as Partial<Terminal> as Terminal;
    return { said, display: showLines(false, terminal, () => now), wait: (ms: number) => (now += ms) };
  }
  const lost = (message: string): Retry => ({ code: 'NETWORK', message, attempt: 1, delayMs: 200 });
  const told = (message: string) => `film.mov: the gateway can't be reached (${message}); trying again`;

  it('tell of an outage once, however many chunks meet it, however long it is and whatever each of them says', () => {
    const { said, display, wait } = lines();
    const [one, other] = [handle(), handle()];
    for (const { upload } of [one, other]) display.begins(upload);
    for (const message of ['socket hang up', 'connect ECONNREFUSED', 'read ECONNRESET']) {
      for (const { retry } of [one, other]) retry(lost(message));
      wait(10_000);
    }
    expect(said).toEqual([told('socket hang up')]);
  });

  it('tell of the next outage, but not of a chunk that fails a moment after another was answered', () => {
    const { said, display, wait } = lines();
    const { upload, retry, stored } = handle();
    display.begins(upload);
    retry(lost('socket hang up'));
    stored();
    retry(lost('read ECONNRESET'));
    expect(said).toEqual([told('socket hang up')]);
    wait(10_000);
    retry(lost('socket hang up'));
    expect(said).toEqual([told('socket hang up'), told('socket hang up')]);
  });

  it('tell of an outage in a merge, and of the next after it was heard of again', () => {
    const { said, display, wait } = lines();
    const { upload, retry, merge } = handle();
    display.begins(upload);
    retry(lost('the WebSocket was lost'));
    wait(10_000);
    retry(lost('the WebSocket was lost'));
    merge('QUEUED');
    retry(lost('the WebSocket was lost'));
    expect(said).toEqual([
      told('the WebSocket was lost'),
      'film.mov: sent; queued on the gateway',
      told('the WebSocket was lost'),
    ]);
  });

  it('are not said twice where the same begins a second time', () => {
    const { said, display } = lines();
    for (const { upload, merge } of [handle(), handle()]) {
      display.begins(upload);
      merge('QUEUED');
    }
    expect(said).toEqual(['film.mov: sent; queued on the gateway']);
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
