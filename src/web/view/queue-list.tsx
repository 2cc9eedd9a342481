// All files of this window, and what they come to.

import type { UploadPhase } from 'longshore/client';
import { useEffect, useRef, useState } from 'react';
import type { Queue } from '../model/queue.js';
import type { Row } from '../model/row.js';
import { useStore } from '../model/store.js';
import { useWords } from '../text/index.js';
import { Button } from './controls.js';
import { RowView } from './row.js';

/** Rows in the page of those that wait, are done, and so on: folders have ten thousands. */
const MAX_STILL_ROWS = 100;
/** With so few there is room for everything about each. */
const MAX_OPEN_ROWS = 3;
const TOTAL_EVERY_MS = 500;

export function QueueList({ queue }: { readonly queue: Queue }) {
  const { text } = useWords();
  const rows = useStore(queue.rows);
  const total = useTotal(rows);
  const heading = useFocusKept(rows.length);
  if (rows.length === 0) return null;
  const { shown, left } = select(rows);
  const isOpen = rows.length <= MAX_OPEN_ROWS;
  return (
    <section className="queue" aria-label={text.queue}>
      <div className="queue-head">
        <h2 ref={heading} tabIndex={-1}>
          {text.queue}
        </h2>
        <QueueActions queue={queue} total={total} />
      </div>
      {rows.length > 1 ? <TotalBar total={total} /> : null}
      <ul className="rows">
        {shown.map((row) => (
          <RowView key={row.id} row={row} queue={queue} isOpen={isOpen} />
        ))}
      </ul>
      {left('waiting') > 0 ? <p className="hint">{text.moreWaiting(left('waiting'))}</p> : null}
      {left('paused') > 0 ? <p className="hint">{text.morePaused(left('paused'))}</p> : null}
      {left('failed') > 0 ? <p className="hint">{text.moreFailed(left('failed'))}</p> : null}
      {left('done') > 0 ? <p className="hint">{text.moreDone(left('done'))}</p> : null}
    </section>
  );
}

/** A row that goes away takes the focus with it: it comes to the heading then. */
function useFocusKept(rows: number) {
  const heading = useRef<HTMLHeadingElement>(null);
  const before = useRef(rows);
  useEffect(() => {
    if (rows < before.current && document.activeElement === document.body) heading.current?.focus();
    before.current = rows;
  }, [rows]);
  return heading;
}

function QueueActions({ queue, total }: { readonly queue: Queue; readonly total: Total }) {
  const { text } = useWords();
  const each = (work: (row: Row) => void) => () => queue.rows.get().forEach(work);
  return (
    <div className="buttons">
      {total.running > 0 ? (
        <Button icon="pause" onClick={each(({ upload }) => upload.pause())}>
          {text.pauseAll}
        </Button>
      ) : null}
      {total.paused > 0 ? (
        <Button icon="play" onClick={each(({ upload }) => upload.resume())}>
          {text.resumeAll}
        </Button>
      ) : null}
      {total.failed > 0 ? (
        <Button icon="retry" onClick={each((row) => row.mayRetry && !row.wasKept && queue.retry(row))}>
          {text.retryAll}
        </Button>
      ) : null}
      {total.done > 0 ? <Button onClick={() => queue.clearDone()}>{text.clearDone}</Button> : null}
    </div>
  );
}

function TotalBar({ total }: { readonly total: Total }) {
  const { text, formats } = useWords();
  const fraction = total.bytes === 0 ? (total.done === total.files ? 1 : 0) : total.thereBytes / total.bytes;
  return (
    <div className="total">
      <div
        className={`bar ${total.running > 0 ? 'active' : 'still'}`}
        role="progressbar"
        aria-label={text.queue}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.floor(fraction * 100)}
      >
        <span className="segment" style={{ flexGrow: 1 }}>
          <span className="fill" style={{ transform: `scaleX(${fraction})` }} />
        </span>
      </div>
      <p className="facts">
        <strong>{text.total(total.done, total.files)}</strong>
        <span className="figure">{text.ofBytes(formats.bytes(total.thereBytes), formats.bytes(total.bytes))}</span>
        {total.bytesPerSecond > 0 ? (
          <>
            <span className="figure">{formats.rate(total.bytesPerSecond)}</span>
            <span className="figure">{text.left(formats.duration(total.leftBytes / total.bytesPerSecond))}</span>
          </>
        ) : null}
      </p>
    </div>
  );
}

type Group = 'waiting' | 'paused' | 'failed' | 'done' | 'moving';

function groupOf(phase: UploadPhase): Group {
  switch (phase) {
    case 'waiting':
    case 'paused':
    case 'done':
      return phase;
    case 'failed':
    case 'stopped':
    case 'aborted':
      return 'failed';
    default:
      return 'moving';
  }
}

/** Everything that moves, and of the rest as much as a page can bear: of what is done the newest, of the others the first. */
function select(rows: readonly Row[]) {
  const counts: Record<Group, number> = { waiting: 0, paused: 0, failed: 0, done: 0, moving: 0 };
  for (const { upload } of rows) counts[groupOf(upload.progress.phase)] += 1;
  const seen: Record<Group, number> = { waiting: 0, paused: 0, failed: 0, done: 0, moving: 0 };
  const shown = rows.filter(({ upload }) => {
    const group = groupOf(upload.progress.phase);
    seen[group] += 1;
    if (group === 'moving') return true;
    return group === 'done' ? seen.done > counts.done - MAX_STILL_ROWS : seen[group] <= MAX_STILL_ROWS;
  });
  return { shown, left: (group: Group) => Math.max(0, counts[group] - MAX_STILL_ROWS) };
}

interface Total {
  readonly files: number;
  readonly done: number;
  readonly failed: number;
  readonly paused: number;
  /** Neither over nor paused. */
  readonly running: number;
  readonly bytes: number;
  readonly thereBytes: number;
  /** Of what may still come by itself. */
  readonly leftBytes: number;
  readonly bytesPerSecond: number;
}

/** Twice a second, and with every change of the list. */
function useTotal(rows: readonly Row[]): Total {
  const [total, setTotal] = useState(() => totalOf(rows));
  useEffect(() => {
    const count = () => setTotal((before) => settled(before, totalOf(rows)));
    count();
    const timer = setInterval(count, TOTAL_EVERY_MS);
    return () => clearInterval(timer);
  }, [rows]);
  return total;
}

/** The same object as long as nothing has changed, so that nothing is drawn anew. */
function settled(before: Total, now: Total): Total {
  const facts = Object.keys(now) as (keyof Total)[];
  return facts.every((fact) => before[fact] === now[fact]) ? before : now;
}

function totalOf(rows: readonly Row[]): Total {
  const total = { files: rows.length, done: 0, failed: 0, paused: 0, running: 0 };
  let [bytes, thereBytes, leftBytes, bytesPerSecond] = [0, 0, 0, 0];
  for (const row of rows) {
    const { phase, totalBytes, resumedBytes, sentBytes, bytesPerSecond: rate } = row.upload.progress;
    bytes += totalBytes;
    thereBytes += resumedBytes + sentBytes;
    if (phase === 'done') total.done += 1;
    else if (row.isOver) total.failed += row.isGone || row.wasKept ? 0 : 1;
    else if (phase === 'paused') total.paused += 1;
    else {
      total.running += 1;
      leftBytes += totalBytes - resumedBytes - sentBytes;
      if (phase === 'sending') bytesPerSecond += rate;
    }
  }
  return { ...total, bytes, thereBytes, leftBytes, bytesPerSecond };
}
