// Contenders for the same work, side by side in one run.
import { median, round1, round2 } from './figures.js';
import { ROUNDS, isAsked } from './settings.js';
import type { Row, Stage } from './stage.js';
import { columnsOf } from './vitals.js';
import type { Vitals } from './vitals.js';

export interface Contender {
  readonly name: string;
  /** Goes through our gateway, which is watched meanwhile. */
  readonly isOurs?: boolean;
  /** Mostly waits for answers, so that others like it may have their turns at the same time. */
  readonly waits?: boolean;
  /** Is timed. Gives what is to be done when the clock stands: to see that all is there, and to take it away. */
  run(stage: Stage): Promise<() => void>;
}

interface Turn {
  readonly seconds: number;
  readonly vitals?: Vitals;
}

export interface Contest {
  readonly contenders: readonly Contender[];
  /** How much is done in a turn, in the unit of the rate. */
  readonly amount: number;
  readonly unit: 'MB/s' | 'files/s';
  /** How many of those that wait have their turn at once; default 1. */
  readonly atOnce?: number;
}

/** A row for each, with its rate, and the ratio of its median to the first one's. */
export async function contest(stage: Stage, { contenders, amount, unit, atOnce = 1 }: Contest): Promise<readonly Row[]> {
  const asked = contenders.filter(isAsked);
  if (asked.length === 0) throw new Error(`nobody is asked; there are ${contenders.map(({ name }) => name).join(', ')}`);
  const turns = new Map<Contender, Turn[]>(asked.map((contender) => [contender, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    // In another order each time: what one leaves in the caches another finds.
    const start = round % asked.length;
    const takeIts = async (contender: Contender) => {
      const turn = await takeTurn(stage, contender);
      turns.get(contender)?.push(turn);
      console.error(`  ${round + 1}/${ROUNDS} ${contender.name}: ${round1(amount / turn.seconds)} ${unit}`);
    };
    for (const group of groupsOf([...asked.slice(start), ...asked.slice(0, start)], atOnce)) {
      await Promise.all(group.map(takeIts));
    }
  }
  const ratesOf = (all: readonly Turn[]) => all.map(({ seconds }) => amount / seconds);
  const [first = []] = turns.values();
  const base = median(ratesOf(first));
  return [...turns].map(([{ name, isOurs = false }, all]) => ({
    what: name,
    ...(isOurs ? { ours: 'yes' } : {}),
    unit,
    median: round1(median(ratesOf(all))),
    slowest: round1(Math.min(...ratesOf(all))),
    fastest: round1(Math.max(...ratesOf(all))),
    runs: all.length,
    ratio: round2(median(ratesOf(all)) / base),
    ...columnsOf(
      all.flatMap(({ vitals }) => (vitals === undefined ? [] : [vitals])),
      stage.idleBytes,
    ),
  }));
}

/** In their order, those that wait gathered with the first of them that has room. */
function groupsOf(contenders: readonly Contender[], atOnce: number): readonly (readonly Contender[])[] {
  const groups: Contender[][] = [];
  for (const contender of contenders) {
    const group = groups.find(([first, ...others]) => first?.waits === true && others.length + 1 < atOnce);
    if (contender.waits === true && group !== undefined) group.push(contender);
    else groups.push([contender]);
  }
  return groups;
}

async function takeTurn(stage: Stage, contender: Contender): Promise<Turn> {
  const watched = contender.isOurs === true ? await stage.watch() : undefined;
  const began = performance.now();
  const after = await contender.run(stage);
  const seconds = (performance.now() - began) / 1_000;
  const vitals = await watched?.();
  after();
  return vitals === undefined ? { seconds } : { seconds, vitals };
}
