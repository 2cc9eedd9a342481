// Compiles src/ to dist/ and makes the `longshore` command executable. Runs on `npm ci` too (as `prepare`), and then must not
// stand in the way of an install without development dependencies. With --if-stale it leaves a build that is newer than everything
// it is made of: npx prepares a checkout before it first runs its command, while a gateway may be running from the same dist/.
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { buildGraphiql } from './graphiql.mjs';
import { buildWeb } from './web.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

const compiler = findCompiler();
if (compiler === undefined) {
  console.log('build: typescript is not installed (no development dependencies), so dist/ stays as it is');
  process.exit(0);
}

const stamp = `${root}dist/.built`;
if (process.argv.includes('--if-stale') && isCurrent()) process.exit(0);

// Made beside dist/ and put in its place when it is whole: a gateway may be running from there, and a build that fails leaves it alone.
const made = `${root}dist.${process.pid}/`;
try {
  compile('tsconfig.build.json');
  compile('src/client/browser'); // With a browser's globals in place of Node's.
  // Lua scripts lie beside the code that sends them, and the compiler knows nothing of them.
  for (const path of readdirSync(`${root}src/redis`).filter((name) => name.endsWith('.lua'))) {
    copyFileSync(`${root}src/redis/${path}`, `${made}redis/${path}`);
  }
  await buildWeb(made);
  await buildGraphiql(made);
  // npm sets the bit when it links the package's commands, but not for a checkout that is run in place.
  chmodSync(`${made}cli/main.js`, 0o755);
  writeFileSync(`${made}.built`, '');
  rmSync(`${root}dist`, { recursive: true, force: true });
  renameSync(made, `${root}dist`);
} finally {
  rmSync(made, { recursive: true, force: true });
}

/** What the compiler has to say is said; then this throws. */
function compile(project) {
  const args = [compiler, '-p', project, '--noEmit', 'false', '--outDir', made];
  const { status, error } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (error !== undefined) throw error;
  if (status === 0) return;
  process.exitCode = status ?? 1;
  throw new Error(`${project} doesn't compile`);
}

function isCurrent() {
  if (!existsSync(stamp)) return false;
  const builtAt = statSync(stamp).mtimeMs;
  const sources = readdirSync(`${root}src`, { recursive: true }).map((path) => `src/${path}`);
  const scripts = ['build', 'compress', 'graphiql', 'web'].map((name) => `scripts/${name}.mjs`);
  return [...sources, ...scripts, 'schema.graphql', 'package.json', 'tsconfig.json', 'tsconfig.build.json'].every(
    (path) => statSync(`${root}${path}`).mtimeMs <= builtAt,
  );
}
/** The compiler's script, or undefined where it isn't installed. */
function findCompiler() {
  try {
    return createRequire(import.meta.url).resolve('typescript/bin/tsc');
  } catch {
    return undefined; // That it can't be resolved is the answer.
  }
}
