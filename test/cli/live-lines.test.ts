/* eslint-disable no-control-regex -- It is what terminals are spoken to with. */
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { beforeEach, expect, it } from 'vitest';
import { LiveLines } from '../../src/cli/live-lines.js';

let screen: PassThrough & { columns: number; rows: number };
let live: LiveLines;

beforeEach(() => {
  screen = Object.assign(new PassThrough({ encoding: 'utf8' }), { columns: 20, rows: 4 });
  live = new LiveLines(screen as unknown as NodeJS.WriteStream);
});

const written = () => String(screen.read() ?? '');

it('cuts lines that are too wide, and leaves out those for which the screen is too low', async () => {
  const end = await live.show(() => ['waiting: a message that is much too long', 'two', 'three', 'four']);
  expect(written()).toBe('\x1b[?7lwaiting: a message…\ntwo\nthree\n\x1b[?7h');
  end();
});

it('draws on a screen that has no size, and nothing where there are no lines', async () => {
  [screen.columns, screen.rows] = [0, 0];
  let lines = ['a line of more than twenty letters'];
  const end = await live.show(() => lines);
  expect(written()).toContain('\x1b[?7la line of more than twenty letters\n');
  lines = [];
  await once(screen, 'readable');
  expect(written()).toMatch(/\x1b\[2K\x1b\[G\x1b\[\?7h$/);
  end();
});

it('writes above, and holds back what comes while a question stands there', async () => {
  const end = await live.show(() => ['one', 'two']);
  written();
  live.above(() => void screen.write('result\n'));
  // Up to the first line, clear, the result, and the lines again below it.
  expect(written()).toMatch(/^.*(\x1b\[2K\x1b\[1A){2}\x1b\[2K\x1b\[G\x1b\[\?7hresult\n\x1b\[\?7lone\ntwo\n/);
  const answer = await live.without(() => {
    live.above(() => void screen.write('meanwhile\n'));
    expect(written()).not.toContain('meanwhile');
    return Promise.resolve('yes');
  });
  expect(answer).toBe('yes');
  expect(written()).toMatch(/^meanwhile\n.*one/s);
  end();
  expect(written()).toMatch(/\x1b\[2K\x1b\[G\x1b\[\?7h$/);
});
