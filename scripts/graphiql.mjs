// Makes graphiql/ of a build: GraphiQL as files that the gateway sends as they are, so that it never has those megabytes in memory. Each name
// carries a hash of its content, for caches; each file that is worth it is there as Brotli and gzip, too. The page is src/http/graphiql.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { compressFile } from './compress.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = `${root}src/http/graphiql/`;
const read = (name) => readFileSync(source + name, 'utf8');

/** Which of the examples' contents each example is about; the others need no variables. */
const ABOUT = {
  Begin: 'empty',
  Look: 'empty',
  Merge: 'empty',
  Watch: 'empty',
  Greet: 'greeting',
  Missing: 'greeting',
  Abort: 'greeting',
};

/** Resolves when everything is written. */
export async function buildGraphiql(made) {
  const target = `${made}graphiql/`;
  const { js, css, editorWorkerService, jsonWorker, graphqlWorker } = await import('@graphql-yoga/render-graphiql/graphiql');
  const write = (name, text) => writePart(target, name, text);
  mkdirSync(target, { recursive: true });
  const [graphiqlJs, graphiqlCss, pageCss, editor, json, graphql] = await Promise.all([
    write('graphiql.js', js),
    write('graphiql.css', css),
    write('page.css', read('page.css')),
    write('editor-worker.js', editorWorkerService),
    write('json-worker.js', jsonWorker),
    write('graphql-worker.js', graphqlWorker),
  ]);
  const content = { schema: introspect(), tabs: readTabs(), workers: { editorWorkerService: editor, json, graphql } };
  const pageJs = await write('page.js', `const CONTENT = ${JSON.stringify(content)};\n${transpile(read('page.ts'))}`);
  const addresses = { 'graphiql.js': graphiqlJs, 'graphiql.css': graphiqlCss, 'page.css': pageCss, 'page.js': pageJs };
  writeFileSync(
    `${target}index.html`,
    read('index.html').replaceAll(/\{\{(.+?)\}\}/g, (_, name) => addresses[name]),
  );
}

/** Writes a part under a name of its own, and resolves with its address relative to the page. */
async function writePart(target, name, text) {
  const bytes = Buffer.from(text);
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
  const own = name.replace('.', `-${hash}.`);
  writeFileSync(target + own, bytes);
  await compressFile(target + own);
  return `graphiql/${own}`;
}

function readTabs() {
  const variables = JSON.parse(read('examples/variables.json'));
  const names = readdirSync(`${source}examples`).filter((name) => name.endsWith('.graphql'));
  return names.toSorted().map((name) => {
    const query = read(`examples/${name}`);
    const about = ABOUT[/^(?:query|mutation|subscription) (\w+)/m.exec(query)[1]];
    return { query, variables: about === undefined ? null : JSON.stringify(variables[about], null, 2), headers: null };
  });
}

/** What a server would answer to GraphiQL. */
function introspect() {
  const { buildSchema, introspectionFromSchema } = createRequire(import.meta.url)('graphql');
  const schema = buildSchema(readFileSync(`${root}schema.graphql`, 'utf8'));
  return introspectionFromSchema(schema, { descriptions: true, schemaDescription: true, inputValueDeprecation: true });
}

/** Takes the types out; `npm run check` has looked at them. */
function transpile(text) {
  const ts = createRequire(import.meta.url)('typescript');
  return ts.transpileModule(text, { compilerOptions: { target: ts.ScriptTarget.ES2022 } }).outputText;
}
