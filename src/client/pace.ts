// How many requests with chunks are under way at the same time: whose bodies leave, and that wait for their answers.

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
/** Without any answer the way is so long that there may be more. */
const UNANSWERED_MS = 1_000;
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

/** What a request tells of itself. */
export interface Milestones {
  /** So many bytes more of it have left. */
  readonly sent: (bytes: number) => void;
  /** All of it is acknowledged. */
  readonly landed: () => void;
}

/**
 * Finds the number of requests at the wire that pays, within 1 … `max`, for all uploads that share it: doubles it as long as the rate grows
 * with it, goes back where it doesn't, tries a few more or fewer now and then, halves it when the other side says that it is busy. One whose
 * body has left gives its place at the wire to the next, which so begins before the answer; as many as there are places may wait for theirs,
 * and `max` are under way at most.
 *
 * The rate is that of answers, not of bytes that leave: those fill the buffers on the way first, new ones with each further request, which
 * looks like a gain at the very moment when there is to be judged. Nor are answers counted, of which there are few in a second. By Little's
 * law the rate is the number under way, times what one of them carries in its time: known as soon as the first of them are answered, and
 * without a gain where they only queue for each other.
 */
export class Pace {
  readonly #max: number;
  readonly #now: () => number;
  /** At the wire. */
  readonly #slots: Slots;
  /** With those that wait for the wire, or for their answers. */
  readonly #room: Slots;
  #underWay = 0;
  /** Of requests that began and ended under the present limit, all slots taken: the rate of all as one of them tells it, and its time. */
  #answers: { readonly bytesPerMs: number; readonly ms: number }[] = [];
  #limitSince: number;
  /** Bytes that have left since then. */
  #sentBytes = 0;
  /** Whether there was any answer. */
  #hasAnswer = false;
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
    this.#room = new Slots(roomBeside(this.limit, max));
    this.#limitSince = now();
  }

  /** Requests at the wire at the same time, for now. */
  get limit(): number {
    return this.#slots.limit;
  }

  /** `work` begins when there is a place, and sends so many bytes. Rejects as it does, or with the signal's reason. */
  async use<T>(bytes: number, work: (milestones: Milestones) => Promise<T>, signal: AbortSignal): Promise<T> {
    return await this.#room.use(async () => {
      const leave = await this.#slots.turn(signal);
      // What was before a rest says nothing about the time since.
      if (this.#underWay === 0) this.#turnTo(this.limit);
      const beganAt = this.#now();
      this.#underWay += 1;
      let leftBytes = 0;
      const sent = (more: number) => {
        leftBytes += more;
        if (leftBytes >= bytes) leave();
        this.#sent(more, bytes);
      };
      try {
        return await work({ sent, landed: () => this.#landed(bytes, beganAt) });
      } finally {
        this.#underWay -= 1;
        leave();
      }
    }, signal);
  }

  /** The gateway or the host has too much to do. */
  crowded(): void {
    this.#hasAnswer = true;
    const now = this.#now();
    if (now - this.#crowdedAt < CROWDED_ONCE_MS) return;
    this.#crowdedAt = now;
    this.#before = undefined;
    this.#manner = LATER;
    this.#restsUntil = now + CROWDED_REST_MS;
    this.#turnTo(Math.max(1, Math.floor(this.limit / 2)));
  }

  /** On a long way the first answers take seconds. As long as even twice as many would be quick to leave, there is nothing to lose. */
  #sent(more: number, requestBytes: number): void {
    this.#sentBytes += more;
    const ms = this.#now() - this.#limitSince;
    if (this.#hasAnswer || ms < UNANSWERED_MS || this.limit >= this.#max || this.#slots.waiting === 0) return;
    const requestMs = (this.limit * requestBytes * ms) / this.#sentBytes;
    if (requestMs * 2 < LONG_REQUEST_MS) this.#turnTo(Math.min(this.#max, this.limit * 2));
  }

  #landed(bytes: number, beganAt: number): void {
    const now = this.#now();
    this.#hasAnswer = true;
    // With slots to spare the limit isn't what the rate comes of.
    if (beganAt < this.#limitSince || (this.#slots.taken < this.limit && this.#underWay < this.#room.limit)) return;
    const ms = Math.max(1, now - beganAt);
    this.#answers.push({ bytesPerMs: (bytes * this.#underWay) / ms, ms });
    const { answers, leastAnswers } = this.#manner;
    if (this.#answers.length < Math.max(leastAnswers, this.limit * answers) || now - this.#limitSince < JUDGED_MS) return;
    const rate = median(this.#answers.map(({ bytesPerMs }) => bytesPerMs));
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
    const isMorePossible = this.#slots.waiting + this.#room.waiting > 0 && requestMs < LONG_REQUEST_MS;
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
    this.#sentBytes = 0;
    this.#limitSince = this.#now();
    this.#slots.limit = limit;
    this.#room.limit = roomBeside(limit, this.#max);
  }
}

/** For as many answers as there are places at the wire. */
function roomBeside(limit: number, max: number): number {
  return Math.min(max, 2 * limit);
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
