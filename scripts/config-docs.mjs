// Makes docs/longshore.schema.json (for editors) and docs/configuration.md (for people) from src/config/schema.ts.
// Run by tsx: `node --import tsx scripts/config-docs.mjs` writes them, with `--check` it only says which are out of date.
import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { fileSchema } from '../src/config/schema.ts';

const docs = new URL('../docs/', import.meta.url);
const schema = z.toJSONSchema(fileSchema, { io: 'input', target: 'draft-7' });

const outputs = {
  'longshore.schema.json': `${JSON.stringify({ ...withReferences(schema), title: 'Longshore configuration' }, null, 2)}\n`,
  'configuration.md': page(schema),
};
let isCurrent = true;
for (const [name, text] of Object.entries(outputs)) {
  const file = new URL(name, docs);
  if (!process.argv.includes('--check')) writeFileSync(file, text);
  else if (read(file) !== text) {
    isCurrent = false;
    console.error(`docs/${name} is out of date: node --import tsx scripts/config-docs.mjs`);
  }
}
process.exit(isCurrent ? 0 : 1);

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined; // Not written yet: out of date.
  }
}

/** An editor sees `${NAME}`, not its value, so that every text with a form of its own may also be one with a reference in it. */
function withReferences(node) {
  if (Array.isArray(node)) return node.map(withReferences);
  if (typeof node !== 'object' || node === null) return node;
  const { type, pattern, enum: values, format, minLength, ...rest } = node;
  if (type === 'string' && (pattern !== undefined || values !== undefined)) {
    const form = Object.fromEntries(
      Object.entries({ pattern, enum: values, format, minLength }).filter(([, value]) => value !== undefined),
    );
    return { ...rest, type, anyOf: [form, { pattern: String.raw`\$\{[A-Za-z_][A-Za-z0-9_]*\}` }] };
  }
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, withReferences(value)]));
}

function page(root) {
  return `# Configuration

One YAML file: what \`--config\` names, else \`LONGSHORE_CONFIG\`, else \`./longshore.yaml\`. Without one, everything has its default.
It is checked when the process starts; every problem is told with its key, and unknown keys are problems too.

- \`\${NAME}\` in a text takes the value of the environment variable \`NAME\`, which must be set; \`$\${NAME}\` is the text \`\${NAME}\`.
  Within \`{ }\` and \`[ ]\` put quotes around it.
- Sizes are bytes, or have a unit: \`B\`, \`KiB\`, \`MiB\`, \`GiB\`, \`TiB\`. Durations have one of \`ms\`, \`s\`, \`m\`, \`h\`, \`d\`.
- Paths of local files are relative to the configuration file's directory; without a file, to the working directory.
- The environment variables \`HOST\`, \`PORT\` and \`LOG_LEVEL\` go before \`listen.address\`, \`listen.port\` and \`logLevel\`.
- Editors complete and check the file with \`# yaml-language-server: $schema=…/docs/longshore.schema.json\` as its first line.

An example is [examples/longshore.yaml](../examples/longshore.yaml). This page is generated from \`src/config/schema.ts\`.

| key | default | meaning |
|---|---|---|
${rows(root, '').join('\n')}
`;
}

function rows(node, prefix) {
  const needed = new Set(node.required ?? []);
  return Object.entries(node.properties ?? {}).flatMap(([name, property]) => {
    const key = prefix + name;
    const inner = property.properties === undefined ? rows(property.items ?? {}, `${key}[].`) : rows(property, `${key}.`);
    return [`| \`${key}\` | ${fallback(property, needed.has(name))} | ${cell(meaning(property))} |`, ...inner];
  });
}

function fallback(property, isNeeded) {
  const value = property.default;
  if (isNeeded) return 'required';
  // Of a section or the list of hosts the description tells.
  if (value === undefined || (typeof value === 'object' && (!Array.isArray(value) || value.length > 0))) return '';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

function meaning({ description = '', enum: values }) {
  return values === undefined ? description : `One of ${values.map((value) => `\`${value}\``).join(', ')}. ${description}`;
}

function cell(text) {
  return text.replaceAll('|', String.raw`\|`);
}
