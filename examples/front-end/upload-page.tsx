// What the person sees; knows nothing of GraphQL.
import { useState } from 'react';
import type { SubmitEvent } from 'react';
import './style.css';
import type { MergeState, Upload } from './use-upload';

export interface Host {
  readonly id: string;
  readonly name: string;
  readonly roots: readonly string[];
}

export interface UploadPageProps {
  /** Name of the library that makes the calls. */
  readonly client: string;
  /** Absent until they are known. */
  readonly hosts: readonly Host[] | undefined;
  /** Why they can't be known. */
  readonly error: Error | undefined;
  readonly upload: Upload;
}

export function UploadPage({ client, hosts, error, upload }: UploadPageProps) {
  return (
    <main>
      <h1>Put a file on a host</h1>
      <p className="lead">
        In chunks, with {client}. Stop whenever you like: it goes on where it stopped, also after a reload.
      </p>
      {error && <p role="alert">The gateway can’t be asked: {error.message}</p>}
      {hosts && <UploadForm hosts={hosts} upload={upload} />}
      {upload.step !== 'new' && <UploadState upload={upload} />}
    </main>
  );
}

function UploadForm({ hosts, upload }: { readonly hosts: readonly Host[]; readonly upload: Upload }) {
  const [hostId, setHostId] = useState(hosts[0]?.id ?? '');
  const roots = hosts.find(({ id }) => id === hostId)?.roots;
  const isBusy = upload.step === 'sending' || upload.step === 'merging';
  const canGoOn = upload.step === 'stopped' || (upload.step === 'failed' && upload.problem?.etag === undefined);

  const submit = (event: SubmitEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const source = form.get('file');
    const directory = form.get('directory');
    if (source instanceof File && typeof directory === 'string') upload.start({ source, hostId, directory });
  };

  return (
    <form onSubmit={submit}>
      <fieldset disabled={isBusy}>
        <label className="wide">
          File <input type="file" name="file" required />
        </label>
        <label>
          Host
          <select value={hostId} onChange={(event) => setHostId(event.target.value)}>
            {hosts.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <label>
          Directory <input key={hostId} name="directory" required pattern="/.*" defaultValue={roots?.[0]} />
        </label>
      </fieldset>
      <div className="buttons">
        <button disabled={isBusy}>{canGoOn ? 'Go on' : 'Upload'}</button>
        {upload.step === 'sending' && (
          <button type="button" className="quiet" onClick={upload.stop}>
            Stop
          </button>
        )}
      </div>
    </form>
  );
}

function UploadState({ upload }: { readonly upload: Upload }) {
  const { step, sentBytes, totalBytes, merge, problem, replace } = upload;
  const sent = totalBytes === 0 ? Number(step === 'done') : sentBytes / totalBytes;
  const etag = problem?.etag;
  return (
    <section aria-label="Progress">
      <Bar label="Chunks" fraction={sent} note={`${mebibytes(sentBytes)} of ${mebibytes(totalBytes)} MiB`} />
      <Bar label="Merge" fraction={mergedFraction(merge)} note={merge ? mergeNote(merge) : 'when all chunks are there'} />
      {step === 'stopped' && <p role="status">Stopped. What was sent stays on the host.</p>}
      {step === 'done' && <p role="status">The file is at its place, whole.</p>}
      {step === 'failed' && problem && (
        <p role="alert">
          {problem.message} <code>{problem.code}</code>{' '}
          {etag !== undefined && (
            <button type="button" className="quiet" onClick={() => replace(etag)}>
              Replace it
            </button>
          )}
        </p>
      )}
    </section>
  );
}

function Bar({ label, fraction, note }: { readonly label: string; readonly fraction: number; readonly note: string }) {
  return (
    <label className="bar">
      <span>{label}</span> <small>{note}</small>
      <progress value={fraction} max={1} />
    </label>
  );
}

/** Phases in their order, each with its share of the bar. One that a later gateway invents shows as it is named. */
const PHASES = ['RECEIVING', 'QUEUED', 'ASSEMBLING', 'VERIFYING', 'PUBLISHING', 'DONE'];
const MERGING_PHASES = PHASES.slice(1, -1).length;

function mergedFraction(merge: MergeState | undefined): number {
  const place = PHASES.indexOf(merge?.phase ?? '') - 1;
  if (merge === undefined || place < 0) return 0;
  return Math.min(1, (place + merge.percent / 100) / MERGING_PHASES);
}

function mergeNote({ phase, percent }: MergeState): string {
  return phase === 'DONE' ? 'done' : `${phase.toLowerCase()} ${Math.floor(percent)} %`;
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}
