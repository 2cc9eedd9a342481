// What every adapter of the ledger promises.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Entry, Ledger, LedgerBounds } from '../../src/core/ledger.js';

export interface LedgerUnderTest {
  readonly ledger: Ledger;
  /** Lets time pass for the books. */
  advance(ms: number): Promise<void>;
  /** How much is kept by now. */
  leftovers(): Promise<number>;
  stop(): Promise<void>;
}

const HOUR_MS = 3_600_000;
const BOUNDS: LedgerBounds = { uploadsPerPerson: 4, bytesPerPerson: 1_000, claimsPerPerson: 2 };

function entry(id: string, own: Partial<Entry> = {}): Entry {
  return { person: 'anna', id, sizeBytes: 100, isStaged: true, ttlMs: HOUR_MS, ...own };
}

export function ledgerContract(name: string, start: () => Promise<LedgerUnderTest>): void {
  describe(`ledger: ${name}`, () => {
    let books: LedgerUnderTest;
    let ledger: Ledger;
    beforeEach(async () => {
      books = await start();
      ledger = books.ledger;
    });
    afterEach(() => books.stop());

    const enter = (id: string, own: Partial<Entry> = {}, bounds: Partial<LedgerBounds> = {}) =>
      ledger.enter(entry(id, own), { ...BOUNDS, ...bounds });
    const entered = { kind: 'entered' };
    const exceeded = (bound: keyof LedgerBounds, used: number) => ({ kind: 'exceeded', bound, used });

    it('tells a new upload from one that it knows', async () => {
      expect(await enter('a')).toEqual({ kind: 'entered', isNew: true });
      expect(await enter('a')).toEqual({ kind: 'entered', isNew: false });
    });

    it('bounds how many uploads a person has, and counts each once', async () => {
      for (const id of ['a', 'b', 'c', 'd', 'a', 'd']) expect(await enter(id)).toMatchObject(entered);
      expect(await enter('e')).toEqual(exceeded('uploadsPerPerson', 4));
      expect(await enter('e', { person: 'bert' })).toMatchObject(entered);
    });

    it('has room again for each upload that leaves, once', async () => {
      for (const id of ['a', 'b', 'c', 'd']) await enter(id);
      await ledger.leave(entry('a'));
      await ledger.leave(entry('a'));
      await ledger.leave({ person: 'bert', id: 'b' });
      expect(await enter('e')).toMatchObject(entered);
      expect(await enter('f')).toEqual(exceeded('uploadsPerPerson', 4));
    });

    it('bounds the bytes of a person’s uploads', async () => {
      await enter('a', { sizeBytes: 600 });
      expect(await enter('b', { sizeBytes: 401 })).toEqual(exceeded('bytesPerPerson', 600));
      expect(await enter('b', { sizeBytes: 400 })).toMatchObject(entered);
      expect(await enter('a', { sizeBytes: 601 })).toEqual(exceeded('bytesPerPerson', 400));
      expect(await enter('a', { sizeBytes: 600 })).toMatchObject(entered);
      await ledger.leave(entry('b'));
      expect(await enter('c', { sizeBytes: 400 })).toMatchObject(entered);
    });

    it('lets go on what was let in before a bound was lowered', async () => {
      for (const id of ['a', 'b', 'c']) await enter(id);
      expect(await enter('b', {}, { uploadsPerPerson: 1, bytesPerPerson: 1 })).toMatchObject(entered);
      expect(await enter('d', {}, { uploadsPerPerson: 1 })).toEqual(exceeded('uploadsPerPerson', 3));
    });

    it('bounds claims with nothing behind them, until something is', async () => {
      const claim = { isStaged: false };
      for (const id of ['a', 'b']) expect(await enter(id, claim)).toMatchObject(entered);
      expect(await enter('c', claim)).toEqual(exceeded('claimsPerPerson', 2));
      expect(await enter('d')).toMatchObject(entered);
      expect(await enter('a', { isStaged: true })).toMatchObject(entered);
      expect(await enter('c', claim)).toMatchObject(entered);
    });

    it('forgets an upload that nothing is heard of', async () => {
      for (const id of ['a', 'b', 'c']) await enter(id);
      await enter('d', { ttlMs: HOUR_MS / 4 });
      await books.advance(HOUR_MS / 2);
      expect(await enter('e')).toMatchObject({ isNew: true });
      expect(await enter('f')).toEqual(exceeded('uploadsPerPerson', 4));
      await enter('a');
      await books.advance(HOUR_MS * 0.75);
      // Of those, a was heard of, and e came late.
      for (const id of ['f', 'g']) expect(await enter(id)).toMatchObject(entered);
      expect(await enter('h')).toEqual(exceeded('uploadsPerPerson', 4));
    });

    it('enters what is there already, whatever the bounds', async () => {
      for (const id of ['a', 'b', 'c', 'd']) await enter(id, { sizeBytes: 250 });
      expect(await ledger.enter(entry('e', { sizeBytes: 10_000 }))).toEqual({ kind: 'entered', isNew: true });
      expect(await enter('f', { sizeBytes: 0 })).toEqual(exceeded('uploadsPerPerson', 5));
    });

    it('counts uploads without a byte, and what needs no more, as all others', async () => {
      const space = { key: 'disk', neededBytes: 0, freeBytes: 0, ttlMs: HOUR_MS };
      for (let round = 0; round < 3; round++) {
        for (const id of ['a', 'b']) {
          expect(await enter(id, { sizeBytes: 0, isStaged: false, space })).toMatchObject(entered);
          expect(await enter(id, { sizeBytes: 0, space })).toMatchObject(entered);
          await ledger.leave(entry(id));
        }
      }
      for (const id of ['c', 'd']) expect(await enter(id, { isStaged: false })).toMatchObject(entered);
      expect(await enter('e', { isStaged: false })).toEqual(exceeded('claimsPerPerson', 2));
    });

    it('keeps persons apart, whatever they are called', async () => {
      for (const person of ['bob:until', 'bob', 'bob:bytes', 'bob}', '{bob', 'b%6fb']) {
        for (const id of ['a', 'b', 'c', 'd']) expect(await enter(id, { person })).toMatchObject({ isNew: true });
        expect(await enter('e', { person })).toEqual(exceeded('uploadsPerPerson', 4));
      }
    });

    describe('of space', () => {
      const on = (key: string, neededBytes: number, freeBytes = 1_000) => ({
        space: { key, neededBytes, freeBytes, ttlMs: HOUR_MS },
      });

      it('promises no byte twice, whoever asks', async () => {
        expect(await enter('a', on('disk', 600))).toMatchObject(entered);
        expect(await enter('b', { person: 'bert', ...on('disk', 401) })).toEqual({ kind: 'no-space', promisedBytes: 600 });
        expect(await enter('b', { person: 'bert', ...on('disk', 400) })).toMatchObject(entered);
        expect(await enter('c', on('other disk', 1_000))).toMatchObject(entered);
        expect(await enter('d', on('other disk', 1_001, 2_000))).toEqual({ kind: 'no-space', promisedBytes: 1_000 });
      });

      it('promises the same upload its space once', async () => {
        for (let time = 0; time < 3; time++) expect(await enter('a', on('disk', 600))).toMatchObject(entered);
        expect(await enter('b', on('disk', 400))).toMatchObject(entered);
      });

      it('needs no promise for what has arrived', async () => {
        await enter('a', on('disk', 600));
        await ledger.enter(entry('a', on('disk', 100)));
        expect(await enter('b', on('disk', 400, 500))).toMatchObject(entered);
        expect(await enter('c', on('disk', 1, 500))).toEqual({ kind: 'no-space', promisedBytes: 500 });
      });

      it('is free again when an upload leaves, lapses, or goes elsewhere', async () => {
        await enter('a', on('disk', 400));
        await enter('b', { space: { key: 'disk', neededBytes: 300, freeBytes: 1_000, ttlMs: HOUR_MS / 4 } });
        await enter('c', on('disk', 300));
        expect(await enter('d', on('disk', 1))).toMatchObject({ kind: 'no-space' });
        await ledger.leave(entry('a'));
        expect(await enter('d', on('disk', 400))).toMatchObject(entered);
        await books.advance(HOUR_MS / 2);
        expect(await enter('e', on('disk', 300))).toMatchObject(entered);
        await enter('c', on('another', 300));
        expect(await enter('e', on('disk', 600))).toMatchObject(entered);
      });

      it('refused changes nothing', async () => {
        await enter('a', on('disk', 600));
        await enter('b', on('disk', 500));
        expect(await enter('b')).toMatchObject({ isNew: true });
      });
    });

    it('keeps sizes of five tebibytes to the byte', async () => {
      const tib = 5 * 2 ** 40;
      const bounds = { bytesPerPerson: 2 * tib };
      await enter('a', { sizeBytes: tib + 1 }, bounds);
      expect(await enter('b', { sizeBytes: tib }, bounds)).toEqual(exceeded('bytesPerPerson', tib + 1));
      expect(await enter('b', { sizeBytes: tib - 1 }, bounds)).toMatchObject(entered);
    });

    it('leaves nothing behind', async () => {
      const space = { key: 'disk', neededBytes: 1, freeBytes: 1_000, ttlMs: HOUR_MS };
      for (const id of ['a', 'b', 'c']) await enter(id, { space });
      for (const id of ['a', 'b']) await ledger.leave(entry(id));
      await books.advance(2 * HOUR_MS);
      expect(await books.leftovers()).toBe(0);
    });
  });
}
