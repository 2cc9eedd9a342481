import { ProblemError, UploadError, type Upload } from 'longshore/client';
import { useUpload } from 'longshore/client/react';

export function UploadRow({ upload }: { readonly upload: Upload }) {
  const { progress, result, error } = useUpload(upload);
  const { phase, resumedBytes, sentBytes, totalBytes, merge } = progress;
  const isOver = result !== undefined || error !== undefined;
  return (
    <li>
      {upload.name}
      <progress value={resumedBytes + sentBytes} max={totalBytes} />
      <span role="status">{phase === 'merging' ? merge?.phase : phase}</span>
      {phase === 'paused' && <button onClick={() => upload.resume()}>Go on</button>}
      {!isOver && phase !== 'paused' && <button onClick={() => upload.pause()}>Pause</button>}
      {!isOver && <button onClick={() => upload.stop()}>Stop</button>}
      {!isOver && <button onClick={() => void upload.abort().catch(console.error)}>Abort</button>}
      {error !== undefined && <p role="alert">{reasonOf(error)}</p>}
    </li>
  );
}

/** What a person may do about it. */
function reasonOf(error: unknown): string {
  if (error instanceof ProblemError && error.code === 'UPLOAD_LOCKED') return 'Somebody else is uploading to this path.';
  if (error instanceof UploadError && error.resumable) return `${error.message}. Choose the file again to go on.`;
  return String(error);
}
