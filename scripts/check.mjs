// `npm run check`: everything that can be judged without running the product. Runs every step even when one fails, prints one
// line for each, and what a step had to say only when it failed. Changes no file.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);

const STEPS = [
  {
    name: 'generated GraphQL types are current',
    run: [program('@graphql-codegen/cli', 'graphql-codegen'), '--config', 'codegen.ts', '--check'],
  },
  { name: 'configuration docs are current', run: ['--import', 'tsx', 'scripts/config-docs.mjs', '--check'] },
  { name: 'types', run: [program('typescript', 'tsc'), '--noEmit'] },
  { name: 'types in browsers', run: [program('typescript', 'tsc'), '--noEmit', '-p', 'src/client/browser'] },
  { name: 'types of the GraphiQL page', run: [program('typescript', 'tsc'), '--noEmit', '-p', 'src/http/graphiql'] },
  { name: 'types of the upload page', run: [program('typescript', 'tsc'), '--noEmit', '-p', 'src/web'] },
  { name: 'types of test pages', run: [program('typescript', 'tsc'), '--noEmit', '-p', 'test/client/page'] },
  { name: 'types of the examples', run: [program('typescript', 'tsc'), '--noEmit', '-p', 'examples'] },
  { name: 'types of the SDK’s page', run: [program('typescript', 'tsc'), '--noEmit', '-p', 'examples/sdk'] },
  { name: 'types of the SDK’s scripts', run: [program('typescript', 'tsc'), '--noEmit', '-p', 'examples/sdk/node'] },
  { name: 'lint', run: [program('eslint', 'eslint'), '.', '--max-warnings', '0'] },
  { name: 'format', run: [program('prettier', 'prettier'), '--check', '--log-level', 'warn', '.'] },
  { name: 'layer rules', run: [program('dependency-cruiser', 'depcruise'), '--config', '.dependency-cruiser.cjs', 'src'] },
  { name: 'tests that documents name', run: ['scripts/behaviour.mjs'] },
];

let failed = 0;
for (const { name, run } of STEPS) {
  const began = performance.now();
  const { status, output } = await execute(run);
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`);
  if (status === 0) continue;
  failed += 1;
  console.log(output.trimEnd().replace(/^/gm, '       '));
}
console.log(failed === 0 ? `all ${STEPS.length} checks passed` : `${failed} of ${STEPS.length} checks failed`);
process.exit(failed === 0 ? 0 : 1);

/** Runs Node with the arguments and gathers what it says on both streams. */
function execute(args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const gather = (text) => (output += text);
    child.stdout.setEncoding('utf8').on('data', gather);
    child.stderr.setEncoding('utf8').on('data', gather);
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, output }));
  });
}

/** The script behind a package's command: started directly, it works on every platform and without npx. */
function program(packageName, command) {
  const file = findManifest(packageName);
  const { bin } = require(file);
  return join(dirname(file), typeof bin === 'string' ? bin : bin[command]);
}

/** Not by `require.resolve`: a package's exports may hide its package.json. */
function findManifest(packageName) {
  return join(root, 'node_modules', packageName, 'package.json');
}
