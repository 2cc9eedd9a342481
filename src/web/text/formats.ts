// Numbers and times for people, as their language writes them.

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;
const AGES = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
] as const;

export class Formats {
  readonly #decimals: readonly Intl.NumberFormat[];
  readonly #moment: Intl.DateTimeFormat;
  readonly #age: Intl.RelativeTimeFormat;

  /** `tag`: BCP 47. */
  constructor(tag: string) {
    this.#decimals = [0, 1, 2].map(
      (digits) => new Intl.NumberFormat(tag, { minimumFractionDigits: digits, maximumFractionDigits: digits }),
    );
    this.#moment = new Intl.DateTimeFormat(tag, { dateStyle: 'medium', timeStyle: 'short' });
    this.#age = new Intl.RelativeTimeFormat(tag, { numeric: 'auto' });
  }

  count(value: number): string {
    return this.#number(value, 0);
  }

  /** Three figures are enough to read: `0 B`, `1.00 KiB`, `541 MiB`. */
  bytes(bytes: number): string {
    let unit = 0;
    let value = bytes;
    // 999.5 would be rounded to four figures.
    while (value >= 999.5 && unit < UNITS.length - 1) {
      value /= 1024;
      unit += 1;
    }
    return `${this.#number(value, unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2)} ${UNITS[unit] ?? ''}`;
  }

  rate(bytesPerSecond: number): string {
    return `${this.bytes(bytesPerSecond)}/s`;
  }

  /** 0 … 100; rounded down, since 100 % means that it is done. */
  percent(value: number): string {
    return `${this.#number(Math.floor(value), 0)} %`;
  }

  /** `9 s`, `12:40`, `3:07:55`; what is left is never nothing. */
  duration(seconds: number): string {
    const whole = Math.max(1, Math.round(seconds));
    if (whole < 60) return `${this.#number(whole, 0)} s`;
    const two = (value: number) => String(value).padStart(2, '0');
    const minutes = Math.floor(whole / 60);
    if (minutes < 60) return `${minutes}:${two(whole % 60)}`;
    return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
  }

  /** `at`: whatever `Date` takes. */
  moment(at: string | number): string {
    return this.#moment.format(new Date(at));
  }

  /** `3 minutes ago`. */
  ago(at: string): string {
    const seconds = Math.max(0, (Date.now() - Date.parse(at)) / 1_000);
    const [unit, length] = AGES.find((age) => seconds >= age[1]) ?? AGES[3];
    return this.#age.format(-Math.floor(seconds / length), unit);
  }

  #number(value: number, digits: 0 | 1 | 2): string {
    return this.#decimals[digits]?.format(value) ?? String(value);
  }
}
