// The Lua scripts of this room: each a file that names its keys, arguments and results. One that says it is preceded by another is
// sent together with it.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export interface Script {
  /** Of its last file. */
  readonly name: string;
  readonly lua: string;
  /** As Redis names it: SHA-1 of its text, hex. */
  readonly sha: string;
}

/** The files `names` (without .lua), one after another, as one script. */
export function loadScript(...names: readonly string[]): Script {
  const lua = names.map((name) => readFileSync(new URL(`./${name}.lua`, import.meta.url), 'utf8')).join('\n');
  return { name: names.at(-1) ?? '', lua, sha: createHash('sha1').update(lua).digest('hex') };
}
