// Programs that use the SDK, as a bundler makes them for browsers: from `dist/`, by the package's `exports`.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Rolldown } from 'vite';
import type { ServedFile } from './entrance.js';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const TYPES: Readonly<Record<string, string>> = { '.js': 'text/javascript', '.html': 'text/html' };

/** The test page, by path. */
export async function bundle(directory: string): Promise<Map<string, ServedFile>> {
  const output = await run(join(HERE, directory), join(HERE, directory, 'index.html'));
  const files = output.map((file): [string, ServedFile] => [
    `/${file.fileName}`,
    { contentType: TYPES[extname(file.fileName)] ?? 'application/octet-stream', body: contentOf(file) },
  ]);
  const found = new Map(files);
  const index = found.get('/index.html');
  return index === undefined ? found : found.set('/', index);
}

/** What a program consists of, by file name; its first chunk is what a page has to load before it can begin. */
export async function bundleProgram(
  text: string,
): Promise<readonly { name: string; isEntry: boolean; content: string | Uint8Array }[]> {
  // In the repository, so that the package is found by its own name.
  const root = mkdtempSync(join(HERE, 'program-'));
  try {
    writeFileSync(join(root, 'main.js'), text);
    const output = await run(root, join(root, 'main.js'));
    return output.map((file) => ({
      name: file.fileName,
      isEntry: file.type === 'chunk' && file.isEntry,
      content: contentOf(file),
    }));
  } finally {
    rmSync(root, { recursive: true });
  }
}

async function run(root: string, input: string): Promise<readonly (Rolldown.OutputChunk | Rolldown.OutputAsset)[]> {
  const result = await build({
    root,
    configFile: false,
    logLevel: 'error',
    build: { write: false, rolldownOptions: { input } },
  });
  return (Array.isArray(result) ? result : [result]).flatMap((part) => ('output' in part ? part.output : []));
}

function contentOf(file: Rolldown.OutputChunk | Rolldown.OutputAsset): string | Uint8Array {
  return file.type === 'chunk' ? file.code : file.source;
}
