// A grid of panels as SVG: lines over time, each with its legend. Legible on light and dark.

const COLUMNS = 3;
const PANEL = { width: 400, height: 236, gap: 12 };
const PLOT = { left: 58, right: 14, top: 38, bottom: 62 };
const COLOURS = ['#0b6e8f', '#c8553d', '#588157', '#8f6bb3', '#c58b12', '#4d7ea8', '#a23e66', '#6b705c'];
const MOST = COLOURS.length;
/** Widths of letters aren't known here; this is near enough for a legend. */
const LETTER = 6.1;

const STYLE = `
    :root { --ground: #eef2f4; --panel: #ffffff; --edge: #dbe3e8; --ink: #16242f; --soft: #56697a; --grid: #e2e9ed; }
    @media (prefers-color-scheme: dark) { :root { --ground: #0d1318; --panel: #121a21; --edge: #26333e; --ink: #e8eff4; --soft: #9bb0be; --grid: #22303a; } }
    text { font-family: "Inter", "Segoe UI", system-ui, -apple-system, "Helvetica Neue", "DejaVu Sans", sans-serif; font-size: 11px; fill: var(--soft); }
    .title { font-size: 13px; font-weight: 650; fill: var(--ink); }
    .end { text-anchor: end; }
    .middle { text-anchor: middle; }
    .panel { fill: var(--panel); stroke: var(--edge); }
    .grid { stroke: var(--grid); }
    .line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }`;

/** Each panel has a title, a unit of Grafana's, and series of points in seconds. */
export function drawPanels(panels, seconds) {
  const { width, height, gap } = PANEL;
  const rows = Math.ceil(panels.length / COLUMNS);
  const size = [COLUMNS * (width + gap) + gap, rows * (height + gap) + gap];
  const body = panels.map((panel, at) => {
    const x = gap + (at % COLUMNS) * (width + gap);
    const y = gap + Math.floor(at / COLUMNS) * (height + gap);
    return `<g transform="translate(${x} ${y})">${drawPanel(panel, seconds)}</g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.join(' ')}" role="img" aria-label="Dashboard of a gateway under load">
  <style>${STYLE}
  </style>
  <rect width="100%" height="100%" style="fill: var(--ground)" />
  ${body.join('\n  ')}
</svg>
`;
}

function drawPanel({ title, unit, series }, seconds) {
  const { width, height } = PANEL;
  const shown = series.toSorted((one, other) => most(other) - most(one)).slice(0, MOST);
  const top = niceAbove(Math.max(0, ...shown.map(most)));
  const x = (at) => PLOT.left + (at / seconds) * (width - PLOT.left - PLOT.right);
  const y = (value) => height - PLOT.bottom - (value / top) * (height - PLOT.top - PLOT.bottom);
  const grid = [0, 0.5, 1].map((part) => {
    const at = n(y(top * part));
    const line = `<path class="grid" d="M${PLOT.left} ${at}H${width - PLOT.right}" />`;
    return `${line}<text class="end" x="${PLOT.left - 6}" y="${n(at + 4)}">${amount(top * part, unit)}</text>`;
  });
  const times = [0, 0.5, 1].map((part) => {
    const anchor = ['', 'middle', 'end'][part * 2];
    return `<text class="${anchor}" x="${n(x(seconds * part))}" y="${height - PLOT.bottom + 15}">${Math.round(seconds * part)} s</text>`;
  });
  const lines = shown.map(({ points }, at) => {
    const path = points.map(([t, value]) => `${n(x(t))} ${n(y(value))}`).join('L');
    return points.length === 0 ? '' : `<path class="line" stroke="${COLOURS[at]}" d="M${path}" />`;
  });
  const frame = `<rect class="panel" width="${width}" height="${height}" rx="5" /><text class="title" x="12" y="22">${escape(title)}</text>`;
  return [frame, ...grid, ...times, ...lines, ...legend(shown)].join('');
}

function legend(shown) {
  let x = 12;
  let y = PANEL.height - 28;
  return shown.map(({ legend: text }, at) => {
    const width = 28 + text.length * LETTER;
    if (x + width > PANEL.width - 8 && x > 12) [x, y] = [12, y + 15];
    const entry = `<rect x="${n(x)}" y="${y - 7}" width="10" height="3" fill="${COLOURS[at]}" /><text x="${n(x + 14)}" y="${y}">${escape(text)}</text>`;
    x += width;
    return y > PANEL.height - 8 ? '' : entry;
  });
}

function most({ points }) {
  return Math.max(0, ...points.map(([, value]) => value));
}

/** The next 1, 2 or 5 times a power of ten. */
function niceAbove(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value) ?? value;
}

function amount(value, unit) {
  const short = (number) => String(Number(number.toPrecision(2)));
  if (unit === 's') return value < 1 ? `${short(value * 1_000)} ms` : `${short(value)} s`;
  if (unit === 'percentunit') return `${short(value * 100)} %`;
  const perSecond = unit === 'Bps' || unit === 'cps' ? '/s' : '';
  if (unit === 'Bps' || unit === 'bytes') return `${short(value / 1e6)} MB${perSecond}`;
  return `${short(value)}${perSecond}`;
}

function n(value) {
  return Math.round(value * 10) / 10;
}

function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
