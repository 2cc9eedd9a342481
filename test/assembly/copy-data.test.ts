// Chunk files joined by OpenSSH's own server: from wherever an earlier run stopped, and right whatever breaks.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Copying } from '../../src/assembly/copier.js';
import { copyData } from '../../src/assembly/copy-data.js';
import { ReceivedMap, chunkPlan } from '../../src/core/chunks.js';
import type { Host, HostRepository, OpenMode } from '../../src/core/ports.js';
import { Fault } from '../../src/core/problems.js';
import type { RemotePath } from '../../src/core/remote-path.js';
import { createHostRepository } from '../../src/sftp/host-repository.js';
import { KIB, MIB } from '../support/bytes.js';
import { realHashing } from '../support/real-hashing.js';
import { keptLog, realClock } from '../support/roles.js';
import type { Sshd } from '../support/sshd.js';
import { startSshd } from '../support/sshd.js';
import { sshdHostOptions } from '../support/sshd-host.js';
import { sha256 } from './support.js';

const CHUNK = MIB;
const STEP = 256 * KIB;
/** Large enough that much is left when a merge is stopped at its middle. */
const LARGE = randomBytes(128 * CHUNK + 77);
const SMALL = LARGE.subarray(0, 6 * CHUNK + 5);

let sshd: Sshd;
let hosts: HostRepository;

beforeEach(async () => {
  sshd = await startSshd();
  const limits = { copyStepBytes: STEP, copyWindowBytes: 8 * STEP };
  hosts = createHostRepository({ hosts: [sshdHostOptions(sshd)], clock: realClock, log: keptLog(), limits });
});
afterEach(async () => {
  await vi.waitFor(() => expect(sshd.openFiles()).toEqual([]));
  await hosts.close();
  await sshd.stop();
});

interface Wish {
  readonly begunBytes?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (doneBytes: number) => void;
  readonly through?: (host: Host) => Host;
}

/** Chunk files of one content in one directory, and an output beside them. */
class Chunks {
  readonly directory: string;
  readonly output: string;
  readonly #bytes: Buffer;
  readonly #received: ReceivedMap;

  constructor(bytes: Buffer, { chunkSize = CHUNK, directory = join(sshd.root, 'staging') } = {}) {
    this.#bytes = bytes;
    this.directory = directory;
    this.output = join(directory, 'out.0123456789abcdef');
    fs.mkdirSync(directory, { recursive: true });
    fs.chmodSync(directory, 0o777);
    this.#received = new ReceivedMap(chunkPlan(bytes.length, chunkSize));
    for (let index = 1; index <= this.#received.plan.chunkCount; index++) {
      const chunk = bytes.subarray((index - 1) * chunkSize, index * chunkSize);
      fs.writeFileSync(this.path(index), chunk, { mode: 0o644 });
      this.#received.add(index, sha256(chunk));
    }
  }

  path(index: number): string {
    return join(this.directory, `c.${index}`);
  }

