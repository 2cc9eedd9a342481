import { describe, expect, it } from 'vitest';
import { MemoryLedger } from '../../src/memory/ledger.js';
import { MemoryLockRepository } from '../../src/memory/lock-repository.js';
import { MemoryMergeQueue } from '../../src/memory/merge-queue.js';
import { MemoryProgressFeed } from '../../src/memory/progress-feed.js';
import { ManualClock, settle } from '../support/manual-clock.js';
import { keptLog } from '../support/roles.js';
import { ledgerContract } from './ledger.js';
import { lockRepositoryContract } from './lock-repository.js';
import { mergeQueueContract } from './merge-queue.js';
import { progressFeedContract } from './progress-feed.js';

const TTL_MS = 7 * 24 * 60 * 60_000;
const NO_ROOM = { uploadsPerPerson: 0, bytesPerPerson: 0, claimsPerPerson: 0 };

lockRepositoryContract('memory', async () => {
  const clock = new ManualClock();
  return {
    locks: new MemoryLockRepository({ clock }),
    advance: (ms) => clock.advance(ms),
    stop: () => Promise.resolve(),
  };
});

ledgerContract('memory', async () => {
  const clock = new ManualClock();
  const ledger = new MemoryLedger({ clock });
  return {
    ledger,
    advance: (ms) => clock.advance(ms),
    leftovers: async () => {
      // They are struck out at the latest when a bound is met.
      await ledger.enter({ person: 'x', id: 'x', sizeBytes: 1, isStaged: true, ttlMs: 1 }, NO_ROOM);
      return ledger.size;
    },
    stop: () => Promise.resolve(),
  };
});

progressFeedContract('memory', async () => {
  const clock = new ManualClock();
  const feed = new MemoryProgressFeed({ clock, ttlMs: TTL_MS });
  return {
    feed,
    ttlMs: TTL_MS,
    advance: (ms) => clock.advance(ms),
    delivered: settle,
    leftovers: () => Promise.resolve(feed.size),
    stop: () => Promise.resolve(),
  };
});

mergeQueueContract('memory', async (bounds) => {
  const queue = new MemoryMergeQueue({ log: keptLog(), ...bounds });
  return { queue, settled: settle, stop: () => queue.close() };
});

describe('in memory over weeks', () => {
  it('states nobody asks about again do not stay for ever', async () => {
    const clock = new ManualClock();
    const feed = new MemoryProgressFeed({ clock, ttlMs: TTL_MS });
    const state = { phase: 'RECEIVING', doneBytes: 0, totalBytes: 1, percent: 0, proved: false, updatedAt: 0 } as const;
    for (let count = 0; count < 1_500; count++) await feed.publish(`old-${count}`, state);
    await clock.advance(TTL_MS + 1_000);
    for (let count = 0; count < 1_000; count++) await feed.publish('new', state);
    expect(feed.size).toBe(1);
  });

  it('claims and ends nobody asks about again do not stay for ever', async () => {
    const clock = new ManualClock();
    const locks = new MemoryLockRepository({ clock });
    const facts = { finishedAt: 0, size: 0, proved: false, etag: '' };
    const request = { person: 'anna', upload: 'u', ttlMs: 1_000, move: 'never', idleMs: 0 } as const;
    for (let count = 0; count < 1_500; count++) {
      await locks.claim({ ...request, target: `old-${count}` });
      await locks.finish('u', `old-${count}`, facts, 1_000);
    }
    await clock.advance(2_000);
    for (let count = 0; count < 1_000; count++) await locks.claim({ ...request, target: 'new' });
    expect(locks.size).toBe(1);
  });
});
