// The page that the SDK's tests drive.

import { createRoot } from 'react-dom/client';
import {
  chosenFiles,
  droppedFiles,
  UploadError,
  Uploader,
  type ChosenFile,
  type Upload,
  type UploadBatch,
} from 'longshore/client';
import { useUpload, useUploads } from 'longshore/client/react';
import { scenarios, type Entrance, type ShownFile, type TestPage } from '../behaviour.js';

type Call = (name: keyof Entrance, argument?: string) => Promise<never>;

/** Put there by the test. */
const { tellEntrance } = globalThis as unknown as { readonly tellEntrance: Call };

const entrance: Entrance = {
  cut: () => tellEntrance('cut'),
  restart: () => tellEntrance('restart'),
  requireToken: (token) => tellEntrance('requireToken', token),
  asked: (operation) => tellEntrance('asked', operation),
  quiet: () => tellEntrance('quiet'),
};
const endpoint = new URL('/graphql', location.href).href;

const root = createRoot(document.querySelector('#react') ?? document.body);
const chosen = () => [...(document.querySelector('input')?.files ?? [])];

Object.assign(globalThis, {
  async runScenario(name, place) {
    const scenario = scenarios[name];
    if (scenario === undefined) throw new Error(`no scenario "${name}"`);
    return await scenario({ ...place, sdk: { Uploader }, endpoint, entrance });
  },
  begin(target) {
    const [file] = chosen();
    if (file === undefined) throw new Error('no file was chosen');
    root.render(<Row upload={new Uploader({ endpoint, personId: 'ann' }).upload(file, { chunkSize: 65_536, ...target })} />);
  },
  beginAll(target) {
    root.render(<Batch batch={new Uploader({ endpoint, personId: 'ann' }).uploadAll(chosen(), target)} />);
  },
  dropped: undefined,
  choose: (kind) => chosenFiles(kind)?.then(shown),
} satisfies TestPage);

addEventListener('dragover', (event) => event.preventDefault());
addEventListener('drop', (event) => {
  event.preventDefault();
  const { dataTransfer } = event;
  if (dataTransfer !== null) Object.assign(globalThis, { dropped: droppedFiles(dataTransfer).then(shown) });
});

async function shown(files: readonly ChosenFile[]): Promise<readonly ShownFile[]> {
  return await Promise.all(
    files.map(async ({ source, handle }) => {
      const again = await handle?.getFile();
      return { path: source.relativePath ?? source.name, size: source.size, again: again?.size };
    }),
  );
}

function Batch({ batch }: { readonly batch: UploadBatch }) {
  const { progress, outcomes } = useUploads(batch);
  return (
    <>
      <p id="total">{`${progress.filesDone}/${progress.files} ${progress.sentBytes} ${outcomes?.length ?? 'under way'}`}</p>
      {batch.uploads.map((upload) => (
        <Row key={upload.name} upload={upload} />
      ))}
    </>
  );
}

function Row({ upload }: { readonly upload: Upload }) {
  const { progress, result, error } = useUpload(upload);
  const end = error === undefined ? (result?.digest ?? '') : codeOf(error);
  return (
    <p className="row">
      {`${upload.name} ${progress.phase} ${progress.sentBytes} ${end}`}
      <button onClick={() => upload.pause()}>Pause</button>
      <button onClick={() => upload.resume()}>Resume</button>
    </p>
  );
}

function codeOf(error: unknown): string {
  return error instanceof UploadError ? error.code : String(error);
}
