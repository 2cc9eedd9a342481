// Every chunk of an upload, or, where there are more than cells, what is behind each cell.

import { CHUNK_STATE, type Upload } from 'longshore/client';
import { useEffect, useRef } from 'react';
import { useWords } from '../text/index.js';

const CELL_PX = 9;
const GAP_PX = 2;
const MAX_ROWS = 5;

/** Of an upload whose chunks are known. `revision`: draws anew whenever it is another. */
export function ChunkMap({ upload, revision }: { readonly upload: Upload; readonly revision: unknown }) {
  const words = useWords();
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (canvas.current !== null) draw(canvas.current, upload.chunkStates());
  }, [upload, revision]);
  useEffect(() => {
    const element = canvas.current;
    if (element === null) return undefined;
    const again = () => draw(element, upload.chunkStates());
    const resized = new ResizeObserver(again);
    resized.observe(element);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', again);
    const chosen = new MutationObserver(again);
    chosen.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    return () => {
      resized.disconnect();
      chosen.disconnect();
      dark.removeEventListener('change', again);
    };
  }, [upload]);

  const { stored, moving, missing } = countStates(upload.chunkStates());
  const { text, formats } = words;
  return (
    <figure className="chunk-map">
      <canvas
        ref={canvas}
        role="img"
        aria-label={text.chunkMap(formats.count(stored), formats.count(moving), formats.count(missing))}
      />
      <figcaption aria-hidden="true">
        <span className="key there">
          {formats.count(stored)} {text.there}
        </span>
        <span className="key moving">
          {formats.count(moving)} {text.moving}
        </span>
        <span className="key missing">
          {formats.count(missing)} {text.missing}
        </span>
      </figcaption>
    </figure>
  );
}

function countStates(states: Uint8Array) {
  const counts = [0, 0, 0];
  for (const state of states) counts[state] = (counts[state] ?? 0) + 1;
  const of = (state: number) => counts[state] ?? 0;
  return { stored: of(CHUNK_STATE.stored), moving: of(CHUNK_STATE.moving), missing: of(CHUNK_STATE.missing) };
}

/** Cells in rows; a cell stands for as many chunks as it takes for all to have a place. */
function draw(canvas: HTMLCanvasElement, states: Uint8Array): void {
  const context = canvas.getContext('2d');
  const width = canvas.clientWidth;
  if (context === null || width === 0 || states.length === 0) return;
  const pitch = CELL_PX + GAP_PX;
  // A few chunks share the whole width; more are squares.
  const columns = Math.min(states.length, Math.max(1, Math.floor((width + GAP_PX) / pitch)));
  const cellWidth = columns === states.length ? (width + GAP_PX) / columns - GAP_PX : CELL_PX;
  const perCell = Math.ceil(states.length / (columns * MAX_ROWS));
  const cells = Math.ceil(states.length / perCell);
  const height = Math.ceil(cells / columns) * pitch - GAP_PX;
  const ratio = devicePixelRatio;
  // Setting the size clears the canvas; its height follows from its width alone, so this ends.
  canvas.style.height = `${height}px`;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  context.scale(ratio, ratio);
  // As the legend has them: of a custom property only its text could be had.
  const colour = (state: string) =>
    getComputedStyle(canvas.parentElement?.querySelector(`.${state}`) ?? canvas, '::before').backgroundColor;
  const [there, moving, missing] = [colour('there'), colour('moving'), colour('missing')];
  for (let cell = 0; cell < cells; cell += 1) {
    const chunks = states.subarray(cell * perCell, (cell + 1) * perCell);
    const { stored, moving: onTheWay } = countStates(chunks);
    const [x, y] = [(cell % columns) * (cellWidth + GAP_PX), Math.floor(cell / columns) * pitch];
    const square = (fill: string, alpha: number) => {
      context.globalAlpha = alpha;
      context.fillStyle = fill;
      context.beginPath();
      context.roundRect(x, y, cellWidth, CELL_PX, 2);
      context.fill();
    };
    square(missing, 1);
    if (stored > 0) square(there, 0.15 + 0.85 * (stored / chunks.length));
    if (onTheWay > 0) square(moving, 1);
  }
}
