// Where files come in: by drop anywhere on the page, or chosen.

import { chosenFiles, droppedFiles } from 'longshore/client';
import { useEffect, useRef, useState } from 'react';
import { queuedFile } from '../model/queue.js';
import type { QueuedFile } from '../model/row.js';
import { useWords } from '../text/index.js';
import { Button } from './controls.js';
import { Icon } from './icons.js';

interface DropZoneProps {
  readonly isDisabled: boolean;
  /** There is a queue to look at: less of this is needed. */
  readonly isSmall: boolean;
  readonly onFiles: (files: readonly QueuedFile[]) => void;
  readonly onUnreadable: (error: unknown) => void;
}

export function DropZone({ isDisabled, isSmall, onFiles, onUnreadable }: DropZoneProps) {
  const { text } = useWords();
  const isOver = useDrop(isDisabled, onFiles, onUnreadable);
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);

  /** The browser's picker that gives handles where it has one; an input's otherwise. */
  const choose = (kind: 'files' | 'folder') => {
    const picking = chosenFiles(kind);
    if (picking === undefined) return void (kind === 'files' ? files : folder).current?.click();
    // Of none there is nothing to say: the person has changed his mind.
    picking.then((chosen) => chosen.length > 0 && onFiles(chosen), onUnreadable);
  };
  const take = (input: HTMLInputElement) => {
    const chosen = [...(input.files ?? [])];
    input.value = ''; // So that choosing the same file again is a change.
    if (chosen.length > 0) onFiles(chosen.map((file) => queuedFile(file, {})));
  };
  return (
    <section className={`drop-zone ${isOver ? 'over' : ''} ${isSmall ? 'small' : ''}`} data-testid="drop-zone">
      <Icon name="upload" />
      <p className="invitation">{isOver ? text.dropNow : text.drop}</p>
      <div className="buttons">
        <span className="or">{text.or}</span>
        <Button kind="primary" isDisabled={isDisabled} onClick={() => choose('files')}>
          {text.chooseFiles}
        </Button>
        <Button isDisabled={isDisabled} onClick={() => choose('folder')}>
          {text.chooseFolder}
        </Button>
      </div>
      <input ref={files} type="file" multiple hidden aria-hidden onChange={({ target }) => take(target)} />
      <input
        ref={(element) => {
          folder.current = element;
          if (element !== null) element.webkitdirectory = true;
        }}
        type="file"
        multiple
        hidden
        aria-hidden
        onChange={({ target }) => take(target)}
      />
    </section>
  );
}

/** Whether something is held over the page that may be dropped. */
function useDrop(isDisabled: boolean, onFiles: DropZoneProps['onFiles'], onUnreadable: DropZoneProps['onUnreadable']): boolean {
  const [depth, setDepth] = useState(0);
  const latest = useRef({ isDisabled, onFiles, onUnreadable });
  useEffect(() => {
    latest.current = { isDisabled, onFiles, onUnreadable };
  });
  useEffect(() => {
    const ending = new AbortController();
    const { signal } = ending;
    const listen = (name: 'dragenter' | 'dragleave' | 'dragover' | 'drop', listener: (event: DragEvent) => void) => {
      addEventListener(
        name,
        (event) => {
          if (event.dataTransfer?.types.includes('Files') !== true) return;
          event.preventDefault(); // Or the browser would open the file in place of the page.
          listener(event);
        },
        { signal },
      );
    };
    listen('dragenter', () => setDepth((before) => before + 1));
    listen('dragleave', () => setDepth((before) => Math.max(0, before - 1)));
    listen('dragover', ({ dataTransfer }) => {
      if (dataTransfer !== null) dataTransfer.dropEffect = latest.current.isDisabled ? 'none' : 'copy';
    });
    listen('drop', ({ dataTransfer }) => {
      setDepth(0);
      if (dataTransfer === null || latest.current.isDisabled) return;
      droppedFiles(dataTransfer).then(latest.current.onFiles, latest.current.onUnreadable);
    });
    return () => ending.abort();
  }, []);
  return depth > 0 && !isDisabled;
}
