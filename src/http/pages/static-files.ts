import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';

/** Files that the build made: a flat directory, with `NAME.br` and `NAME.gz` beside a `NAME` that is worth it. */
export interface StaticFile {
  readonly directory: URL;
  readonly name: string;
  /** `immutable` where the name changes with the content; `no-store` where it doesn't. */
  readonly caching: 'immutable' | 'no-store';
}

const CONTENT_TYPES = new Map([
  ['html', 'text/html; charset=utf-8'],
  ['js', 'text/javascript; charset=utf-8'],
  ['css', 'text/css; charset=utf-8'],
  ['svg', 'image/svg+xml'],
  ['woff2', 'font/woff2'],
]);

/** Of content codings (RFC 9110 §8.4.1), the smallest first. */
const CODINGS = [
  { name: 'br', suffix: '.br' },
  { name: 'gzip', suffix: '.gz' },
] as const;

/** Longer than any the build gives, and short enough for every file system. */
const MAX_NAME_LETTERS = 128;
const YEAR_S = 31_536_000;
/** A megabyte at the speed of a bad telephone line. Whoever takes longer holds a file open for nothing. */
const SEND_MAX_MS = 300_000;

/**
 * Sends the file, piece by piece and never whole in memory. Resolves with false, and nothing sent, when there is none of that name;
 * a name can't lead out of the directory. Whatever else goes wrong with the file before the answer began rejects.
 */
export async function sendFile(req: IncomingMessage, res: ServerResponse, file: StaticFile): Promise<boolean> {
  const found = await findFile(file, req.headers['accept-encoding'] ?? '');
  if (found === undefined) return false;
  const { handle, coding, type } = found;
  try {
    const { size } = await handle.stat();
    res.appendHeader('vary', 'accept-encoding');
    res.writeHead(200, {
      'content-type': type,
      'content-length': size,
      'cache-control': file.caching === 'immutable' ? `public, max-age=${YEAR_S}, immutable` : 'no-store',
      ...(coding === undefined ? {} : { 'content-encoding': coding }),
    });
    if (req.method === 'HEAD') res.end();
    else await pipeline(handle.createReadStream({ autoClose: false }), res, { signal: AbortSignal.timeout(SEND_MAX_MS) });
  } catch (error) {
    if (!res.headersSent) throw error;
    res.destroy(); // Begun, and not to be ended any more: the reader is gone, or too slow, or the file broke off.
  } finally {
    await handle.close();
  }
  return true;
}

interface FoundFile {
  readonly handle: FileHandle;
  readonly type: string;
  readonly coding?: string;
}

async function findFile({ directory, name }: StaticFile, accepted: string): Promise<FoundFile | undefined> {
  if (name.length > MAX_NAME_LETTERS) return undefined;
  const type = CONTENT_TYPES.get(/^[\w-]+(?:\.[\w-]+)*\.(\w+)$/.exec(name)?.[1] ?? '');
  if (type === undefined) return undefined;
  for (const coding of CODINGS) {
    if (!accepts(accepted, coding.name)) continue;
    const handle = await openIfThere(new URL(`${name}${coding.suffix}`, directory));
    if (handle !== undefined) return { handle, type, coding: coding.name };
  }
  const handle = await openIfThere(new URL(name, directory));
  return handle && { handle, type };
}

/** Browsers name the codings they take, without weights; `br;q=0` is the one way to refuse one (RFC 9110 §12.5.3). */
function accepts(accepted: string, coding: string): boolean {
  const entry = accepted.split(',').find((text) => text.split(';', 1)[0]?.trim().toLowerCase() === coding);
  return entry !== undefined && !/;\s*q=0(\.0*)?\s*$/.test(entry);
}

async function openIfThere(path: URL): Promise<FileHandle | undefined> {
  try {
    return await open(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
