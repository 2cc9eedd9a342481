// Who watches one upload through this process. Together they have the source, the rate and, when nothing was told for a while, a look
// whether anybody is still at it. Each for himself is shown the present state at once, then changes, at most five states a second
// whoever tells how many, and the end without waiting; who reads slowly is shown the newest, and nobody waits for him.
import type { Clock } from './ports.js';
import type { MergePhase, MergeProgress } from './progress.js';
import { isTerminal } from './progress.js';
import { Rate } from './rate.js';

/** States in any second, and between two of the same phase. */
const STATES_PER_SECOND = 5;
const SECOND_MS = 1_000;
const LEAST_INTERVAL_MS = SECOND_MS / STATES_PER_SECOND;
/** Merges that run tell several times a second, and one that waits needs no quicker look than a person's. */
const SILENCE_MS = 10_000;
/** Told further apart, two states of RECEIVING say nothing about how fast bytes come now. */
const RATE_GAP_MS = 5_000;
/** Viewers who are shown a state before all else in this process has its turn. Each takes less than 0.1 ms. */
const VIEWERS_AT_ONCE = 50;
/** Each is due at a time of his own; those who are within this are served together. */
const GATHERING_MS = 10;

interface Options {
  readonly clock: Clock;
  /** Called again and again while nothing is told, with the state that is shown. Gives the one that is stored. */
  readonly onSilence: (shown: MergeProgress) => Promise<MergeProgress | undefined>;
  /** Called once, when the source has ended or the last viewer has left: from then on nobody may join. */
  readonly onOver: () => void;
}

type Result = IteratorResult<MergeProgress>;

const END: Result = { done: true, value: undefined };

/** All who watch `states`, which are read from the first one's coming to the last one's leaving. */
export class Audience {
  readonly #source: AsyncIterator<MergeProgress>;
  readonly #options: Options;
  readonly #rate = new Rate();
  readonly #viewers = new Set<Viewer>();
  /** Those who would take a state now. */
  readonly #waiting = new Set<Viewer>();
  #newest: Shown | undefined;
  /** After the newest state. */
  #ending: (() => Result) | undefined;
  #isOver = false;
  /** Monotonic: when something was told, or looked for, last; and when the present wait will be over. */
  #toldAt: number;
  #waitUntil = Number.NEGATIVE_INFINITY;
  /** Ends the present wait. */
  #wake: () => void = () => undefined;

  constructor(states: AsyncIterable<MergeProgress>, options: Options) {
    this.#source = states[Symbol.asyncIterator]();
    this.#options = options;
    this.#toldAt = options.clock.monotonic();
  }

