// Plots as SVG, legible on light and dark: each brings its own ground, and changes with what the reader's system prefers.

export type Kind = 'ours' | 'peer' | 'limit';

export interface Bar {
  readonly label: string;
  readonly kind: Kind;
  readonly median: number;
  readonly slowest: number;
  readonly fastest: number;
}

export interface Line {
  readonly label: string;
  readonly kind: Kind;
  readonly points: readonly Readonly<Record<'x' | 'median' | 'slowest' | 'fastest', number>>[];
}

export interface Stack {
  readonly label: string;
  readonly kind: Kind;
  /** In the order of the legend. */
  readonly parts: readonly number[];
}

interface Words {
  readonly title: string;
  /** Second line: unit, and what is better. */
  readonly note: string;
}

const WIDTH = 960;
const MARGIN = 32;
const TOP = 104;
const STYLE = `
    :root { --ground: #f7f9fa; --edge: #dbe3e8; --ink: #16242f; --soft: #56697a; --grid: #e2e9ed; --ours: #0b6e8f; --peer: #b4c3cd; --limit: #dde5ea;
      --second: #63b1c9; --third: #b4c3cd; --spread: #16242f; }
    @media (prefers-color-scheme: dark) {
      :root { --ground: #121a21; --edge: #26333e; --ink: #e8eff4; --soft: #9bb0be; --grid: #22303a; --ours: #35b0d6; --peer: #53687a; --limit: #263440;
        --second: #1f7896; --third: #53687a; --spread: #ffffff; }
    }
    text { font-family: "Inter", "Segoe UI", system-ui, -apple-system, "Helvetica Neue", "DejaVu Sans", sans-serif; font-size: 15px; fill: var(--ink); }
    .title { font-size: 21px; font-weight: 650; }
    .soft { fill: var(--soft); font-size: 14px; }
    .bold { font-weight: 650; }
    .end { text-anchor: end; }
    .middle { text-anchor: middle; }
    .grid { stroke: var(--grid); stroke-width: 1.5; }
    .thread { stroke: var(--soft); stroke-width: 1; opacity: 0.6; }
    .halo { stroke: var(--ground); stroke-width: 4; opacity: 0.75; fill: none; }
    .spread { stroke: var(--spread); stroke-width: 1.6; opacity: 0.7; fill: none; }
    .ours { fill: var(--ours); }
    .peer { fill: var(--peer); }
    .limit { fill: var(--limit); }
    .fade { stop-color: var(--limit); }
    .second { fill: var(--second); }
    .third { fill: var(--third); }
    .line { fill: none; stroke-linejoin: round; stroke-linecap: round; stroke-width: 2.2; }
    .line.ours { fill: none; stroke: var(--ours); stroke-width: 4; }
    .line.peer { fill: none; stroke: var(--peer); }
    .line.limit { fill: none; stroke: var(--peer); stroke-dasharray: 2 6; }`;

const BAR_LEFT = 336;
const BAR_RIGHT = WIDTH - 110;
const ROW = 38;

/** The longest on top, each with its spread. What is a limit, not a rival, may leave the scale, and fades. */
export function barPlot(words: Words, bars: readonly Bar[]): string {
  const sorted = bars.toSorted((one, other) => other.median - one.median);
  const scaleMax = Math.max(...bars.filter(({ kind }) => kind !== 'limit').map(({ fastest }) => fastest)) * 1.08;
  const x = (value: number) => BAR_LEFT + (Math.min(value, scaleMax) / scaleMax) * (BAR_RIGHT - BAR_LEFT);
  const rows = sorted.map(({ label, kind, median, slowest, fastest }, at) => {
    const middle = TOP + at * ROW + ROW / 2;
    const isCut = median > scaleMax;
    const bold = kind === 'ours' ? ' bold' : '';
    const bar = `<rect class="${kind}" x="${BAR_LEFT}" y="${middle - 12}" width="${n(x(median) - BAR_LEFT)}" height="24" rx="3"${isCut ? ' style="fill: url(#fade)"' : ''} />`;
    const ends = `M${n(x(slowest))} ${middle - 5}v10M${n(x(slowest))} ${middle}H${n(x(fastest))}M${n(x(fastest))} ${middle - 5}v10`;
    const spread = isCut ? '' : `<path class="halo" d="${ends}" /><path class="spread" d="${ends}" />`;
    const value = `<text class="${bold.trim()}" x="${n(Math.max(x(fastest), x(median)) + 10)}" y="${middle + 5}">${amount(median)}</text>`;
    return `<text class="end${bold}" x="${BAR_LEFT - 14}" y="${middle + 5}">${escape(label)}</text>${bar}${spread}${value}`;
  });
  return frame(words, TOP + sorted.length * ROW + 24, rows);
}

