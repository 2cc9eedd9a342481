// One file of the queue.

import { useUpload } from 'longshore/client/react';
import { isOver, ProblemError, type Upload, type UploadProgress, type UploadResult } from 'longshore/client';
import { memo, useId, useState } from 'react';
import type { Queue } from '../model/queue.js';
import type { Row, RowState } from '../model/row.js';
import { useStore } from '../model/store.js';
import { describeError, useWords, type Words } from '../text/index.js';
import { ChunkMap } from './chunk-map.js';
import { Button, IconButton } from './controls.js';
import { Icon, type IconName } from './icons.js';
import { DiscardDialog } from './questions.js';
import { SegmentedBar, StepList, standingOf } from './segmented-bar.js';

interface RowViewProps {
  readonly row: Row;
  readonly queue: Queue;
  readonly isOpen: boolean;
}

export const RowView = memo(function RowView({ row, queue, isOpen }: RowViewProps) {
  const words = useWords();
  const { text } = words;
  const state = useStore(row.state);
  const { upload } = state;
  const { progress, result, error } = useUpload(upload);
  const { phase } = progress;
  const [isExpanded, setExpanded] = useState<boolean>();
  /** Why it wasn't discarded, such as that it was finished meanwhile. */
  const [refusal, setRefusal] = useState<{ readonly of: Upload; readonly error: unknown }>();
  const detailsId = useId();
  const standing = standingOf(progress);
  const failure = refusal?.of === upload ? refusal.error : phase === 'aborted' ? undefined : error;
  const showsDetails = isExpanded ?? (isOpen && phase !== 'waiting');
  return (
    <li className={`row ${phase}`}>
      <Icon name={iconOf(row, state, phase)} />
      <div className="what">
        <h3 title={row.path}>{row.name}</h3>
        <p className="where">
          {row.host}:{row.path}
        </p>
      </div>
      <div className="actions">
        <RowActions
          row={row}
          queue={queue}
          progress={progress}
          onRefusal={(refused) => setRefusal({ of: upload, error: refused })}
        />
        <IconButton
          icon="more"
          title={text.details}
          label={text.actionOn(text.details, row.name)}
          isExpanded={showsDetails}
          controls={detailsId}
          onClick={() => setExpanded(!showsDetails)}
        />
      </div>
      <SegmentedBar standing={standing} label={text.progressOf(row.name)} state={barStateOf(phase, row)} />
      <p className="facts">
        <strong>{phaseText(words, progress, state)}</strong>
        {factsOf(words, progress, result).map((fact) => (
          <span key={fact} className="figure">
            {fact}
          </span>
        ))}
      </p>
      {failure === undefined ? null : (
        <Failure error={failure} isGentle={row.wasKept} onTakeOver={() => queue.retry(row, { takeOver: true })} />
      )}
      <div id={detailsId} className="details" hidden={!showsDetails}>
        {showsDetails && phase !== 'done' ? <StepList standing={standing} /> : null}
        {showsDetails && result === undefined && progress.chunkCount > 0 ? (
          <ChunkMap upload={upload} revision={progress} />
        ) : null}
        {showsDetails && result !== undefined ? <Outcome result={result} /> : null}
      </div>
    </li>
  );
});

interface RowActionsProps {
  readonly row: Row;
  readonly queue: Queue;
  readonly progress: UploadProgress;
  readonly onRefusal: (error: unknown) => void;
}

function RowActions({ row, queue, progress, onRefusal }: RowActionsProps) {
  const { text } = useWords();
  const [isAsking, setAsking] = useState(false);
  const { phase, resumedBytes, sentBytes } = progress;
  const isUnderWay = !isOver(phase);
  const there = resumedBytes + sentBytes;
  const named = (action: string) => ({ title: action, label: text.actionOn(action, row.name) });
  const discard = () => {
    setAsking(false);
    queue.discard(row).catch(onRefusal);
  };
  return (
    <>
      {isUnderWay ? <PauseButton row={row} isPaused={phase === 'paused'} /> : null}
      {row.mayRetry ? <IconButton icon="retry" {...named(text.retry)} onClick={() => queue.retry(row)} /> : null}
      {!row.isGone && !row.wasKept ? (
        <IconButton icon="discard" {...named(text.discard)} onClick={() => (there > 0 ? setAsking(true) : discard())} />
      ) : null}
      {isUnderWay ? null : <IconButton icon="close" {...named(text.remove)} onClick={() => queue.remove(row)} />}
      {isAsking ? <DiscardDialog name={row.name} bytes={there} onKeep={() => setAsking(false)} onDiscard={discard} /> : null}
    </>
  );
}

/** One button for both, so that it keeps the focus. */
function PauseButton({ row, isPaused }: { readonly row: Row; readonly isPaused: boolean }) {
  const { text } = useWords();
  const title = isPaused ? text.resume : text.pause;
  const toggle = () => (isPaused ? row.upload.resume() : row.upload.pause());
  return (
    <IconButton icon={isPaused ? 'play' : 'pause'} title={title} label={text.actionOn(title, row.name)} onClick={toggle} />
  );
}

