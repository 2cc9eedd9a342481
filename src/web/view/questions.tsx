// What the page asks: about files that are there already, before something is lost, and who the person is.

import { useState } from 'react';
import type { ExistsAnswer, ExistsQuestion, Queue } from '../model/queue.js';
import { useStore } from '../model/store.js';
import type { TokenDesk } from '../model/token.js';
import { useWords } from '../text/index.js';
import { Button } from './controls.js';
import { Dialog } from './dialog.js';

export function ExistsDialog({ queue }: { readonly queue: Queue }) {
  const question = useStore(queue.question);
  // Anew for each question, so that the focus and the box are where they were at first.
  return question === undefined ? null : <OneExists key={question.row.id} queue={queue} question={question} />;
}

function OneExists({ queue, question }: { readonly queue: Queue; readonly question: ExistsQuestion }) {
  const { text, formats } = useWords();
  const [isForAll, setForAll] = useState(false);
  const { row, existing, others } = question;
  const { source } = row.file;
  const answer = (choice: ExistsAnswer) => queue.answer(choice, isForAll && others > 0 ? 'all' : 'this');
  return (
    <Dialog title={text.existsTitle} onCancel={() => answer('keep')}>
      <p className="where">
        {row.host}:{row.path}
      </p>
      <dl className="compare">
        <div>
          <dt>{text.existing}</dt>
          <dd>{formats.bytes(existing.size)}</dd>
          <dd>{text.changed(formats.moment(existing.modifiedAt))}</dd>
        </div>
        <div>
          <dt>{text.yours}</dt>
          <dd>{formats.bytes(source.size)}</dd>
          <dd>{text.changed(formats.moment(source.lastModified))}</dd>
        </div>
      </dl>
      {others > 0 ? (
        <label className="check">
          <input type="checkbox" checked={isForAll} onChange={({ target }) => setForAll(target.checked)} />
          {text.sameForAll}
        </label>
      ) : null}
      <div className="buttons">
        <Button onClick={() => answer('keep')}>{text.keepExisting}</Button>
        <Button onClick={() => answer('both')}>{text.keepBoth}</Button>
        <Button kind="danger" onClick={() => answer('replace')}>
          {text.replace}
        </Button>
      </div>
    </Dialog>
  );
}

interface DiscardDialogProps {
  readonly name: string;
  /** What is on the host and would be lost. */
  readonly bytes: number;
  readonly onKeep: () => void;
  readonly onDiscard: () => void;
}

export function DiscardDialog({ name, bytes, onKeep, onDiscard }: DiscardDialogProps) {
  const { text, formats } = useWords();
  return (
    <Dialog title={text.discardTitle} onCancel={onKeep}>
      <p>{text.discardText(name, formats.bytes(bytes))}</p>
      <div className="buttons">
        <Button onClick={onKeep}>{text.keepUploading}</Button>
        <Button kind="danger" onClick={onDiscard}>
          {text.discard}
        </Button>
      </div>
    </Dialog>
  );
}

export function TokenDialog({ tokens }: { readonly tokens: TokenDesk }) {
  const { text } = useWords();
  const question = useStore(tokens.question);
  const [token, setToken] = useState('');
  if (question === undefined) return null;
  const wanted = token.trim().replace(/^bearer\s+/i, '');
  return (
    <Dialog title={text.tokenTitle}>
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          if (wanted === '') return;
          setToken('');
          tokens.give(wanted);
        }}
      >
        <p>{text.tokenText}</p>
        {question.refused ? (
          <p className="failure" role="alert">
            {text.tokenRefused}
          </p>
        ) : null}
        <label className="field wide">
          <span>{text.token}</span>
          <input
            type="password"
            autoComplete="off"
            value={token}
            spellCheck={false}
            onChange={({ target }) => setToken(target.value)}
          />
        </label>
        <p className="hint">{text.tokenKept}</p>
        <div className="buttons">
          <button type="submit" className="button primary" disabled={wanted === ''}>
            {text.signIn}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
