// Lines at the bottom of a terminal that are drawn again and again, while others are written above them.

import { Writable } from 'node:stream';
import type { createLogUpdate } from 'log-update';
import { cutTo } from './letters.js';

/** The lines as they are now, for a screen so many columns wide. */
export type Render = (columns: number) => readonly string[];

type Drawing = ReturnType<typeof createLogUpdate>;

const REDRAW_EVERY_MS = 125;
const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;

/** DECAWM off and on: what is beyond the last column is cut, or goes to the next line. */
const CUT_LINES = '\x1b[?7l';
const WRAP_LINES = '\x1b[?7h';

export class LiveLines {
  readonly #stream: NodeJS.WriteStream;
  #drawing: Drawing | undefined;
  #render: Render | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** What was to be written while a question stood there. */
  #held: (() => void)[] | undefined;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  /** Resolves with the function that ends it; what is written afterwards comes in the place of these lines. */
  async show(render: Render): Promise<() => void> {
    this.#drawing ??= await drawingOn(this.#stream);
    this.#render = render;
    this.#start();
    return () => {
      this.#stop();
      this.#render = undefined;
    };
  }

  /** Writes whole lines above, or behind a question that stands there. */
  above(write: () => void): void {
    if (this.#held !== undefined) {
      this.#held.push(write);
      return;
    }
    this.#drawing?.clear();
    write();
    if (this.#timer !== undefined) this.#draw();
  }

  /** Leaves the screen to `work`, and nothing else is written meanwhile. */
  async without<T>(work: () => Promise<T>): Promise<T> {
    this.#stop();
    this.#held = [];
    try {
      return await work();
    } finally {
      const held = this.#held;
      this.#held = undefined;
      for (const write of held) write();
      if (this.#render !== undefined) this.#start();
    }
  }

  #start(): void {
    this.#timer = setInterval(() => this.#draw(), REDRAW_EVERY_MS);
    this.#draw();
  }

  #stop(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#drawing?.clear();
    this.#drawing?.done();
  }

  #draw(): void {
    const { columns, rows } = this.#size();
    // On the last column some terminals wrap in any case; below the lines is the cursor; on a screen that is too low the first ones count.
    const lines = (this.#render?.(columns - 1) ?? []).slice(0, rows - 1).map((line) => cutTo(columns - 1, line));
    if (lines.length > 0) this.#drawing?.(lines.join('\n'));
    else this.#drawing?.clear();
  }

  /** A pseudo-terminal that nobody gave a size says 0. */
  #size(): { readonly columns: number; readonly rows: number } {
    const { columns, rows } = this.#stream;
    return { columns: columns > 1 ? columns : DEFAULT_COLUMNS, rows: rows > 1 ? rows : DEFAULT_ROWS };
  }
}

/**
 * Loaded when something is drawn, since it takes 60 ms. It hears of no size, so that it never wraps: these lines fit, and where the terminal has
 * another idea of how wide a letter is, the terminal cuts them.
 */
async function drawingOn(stream: NodeJS.WriteStream): Promise<Drawing> {
  const { createLogUpdate } = await import('log-update');
  const screen = new Writable({
    decodeStrings: false,
    write: (text: string, _, done) => {
      stream.write(CUT_LINES + text + WRAP_LINES);
      done();
    },
  });
  return createLogUpdate(Object.assign(screen, { isTTY: stream.isTTY }), { defaultWidth: Infinity, defaultHeight: Infinity });
}