function Failure({
  error,
  isGentle,
  onTakeOver,
}: {
  readonly error: unknown;
  readonly isGentle: boolean;
  readonly onTakeOver: () => void;
}) {
  const words = useWords();
  const { text } = words;
  const isMine = error instanceof ProblemError && error.problem.__typename === 'UploadLocked' && error.problem.mine;
  return (
    <p className={isGentle ? 'failure gentle' : 'failure'}>
      {isMine ? text.mineLocked : describeError(words, error)}{' '}
      {isMine ? <Button onClick={onTakeOver}>{text.takeOver}</Button> : null}
    </p>
  );
}

function Outcome({ result }: { readonly result: UploadResult }) {
  const { text } = useWords();
  const [isCopied, setCopied] = useState(false);
  const hex = result.digest?.replace(/^sha256:/, '');
  // Absent on pages over plain HTTP.
  const { clipboard } = navigator as { readonly clipboard?: Clipboard };
  return (
    <div className="outcome">
      <p>{result.proved ? text.proved : text.notProved}</p>
      {hex === undefined ? null : (
        <p className="digest">
          <span>{text.digest}</span> <code>{hex}</code>{' '}
          {clipboard === undefined ? null : (
            <Button onClick={() => void clipboard.writeText(hex).then(() => setCopied(true))}>
              {isCopied ? text.copied : text.copy}
            </Button>
          )}
        </p>
      )}
    </div>
  );
}

function iconOf({ wasKept }: Row, { trouble }: RowState, phase: UploadProgress['phase']): IconName {
  if (phase === 'done') return 'check';
  if (wasKept) return 'file';
  if (phase === 'failed' || phase === 'stopped') return 'alert';
  if (phase === 'waiting') return 'clock';
  return trouble === undefined ? 'file' : 'alert';
}

function barStateOf(phase: UploadProgress['phase'], row: Row) {
  if (phase === 'done') return 'done';
  if (phase === 'failed') return row.wasKept ? 'still' : 'failed';
  return !isOver(phase) && phase !== 'paused' && phase !== 'waiting' ? 'active' : 'still';
}

function phaseText(
  { text }: Words,
  { phase, merge, hashedBytes, sentBytes, resumedBytes, chunksDone, chunkCount }: UploadProgress,
  state: RowState,
): string {
  if (state.trouble !== undefined && phase !== 'paused') return navigator.onLine ? text.phase.retrying : text.phase.offline;
  if (phase === 'merging') {
    switch (merge?.phase) {
      case 'ASSEMBLING':
        return text.phase.assembling;
      case 'VERIFYING':
        return text.phase.verifying;
      case 'PUBLISHING':
        return text.phase.publishing;
      default:
        return text.phase.queued;
    }
  }
  const isSent = chunkCount > 0 && chunksDone === chunkCount;
  if (phase === 'waiting' && isSent) return text.phase.queued;
  if (phase === 'sending' && sentBytes === 0 && resumedBytes > 0 && hashedBytes > 0) return text.phase.comparing;
  return text.phase[phase];
}

function factsOf({ text, formats }: Words, progress: UploadProgress, result: UploadResult | undefined): readonly string[] {
  const { phase, totalBytes, resumedBytes, sentBytes, bytesPerSecond, etaSeconds, merge } = progress;
  if (result !== undefined) {
    if (result.alreadyThere) return [formats.bytes(result.size), text.alreadyThere];
    const seconds = Math.max(result.durationMs / 1_000, 0.001);
    const took = text.tookAt(formats.duration(seconds), formats.rate(result.wireBytes / seconds));
    return [formats.bytes(result.size), took, ...(resumedBytes > 0 ? [text.resumedFrom(formats.bytes(resumedBytes))] : [])];
  }
  if (phase === 'merging' && merge !== undefined && merge.totalBytes > 0 && merge.phase !== 'QUEUED') {
    return [
      text.ofBytes(formats.bytes(merge.doneBytes), formats.bytes(merge.totalBytes)),
      ...(merge.bytesPerSecond === null || merge.bytesPerSecond === 0 ? [] : [formats.rate(merge.bytesPerSecond)]),
      ...(merge.etaSeconds === null ? [] : [text.left(formats.duration(merge.etaSeconds))]),
    ];
  }
  if (phase === 'waiting' || phase === 'preparing') return [formats.bytes(totalBytes)];
  const isSending = phase === 'sending' && bytesPerSecond > 0;
  return [
    text.ofBytes(formats.bytes(resumedBytes + sentBytes), formats.bytes(totalBytes)),
    ...(isSending ? [formats.rate(bytesPerSecond)] : []),
    ...(isSending && etaSeconds !== undefined ? [text.left(formats.duration(etaSeconds))] : []),
  ];
}
