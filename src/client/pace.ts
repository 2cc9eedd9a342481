// How many requests with chunks are on the wire at the same time.

import { Slots } from './turns.js';

/** What one link carries well is neither too few requests (the wire idles for an answer's way) nor many (they only share it). */
const START = 4;
/**
 * `worth`: each request that was added must bring so much of what each of the others brings, or it isn't worth its memory and its work; more
 * in the beginning, when everything becomes faster by itself (connections are open, code is compiled). `answers`: by which a number is
 * judged, for each request of it, and at least; single ones vary by half, but in the beginning speed counts more.
 */
const BEGINNING = { worth: 0.5, answers: 0.5, leastAnswers: 2, step: 2 };
const LATER = { worth: 0.3, answers: 1, leastAnswers: 4, step: 1.5 };
/** And the time that takes at least, where chunks are small: a busy machine stumbles for so long. */
const JUDGED_MS = 200;
/** A request that takes so long fills its way: more of them would only be more that is half sent when the way breaks. */
const LONG_REQUEST_MS = 8_000;
/** Without another try after one in vain; doubled up to the maximum, since links do change. */
const FIRST_REST_MS = 2_000;
const MAX_REST_MS = 60_000;
/** The same after the other side's word, which is no matter of chance. */
const CROWDED_REST_MS = 30_000;
/** Chunks in flight are refused together; that is one word, not as many. */
const CROWDED_ONCE_MS = 2_000;

/** What a number of requests at the same time was seen to carry. */
interface Seen {
  readonly limit: number;
  /** Bytes per ms. */
  readonly rate: number;
}

/**
 * Finds the number of requests that pays, within 1 … `max`, for all uploads that share it: doubles it as long as the rate grows with it,
 * goes back where it doesn't, tries a few more or fewer now and then, halves it when the other side says that it is busy.
 *
 * The rate is that of answers, not of bytes that leave: those fill the buffers on the way first, new ones with each further request, which
 * looks like a gain at the very moment when there is to be judged. Nor are answers counted, of which there are few in a second. By Little's
 * law the rate is the number under way, times what one of them carries in its time: known as soon as the first of them are answered, and
 * without a gain where they only queue for each other.
 */
export class Pace {
  readonly #max: number;
  readonly #now: () => number;
  readonly #slots: Slots;
  /** Of requests that began and ended under the present limit, all slots taken. */
  #answers: { readonly bytesPerMs: number; readonly ms: number }[] = [];
  #limitSince: number;
  /** The number before the try that is under way; `undefined`: none is. */
  #before: Seen | undefined;
  /** Until the first attempt to double was in vain, or the maximum is reached. */
  #manner = BEGINNING;
  #lastTry: 'more' | 'fewer' = 'fewer';
  #restsUntil = Number.NEGATIVE_INFINITY;
  #nextRestMs = FIRST_REST_MS;
  #crowdedAt = Number.NEGATIVE_INFINITY;

  constructor(max: number, now: () => number) {
    this.#max = max;
    this.#now = now;
    this.#slots = new Slots(Math.min(START, max));
    this.#limitSince = now();
  }

  /** Requests at the same time, for now. */
  get limit(): number {
    return this.#slots.limit;
  }

  /** `work` calls `landed` when that many bytes have been acknowledged. Rejects as it does, or with the signal's reason. */
  async use<T>(work: (landed: (bytes: number) => void) => Promise<T>, signal: AbortSignal): Promise<T> {
    return await this.#slots.use(async () => {
      const beganAt = this.#now();
      return await work((bytes) => this.#landed(bytes, beganAt));
    }, signal);
  }

  /** The gateway or the host has too much to do. */
  crowded(): void {
    const now = this.#now();
    if (now - this.#crowdedAt < CROWDED_ONCE_MS) return;
    this.#crowdedAt = now;
    this.#before = undefined;
    this.#manner = LATER;
    this.#restsUntil = now + CROWDED_REST_MS;
    this.#turnTo(Math.max(1, Math.floor(this.limit / 2)));
  }

  #landed(bytes: number, beganAt: number): void {
    const now = this.#now();
    // With slots to spare the limit isn't what the rate comes of.
    if (beganAt < this.#limitSince || this.#slots.taken < this.limit) return;
    const ms = Math.max(1, now - beganAt);
    this.#answers.push({ bytesPerMs: bytes / ms, ms });
    const { answers, leastAnswers } = this.#manner;
    if (this.#answers.length < Math.max(leastAnswers, this.limit * answers) || now - this.#limitSince < JUDGED_MS) return;
    const rate = this.limit * median(this.#answers.map(({ bytesPerMs }) => bytesPerMs));
    const seen = { limit: this.limit, rate };
    const requestMs = median(this.#answers.map((answer) => answer.ms));
    this.#answers = [];
    this.#judge(seen, requestMs);
  }

  #judge(seen: Seen, requestMs: number): void {
    const before = this.#before;
    this.#before = undefined;
    if (before !== undefined && !isBetter(seen, before, this.#manner.worth)) {
      this.#fail();
      this.#turnTo(before.limit);
      return;
    }
    if (requestMs >= LONG_REQUEST_MS && this.limit > START) {
      this.#turnTo(Math.max(START, Math.floor(this.limit / 2)));
      return;
    }
    if (before !== undefined) this.#nextRestMs = FIRST_REST_MS;
    else if (this.#now() < this.#restsUntil) return;
    const next = this.#next(requestMs, before !== undefined);
    if (next === this.limit) {
      this.#restsUntil = this.#now() + FIRST_REST_MS;
      return;
    }
    this.#before = seen;
    this.#lastTry = next > this.limit ? 'more' : 'fewer';
    this.#turnTo(next);
  }

  /** The number to try; the present one: there is nothing to try. What has paid goes on, otherwise more and fewer take turns. */
  #next(requestMs: number, hasPaid: boolean): number {
    const { limit } = this;
    if (limit >= this.#max) this.#manner = LATER;
    const isBeginning = this.#manner === BEGINNING;
    const { step } = this.#manner;
    const isMorePossible = this.#slots.waiting > 0 && requestMs < LONG_REQUEST_MS;
    const more = isMorePossible ? Math.min(this.#max, Math.ceil(limit * step)) : limit;
    const fewer = Math.min(limit, Math.max(START, Math.floor(limit / step)));
    if (isBeginning) return more;
    const isMoresTurn = (this.#lastTry === 'more') === hasPaid;
    const [first, second] = isMoresTurn ? [more, fewer] : [fewer, more];
    return first === limit && !hasPaid ? second : first;
  }

  #fail(): void {
    this.#manner = LATER;
    this.#restsUntil = this.#now() + this.#nextRestMs;
    this.#nextRestMs = Math.min(MAX_REST_MS, this.#nextRestMs * 2);
  }

  #turnTo(limit: number): void {
    this.#answers = [];
    this.#limitSince = this.#now();
    this.#slots.limit = limit;
  }
}

/** Whether the later of the two numbers is to stay. */
function isBetter(now: Seen, before: Seen, worth: number): boolean {
  const [few, many] = now.limit < before.limit ? [now, before] : [before, now];
  const gainOfEach = (many.rate - few.rate) / (many.limit - few.limit);
  return gainOfEach >= (few.rate / few.limit) * worth === now.limit > before.limit;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = 0, high = 0] = sorted.length % 2 === 1 ? [sorted[middle], sorted[middle]] : sorted.slice(middle - 1, middle + 1);
  return (low + high) / 2;
}
