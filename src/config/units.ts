// Sizes and durations as people write them.

export interface Unit {
  /** What a value may look like, for editors; `parse` decides. */
  readonly pattern: RegExp;
  /** What to write, for messages: "a size such as 10MiB". */
  readonly example: string;
  /** Undefined when `text` is none. */
  parse(text: string): number | undefined;
  /** In the largest unit that leaves no fraction; `parse` takes it back. */
  format(value: number): string;
}

/** Plain integers, also as text, since a value from the environment is text. */
export const INTEGER: Unit = {
  pattern: /^[0-9]+$/,
  example: 'an integer',
  parse: (text) => (INTEGER.pattern.test(text) ? safe(Number(text)) : undefined),
  format: String,
};

/** Bytes: `10MiB`, or a plain number of bytes. Only binary units, so that nobody has to guess what MB means. */
export const SIZE: Unit = unit('a size such as 10MiB', { TiB: 2 ** 40, GiB: 2 ** 30, MiB: 2 ** 20, KiB: 2 ** 10, B: 1 }, 'B');

/** Milliseconds: `15m`. A number without a unit is refused: seconds and milliseconds are too easily mistaken. */
export const DURATION: Unit = unit('a duration such as 15m', { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 });

/** `factors` from the largest to the smallest; `plain` is the unit of a number without one, where that is allowed. */
function unit(example: string, factors: Readonly<Record<string, number>>, plain?: string): Unit {
  const names = Object.keys(factors).join('|');
  const pattern = new RegExp(`^([0-9]+(?:[.][0-9]+)?) ?(${names})${plain === undefined ? '' : '?'}$`);
  return {
    pattern,
    example,
    parse: (text) => {
      const [, number, name = plain] = pattern.exec(text) ?? [];
      const factor = name === undefined ? undefined : factors[name];
      return number === undefined || factor === undefined ? undefined : safe(Number(number) * factor);
    },
    format: (value) => {
      const [name, factor] = Object.entries(factors).find(([, factor]) => value >= factor && value % factor === 0) ?? ['', 1];
      return `${value / factor}${name}`;
    },
  };
}

function safe(value: number): number | undefined {
  return Number.isSafeInteger(value) ? value : undefined;
}
