// What is sent: random, so that nothing between can make it smaller.
import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const STEP_BYTES = 64 * 2 ** 20;

export function makeFile(path: string, bytes: number): void {
  writeFileSync(path, '');
  for (let done = 0; done < bytes; done += STEP_BYTES) appendFileSync(path, randomBytes(Math.min(STEP_BYTES, bytes - done)));
}

/** In as many subdirectories as it is told, in turn: `1`, `2` … */
export function makeFiles(
  directory: string,
  count: number,
  { bytes, subdirectories }: Readonly<Record<'bytes' | 'subdirectories', number>>,
): void {
  for (let at = 0; at < count; at += 1) {
    const subdirectory = join(directory, `${(at % subdirectories) + 1}`);
    mkdirSync(subdirectory, { recursive: true });
    makeFile(join(subdirectory, `file-${at + 1}`), bytes);
  }
}
