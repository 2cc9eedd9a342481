// What an upload does for a person, as scenarios that run unchanged on Node and in a browser page: against a real gateway, through an
// entrance that can be disturbed. Each checks what its side can see; what landed on the host is checked by whoever runs it.

import type { UploadTarget } from '../../src/client/context.js';
import type { UploadSummary } from '../../src/client/operations.js';
import type { Upload } from '../../src/client/upload.js';
import type { Uploader, UploaderOptions } from '../../src/client/uploader.js';

export interface Sdk {
  readonly Uploader: new (options: UploaderOptions) => Uploader;
}

/** What the entrance can be told; it answers when that has been done. */
export interface Entrance {
  /** Connections are cut. */
  cut(): Promise<void>;
  /** The gateway ends and another one begins. */
  restart(): Promise<void>;
  /** From now on only this token is let in. */
  requireToken(token: string): Promise<void>;
  /** How often an operation was asked for since the scenario began. */
  asked(operation: string): Promise<number>;
  /** Resolves when no request is under way. */
  quiet(): Promise<void>;
}

export interface Place {
  readonly sdk: Sdk;
  readonly endpoint: string;
  readonly host: string;
  /** A directory of its own on the host. */
  readonly directory: string;
  readonly entrance: Entrance;
}

/** A file that has to be on the host afterwards: `pattern(length, seed)`. */
export interface Landing {
  readonly path: string;
  readonly length: number;
  readonly seed: number;
  /** What the SDK said its hash is. */
  readonly digest?: string | undefined;
}

/** What the test page offers to the test that drives it. */
export interface TestPage {
  runScenario(name: string, place: Pick<Place, 'host' | 'directory'>): Promise<readonly Landing[]>;
  /** Uploads the file that was chosen and shows it. */
  begin(target: { readonly host: string; readonly path: string }): void;
  /** What was dropped last. */
  dropped: Promise<readonly ShownFile[]> | undefined;
  /** Lets the person choose. */
  choose(kind: 'files' | 'folder'): Promise<readonly ShownFile[]> | undefined;
  /** Uploads all files that were chosen and shows them. */
  beginAll(target: { readonly host: string; readonly directory: string }): void;
}

/** A file that came to the test page, and what could be done with it. */
export interface ShownFile {
  readonly path: string;
  readonly size: number;
  /** The same file's, read once more by what the browser gave for later; absent where it gave nothing. */
  readonly again: number | undefined;
}

export type Scenario = (place: Place) => Promise<readonly Landing[]>;

const CHUNK = 64 * 1024;
const LENGTH = 20 * CHUNK + 5;
/** Twice in a row, and the same on every machine. */
const MODIFIED = 1_700_000_000_000;

/** The same bytes for the same arguments, without a period that a chunk could fit. */
export function pattern(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const content = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    content[i] = state >>> 16;
  }
  return content;
}