  /** The states as one more viewer sees them, who asks for one after the other. */
  join(): AsyncIterableIterator<MergeProgress> {
    const viewer: Viewer = new Viewer({ wait: () => this.#wait(viewer), leave: () => this.#leave(viewer) });
    this.#viewers.add(viewer);
    if (this.#viewers.size === 1) {
      void this.#listen();
      void this.#attend();
    }
    return viewer;
  }

  #wait(viewer: Viewer): void {
    this.#waiting.add(viewer);
    const now = this.#options.clock.monotonic();
    if (now + this.#serve(viewer, now) + GATHERING_MS < this.#waitUntil) this.#wake();
  }

  #leave(viewer: Viewer): void {
    this.#waiting.delete(viewer);
    this.#viewers.delete(viewer);
    if (this.#viewers.size === 0) this.#close();
  }

  #close(): void {
    this.#wake();
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.onOver();
    // Its own failure would come too late for anybody to hear.
    this.#source.return?.().catch(() => undefined);
  }

  /** Hears the source to its end. */
  async #listen(): Promise<void> {
    try {
      for (let told = await this.#source.next(); told.done !== true; told = await this.#source.next()) this.#hear(told.value);
      this.#end(() => END);
    } catch (error) {
      this.#end(() => {
        throw error;
      });
    }
  }

  #hear(told: MergeProgress): void {
    this.#toldAt = this.#options.clock.monotonic();
    this.#show(told.phase === 'RECEIVING' ? this.#withRate(told) : told);
    if (isTerminal(told)) this.#end(() => END);
  }

  #end(ending: () => Result): void {
    this.#ending ??= ending;
    this.#close();
  }

  #show(state: MergeProgress): void {
    this.#newest = { state, number: (this.#newest?.number ?? 0) + 1 };
    this.#wake();
  }

  /** Serves those who wait, until nobody is left or all has been shown. */
  async #attend(): Promise<void> {
    const { clock } = this.#options;
    while (this.#viewers.size > 0) {
      const dueMs = this.#serveAll();
      if (this.#ending !== undefined && dueMs === Number.POSITIVE_INFINITY) return;
      const silentMs = this.#toldAt + SILENCE_MS - clock.monotonic();
      if (silentMs <= 0) void this.#lookAround();
      else await this.#sleep(Math.min(dueMs, silentMs));
    }
  }

  async #sleep(ms: number): Promise<void> {
    const { clock } = this.#options;
    const waiting = new AbortController();
    this.#wake = () => waiting.abort();
    this.#waitUntil = clock.monotonic() + ms;
    await clock.sleep(ms, waiting.signal).catch(() => undefined);
    this.#waitUntil = Number.NEGATIVE_INFINITY;
  }

  /** In how many ms there is somebody to be served. */
  #serveAll(): number {
    const now = this.#options.clock.monotonic();
    let left = VIEWERS_AT_ONCE;
    let dueMs = Number.POSITIVE_INFINITY;
    for (const viewer of this.#waiting) {
      if (left === 0) return 0;
      dueMs = Math.min(dueMs, this.#serve(viewer, now) + GATHERING_MS);
      if (!this.#waiting.has(viewer)) left -= 1;
    }
    return dueMs;
  }

  /** Shows to one who waits what he may see by now. In how many ms he may see what there is. */
  #serve(viewer: Viewer, now: number): number {
    const newest = this.#newest;
    const hasSeen = newest === undefined || viewer.seen === newest.number;
    if (hasSeen && this.#ending === undefined) return Number.POSITIVE_INFINITY;
    const isLast = this.#ending !== undefined || (newest !== undefined && isTerminal(newest.state));
    const waitMs = hasSeen || isLast ? 0 : viewer.waitMs(newest.state.phase, now);
    if (waitMs > 0) return waitMs;
    this.#waiting.delete(viewer);
    if (!hasSeen) viewer.show(newest, now);
    else if (this.#ending !== undefined) viewer.end(this.#ending);
    return Number.POSITIVE_INFINITY;
  }

  async #lookAround(): Promise<void> {
    this.#toldAt = this.#options.clock.monotonic();
    const shown = this.#newest;
    if (shown === undefined) return;
    const { state } = shown;
    // What can't be found out now is looked for the next time.
    const stored = await this.#options.onSilence(state).catch(() => undefined);
    if (this.#newest !== shown || this.#isOver) return;
    // Told while nobody could hear it.
    if (stored !== undefined && isLater(stored, state)) return this.#hear(stored);
    if (state.phase !== 'RECEIVING' || state.bytesPerSecond === undefined) return;
    this.#rate.restart(state.doneBytes, state.updatedAt);
    this.#show(withoutRate(state));
  }

  /** Of RECEIVING nobody but those who hear all of it know it: bytes come through several processes. */
  #withRate(told: MergeProgress): MergeProgress {
    const last = this.#newest?.state.phase === 'RECEIVING' ? this.#newest.state : undefined;
    // A store that came back empty doesn't know what was told before.
    const isBack = last !== undefined && told.totalBytes === last.totalBytes && told.doneBytes < last.doneBytes;
    const state = isBack ? { ...told, doneBytes: last.doneBytes, percent: last.percent } : told;
    const { doneBytes, updatedAt } = state;
    if (last !== undefined && updatedAt - last.updatedAt < RATE_GAP_MS) this.#rate.measure(doneBytes, updatedAt);
    else this.#rate.restart(doneBytes, updatedAt);
    return { ...state, ...this.#rate.of(state) };
  }
}

/** `number` counts what an audience was told. */
interface Shown {
  readonly state: MergeProgress;
  readonly number: number;
}

interface Seat {
  /** For the newest state that wasn't shown here yet. */
  readonly wait: () => void;
  readonly leave: () => void;
}

class Viewer implements AsyncIterableIterator<MergeProgress> {
  /** Its number. */
  seen = 0;
  readonly #seat: Seat;
  #phase: MergePhase | undefined;
  /** Monotonic times of the last states shown. */
  readonly #shownAt: number[] = [];
  /** Answers the `next` under way. */
  #answer: ((give: () => Result) => void) | undefined;
  #hasLeft = false;

  constructor(seat: Seat) {
    this.#seat = seat;
  }

  next(): Promise<Result> {
    if (this.#hasLeft) return Promise.resolve(END);
    return new Promise((resolve, reject) => {
      this.#answer = (give) => {
        try {
          resolve(give());
        } catch (error) {
          reject(error);
        }
      };
      this.#seat.wait();
    });
  }

  return(): Promise<Result> {
    this.#hasLeft = true;
    this.#seat.leave();
    this.end(() => END);
    return Promise.resolve(END);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  show({ state, number }: Shown, now: number): void {
    this.seen = number;
    this.#phase = state.phase;
    this.#shownAt.push(now);
    if (this.#shownAt.length > STATES_PER_SECOND) this.#shownAt.shift();
    this.end(() => ({ done: false, value: state }));
  }

  end(give: () => Result): void {
    this.#answer?.(give);
    this.#answer = undefined;
  }

  /** How long a state of this phase has to wait until it may be shown. */
  waitMs(phase: MergePhase, now: number): number {
    const [first] = this.#shownAt;
    const last = this.#shownAt.at(-1);
    const afterLastMs = phase !== this.#phase || last === undefined ? 0 : last + LEAST_INTERVAL_MS - now;
    const afterFirstMs = first === undefined || this.#shownAt.length < STATES_PER_SECOND ? 0 : first + SECOND_MS - now;
    return Math.max(afterLastMs, afterFirstMs);
  }
}

/** Times of two phases may be from two machines' clocks. */
function isLater(stored: MergeProgress, shown: MergeProgress): boolean {
  return stored.phase !== shown.phase || stored.updatedAt > shown.updatedAt;
}

function withoutRate({ bytesPerSecond: _rate, etaSeconds: _eta, ...state }: MergeProgress): MergeProgress {
  return state;
}
