import { describe, expect, it } from 'vitest';
import { Growth } from '../../src/sftp/growth.js';

const LOOK_MS = 200;
const MIB = 2 ** 20;
/** Of the channels of a connection. */
const WINDOWS_BYTES = 8 * MIB;

/** A way on which each connection carries its TCP window per round trip, and all together the link's rate. */
interface Way {
  readonly roundTripMs: number;
  readonly windowBytes: number;
  readonly linkBytesPerMs: number;
  /** How long files stay on the connections that there were before the last step. */
  readonly stayMs?: number;
}

interface Job {
  readonly writers: number;
  /** Of each of them. */
  readonly underWayBytes: number;
  /** Bytes that come to be written, per ms; fewer than the way carries leave it idle. */
  readonly sourceBytesPerMs: number;
}

const LONG: Way = { roundTripMs: 50, windowBytes: 3 * MIB, linkBytesPerMs: Infinity };
const BUSY: Job = { writers: 16, underWayBytes: MIB, sourceBytesPerMs: Infinity };

/** Opens whatever connections are asked for. */
class Host {
  readonly #growth = new Growth(4);
  #now = 0;
  #bytes = 0;
  connections = 1;
  #step = { from: 1, at: -Infinity };

  /** Works for so long, and tells how many connections there are then. */
  work(seconds: number, way: Way = LONG, job: Job = BUSY): number {
    for (const end = this.#now + seconds * 1_000; this.#now < end; this.#now += LOOK_MS) this.#look(way, job);
    return this.connections;
  }

  rest(seconds: number): void {
    this.#now += seconds * 1_000;
  }

  refuse(): void {
    this.connections -= 1;
    this.#growth.refused(this.#now);
  }

  #look(
    { roundTripMs, windowBytes, linkBytesPerMs, stayMs = 0 }: Way,
    { writers, underWayBytes, sourceBytesPerMs }: Job,
  ): void {
    const carriers = this.#now - this.#step.at < stayMs ? this.#step.from : this.connections;
    const carried = Math.min((carriers * windowBytes) / roundTripMs, linkBytesPerMs);
    const isIdle = sourceBytesPerMs < carried;
    const rate = Math.min(carried, sourceBytesPerMs);
    this.#bytes += rate * LOOK_MS;
    const load = {
      channels: 4,
      writers: writers / this.connections,
      roundTripMs,
      writtenBytes: this.#bytes / this.connections,
      windowBytes: WINDOWS_BYTES,
      underWayBytes: (isIdle ? rate * roundTripMs : writers * underWayBytes) / this.connections,
    };
    const more = this.#growth.look(
      this.#now,
      Array.from({ length: this.connections }, () => load),
    );
    if (more > 0) this.#step = { from: this.connections, at: this.#now };
    this.connections += more;
  }
}

describe('growth', () => {
  it('doubles with each step, up to the limit, where the way is long and all connections are full', () => {
    const host = new Host();
    const steps = Array.from({ length: 8 }, () => host.work(1));
    expect([...new Set(steps)]).toEqual([2, 4]);
    expect(host.work(100)).toBe(4);
  });

  it('never begins on a short way', () => {
    expect(new Host().work(100, { ...LONG, roundTripMs: 5 })).toBe(1);
  });

  it('never begins while one connection carries all that comes', () => {
    expect(new Host().work(100, LONG, { ...BUSY, sourceBytesPerMs: 40_000 })).toBe(1);
  });

  it('begins while it is the windows of the channels that are full, not the connection', () => {
    const job = { ...BUSY, writers: 8 };
    expect(new Host().work(3, { ...LONG, windowBytes: 8 * MIB }, job)).toBe(2);
    expect(new Host().work(100, { ...LONG, windowBytes: 8 * MIB }, { ...job, sourceBytesPerMs: 40_000 })).toBe(1);
  });

  it('never begins with too few files to use another connection', () => {
    expect(new Host().work(100, LONG, { ...BUSY, writers: 1, underWayBytes: 16 * MIB })).toBe(1);
    expect(new Host().work(100, LONG, { ...BUSY, writers: 2, underWayBytes: 8 * MIB })).toBe(2);
  });

  it('never begins while nothing is answered at all', () => {
    expect(new Host().work(100, { ...LONG, linkBytesPerMs: 0 })).toBe(1);
  });

  it('stops after the step that gained nothing, and tries again later', () => {
    const host = new Host();
    expect(host.work(30, { ...LONG, linkBytesPerMs: 70_000 })).toBe(2);
    expect(host.work(60)).toBe(4);
  });

  it('does not measure first where files share full windows on a very long way', () => {
    const veryLong = { ...LONG, roundTripMs: 200, windowBytes: 8 * MIB };
    expect(new Host().work(0.4, veryLong)).toBe(4);
    expect(new Host().work(0.4, veryLong, { ...BUSY, writers: 6 })).toBe(2);
    expect(new Host().work(0.4, veryLong, { ...BUSY, writers: 4, underWayBytes: 2 * MIB })).toBe(1);
    expect(new Host().work(100, veryLong, { ...BUSY, sourceBytesPerMs: 10_000 })).toBe(1);
  });

  it('does not judge a step before files make use of it', () => {
    expect(new Host().work(5, { ...LONG, stayMs: 850 })).toBe(4);
  });

  it('measures anew after a rest', () => {
    const host = new Host();
    host.work(0.6);
    host.rest(10);
    expect(host.work(0.6)).toBe(1);
  });

  it('leaves a host in peace that takes no further connection, and tries again later', () => {
    const host = new Host();
    expect(host.work(1)).toBe(2);
    host.refuse();
    expect(host.work(50)).toBe(1);
    expect(host.work(20)).toBeGreaterThan(1);
  });
});
