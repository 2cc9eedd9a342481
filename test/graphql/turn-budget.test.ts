import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { TurnBudget } from '../../src/graphql/turn-budget.js';
import { KIB, MIB } from '../support/bytes.js';

describe('the budget of a turn', () => {
  it('lets a MiB pass, and has all others wait for the next turn', async () => {
    const budget = new TurnBudget();
    for (let taken = 0; taken < MIB; taken += 64 * KIB) expect(budget.take(64 * KIB)).toBeUndefined();
    let turns = 0;
    const others = [budget.take(1), budget.take(1)].map(async (wait) => {
      await wait;
      return turns;
    });
    turns += 1;
    await setImmediate();
    expect(await Promise.all(others)).toEqual([1, 1]);
    expect(budget.take(64 * KIB)).toBeUndefined();
  });

  it('begins anew in a turn in which nobody had to wait', async () => {
    const budget = new TurnBudget();
    for (let turn = 0; turn < 4; turn += 1) {
      expect(budget.take(MIB)).toBeUndefined();
      await setImmediate();
    }
  });
});