  /** As an earlier run left it. */
  begin(begunBytes: number): void {
    fs.writeFileSync(this.output, this.#bytes.subarray(0, begunBytes));
    fs.chmodSync(this.output, 0o666);
  }

  copy({ through = (host) => host, signal = new AbortController().signal, onProgress, begunBytes }: Wish = {}): Promise<void> {
    return hosts.use('sshd', async (host) => {
      const copying: Copying = {
        host: through(host),
        hashing: realHashing,
        directory: this.directory as RemotePath,
        received: this.#received,
        chunkPath: (index) => this.path(index) as RemotePath,
        output: this.output as RemotePath,
        begunBytes,
        signal,
        onProgress: (phase, doneBytes, totalBytes) => {
          expect([phase, totalBytes]).toEqual(['ASSEMBLING', this.#bytes.length]);
          onProgress?.(doneBytes);
        },
      };
      await copyData(copying);
    });
  }

  expectWhole(): void {
    expect(fs.readFileSync(this.output).equals(this.#bytes)).toBe(true);
  }

  /** The output's length, all of which is right. */
  madeBytes(): number {
    const made = fs.readFileSync(this.output);
    expect(this.#bytes.subarray(0, made.length).equals(made)).toBe(true);
    return made.length;
  }
}

/** The host, but for some of its methods. */
function changed(host: Host, methods: Partial<Host>): Host {
  return new Proxy(host, {
    get(target, name) {
      const member: unknown = Reflect.get(methods, name) ?? Reflect.get(target, name, target);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}

/** Calls `act` once, at the middle of `totalBytes`. */
function atMiddle(totalBytes: number, act: () => void): (doneBytes: number) => void {
  let isDone = false;
  return (doneBytes) => {
    if (isDone || doneBytes < totalBytes / 2) return;
    isDone = true;
    act();
  };
}

describe('copy-data', () => {
  it('joins chunks byte for byte, and tells how far it is', async () => {
    const chunks = new Chunks(SMALL);
    const told: number[] = [];
    await chunks.copy({ onProgress: (doneBytes) => told.push(doneBytes) });
    chunks.expectWhole();
    expect(told).toHaveLength(Math.ceil(SMALL.length / STEP));
    expect(told).toEqual([...told].sort((a, b) => a - b));
    expect(told.at(-1)).toBe(SMALL.length);
  });

  it.each([0, 1, STEP, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 12_345, SMALL.length - 1, SMALL.length])(
    'goes on at byte %i',
    async (begunBytes) => {
      const chunks = new Chunks(SMALL);
      chunks.begin(begunBytes);
      const told: number[] = [];
      await chunks.copy({ begunBytes, onProgress: (doneBytes) => told.push(doneBytes) });
      chunks.expectWhole();
      for (const doneBytes of told) expect(doneBytes).toBeGreaterThan(begunBytes);
    },
  );

  it('makes an empty file of no chunks', async () => {
    const chunks = new Chunks(Buffer.alloc(0));
    await chunks.copy();
    chunks.expectWhole();
  });

  it('joins 2 000 small chunks in a few seconds', async () => {
    const chunks = new Chunks(LARGE.subarray(0, 2_000 * 64 * KIB), { chunkSize: 64 * KIB });
    const began = performance.now();
    await chunks.copy();
    expect(performance.now() - began).toBeLessThan(5_000);
    chunks.expectWhole();
  });

  it('takes no other file for its output', async () => {
    const chunks = new Chunks(SMALL);
    await expect(chunks.copy({ begunBytes: 5 })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    chunks.begin(6);
    await expect(chunks.copy()).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    await expect(chunks.copy({ begunBytes: 7 })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    // Somebody else is at it.
    await expect(chunks.copy({ begunBytes: 5 })).rejects.toMatchObject({ code: 'HOST_BUSY' });
    expect(chunks.madeBytes()).toBe(6);
    fs.renameSync(chunks.output, join(sshd.root, 'foreign'));
    fs.symlinkSync(join(sshd.root, 'foreign'), chunks.output);
    await expect(chunks.copy({ begunBytes: 6 })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(fs.statSync(join(sshd.root, 'foreign')).size).toBe(6);
  });
});

describe('copy-data that is stopped in the middle', () => {
  it('by its signal rejects with the reason, and goes on later', async () => {
    const chunks = new Chunks(LARGE);
    const reason = new Error('enough');
    const aborter = new AbortController();
    const onProgress = atMiddle(LARGE.length, () => aborter.abort(reason));
    await expect(chunks.copy({ signal: aborter.signal, onProgress })).rejects.toBe(reason);
    const madeBytes = chunks.madeBytes();
    expect(madeBytes).toBeGreaterThanOrEqual(LARGE.length / 2);
    expect(madeBytes).toBeLessThan(LARGE.length / 2 + 10 * STEP);
    await chunks.copy({ begunBytes: madeBytes });
    chunks.expectWhole();
  });

  it('by the death of every session goes on later', async () => {
    const chunks = new Chunks(LARGE);
    const onProgress = atMiddle(LARGE.length, () => void sshd.kill('sessions'));
    await expect(chunks.copy({ onProgress })).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
    const madeBytes = chunks.madeBytes();
    expect(madeBytes).toBeGreaterThanOrEqual(LARGE.length / 2);
    expect(madeBytes).toBeLessThan(LARGE.length);
    await chunks.copy({ begunBytes: madeBytes });
    chunks.expectWhole();
  });

  it('by a signal from before does nothing', async () => {
    const chunks = new Chunks(SMALL);
    await expect(chunks.copy({ signal: AbortSignal.abort(new Error('never')) })).rejects.toThrow('never');
    expect(chunks.madeBytes()).toBe(0);
  });
});

describe('copy-data of a wrong chunk', () => {
  const LAST = 7;
  const fifo = (path: string): void => {
    fs.unlinkSync(path);
    execFileSync('mkfifo', ['-m', '666', path]);
  };
  /** As long as the chunk: five bytes. */
  const link = (path: string): void => {
    fs.renameSync(path, join(dirname(path), 'other'));
    fs.symlinkSync('other', path);
  };
  it.each([
    ['gone', 4, (path: string) => fs.unlinkSync(path)],
    ['too short', 4, (path: string) => fs.truncateSync(path, CHUNK - 1)],
    ['too long', 4, (path: string) => fs.appendFileSync(path, 'x')],
    ['a FIFO', 4, fifo],
    ['a link', LAST, link],
  ] as const)('names the one that is %s', async (_, index, spoil) => {
    const chunks = new Chunks(SMALL);
    spoil(chunks.path(index));
    await expect(chunks.copy()).rejects.toMatchObject({ name: 'WrongChunk', index, isStitched: false });
    expect(chunks.madeBytes()).toBeLessThanOrEqual((index - 1) * CHUNK);
  });

  it.each([
    ['cut off', (path: string) => fs.truncateSync(path, CHUNK - 5)],
    ['emptied', (path: string) => fs.truncateSync(path, 0)],
  ])('names the one that is %s after it was looked at', async (_, spoil) => {
    const chunks = new Chunks(LARGE.subarray(0, 30 * CHUNK));
    const onProgress = atMiddle(6 * CHUNK, () => spoil(chunks.path(20)));
    await expect(chunks.copy({ onProgress })).rejects.toMatchObject({ name: 'WrongChunk', index: 20 });
    expect(chunks.madeBytes()).toBeLessThanOrEqual(20 * CHUNK);
  });

  it('names the one that the disk doesn’t give back', async () => {
    const chunks = new Chunks(SMALL);
    const unreadable = (host: Host): Host =>
      changed(host, {
        append: () => Promise.reject(new Fault('FAILURE', 'it says no more')),
        open: (path: RemotePath, mode: OpenMode) =>
          mode === 'read' ? Promise.reject(new Fault('FAILURE', 'EIO')) : host.open(path, mode),
      });
    await expect(chunks.copy({ through: unreadable })).rejects.toMatchObject({ name: 'WrongChunk', index: 1 });
  });
});

describe('copy-data on a host that can’t', () => {
  const refusingAt = (allowedBytes: number) => (host: Host) =>
    changed(host, {
      append: async (_output, _ranges, { from, onGrown }) => {
        if (allowedBytes > 0) onGrown(from + allowedBytes);
        throw new Fault('FAILURE', 'it says no more');
      },
    });

  it('is not supported, when it says so', async () => {
    const chunks = new Chunks(SMALL);
    const offers = { hardLink: true, posixRename: true, fsync: true, space: true, copyData: false, checkFile: false };
    const copying = chunks.copy({ through: (host) => changed(host, { offers }) });
    await expect(copying).rejects.toMatchObject({ code: 'HOST_UNSUPPORTED' });
    expect(fs.existsSync(chunks.output)).toBe(false);
  });

  it('is not supported, when it refuses the first bytes without a reason', async () => {
    const chunks = new Chunks(SMALL);
    await expect(chunks.copy({ through: refusingAt(0) })).rejects.toMatchObject({ code: 'HOST_UNSUPPORTED' });
    const later = chunks.copy({ through: refusingAt(0), begunBytes: chunks.madeBytes() });
    await expect(later).rejects.toMatchObject({ code: 'HOST_UNSUPPORTED' });
  });

  it('is supported, when it has copied something before it refused', async () => {
    const chunks = new Chunks(SMALL);
    await expect(chunks.copy({ through: refusingAt(STEP) })).rejects.toMatchObject({ code: 'FAILURE' });
  });

  it.for([8 * CHUNK, CHUNK, 0])('says that the disk is full, with room for %i bytes', async (freeBytes, context) => {
    const disk = join(sshd.root, 'disk');
    fs.mkdirSync(disk);
    const size = 12 * CHUNK + freeBytes;
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0777`, 'longshore-test', disk], { stdio: 'pipe' });
    } catch {
      return context.skip('only root may mount a file system small enough to fill');
    }
    try {
      const chunks = new Chunks(LARGE.subarray(0, 12 * CHUNK), { directory: join(disk, 'staging') });
      await expect(chunks.copy()).rejects.toMatchObject({ code: 'NOT_ENOUGH_SPACE' });
      const madeBytes = chunks.madeBytes();
      expect(madeBytes).toBeLessThanOrEqual(freeBytes);
      expect(madeBytes).toBeGreaterThanOrEqual(freeBytes - STEP);
      await vi.waitFor(() => expect(sshd.openFiles()).toEqual([]));
    } finally {
      execFileSync('umount', ['-l', disk]);
    }
  });
});
