// A question before everything else. The browser's own dialog keeps the focus in it and gives it back.

import { useEffect, useId, useRef, type ReactNode } from 'react';

interface DialogProps {
  readonly title: string;
  /** Escape, too. Absent: it has to be answered. */
  readonly onCancel?: (() => void) | undefined;
  readonly children: ReactNode;
}

export function Dialog({ title, onCancel, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={element}
      className="dialog"
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onCancel?.();
      }}
      // A browser lets Escape through in any case when it is pressed twice: what has to be answered opens again.
      onClose={() => (onCancel === undefined ? element.current?.showModal() : onCancel())}
    >
      <h2 id={titleId}>{title}</h2>
      {children}
    </dialog>
  );
}