/** Both scales logarithmic: a tool that waits for answers goes down in a straight line. */
export function linePlot(words: Words, lines: readonly Line[], xLabel: string): string {
  const height = 600;
  const box = { left: 84, right: WIDTH - 270, top: TOP + 8, bottom: height - 72 };
  const points = lines.flatMap((line) => line.points);
  const xs = [...new Set(points.map((point) => point.x))].sort((a, b) => a - b);
  const lowest = Math.min(...points.map(({ slowest }) => slowest)) * 0.85;
  const highest = Math.max(...points.map(({ fastest }) => fastest)) * 1.15;
  const x = logScale([xs[0] ?? 1, xs.at(-1) ?? 10], [box.left + 24, box.right - 12]);
  const y = logScale([lowest, highest], [box.bottom, box.top]);
  const marks = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000].filter(
    (mark) => mark > lowest && mark < highest,
  );
  const grid = marks.map((mark) => {
    const line = `<path class="grid" d="M${box.left} ${n(y(mark))}H${box.right}" />`;
    return `${line}<text class="soft end" x="${box.left - 10}" y="${n(y(mark) + 5)}">${amount(mark)}</text>`;
  });
  const axis = xs.map((mark) => `<text class="soft middle" x="${n(x(mark))}" y="${box.bottom + 26}">${mark} ms</text>`);
  const caption = `<text class="soft middle" x="${(box.left + box.right) / 2}" y="${box.bottom + 52}">${xLabel}</text>`;
  const order: readonly Kind[] = ['limit', 'peer', 'ours'];
  const drawn = lines.toSorted((one, other) => order.indexOf(one.kind) - order.indexOf(other.kind));
  const curves = drawn.map(({ kind, points }) => {
    const path = points.map((point) => `${n(x(point.x))} ${n(y(point.median))}`).join('L');
    const spreads = points.map((point) => `M${n(x(point.x))} ${n(y(point.slowest))}V${n(y(point.fastest))}`).join('');
    const dots = points.map(
      (point) =>
        `<circle class="${kind === 'limit' ? 'peer' : kind}" cx="${n(x(point.x))}" cy="${n(y(point.median))}" r="${kind === 'ours' ? 5 : 3}" />`,
    );
    return `<path class="line ${kind}" d="M${path}" /><path class="spread" d="${spreads}" />${dots.join('')}`;
  });
  return frame(words, height, [...grid, ...axis, caption, ...curves, ...lineLabels(drawn, y, box)]);
}

const LABEL_STEP = 22;

