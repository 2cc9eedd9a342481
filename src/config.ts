// The only reader of the environment and the configuration file. Called by main; imports core's path module and types alone.
// config/document reads, config/schema and config/rules judge, config/hosts adds the files that hosts name.
import process from 'node:process';
import type { z } from 'zod';
import { readDocument } from './config/document.js';
import type { ConfigDocument, ConfigSource } from './config/document.js';
import { algorithmOf, readNamedFiles } from './config/files.js';
import type { NamedFiles } from './config/files.js';
import { checkStateDirectory, toHostConfig } from './config/hosts.js';
import { ConfigError, keyText, shownValue, valueAt } from './config/problems.js';
import type { ConfigProblem } from './config/problems.js';
import { configSchema } from './config/rules.js';
import type { FileContent } from './config/schema.js';
import type { AuthConfig, Config, HostConfig, JwtKey, ListenConfig, MetricsConfig } from './config/types.js';

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
  const files = readNamedFiles(document);
  const judged = configSchema.safeParse(document.value);
  const own = [...document.problems, ...files.problems];
  const problems = [...own, ...toProblems(judged.error?.issues ?? [], document, own)];
  if (judged.data === undefined || problems.length > 0) throw new ConfigError(problems);

  const { baseDirectory } = document;
  const hosts = judged.data.hosts.map((host, index) => toHostConfig(host, index, { baseDirectory, files }));
  const config = toConfig(judged.data, hosts, files);
  const misfits = [...hosts.flatMap(checkStateDirectory), ...checkAlgorithms(config.auth)];
  if (misfits.length > 0) throw new ConfigError(misfits);
  return deepFreeze(config);
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

function toConfig(content: FileContent, hosts: readonly HostConfig[], files: NamedFiles): Config {
  const { logLevel, redis, limits, auth, graphql, metrics } = content;
  const { claimTtl, stagingTtl, ...others } = limits;
  return {
    listen: toListen(content.listen, files),
    logLevel,
    ...(redis !== undefined && { redis }),
    auth: toAuth(auth, files),
    introspection: graphql.introspection === 'auto' ? auth.mode === 'none' : graphql.introspection === 'on',
    metrics: toMetrics(metrics),
    hosts,
    limits: { ...others, claimTtlMs: claimTtl, stagingTtlMs: stagingTtl },
  };
}

function toListen({ tls, ...listen }: FileContent['listen'], { contents }: NamedFiles): ListenConfig {
  if (tls === undefined) return listen;
  const certificate = contents.get('listen.tls.certificateFile') ?? '';
  const privateKey = contents.get('listen.tls.privateKeyFile') ?? '';
  return { ...listen, tls: { certificate, privateKey } };
}

function toMetrics({ token, address, port }: FileContent['metrics']): MetricsConfig {
  return { ...(token !== undefined && { token }), ...(port !== undefined && { listen: { address, port } }) };
}

function toAuth({ mode, jwt, ticketSecret, ticketTtl }: FileContent['auth'], { contents }: NamedFiles): AuthConfig {
  if (mode === 'none' || jwt === undefined) return { mode: 'none' };
  const { secret, publicKey, publicKeyFile: _file, jwksUrl, clockTolerance, ...claims } = jwt;
  const { algorithms, issuer, audience, personClaim, groupsClaim } = claims;
  return {
    mode,
    jwt: {
      key: toJwtKey({ secret, jwksUrl, pem: publicKey ?? contents.get('auth.jwt.publicKeyFile') }),
      ...(algorithms && { algorithms }),
      ...(issuer !== undefined && { issuer }),
      ...(audience !== undefined && { audience }),
      personClaim,
      groupsClaim,
      clockToleranceMs: clockTolerance,
    },
    ...(ticketSecret !== undefined && { ticketSecret }),
    ticketTtlMs: ticketTtl,
  };
}

/** A key is for one algorithm: pinned to others, no token would ever do. */
function checkAlgorithms(auth: AuthConfig): readonly ConfigProblem[] {
  if (auth.mode === 'none' || auth.jwt.key.kind !== 'public-key') return [];
  const algorithm = algorithmOf(auth.jwt.key.pem);
  if (algorithm === undefined || auth.jwt.algorithms?.includes(algorithm) !== false) return [];
  return [{ key: 'auth.jwt.algorithms', message: `must have ${algorithm}, which the public key is for` }];
}

interface KeySources {
  readonly secret: string | undefined;
  readonly jwksUrl: string | undefined;
  readonly pem: string | undefined;
}

function toJwtKey({ secret, jwksUrl, pem }: KeySources): JwtKey {
  if (secret !== undefined) return { kind: 'secret', secret };
  if (jwksUrl !== undefined) return { kind: 'jwks', url: jwksUrl };
  return { kind: 'public-key', pem: pem ?? '' };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(deepFreeze);
  return Object.freeze(value);
}
