// Puts a folder below a directory of the host `local`: node --import tsx examples/sdk/node/folder.ts photos /inbox
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { FileSource, Uploader, describeError } from 'longshore/client';

const [folder = '', directory = ''] = process.argv.slice(2);
const endpoint = `${process.env['LONGSHORE_URL'] ?? 'http://127.0.0.1:4000'}/graphql`;

// Three files at a time, and together at most 20 MB a second.
const uploader = new Uploader({ endpoint, filesAtOnce: 3, maxBytesPerSecond: 20_000_000 });

const entries = await readdir(folder, { recursive: true, withFileTypes: true });
const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
const files = paths.map((path) => FileSource.at(path, { relativePath: basename(folder) + path.slice(folder.length) }));

const batch = uploader.uploadAll(await Promise.all(files), { host: 'local', directory });
batch.on('file', ({ upload, status }) => console.log(`${status} ${upload.target.path}`));

const outcomes = await batch.done;
for (const outcome of outcomes) {
  if (outcome.status === 'failed') console.log(`${outcome.upload.name}: ${describeError(outcome.error)}`);
}
const { filesDone, files: all, sentBytes } = batch.progress;
console.log(`${filesDone} of ${all} files, ${sentBytes} bytes sent`);
