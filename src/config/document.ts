// From a file and the environment to one tree of values, not yet checked against the schema.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import { keyText, valueAt } from './problems.js';
import type { ConfigProblem, KeyPath } from './problems.js';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ConfigSource {
  /** Of the command line; goes before `LONGSHORE_CONFIG`, which goes before ./longshore.yaml. */
  readonly configFile?: string | undefined;
  readonly env: Environment;
  /** Absolute. */
  readonly cwd: string;
}

export interface ConfigDocument {
  /** As written, environment variables by name: what problems show. */
  readonly written: unknown;
  /** With the values of environment variables in place. Undefined when there is no tree, for the one reason in `problems`. */
  readonly value: unknown;
  /** What relative paths in the configuration are relative to: the file's directory, else the working directory. */
  readonly baseDirectory: string;
  /** What to call the whole: the file's path as it was given. */
  readonly title: string;
  /** The environment variables that stand in for keys: `listen.port` → `PORT`. */
  readonly overrides: ReadonlyMap<string, string>;
  readonly problems: readonly ConfigProblem[];
}

const DEFAULT_FILE = 'longshore.yaml';

/** Environment variables that go before what the file says. */
const OVERRIDES: readonly { readonly variable: string; readonly path: readonly string[] }[] = [
  { variable: 'HOST', path: ['listen', 'address'] },
  { variable: 'PORT', path: ['listen', 'port'] },
  { variable: 'REDIS_URL', path: ['redis'] },
  { variable: 'LOG_LEVEL', path: ['logLevel'] },
];

/** Never throws for what people wrote: all of that is in `problems`. */
export function readDocument(source: ConfigSource): ConfigDocument {
  const file = readFile(source);
  const parsed = file.problem === undefined ? parseYaml(file.text, file.title) : { value: undefined, problems: [file.problem] };
  const problems = [...parsed.problems];
  const value = substitute(parsed.value, source.env, problems);

  const overrides = new Map<string, string>();
  let tree = { written: parsed.value, value };
  if (parsed.value === undefined) return { ...tree, baseDirectory: file.baseDirectory, title: file.title, overrides, problems };
  for (const { variable, path } of OVERRIDES) {
    const text = source.env[variable];
    // An empty variable counts as absent: container files can't leave one out.
    if (text === undefined || text === '') continue;
    tree = { written: withValue(tree.written, path, text), value: withValue(tree.value, path, text) };
    overrides.set(keyText(path), variable);
  }
  return { ...tree, baseDirectory: file.baseDirectory, title: file.title, overrides, problems };
}

function readFile({ configFile, env, cwd }: ConfigSource) {
  const named = configFile ?? env['LONGSHORE_CONFIG'];
  const title = named === undefined || named === '' ? DEFAULT_FILE : named;
  const path = resolve(cwd, title);
  try {
    return { title, text: readFileSync(path, 'utf8'), baseDirectory: dirname(path), problem: undefined };
  } catch (error) {
    if (title !== named && errorCode(error) === 'ENOENT') return { title, text: '', baseDirectory: cwd, problem: undefined };
    const key = configFile === undefined ? 'LONGSHORE_CONFIG' : '--config';
    const problem = {
      key: title === named ? key : title,
      message: `can't be read, ${errorCode(error)} (is ${JSON.stringify(title)})`,
    };
    return { title, text: '', baseDirectory: cwd, problem };
  }
}

/** The system's name of a failure: `ENOENT`. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

/** The file's tree, or the one problem why it has none: errors after the first are mostly its echo. */
function parseYaml(text: string, title: string): { value: unknown; problems: readonly ConfigProblem[] } {
  const lines = new LineCounter();
  // Not pretty: a pretty error quotes the line, and the line may hold a secret.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0]);
    const isReference = text.split('\n')[line - 1]?.includes('${') === true;
    const hint = isReference ? '; within { } or [ ] put quotes around "${NAME}"' : '';
    return { value: undefined, problems: [{ key: `${title}:${line}:${col}`, message: withoutToken(error.message) + hint }] };
  }
  try {
    return { value: document.toJS() ?? {}, problems: [] };
  } catch (error) {
    // An alias without its anchor, or far too many of them.
    return { value: undefined, problems: [{ key: title, message: error instanceof Error ? error.message : String(error) }] };
  }
}

/** Some errors end in the token that wasn't expected, which may be a secret too. */
function withoutToken(message: string): string {
  return message.replace(/: ".*$/s, '');
}

/** `${NAME}`, and `$${NAME}` for the text `${NAME}` itself. */
const REFERENCE = /\$?\$\{([^}]*)\}/g;
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Puts the environment's values in all texts of the tree, keys apart. A reference that can't be resolved stays as it is. */
function substitute(value: unknown, env: Environment, problems: ConfigProblem[], path: KeyPath = []): unknown {
  if (Array.isArray(value)) return value.map((item, index) => substitute(item, env, problems, [...path, index]));
  if (isMap(value)) {
    const entries = Object.entries(value).map(([key, item]) => [key, substitute(item, env, problems, [...path, key])]);
    return Object.fromEntries(entries) as unknown;
  }
  if (typeof value !== 'string') return value;
  return value.replace(REFERENCE, (reference: string, name: string) => {
    if (reference.startsWith('$$')) return reference.slice(1);
    const replacement = VARIABLE_NAME.test(name) ? env[name] : undefined;
    if (replacement !== undefined) return replacement;
    const flaw = VARIABLE_NAME.test(name)
      ? `environment variable ${name} is not set`
      : `${reference} is no environment variable`;
    problems.push({ key: keyText(path), message: flaw });
    return reference;
  });
}

/** The tree with `item` at `path`. A tree that has something else than a map on the way stays as it is, for the schema to refuse. */
function withValue(tree: unknown, path: readonly string[], item: string): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return item;
  if (tree !== undefined && tree !== null && !isMap(tree)) return tree;
  return { ...tree, [key]: withValue(valueAt(tree, [key]), rest, item) };
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
