// The only reader of the environment and the configuration file. Called by main; imports core's path module and types alone.
// config/document reads, config/schema and config/rules judge, config/hosts adds the files that hosts name.
import process from 'node:process';
import type { z } from 'zod';
import { readDocument } from './config/document.js';
import type { ConfigDocument, ConfigSource } from './config/document.js';
import { checkStateDirectory, readHostFiles, toHostConfig } from './config/hosts.js';
import { ConfigError, keyText, shownValue, valueAt } from './config/problems.js';
import type { ConfigProblem } from './config/problems.js';
import { configSchema } from './config/rules.js';
import type { FileContent } from './config/schema.js';
import type { Config, HostConfig } from './config/types.js';

export { ConfigError } from './config/problems.js';
export type { ConfigProblem } from './config/problems.js';
export type * from './config/types.js';

/**
 * The configuration: environment (`HOST`, `PORT`, `LOG_LEVEL`) before file before defaults. The file is `configFile`, else what
 * `LONGSHORE_CONFIG` names, else ./longshore.yaml, which may be absent. Relative paths in it are relative to its directory.
 * Also reads the key files it names. Throws `ConfigError` with every problem.
 */
export function loadConfig({ configFile, env = process.env, cwd = process.cwd() }: Partial<ConfigSource> = {}): Config {
  const document = readDocument({ configFile, env, cwd });
  if (document.value === undefined) throw new ConfigError(document.problems);
  const files = readHostFiles(document);
  const judged = configSchema.safeParse(document.value);
  const own = [...document.problems, ...files.problems];
  const problems = [...own, ...toProblems(judged.error?.issues ?? [], document, own)];
  if (judged.data === undefined || problems.length > 0) throw new ConfigError(problems);

  const { baseDirectory } = document;
  const hosts = judged.data.hosts.map((host, index) => toHostConfig(host, index, { baseDirectory, files }));
  const misplaced = hosts.flatMap(checkStateDirectory);
  if (misplaced.length > 0) throw new ConfigError(misplaced);
  return deepFreeze(toConfig(judged.data, hosts));
}

type Issue = z.core.$ZodIssue;

/** What the schema and its rules refused, apart from keys that `own` tells of already. */
function toProblems(
  issues: readonly Issue[],
  document: ConfigDocument,
  own: readonly ConfigProblem[],
): readonly ConfigProblem[] {
  const told = new Set(own.map((problem) => problem.key));
  return issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ key: keyText([...issue.path, key]), message: issue.message }));
    }
    const path = keyText(issue.path);
    if (told.has(path)) return [];
    const key = document.overrides.get(path) ?? (path === '' ? document.title : path);
    const value = valueAt(document.written, issue.path);
    // A rule about a whole entry says itself what is wrong with it.
    const isShown = issue.code !== 'custom' || typeof value !== 'object';
    return [{ key, message: issue.message + (isShown ? shownValue(document.written, issue.path) : '') }];
  });
}

function toConfig({ listen, logLevel, redis, limits }: FileContent, hosts: readonly HostConfig[]): Config {
  const { claimTtl, stagingTtl, ...others } = limits;
  return {
    listen,
    logLevel,
    ...(redis !== undefined && { redis }),
    auth: { mode: 'none' },
    hosts,
    limits: { ...others, claimTtlMs: claimTtl, stagingTtlMs: stagingTtl },
  };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(deepFreeze);
  return Object.freeze(value);
}