/** At the lines' ends, moved apart where they would cover each other; each has a thread to its line. */
function lineLabels(
  lines: readonly Line[],
  y: (value: number) => number,
  box: Readonly<Record<'right' | 'top' | 'bottom', number>>,
): readonly string[] {
  const end = Math.max(...lines.flatMap(({ points }) => points.map(({ x }) => x)));
  const wanted = lines
    .flatMap(({ label, kind, points }) => {
      const last = points.at(-1);
      if (last === undefined) return [];
      const where = last.x === end ? '' : ` at ${last.x} ms`;
      return [{ text: `${label}  ${amount(last.median)}${where}`, kind, from: y(last.median) }];
    })
    .sort((one, other) => one.from - other.from);
  let free = box.top;
  const down = wanted.map((label) => {
    const at = Math.max(label.from, free);
    free = at + LABEL_STEP;
    return { ...label, at };
  });
  // What was pushed out below comes up again.
  let floor = box.bottom;
  const placed = down.toReversed().map((label) => {
    const at = Math.min(label.at, floor);
    floor = at - LABEL_STEP;
    return { ...label, at };
  });
  return placed.map(({ text, kind, from, at }) => {
    const thread = `<path class="thread" d="M${box.right - 2} ${n(from)}L${box.right + 14} ${n(at)}" />`;
    return `${thread}<text class="${kind === 'ours' ? 'bold' : 'soft'}" x="${box.right + 20}" y="${n(at + 5)}">${escape(text)}</text>`;
  });
}

const PARTS = ['ours', 'second', 'third'] as const;

/** The shortest on top. */
export function stackPlot(words: Words, stacks: readonly Stack[], legend: readonly string[]): string {
  const total = ({ parts }: Stack) => parts.reduce((sum, part) => sum + part, 0);
  const sorted = stacks.toSorted((one, other) => total(one) - total(other));
  const scale = (BAR_RIGHT - BAR_LEFT) / (Math.max(...stacks.map(total)) * 1.02);
  const key = legend.map(
    (name, at) =>
      `<rect class="${PARTS[at]}" x="${BAR_LEFT + at * 150}" y="${TOP}" width="14" height="14" rx="3" /><text class="soft" x="${BAR_LEFT + 22 + at * 150}" y="${TOP + 12}">${escape(name)}</text>`,
  );
  const rows = sorted.map((stack, at) => {
    const middle = TOP + 30 + at * ROW + ROW / 2;
    const bold = stack.kind === 'ours' ? ' bold' : '';
    let left = BAR_LEFT;
    const parts = stack.parts.map((part, index) => {
      const rect = `<rect class="${PARTS[index]}" x="${n(left)}" y="${middle - 12}" width="${n(part * scale)}" height="24" />`;
      left += part * scale;
      return rect;
    });
    const value = `<text class="${bold.trim()}" x="${n(left + 10)}" y="${middle + 5}">${amount(total(stack))}</text>`;
    return `<text class="end${bold}" x="${BAR_LEFT - 14}" y="${middle + 5}">${escape(stack.label)}</text>${parts.join('')}${value}`;
  });
  return frame(words, TOP + 30 + sorted.length * ROW + 24, [...key, ...rows]);
}

function frame({ title, note }: Words, height: number, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="title note">
  <title id="title">${escape(title)}</title>
  <desc id="note">${escape(note)}</desc>
  <style>${STYLE}
  </style>
  <defs>
    <linearGradient id="fade"><stop class="fade" offset="0.55" /><stop class="fade" offset="1" stop-opacity="0" /></linearGradient>
  </defs>
  <rect x="1" y="1" width="${WIDTH - 2}" height="${height - 2}" rx="18" style="fill: var(--ground); stroke: var(--edge)" stroke-width="2" />
  <text class="title" x="${MARGIN}" y="46">${escape(title)}</text>
  <text class="soft" x="${MARGIN}" y="72">${escape(note)}</text>
  ${parts.join('\n  ')}
</svg>
`;
}

function logScale([fromLow, fromHigh]: readonly [number, number], [toLow, toHigh]: readonly [number, number]) {
  const span = Math.log(fromHigh) - Math.log(fromLow) || 1;
  return (value: number) => toLow + ((Math.log(value) - Math.log(fromLow)) / span) * (toHigh - toLow);
}

/** For people: two digits that matter at least, thousands apart. */
export function amount(value: number): string {
  if (value > 0 && value < 10) return String(Math.round(value * 10) / 10);
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, '\u2009');
}

const escape = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
/** A coordinate: a tenth of a pixel is fine enough. */
const n = (value: number) => Math.round(value * 10) / 10;
