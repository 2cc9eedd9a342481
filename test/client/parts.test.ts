import { mkdtemp, readdir, readlink, rename, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chunkSpan, indexesOf, isConsistent } from '../../src/client/chunks.js';
import { ahead, digestPass, quickHashCode } from '../../src/client/digests.js';
import { FileSource, nodePlatform, SourceChangedError } from '../../src/client/index.js';
import { CHUNK_STATE, ProgressMeter, RateMeter } from '../../src/client/progress.js';
import { DEFAULT_RETRY_POLICY, delayMs } from '../../src/client/retry.js';
import { bytes, MemorySource } from './sources.js';
import { sha256 } from './stub-gateway.js';

const { hashing } = nodePlatform();
const never = () => new AbortController().signal;
const MIB = 1024 * 1024;

describe('chunks', () => {
  it('cover the content without gap or overlap, the last one shorter', () => {
    const plan = { size: 25, chunkSize: 10, chunkCount: 3 };
    expect([1, 2, 3].map((index) => chunkSpan(plan, index))).toEqual([
      { offset: 0, length: 10 },
      { offset: 10, length: 10 },
      { offset: 20, length: 5 },
    ]);
    expect(() => chunkSpan(plan, 0)).toThrow(RangeError);
    expect(() => chunkSpan(plan, 4)).toThrow(RangeError);
  });

  it('are none for nothing', () => {
    expect(isConsistent({ size: 0, chunkSize: 10, chunkCount: 0 })).toBe(true);
    expect(isConsistent({ size: 10, chunkSize: 10, chunkCount: 2 })).toBe(false);
  });

  it('unfold from ranges', () => {
    expect(
      indexesOf([
        { first: 2, last: 4 },
        { first: 9, last: 9 },
      ]),
    ).toEqual([2, 3, 4, 9]);
  });
});

describe('the digest pass', () => {
  it('gives every chunk and the whole from one reading', async () => {
    const source = new MemorySource(bytes(2_500));
    let reads = 0;
    source.onRead = () => (reads += 1);
    const plan = { size: 2_500, chunkSize: 1_000, chunkCount: 3 };
    const pass = digestPass(source, plan, hashing, never());
    const digests: string[] = [];
    let next = await pass.next();
    for (; next.done !== true; next = await pass.next()) digests.push(next.value.digest);
    expect(digests).toEqual([0, 1_000, 2_000].map((at) => sha256(source.content.subarray(at, at + 1_000))));
    expect(next.value).toBe(sha256(source.content));
    expect(reads).toBe(3);
  });
});

describe('looking ahead', () => {
  it('asks for at most `count` values before they are wanted, and ends its source', async () => {
    let made = 0;
    let ended = false;
    async function* numbers(): AsyncGenerator<number, void> {
      try {
        for (;;) yield await Promise.resolve((made += 1));
      } finally {
        ended = true;
      }
    }
    const values = ahead(numbers(), 3);
    expect(await values.next()).toEqual({ value: 1, done: false });
    await new Promise(setImmediate);
    expect(made).toBe(3);
    await values.return();
    expect(ended).toBe(true);
  });
});

describe('a hash code', () => {
  it('is the same for the same content, and another for another size, time, beginning, middle or end', async () => {
    const content = bytes(5 * MIB);
    const code = await quickHashCode(new MemorySource(content), hashing, never());
    expect(await quickHashCode(new MemorySource(Buffer.from(content)), hashing, never())).toBe(code);
    expect(code).toMatch(/^fp1:5242880-1700000000123-[0-9a-f]{64}$/);
    for (const at of [0, 2.5 * MIB, 5 * MIB - 1]) {
      const other = Buffer.from(content);
      other[at] = (other[at] ?? 0) ^ 1;
      expect(await quickHashCode(new MemorySource(other), hashing, never())).not.toBe(code);
    }
    expect(await quickHashCode(new MemorySource(content.subarray(1)), hashing, never())).not.toBe(code);
  });

  it('reads three samples of a large content, and is the real hash of one without a meaningful time', async () => {
    const source = new MemorySource(bytes(5 * MIB));
    const read = new Set<number>();
    source.onRead = (offset) => read.add(offset);
    await quickHashCode(source, hashing, never());
    expect(read.size * 1_000).toBeLessThan(3.1 * MIB);
    source.fingerprintable = false;
    expect(await quickHashCode(source, hashing, never())).toBe(`sha256:${sha256(source.content)}`);
  });
});

