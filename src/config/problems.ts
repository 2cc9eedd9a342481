// How problems of the configuration are told: by key, with the value as it was written, and never with a secret.

export interface ConfigProblem {
  /** Path of the key (`hosts[0].port`), or the environment variable or file that has the problem. */
  readonly key: string;
  /** What must be otherwise, and the offending value, for a person to read. */
  readonly message: string;
}

/** The configuration can't be used. Has every problem that was found. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(['the configuration has problems:', ...problems.map(({ key, message }) => `  ${key}: ${message}`)].join('\n'));
    this.problems = problems;
  }
}

export type KeyPath = readonly PropertyKey[];

/** `hosts[0].port` for ['hosts', 0, 'port']. */
export function keyText(path: KeyPath): string {
  let text = '';
  for (const key of path) {
    if (typeof key === 'number') text += `[${key}]`;
    else text += text === '' ? String(key) : `.${String(key)}`;
  }
  return text;
}

/** What is at `path` of a tree of maps and lists; undefined when nothing is. */
export function valueAt(tree: unknown, path: KeyPath): unknown {
  let value = tree;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Readonly<Record<PropertyKey, unknown>>)[key];
  }
  return value;
}

const SECRET_KEYS: readonly PropertyKey[] = ['password', 'passphrase', 'secret', 'publicKey', 'ticketSecret', 'token', 'redis'];
const MAX_SHOWN_CHARACTERS = 80;

/** The value at `path` as a problem shows it, ` (is "abc")` or ` (value hidden)`; empty when there is none. */
export function shownValue(tree: unknown, path: KeyPath): string {
  const value = valueAt(tree, path);
  if (value === undefined) return '';
  if (path.some((key) => SECRET_KEYS.includes(key))) return ' (value hidden)';
  if (value === null) return ' (is empty)';
  // Whole maps and lists aren't shown: there may be secrets in them.
  if (typeof value === 'object') return Array.isArray(value) ? ' (is a list)' : ' (is a map)';
  const text = JSON.stringify(value);
  return ` (is ${text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}…` : text})`;
}
