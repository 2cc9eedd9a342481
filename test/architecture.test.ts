import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cruise } from 'dependency-cruiser';
import type { ICruiseOptions, ICruiseResult } from 'dependency-cruiser';
import extractDepcruiseOptions from 'dependency-cruiser/config-utl/extract-depcruise-options';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** At least one forbidden import for each rule: the rule, the file, and what the file imports. */
const VIOLATIONS: readonly (readonly [rule: string, file: string, imported: string])[] = [
  ['core-rooms', 'core/bad-rooms.ts', '../memory/fine.js'],
  ['core-outside', 'core/bad-node.ts', 'node:fs'],
  ['core-outside', 'core/bad-package.ts', 'zod'],
  ['assembly-rooms', 'assembly/bad-rooms.ts', '../sftp/fine.js'],
  ['assembly-outside', 'assembly/bad-node.ts', 'node:crypto'],
  ['memory-rooms', 'memory/bad-rooms.ts', '../redis/fine.js'],
  ['memory-outside', 'memory/bad-package.ts', 'pino'],
  ['redis-rooms', 'redis/bad-rooms.ts', '../memory/fine.js'],
  ['redis-outside', 'redis/bad-package.ts', 'graphql'],
  ['sftp-rooms', 'sftp/bad-rooms.ts', '../embedded/fine.js'],
  ['sftp-outside', 'sftp/bad-package.ts', 'pino'],
  ['embedded-rooms', 'embedded/bad-rooms.ts', '../sftp/fine.js'],
  ['embedded-outside', 'embedded/bad-package.ts', 'ws'],
  ['system-rooms', 'system/bad-rooms.ts', '../compose.js'],
  ['system-outside', 'system/bad-package.ts', 'zod'],
  ['config-rooms', 'config/bad-rooms.ts', '../compose.js'],
  ['config-outside', 'config/bad-package.ts', 'commander'],
  ['graphql-rooms', 'graphql/bad-rooms.ts', '../http/fine.js'],
  ['graphql-outside', 'graphql/bad-package.ts', 'ws'],
  ['http-rooms', 'http/bad-rooms.ts', '../assembly/fine.js'],
  ['http-outside', 'http/bad-package.ts', 'yaml'],
  ['metrics-rooms', 'metrics/bad-rooms.ts', '../sftp/fine.js'],
  ['metrics-outside', 'metrics/bad-package.ts', 'pino'],
  ['client-rooms', 'client/bad-rooms.ts', '../core/fine.js'],
  ['client-outside', 'client/bad-node.ts', 'node:fs'],
  ['client-node-outside', 'client/node/bad-package.ts', 'undici'],
  ['client-browser-outside', 'client/browser/bad-node.ts', 'node:fs'],
  ['client-react-outside', 'client/react/bad-package.ts', 'react-dom'],
  ['client-anywhere', 'client/bad-anywhere.ts', './browser/fine.js'],
  ['client-in-browsers', 'client/bad-browser.ts', './node/fine.js'],
  ['web-rooms', 'web/bad-rooms.ts', '../core/fine.js'],
  ['web-outside', 'web/bad-package.ts', 'graphql-ws'],
  ['cli-rooms', 'cli/bad-rooms.ts', '../main.js'],
  ['cli-outside', 'cli/bad-package.ts', 'graphql-yoga'],
  ['cli-serve-rooms', 'cli/serve.ts', '../compose.js'],
  ['main-rooms', 'main.ts', './sftp/fine.js'],
  ['known-room', 'helpers/bad-room.ts', '../core/fine.js'],
  ['ssh2-has-two-rooms', 'compose.ts', 'ssh2'],
  ['redis-has-one-room', 'graphql/bad-redis.ts', 'bullmq'],
  ['no-circle', 'core/round.ts', './trip.js'],
  ['no-development-package', 'cli/bad-development.ts', 'vitest'],
  ['published-client-is-for-the-page', 'cli/bad-client.ts', '../../dist/client/index.js'],
  ['src-stands-alone', 'sftp/bad-test.ts', '../../test/machine.js'],
];

