// Whether more connections to a host pay.
//
// A connection carries at most TCP's window per round trip, whatever the number of its channels: some 3 MiB with the buffers that Linux
// grants. At 50 ms that is 50 to 60 MB/s, and four connections carried 2.5 times as much where the link had room (field notes). On a short
// way one connection keeps a core busy, and a second one only doubles the host's work. So: only where the way is long, only while bytes
// queue on every connection or its channels' windows are full, and no further when the last step gained nothing because the link itself
// is full. On a very long way it is enough that files share full windows.

export interface ConnectionLoad {
  /** Channels for files that it may have. */
  readonly channels: number;
  /** Files that are being written. */
  readonly writers: number;
  /** Bytes that the host has acknowledged so far. */
  readonly writtenBytes: number;
  /** Bytes that it has not. */
  readonly underWayBytes: number;
  /** The most that may be under way: the windows of all its channels. */
  readonly windowBytes: number;
  /** The quickest answer so far, ms: that is the way there and back, however much goes on now. */
  readonly roundTripMs: number;
}

/** Below it TCP's window is larger than what one core of ours encrypts meanwhile: 3 MiB in 10 ms would be 300 MB/s. */
const LONG_ROUND_TRIP_MS = 10;
/** An answer that takes so many round trips was queued for: the connection takes no more. */
const QUEUED_ROUND_TRIPS = 1.5;
/** Files stay where they are, so a connection needs a few to come. */
const WRITERS_PER_CONNECTION = 2;
/** The part of the windows that is taken when they are what holds the writers back: between two chunks a file has nothing to write. */
const FULL = 0.6;
/** A file that is written stays where it is for several round trips of this length, so who waits to measure comes too late for it. */
const VERY_LONG_ROUND_TRIP_MS = 80;
/** How long the load is measured: long enough that single answers and the gaps between files don't count. */
const MEASURED_MS = 600;
/** Before it is measured after a step: files stay where they are, and only the next ones make use of it. */
const SETTLED_ROUND_TRIPS = 10;
/** The rate after the last step against that before it, for another step: more than it varies by itself; each step doubles, at best. */
const WORTH = 1.2;
/** How long it stays at that, ms: links change. */
const CONTENT_MS = 60_000;

/** Sums over the looks of one measurement. */
interface Measurement {
  readonly beganAt: number;
  /** Of each connection. */
  readonly writtenBytes: readonly number[];
  looks: number;
  lastLookAt: number;
  writers: number;
  readonly underWayBytes: number[];
}

export class Growth {
  readonly #limit: number;
  #measurement: Measurement | undefined;
  /** Connections at the last look, and when they were so many first. */
  #last = { connections: 0, since: -Infinity };
  /** Before the last step. */
  #before: { readonly connections: number; readonly bytesPerMs: number } | undefined;
  #contentUntil = -Infinity;

  /** `limit`: most connections. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * To be told, several times a second while files are open, of all connections, always in the same order. How many more should be
   * opened: as many as there are, or none. `now`: monotonic ms.
   */
  look(now: number, loads: readonly ConnectionLoad[]): number {
    if (now < this.#contentUntil || loads.length >= this.#limit) {
      this.#measurement = undefined;
      return 0;
    }
    if (isCrowded(loads)) {
      this.#measurement = undefined;
      this.#before = undefined;
      return Math.min(loads.length, this.#limit - loads.length);
    }
    if (loads.length !== this.#last.connections) this.#last = { connections: loads.length, since: now };
    const current = this.#measurement;
    if (this.#before !== undefined && now - this.#last.since < settlingMs(loads)) return 0;
    if (current?.underWayBytes.length !== loads.length || now - current.lastLookAt > MEASURED_MS) {
      this.#measurement = begin(now, loads);
      return 0;
    }
    count(current, now, loads);
    if (now - current.beganAt < MEASURED_MS) return 0;
    this.#measurement = undefined;
    if (!isBusy(current, now, loads) || !this.#isWorth(current, now, loads)) return 0;
    return Math.min(loads.length, this.#limit - loads.length);
  }

  /** The host took no further connection. */
  refused(now: number): void {
    this.#contentUntil = now + CONTENT_MS;
  }

  #isWorth({ beganAt, writtenBytes }: Measurement, now: number, loads: readonly ConnectionLoad[]): boolean {
    const bytes = loads.reduce((sum, load, index) => sum + load.writtenBytes - (writtenBytes[index] ?? 0), 0);
    const before = this.#before;
    const rate = { connections: loads.length, bytesPerMs: bytes / (now - beganAt) };
    const hasGrown = before !== undefined && rate.connections > before.connections;
    this.#before = rate;
    if (!hasGrown || rate.bytesPerMs >= before.bytesPerMs * WORTH) return true;
    this.#before = undefined;
    this.#contentUntil = now + CONTENT_MS;
    return false;
  }
}

function begin(now: number, loads: readonly ConnectionLoad[]): Measurement {
  const writtenBytes = loads.map((load) => load.writtenBytes);
  return { beganAt: now, lastLookAt: now, writtenBytes, looks: 0, writers: 0, underWayBytes: loads.map(() => 0) };
}

function count(measurement: Measurement, now: number, loads: readonly ConnectionLoad[]): void {
  measurement.looks += 1;
  measurement.lastLookAt = now;
  for (const [index, { writers, underWayBytes }] of loads.entries()) {
    measurement.writers += writers;
    measurement.underWayBytes[index] = (measurement.underWayBytes[index] ?? 0) + underWayBytes;
  }
}

function settlingMs(loads: readonly ConnectionLoad[]): number {
  return Math.max(MEASURED_MS, SETTLED_ROUND_TRIPS * Math.max(...loads.map(({ roundTripMs }) => roundTripMs)));
}

/** Whether files share channels whose windows are full, on a way so long that nothing else can be what holds them back. */
function isCrowded(loads: readonly ConnectionLoad[]): boolean {
  const writers = loads.reduce((sum, load) => sum + load.writers, 0);
  const channels = loads.reduce((sum, load) => sum + load.channels, 0);
  if (writers <= channels || loads.some(({ roundTripMs }) => roundTripMs < VERY_LONG_ROUND_TRIP_MS)) return false;
  return loads.some(({ underWayBytes, windowBytes }) => underWayBytes >= FULL * windowBytes);
}

/** Whether there are files enough, and each connection has a long way, and a queue on it or no room left in its windows. */
function isBusy(measured: Measurement, now: number, loads: readonly ConnectionLoad[]): boolean {
  const { beganAt, looks, writers, writtenBytes, underWayBytes } = measured;
  if (writers < WRITERS_PER_CONNECTION * loads.length * looks) return false;
  return loads.every((load, index) => {
    if (load.roundTripMs < LONG_ROUND_TRIP_MS) return false;
    const bytesPerMs = (load.writtenBytes - (writtenBytes[index] ?? 0)) / (now - beganAt);
    const onItsWay = (underWayBytes[index] ?? 0) / looks;
    // By Little's law: what is on its way, at the rate at which it arrives, took so long.
    const answerMs = onItsWay / bytesPerMs;
    return bytesPerMs > 0 && (answerMs >= QUEUED_ROUND_TRIPS * load.roundTripMs || onItsWay >= FULL * load.windowBytes);
  });
}
