import { droppedFiles, type FileExists, type Upload, type UploadSource } from 'longshore/client';
import { useState } from 'react';
import type { DragEvent } from 'react';
import { UploadRow } from './upload-row';
import { uploader } from './uploader';

const inbox = { host: 'local', directory: '/inbox', onFileExists: askPerson };

export function UploadPage() {
  const [uploads, setUploads] = useState<readonly Upload[]>([]);
  const add = (files: Iterable<Blob | UploadSource>): void => {
    const batch = uploader.uploadAll(files, inbox);
    setUploads((before) => [...before, ...batch.uploads]);
  };
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    // In the event's own turn: afterwards the browser no longer shows what was dropped.
    void droppedFiles(event.dataTransfer).then((chosen) => add(chosen.map(({ source }) => source)));
  };
  return (
    <main onDragOver={(event) => event.preventDefault()} onDrop={drop}>
      <h1>Put files on a host</h1>
      <label>
        Files, or drop some, folders too <input type="file" multiple onChange={(event) => add(event.target.files ?? [])} />
      </label>
      <ul>
        {uploads.map((upload) => (
          <UploadRow key={upload.target.path} upload={upload} />
        ))}
      </ul>
    </main>
  );
}

function askPerson({ size, modifiedAt }: FileExists): 'replace' | 'keep' {
  return confirm(`There is a file of ${size} bytes from ${modifiedAt}. Replace it?`) ? 'replace' : 'keep';
}
