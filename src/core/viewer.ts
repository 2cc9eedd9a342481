// What one viewer sees of an upload: the present state at once, then changes, at most five states a second whoever tells how many, the
// end without waiting; and, when nothing was told for a while, a look whether anybody is still at it.
import type { Clock } from './ports.js';
import type { MergeProgress } from './progress.js';
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

interface Options {
  readonly clock: Clock;
  /** Called again and again while nothing is told, with the state that is shown. What it finds is told the usual way. */
  readonly onSilence: (shown: MergeProgress) => Promise<void>;
}

type Result = IteratorResult<MergeProgress>;

const END: Result = { done: true, value: undefined };

/** `states` as one viewer sees them. */
export function viewing(states: AsyncIterable<MergeProgress>, options: Options): AsyncIterableIterator<MergeProgress> {
  return new Viewer(states[Symbol.asyncIterator](), options);
}

class Viewer implements AsyncIterableIterator<MergeProgress> {
  readonly #source: AsyncIterator<MergeProgress>;
  readonly #options: Options;
  readonly #rate = new Rate();
  /** Monotonic times of the last states shown. */
  readonly #shownAt: number[] = [];
  #shown: MergeProgress | undefined;
  /** What the source gave and nobody took yet. */
  #given: (() => Result) | undefined;
  #isAsking = false;
  #hasLeft = false;
  /** Ends the present wait. */
  #wake: () => void = () => undefined;

  constructor(source: AsyncIterator<MergeProgress>, options: Options) {
    this.#source = source;
    this.#options = options;
  }

  async next(): Promise<Result> {
    let newest = await this.#following();
    for (let waitMs = this.#waitMs(newest); waitMs > 0; waitMs = this.#waitMs(newest)) {
      const newer = await this.#within(waitMs);
      if (newer?.done === true) {
        // The source ended: what it gave before that is still shown.
        this.#given = () => newer;
        break;
      }
      newest = newer ?? newest;
    }
    return newest.done === true ? newest : this.#show(newest.value);
  }

  async return(): Promise<Result> {
    this.#hasLeft = true;
    this.#wake();
    await this.#source.return?.();
    return END;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** What the source gives next. */
  async #following(): Promise<Result> {
    for (;;) {
      const result = await this.#within(SILENCE_MS);
      if (result !== undefined) return result;
      const shown = this.#shown;
      if (shown === undefined) continue;
      // What can't be found out now is looked for the next time.
      await this.#options.onSilence(shown).catch(() => undefined);
      if (shown.phase !== 'RECEIVING' || shown.bytesPerSecond === undefined) continue;
      this.#rate.restart(shown.doneBytes, shown.updatedAt);
      return { done: false, value: withoutRate(shown) };
    }
  }

  /** What the source gives within this time; undefined when it gives nothing. */
  async #within(ms: number): Promise<Result | undefined> {
    this.#ask();
    if (this.#given === undefined && !this.#hasLeft) {
      const waiting = new AbortController();
      this.#wake = () => waiting.abort();
      await this.#options.clock.sleep(ms, waiting.signal).catch(() => undefined);
    }
    const take = this.#given;
    this.#given = undefined;
    return this.#hasLeft ? END : take?.();
  }

  /** Asks the source for the next state, unless it was asked or one is there. */
  #ask(): void {
    if (this.#isAsking || this.#hasLeft || this.#given !== undefined) return;
    this.#isAsking = true;
    const give = (take: () => Result) => {
      this.#isAsking = false;
      this.#given = take;
      this.#wake();
    };
    this.#source.next().then(
      (result) => give(() => result),
      (error: unknown) =>
        give(() => {
          throw error;
        }),
    );
  }

  /** How long a state has to wait until it may be shown. */
  #waitMs(result: Result): number {
    if (result.done === true || isTerminal(result.value)) return 0;
    const now = this.#options.clock.monotonic();
    const isNewPhase = result.value.phase !== this.#shown?.phase;
    const [first] = this.#shownAt;
    const last = this.#shownAt.at(-1);
    const afterLastMs = isNewPhase || last === undefined ? 0 : last + LEAST_INTERVAL_MS - now;
    const afterFirstMs = first === undefined || this.#shownAt.length < STATES_PER_SECOND ? 0 : first + SECOND_MS - now;
    return Math.max(afterLastMs, afterFirstMs);
  }

  #show(state: MergeProgress): Result {
    this.#shownAt.push(this.#options.clock.monotonic());
    if (this.#shownAt.length > STATES_PER_SECOND) this.#shownAt.shift();
    this.#shown = state.phase === 'RECEIVING' ? this.#withRate(state) : state;
    return { done: false, value: this.#shown };
  }

  /** Of RECEIVING nobody but the viewer knows it: bytes come through several processes. */
  #withRate(told: MergeProgress): MergeProgress {
    const last = this.#shown?.phase === 'RECEIVING' ? this.#shown : undefined;
    // A store that came back empty doesn't know what was told before.
    const isBack = last !== undefined && told.totalBytes === last.totalBytes && told.doneBytes < last.doneBytes;
    const state = isBack ? { ...told, doneBytes: last.doneBytes, percent: last.percent } : told;
    const { doneBytes, updatedAt } = state;
    if (last !== undefined && updatedAt - last.updatedAt < RATE_GAP_MS) this.#rate.measure(doneBytes, updatedAt);
    else this.#rate.restart(doneBytes, updatedAt);
    return { ...state, ...this.#rate.of(state) };
  }
}

function withoutRate({ bytesPerSecond: _rate, etaSeconds: _eta, ...state }: MergeProgress): MergeProgress {
  return state;
}