/** What the rules must leave alone, so that a rule which forbids everything is noticed too. */
const ALLOWED: readonly (readonly [file: string, imported: string])[] = [
  ['core/fine.ts', './other.js'],
  ['assembly/fine.ts', '../core/fine.js'],
  ['memory/fine.ts', '../core/fine.js'],
  ['redis/fine.ts', 'ioredis'],
  ['sftp/fine.ts', 'ssh2'],
  ['embedded/fine.ts', 'node:fs'],
  ['system/fine.ts', 'pino'],
  ['graphql/fine.ts', '../core/fine.js'],
  ['http/fine.ts', '../graphql/fine.js'],
  ['metrics/fine.ts', 'prom-client'],
  ['client/fine.ts', 'graphql-ws'],
  ['client/node/fine.ts', 'node:fs'],
  ['client/browser/fine.ts', 'hash-wasm'],
  ['client/react/fine.ts', 'react'],
  ['web/fine.ts', '../client/fine.js'],
  ['cli/main.ts', '../main.js'],
];

async function violationsIn(directory: string, options: ICruiseOptions): Promise<readonly string[]> {
  const { output } = await cruise(['src'], { ...options, baseDir: directory, validate: true });
  return (output as ICruiseResult).summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`).sort();
}

describe('layer rules', () => {
  let options: ICruiseOptions;
  let fixture: string;
  let found: readonly string[];

  beforeAll(async () => {
    options = await extractDepcruiseOptions(join(root, '.dependency-cruiser.cjs'));
    fixture = mkdtempSync(join(tmpdir(), 'longshore-layers-'));
    const write = (file: string, text: string): void => {
      mkdirSync(dirname(join(fixture, file)), { recursive: true });
      writeFileSync(join(fixture, file), text);
    };
    for (const [file, imported] of ALLOWED) write(join('src', file), `import '${imported}';\n`);
    for (const [, file, imported] of VIOLATIONS) write(join('src', file), `import '${imported}';\n`);
    write('src/core/other.ts', 'export {};\n');
    // A circle is reported once, at the first of its files by name.
    write('src/core/trip.ts', "import './round.js';\n");
    write('test/machine.ts', 'export {};\n');
    write('dist/client/index.js', 'export {};\n');
    // Packages are told apart by where they are and by what package.json says of them.
    write('package.json', JSON.stringify({ type: 'module', devDependencies: { vitest: '*' } }));
    write('node_modules/vitest/package.json', JSON.stringify({ name: 'vitest', main: 'index.js' }));
    write('node_modules/vitest/index.js', '');
    found = await violationsIn(fixture, options);
  });

  afterAll(() => {
    rmSync(fixture, { recursive: true, force: true });
  });

  it('hold in src', async () => {
    expect(await violationsIn(root, options)).toEqual([]);
  });

  it.each(VIOLATIONS)('%s refuses that %s imports %s', (rule, file) => {
    expect(found.filter((violation) => violation.startsWith(`${rule}: src/${file} -> `))).toHaveLength(1);
  });

  it('have a violation here for each rule', () => {
    const names = (options.ruleSet?.forbidden ?? []).map((rule) => rule.name);
    expect([...new Set(VIOLATIONS.map(([rule]) => rule))].sort()).toEqual([...names].sort());
  });

  it('leave allowed imports alone', () => {
    const allowed = ALLOWED.map(([file]) => `src/${file}`);
    expect(found.filter((violation) => allowed.some((file) => violation.includes(`: ${file} -> `)))).toEqual([]);
  });
});

describe('dependencies', () => {
  const read = (name: string) => readFileSync(join(root, name), 'utf8');
  const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<string, Record<string, string>>;
  const reasons = read('docs/dependencies.md');
  // Those follow their libraries.
  const names = [dependencies, devDependencies]
    .flatMap((list) => Object.keys(list ?? {}))
    .filter((name) => !name.startsWith('@types/'));

  it.each(names)('%s has its reason', (name) => {
    const family = name.startsWith('@graphql-codegen/') ? '@graphql-codegen/cli' : name.replace('@eslint/js', 'eslint');
    expect(reasons).toContain(`**${family}**`);
  });
});