describe('waiting', () => {
  it('doubles from the first delay to the longest, half of it random', () => {
    const low = [1, 2, 3, 20].map((attempt) => delayMs(DEFAULT_RETRY_POLICY, attempt, undefined, 0));
    const high = [1, 2, 3, 20].map((attempt) => delayMs(DEFAULT_RETRY_POLICY, attempt, undefined, 1));
    expect(low).toEqual([125, 250, 500, 15_000]);
    expect(high).toEqual([250, 500, 1_000, 30_000]);
  });

  it('is never shorter than asked for, and never a tight loop', () => {
    expect(delayMs(DEFAULT_RETRY_POLICY, 1, 8_000, 0)).toBe(8_000);
    expect(delayMs(DEFAULT_RETRY_POLICY, 9, 0, 0)).toBe(50);
  });
});

describe('the progress meter', () => {
  const plan = { size: 1_000, chunkSize: 200, chunkCount: 5 };

  it('shows bytes on the wire at once and does not go back when they are lost', () => {
    const meter = new ProgressMeter(1_000, () => 0);
    meter.opened(plan, [1]);
    const first = meter.flight(2);
    first.moved(150);
    expect(meter.snapshot()).toMatchObject({ resumedBytes: 200, sentBytes: 150, wireBytes: 150 });
    first.land();
    const second = meter.flight(2);
    second.moved(100);
    expect(meter.snapshot()).toMatchObject({ sentBytes: 150, wireBytes: 250 });
    second.moved(100);
    second.land();
    meter.stored(2);
    expect(meter.snapshot()).toMatchObject({ sentBytes: 200, wireBytes: 350, chunksDone: 2 });
  });

  it('does not count a flush that is told after the answer', () => {
    const meter = new ProgressMeter(1_000, () => 0);
    meter.opened(plan, []);
    const flight = meter.flight(1);
    flight.land();
    meter.stored(1);
    flight.moved(200);
    expect(meter.snapshot().sentBytes).toBe(200);
  });

  it('shows the state of each chunk as it changes, in the same array until the plan is another', () => {
    const meter = new ProgressMeter(1_000, () => 0);
    expect(meter.states).toHaveLength(0);
    meter.opened(plan, [2, 5]);
    const { states } = meter;
    const { missing, moving, stored } = CHUNK_STATE;
    expect([...states]).toEqual([missing, stored, missing, missing, stored]);
    const [lost, brought] = [meter.flight(1), meter.flight(3)];
    expect([...states]).toEqual([moving, stored, moving, missing, stored]);
    lost.land();
    brought.land();
    meter.stored(3);
    brought.land();
    expect([...states]).toEqual([missing, stored, stored, missing, stored]);
    meter.unstored(2);
    expect([...states]).toEqual([missing, missing, stored, missing, stored]);
    expect(meter.snapshot()).toMatchObject({ chunksDone: 2, chunkCount: 5, resumedBytes: 400 });
    meter.landed();
    expect([[...states].every((state) => state === stored), meter.snapshot().chunksDone]).toEqual([true, 5]);
    meter.opened({ ...plan, chunkSize: 500, chunkCount: 2 }, []);
    expect([...meter.states]).toEqual([missing, missing]);
  });

  it('counts a chunk once, however often it is said to be stored', () => {
    const meter = new ProgressMeter(1_000, () => 0);
    meter.opened(plan, [1]);
    meter.stored(1);
    meter.stored(1);
    expect(meter.snapshot()).toMatchObject({ chunksDone: 1, sentBytes: 0 });
  });

  it('knows the time left while bytes move, and none when they stand still', () => {
    let now = 0;
    const meter = new ProgressMeter(10_000, () => now);
    meter.opened({ size: 10_000, chunkSize: 2_000, chunkCount: 5 }, []);
    const flight = meter.flight(1);
    now = 1_000;
    flight.moved(1_000);
    expect(meter.snapshot()).toMatchObject({ bytesPerSecond: 1_000, etaSeconds: 9 });
    now = 60_000;
    expect(meter.snapshot()).toMatchObject({ bytesPerSecond: 0, etaSeconds: undefined });
  });
});