export const scenarios: Readonly<Record<string, Scenario>> = {
  'brings every byte, and knows their hash': async (place) => {
    const upload = begin(place, { seed: 1 });
    const phases: string[] = [];
    upload.on('phase', (phase) => phases.push(phase));
    const result = await upload.done;
    equal(phases, ['preparing', 'sending', 'merging', 'done']);
    equal([result.proved, result.wireBytes, result.size], [true, LENGTH, LENGTH]);
    return [{ path: upload.target.path, length: LENGTH, seed: 1, digest: result.digest }];
  },

  'brings a file of zero bytes, to a host that it was shown': async (place) => {
    const hosts = await uploaderAt(place).hosts();
    const host = hosts.find(({ id, reachable }) => id === place.host && reachable)?.id ?? 'none';
    const upload = begin(place, { length: 0, seed: 1, target: { host } });
    const { digest } = await upload.done;
    return [{ path: upload.target.path, length: 0, seed: 1, digest }];
  },

  'hashes a Blob without a name or time, and finds it again by that': async (place) => {
    const uploader = uploaderAt(place);
    const target = { host: place.host, path: `${place.directory}/blob`, chunkSize: CHUNK };
    const content = () => new Blob([pattern(LENGTH, 3)]);
    const first = await uploader.upload(content(), target).done;
    const again = await uploader.upload(content(), target).done;
    equal([first.file.hashCode, again.alreadyThere], [first.digest, true]);
    return [{ path: target.path, length: LENGTH, seed: 3, digest: again.digest }];
  },

  'pauses at once, sends nothing meanwhile, and goes on without asking anew': async (place) => {
    const { entrance } = place;
    const upload = begin(place, { seed: 4 });
    await chunks(upload, 5);
    upload.pause();
    equal(upload.progress.phase, 'paused');
    await entrance.quiet();
    const chunksAsked = await entrance.asked('UploadChunk');
    const { sentBytes } = upload.progress;
    await uploaderAt(place).unfinished(); // A way to the gateway and back: time for whoever would go on.
    equal([await entrance.asked('UploadChunk'), upload.progress.sentBytes], [chunksAsked, sentBytes]);
    upload.resume();
    equal(upload.progress.phase, 'sending');
    const { digest } = await upload.done;
    equal([await entrance.asked('UploadStatus'), await entrance.asked('DirInfo')], [1, 0]);
    return [{ path: upload.target.path, length: LENGTH, seed: 4, digest }];
  },

  'goes on where it was stopped, and sends only what is missing': async (place) => {
    const first = begin(place, { seed: 5 });
    await chunks(first, 6);
    first.stop();
    equal(await codeOf(first.done), 'STOPPED');
    const second = begin(place, { seed: 5 });
    const result = await second.done;
    check(result.resumedBytes >= 6 * CHUNK, `only ${result.resumedBytes} bytes were there`);
    equal(result.wireBytes, LENGTH - result.resumedBytes);
    return [{ path: second.target.path, length: LENGTH, seed: 5, digest: result.digest }];
  },

  'leaves nothing when it is aborted': async (place) => {
    const upload = begin(place, { seed: 6 });
    await chunks(upload, 3);
    await upload.abort();
    equal(await codeOf(upload.done), 'ABORTED');
    const { items } = await uploaderAt(place).unfinished({ host: place.host });
    equal(
      items.filter(({ fullPath }) => fullPath === upload.target.path),
      [],
    );
    return [];
  },

  'asks about a file that is there, and replaces it only when told to': async (place) => {
    await begin(place, { seed: 7 }).done;
    equal(await codeOf(begin(place, { length: 10, seed: 8 }).done), 'FILE_EXISTS');
    const shown: number[] = [];
    const onFileExists: UploadTarget['onFileExists'] = ({ size }) => {
      shown.push(size);
      return 'replace';
    };
    const upload = begin(place, { length: 10, seed: 8, target: { onFileExists } });
    const { digest } = await upload.done;
    equal(shown, [LENGTH]);
    return [{ path: upload.target.path, length: 10, seed: 8, digest }];
  },

  'continues what another device began, and sends nothing of other content': async (place) => {
    const first = begin(place, { seed: 9 });
    await chunks(first, 5);
    first.stop();
    await codeOf(first.done);
    const uploader = uploaderAt(place);
    const begun = await begunAt(uploader, first.target);
    const sent = await place.entrance.asked('UploadChunk');
    const other = new File([pattern(LENGTH, 10)], 'other', { lastModified: MODIFIED });
    const shorter = new File([pattern(CHUNK, 9)], 'shorter', { lastModified: MODIFIED });
    equal(await codeOf(uploader.continue(begun, other).done), 'SOURCE_CHANGED');
    equal(await codeOf(uploader.continue(begun, shorter).done), 'SOURCE_CHANGED');
    equal(await place.entrance.asked('UploadChunk'), sent);
    const copy = new File([pattern(LENGTH, 9)], 'copy', { lastModified: MODIFIED + 5_000 });
    const result = await uploader.continue(begun, copy).done;
    check(result.resumedBytes >= 5 * CHUNK, `only ${result.resumedBytes} bytes were there`);
    return [{ path: begun.fullPath, length: LENGTH, seed: 9, digest: result.digest }];
  },

  'brings folders with one total that never goes back': async (place) => {
    const files = [1, 2, 3, 4, 5].map((seed) => {
      const file = new File([pattern(seed * 30_000 * (seed % 3), seed)], `${seed}.bin`, { lastModified: MODIFIED });
      // As a browser marks the files of a folder that was chosen.
      return Object.defineProperty(file, 'webkitRelativePath', { value: `album/${seed % 2}/${seed}.bin` });
    });
    const uploader = uploaderAt(place, { filesAtOnce: 2 });
    const batch = uploader.uploadAll(files, { host: place.host, directory: place.directory });
    const seen: number[] = [];
    batch.on('progress', ({ resumedBytes, sentBytes }) => seen.push(resumedBytes + sentBytes));
    const outcomes = await batch.done;
    equal(
      outcomes.map(({ status }) => status),
      files.map(() => 'done'),
    );
    const totalBytes = files.reduce((sum, { size }) => sum + size, 0);
    equal(
      seen,
      seen.toSorted((a, b) => a - b),
    );
    equal([seen.at(-1), batch.progress.totalBytes, batch.progress.filesDone], [totalBytes, totalBytes, files.length]);
    return files.map(({ size }, i) => ({
      path: `${place.directory}/album/${(i + 1) % 2}/${i + 1}.bin`,
      length: size,
      seed: i + 1,
    }));
  },

  'goes on by itself when connections are cut': async (place) => {
    const upload = begin(place, { seed: 11 });
    const seen: number[] = [];
    upload.on('progress', ({ sentBytes }) => seen.push(sentBytes));
    for (const count of [3, 8, 12]) {
      await chunks(upload, count);
      await place.entrance.cut();
    }
    const { digest } = await upload.done;
    equal(
      seen,
      seen.toSorted((a, b) => a - b),
    );
    return [{ path: upload.target.path, length: LENGTH, seed: 11, digest }];
  },

  'goes on by itself when the gateway is another one': async (place) => {
    const upload = begin(place, { seed: 12 });
    await chunks(upload, 5);
    await place.entrance.restart();
    const { digest } = await upload.done;
    return [{ path: upload.target.path, length: LENGTH, seed: 12, digest }];
  },

  'is followed from elsewhere to its end, over cut connections and another gateway': async (place) => {
    const upload = begin(place, { seed: 14 });
    await chunks(upload, 2);
    const uploader = uploaderAt(place);
    const phases = new Set<string>();
    const watching = uploader.watch(await begunAt(uploader, upload.target), {
      onProgress: ({ phase }) => phases.add(phase),
    });
    await chunks(upload, 8);
    await place.entrance.cut();
    await chunks(upload, 12);
    await place.entrance.restart();
    const { digest } = await upload.done;
    const end = await watching;
    equal([end.phase, end.digest, phases.has('RECEIVING')], ['DONE', digest, true]);
    return [{ path: upload.target.path, length: LENGTH, seed: 14, digest }];
  },

  'is given up from elsewhere, which those who follow it hear of; following begins nothing': async (place) => {
    const upload = begin(place, { seed: 15 });
    await chunks(upload, 20);
    upload.stop();
    await codeOf(upload.done);
    const uploader = uploaderAt(place);
    const begun = await begunAt(uploader, upload.target);
    const ending = new AbortController();
    const first = uploader.watch(begun, { onProgress: () => ending.abort(new Error('enough')), signal: ending.signal });
    equal(await codeOf(first), 'Error: enough');
    let heard = (): void => undefined;
    const hearing = new Promise<void>((resolve) => (heard = resolve));
    const watching = uploader.watch(begun, { onProgress: () => heard() });
    await hearing;
    equal(await place.entrance.asked('MergeFile'), 0);
    await uploader.abort(begun);
    equal((await watching).phase, 'ABORTED');
    equal(
      (await uploader.unfinished({ host: place.host })).items.filter(({ fullPath }) => fullPath === begun.fullPath),
      [],
    );
    return [];
  },

  'goes on with a renewed token when the old one is refused': async (place) => {
    const { entrance } = place;
    await entrance.requireToken('first');
    const refusals: string[] = [];
    let current = 'first';
    const token: UploaderOptions['token'] = ({ refused }) => {
      if (refused === undefined) return current;
      refusals.push(refused);
      return (current = 'second');
    };
    const upload = begin(place, { seed: 13, options: { token } });
    await chunks(upload, 5);
    await entrance.requireToken('second');
    const { digest } = await upload.done;
    check(refusals.length > 0 && refusals.every((refused) => refused === 'first'), `refused: ${refusals.join()}`);
    return [{ path: upload.target.path, length: LENGTH, seed: 13, digest }];
  },
};

