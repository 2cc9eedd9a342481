// Compiles src/ to dist/ and makes the `longshore` command executable. Runs on `npm ci` too (as `prepare`), and then must not
// stand in the way of an install without development dependencies. With --if-stale it leaves a build that is newer than everything
// it is made of: npx prepares a checkout before it first runs its command, while a gateway may be running from the same dist/.
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

const compiler = findCompiler();
if (compiler === undefined) {
  console.log('build: typescript is not installed (no development dependencies), so dist/ stays as it is');
  process.exit(0);
}

const stamp = `${root}dist/.built`;
if (process.argv.includes('--if-stale') && isCurrent()) process.exit(0);
rmSync(`${root}dist`, { recursive: true, force: true });
compile('tsconfig.build.json');
compile('src/client/browser'); // With a browser's globals in place of Node's.
// Lua scripts lie beside the code that sends them, and the compiler knows nothing of them.
for (const path of readdirSync(`${root}src/redis`).filter((name) => name.endsWith('.lua'))) {
  copyFileSync(`${root}src/redis/${path}`, `${root}dist/redis/${path}`);
}
// npm sets the bit when it links the package's commands, but not for a checkout that is run in place.
chmodSync(`${root}dist/cli/main.js`, 0o755);
writeFileSync(stamp, '');

function compile(project) {
  const { status, error } = spawnSync(process.execPath, [compiler, '-p', project, '--noEmit', 'false'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (error !== undefined) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

function isCurrent() {
  if (!existsSync(stamp)) return false;
  const builtAt = statSync(stamp).mtimeMs;
  const sources = readdirSync(`${root}src`, { recursive: true }).map((path) => `src/${path}`);
  return [...sources, 'package.json', 'tsconfig.json', 'tsconfig.build.json'].every(
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