describe('a rate', () => {
  it('is that of the last seconds only', () => {
    const rate = new RateMeter();
    for (let second = 0; second <= 20; second += 1) rate.record(second * 1_000, Math.max(0, second - 10) * 500);
    expect(rate.bytesPerSecond(20_000, 5_000)).toBe(500);
  });

  it('is none in an outage, and afterwards nothing is left of it', () => {
    const rate = new RateMeter();
    for (let second = 0; second <= 5; second += 1) rate.record(second * 1_000, second * 500);
    rate.interrupted(5_000, 2_500);
    expect(rate.bytesPerSecond(5_900, 2_500)).toBeGreaterThan(0);
    expect(rate.bytesPerSecond(6_000, 2_500)).toBe(0);
    rate.interrupted(7_000, 2_500);
    rate.record(9_000, 2_600);
    rate.record(9_500, 2_800);
    expect(rate.bytesPerSecond(9_500, 2_800)).toBe(600);
  });

  it('goes on over an attempt that failed while others move', () => {
    const rate = new RateMeter();
    for (let second = 0; second <= 4; second += 1) {
      rate.record(second * 1_000, second * 500);
      rate.interrupted(second * 1_000 + 500, second * 500);
    }
    expect(rate.bytesPerSecond(4_000, 2_000)).toBe(500);
  });
});

describe('a file', () => {
  let dir: string;
  let path: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'longshore-client-'));
    path = join(dir, 'file');
  });
  afterEach(() => rm(dir, { recursive: true }));

  it('is read from anywhere, and says when it became shorter', async () => {
    const content = bytes(700_000);
    await writeFile(path, content);
    await using file = await FileSource.open(path);
    const pieces: Uint8Array[] = [];
    for await (const piece of file.read(1_000, 600_000)) pieces.push(piece);
    expect(Buffer.concat(pieces).equals(content.subarray(1_000, 601_000))).toBe(true);
    await truncate(path, 10);
    await expect(
      file
        .read(0, 100)
        .next()
        .then(() => file.read(10, 1).next()),
    ).rejects.toBeInstanceOf(SourceChangedError);
  });

  it('says whether it has changed since', async () => {
    await writeFile(path, 'a');
    await using file = await FileSource.open(path);
    expect(await file.hasChanged()).toBe(false);
    await utimes(path, 1, 1);
    expect(await file.hasChanged()).toBe(true);
  });

  /** Of this process that are open on it. */
  const handles = async () => {
    const links = await Promise.all(
      (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
    );
    return links.filter((target) => target === path).length;
  };
  const begin = async (file: FileSource) => Buffer.from((await file.read(0, 4).next()).value ?? []).toString();

  it('is open only from its first reading until it is closed, and may be read again after that', async () => {
    await writeFile(path, 'text');
    const file = await FileSource.at(path, { relativePath: 'folder/file' });
    expect([file.size, file.relativePath, await handles()]).toEqual([4, 'folder/file', 0]);
    expect([await begin(file), await begin(file), await handles()]).toEqual(['text', 'text', 1]);
    await file.close();
    await file.close();
    expect(await handles()).toBe(0);
    expect([await begin(file), await handles()]).toEqual(['text', 1]);
    await file.close();
  });

  it('is the one that was looked at, or none', async () => {
    await writeFile(path, 'text');
    const file = await FileSource.at(path);
    await writeFile(path, 'another');
    await expect(begin(file)).rejects.toBeInstanceOf(SourceChangedError);
    expect(await handles()).toBe(0);
  });

  it('that is open goes on being read when it is replaced', async () => {
    await writeFile(path, 'text');
    await using file = await FileSource.open(path);
    await writeFile(`${path}.new`, 'another');
    await rename(`${path}.new`, path);
    expect([await begin(file), await file.hasChanged()]).toEqual(['text', false]);
  });

  it('must be a regular one', async () => {
    await expect(FileSource.open(dir)).rejects.toThrow('is not a regular file');
  });
});