interface Beginning {
  readonly length?: number;
  readonly seed: number;
  readonly target?: Partial<UploadTarget>;
  readonly options?: Partial<UploaderOptions>;
}

function uploaderAt({ sdk, endpoint }: Place, options: Partial<UploaderOptions> = {}): Uploader {
  return new sdk.Uploader({ endpoint, personId: 'ann', parallel: 2, ...options });
}

export function begin(place: Place, { length = LENGTH, seed, target, options }: Beginning): Upload {
  const file = new File([pattern(length, seed)], 'content', { lastModified: MODIFIED });
  const path = `${place.directory}/file`;
  return uploaderAt(place, options).upload(file, { host: place.host, path, chunkSize: CHUNK, ...target });
}

async function begunAt(uploader: Uploader, { host, path }: UploadTarget): Promise<UploadSummary> {
  const { items } = await uploader.unfinished({ host });
  const begun = items.find(({ fullPath }) => fullPath === path);
  if (begun === undefined) throw new Error('it is not listed');
  return begun;
}

/** Resolves when so many chunks are on the host; rejects when the upload ends before. */
export async function chunks(upload: Upload, count: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const unsubscribe = upload.on('chunk', () => {
      if (upload.progress.chunksDone < count) return;
      unsubscribe();
      resolve();
    });
    upload.done.then(() => reject(new Error('it was done before')), reject);
    if (upload.progress.chunksDone >= count) resolve();
  });
}

export async function codeOf(done: Promise<unknown>): Promise<string> {
  try {
    await done;
    return 'DONE';
  } catch (error) {
    return String((error as { code?: string }).code ?? error);
  }
}

function check(condition: boolean, otherwise: string): void {
  if (!condition) throw new Error(otherwise);
}

export function equal(actual: unknown, expected: unknown): void {
  const [is, shouldBe] = [JSON.stringify(actual), JSON.stringify(expected)];
  check(is === shouldBe, `${is} should be ${shouldBe}`);
}
