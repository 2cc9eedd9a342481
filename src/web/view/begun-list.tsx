// Uploads of the same person that this window doesn't send: they can be watched, continued and discarded.

import { chosenFiles } from 'longshore/client';
import { useRef, useState } from 'react';
import type { Begun, BegunUploads } from '../model/begun.js';
import { queuedFile } from '../model/queue.js';
import type { QueuedFile } from '../model/row.js';
import { useStore } from '../model/store.js';
import { describeError, useWords } from '../text/index.js';
import { Button } from './controls.js';
import { Icon } from './icons.js';
import { DiscardDialog } from './questions.js';
import { SegmentedBar, standingOf, type Standing } from './segmented-bar.js';

export function BegunList({ begun }: { readonly begun: BegunUploads }) {
  const words = useWords();
  const { text } = words;
  const { items, problems } = useStore(begun.state);
  if (items.length === 0 && problems.length === 0) return null;
  const kept = items.filter((item) => item.kept !== undefined && !item.isMoving);
  return (
    <section className="queue begun" aria-label={text.unfinished}>
      <div className="queue-head">
        <h2>{text.unfinished}</h2>
        {kept.length > 1 ? (
          <Button
            icon="play"
            onClick={() =>
              void kept.reduce(async (before, item) => void (await before, await begun.goOn(item)), Promise.resolve())
            }
          >
            {text.goOnAll}
          </Button>
        ) : null}
      </div>
      <p className="hint">{text.unfinishedLead}</p>
      {problems.map((problem, i) => (
        <p key={i} className="failure">
          {describeError(words, problem)}
        </p>
      ))}
      <ul className="rows">
        {items.map((item) => (
          <BegunRow
            key={`${item.summary.hostId} ${item.summary.fullPath} ${item.summary.hashCode}`}
            item={item}
            begun={begun}
          />
        ))}
      </ul>
    </section>
  );
}

function BegunRow({ item, begun }: { readonly item: Begun; readonly begun: BegunUploads }) {
  const words = useWords();
  const { text, formats } = words;
  const input = useRef<HTMLInputElement>(null);
  const [isAsking, setAsking] = useState(false);
  const [mustChoose, setMustChoose] = useState(false);
  const [failure, setFailure] = useState<string>();
  const { summary, progress, isMoving, kept } = item;
  const name = summary.fullPath.slice(summary.fullPath.lastIndexOf('/') + 1);
  const standing = standingOfBegun(item);
  const thereBytes = progress?.phase === 'RECEIVING' ? progress.doneBytes : summary.uploadedBytes;
  const goOnText = kept === undefined || mustChoose ? text.chooseAgain : text.goOn;
  const named = (action: string) => text.actionOn(action, name);

  const settle = (outcome: Awaited<ReturnType<BegunUploads['goOn']>>) => {
    if (outcome === 'to be chosen') setMustChoose(true);
    if (outcome === 'in another window') setFailure(text.inAnotherWindow);
  };
  const take = (file: QueuedFile | undefined) => {
    if (file !== undefined) void begun.goOnWith(summary, file).then(settle);
  };
  const goOn = () => {
    if (kept !== undefined && !mustChoose) return void begun.goOn(item).then(settle);
    setMustChoose(true);
    // The picker that gives what opens the file again after a reload, where there is one.
    const picking = chosenFiles('files');
    if (picking === undefined) return input.current?.click();
    picking.then(
      ([file]) => take(file),
      (error: unknown) => setFailure(messageOf(error)),
    );
  };
  const discard = () => {
    setAsking(false);
    begun.discard(item).catch((error: unknown) => setFailure(messageOf(error)));
  };
  return (
    <li className={`row ${isMoving ? 'sending' : 'paused'}`}>
      <Icon name={isMoving ? 'device' : 'clock'} />
      <div className="what">
        <h3 title={summary.fullPath}>{name}</h3>
        <p className="where">
          {summary.hostId}:{summary.fullPath}
        </p>
      </div>
      <SegmentedBar standing={standing} label={text.progressOf(name)} state={isMoving ? 'active' : 'still'} />
      <p className="facts">
        <strong>{isMoving ? text.activeElsewhere : stateText(words.text.phase, item)}</strong>
        <span className="figure">{text.ofBytes(formats.bytes(thereBytes), formats.bytes(summary.size))}</span>
        {isMoving && progress?.bytesPerSecond ? <span className="figure">{formats.rate(progress.bytesPerSecond)}</span> : null}
        {isMoving ? null : <span className="figure">{text.touched(formats.ago(summary.touchedAt))}</span>}
      </p>
      {mustChoose || failure !== undefined ? <p className="failure gentle">{failure ?? text.chooseAgainHint}</p> : null}
      {isMoving ? null : (
        <div className="buttons row-buttons">
          <Button kind="primary" icon="play" label={named(goOnText)} onClick={goOn}>
            {goOnText}
          </Button>
          <Button icon="discard" label={named(text.discard)} onClick={() => setAsking(true)}>
            {text.discard}
          </Button>
          <input
            ref={input}
            type="file"
            hidden
            aria-hidden
            onChange={({ target }) => {
              const [file] = target.files ?? [];
              if (file !== undefined) take(queuedFile(file, {}));
            }}
          />
        </div>
      )}
      {isAsking ? <DiscardDialog name={name} bytes={thereBytes} onKeep={() => setAsking(false)} onDiscard={discard} /> : null}
    </li>
  );
}

function standingOfBegun({ summary, progress }: Begun): Standing {
  const { size, uploadedBytes } = summary;
  const sentBytes = progress?.phase === 'RECEIVING' ? progress.doneBytes : uploadedBytes;
  const merge = progress?.phase === 'RECEIVING' ? undefined : progress;
  return standingOf({ phase: 'sending', totalBytes: size, resumedBytes: 0, sentBytes, merge });
}

function stateText(phases: Readonly<Record<string, string>>, { summary, progress }: Begun): string {
  const phase = (progress?.phase ?? summary.phase).toLowerCase();
  return (phase === 'receiving' ? phases['stopped'] : phases[phase]) ?? '';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
