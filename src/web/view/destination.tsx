// Where the next files go.

import type { HostInfo } from 'longshore/client';
import { useId } from 'react';
import { useWords } from '../text/index.js';

export interface Destination {
  readonly host: HostInfo;
  readonly directory: string;
  /** Whether files may go there, as far as this page can tell. */
  readonly isAllowed: boolean;
}

interface DestinationFieldsProps {
  readonly hosts: readonly HostInfo[];
  readonly destination: Destination;
  readonly onHost: (id: string) => void;
  readonly onDirectory: (directory: string) => void;
}

export function DestinationFields({ hosts, destination, onHost, onDirectory }: DestinationFieldsProps) {
  const { text, formats } = useWords();
  const id = useId();
  const { host, directory, isAllowed } = destination;
  const facts = (each: HostInfo) => {
    if (!each.reachable) return ` (${text.unreachable})`;
    return each.freeBytes === null ? '' : ` (${text.free(formats.bytes(each.freeBytes))})`;
  };
  return (
    <section className="destination" aria-label={text.destination}>
      <label className="field" htmlFor={`${id}-host`}>
        <span>{text.host}</span>
        <select id={`${id}-host`} value={host.id} onChange={({ target }) => onHost(target.value)}>
          {hosts.map((each) => (
            <option key={each.id} value={each.id}>
              {each.name}
              {facts(each)}
            </option>
          ))}
        </select>
      </label>
      <label className="field wide" htmlFor={`${id}-directory`}>
        <span>{text.directory}</span>
        <input
          id={`${id}-directory`}
          type="text"
          value={directory}
          spellCheck={false}
          autoCapitalize="off"
          autoComplete="off"
          aria-invalid={!isAllowed}
          aria-describedby={`${id}-hint`}
          onChange={({ target }) => onDirectory(target.value)}
        />
      </label>
      <p id={`${id}-hint`} className={isAllowed ? 'hint' : 'hint bad'} role={isAllowed ? undefined : 'alert'}>
        {isAllowed ? text.directoryHint(host.roots) : text.outsideRoots(host.roots)}
      </p>
    </section>
  );
}

/** Whether a path is one of the roots or below one. What the host itself says counts. */
export function isBelow(roots: readonly string[], directory: string): boolean {
  const path = directory.replace(/\/+$/, '');
  if (!directory.startsWith('/') || /(^|\/)\.\.?(\/|$)/.test(path)) return false;
  return roots.some((root) => {
    const base = root.replace(/\/+$/, '');
    return path === base || path.startsWith(`${base}/`);
  });
}
