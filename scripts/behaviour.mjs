// Checks that each test that a document names exists, with exactly that title; and of docs/behaviour.md that no flaw is missing.
// The last cell of a row names tests as `file › title` (each in backticks, titles without their describe blocks), or says
// `planned: …` for what a later part of the design will show.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FLAWS = 27;
const root = fileURLToPath(new URL('..', import.meta.url));

const flaws = [];
const problems = [];
const lines = readFileSync(`${root}docs/behaviour.md`, 'utf8').split('\n');
for (const [at, line] of lines.entries()) {
  const row = /^\| *(B?)([0-9]+) *\|[^|]*\|[^|]*\| *([^|]*?) *\|$/.exec(line);
  if (row === null) {
    if (/^\| *B?[0-9]/.test(line)) problems.push(`line ${at + 1}: a row has four cells: number, behaviour, ours, test`);
    continue;
  }
  const [, kind, number, cell] = row;
  if (kind === '') flaws.push(Number(number));
  for (const flaw of flawsOf(cell)) problems.push(`line ${at + 1}, row ${kind}${number}: ${flaw}`);
}
for (let number = 1; number <= FLAWS; number += 1) {
  const count = flaws.filter((flaw) => flaw === number).length;
  if (count !== 1) problems.push(`flaw ${number} has ${count} rows`);
}
for (const at of problems.keys()) problems[at] = `docs/behaviour.md: ${problems[at]}`;

/** There tests are named anywhere, as `test/… › title`. */
for (const document of ['SECURITY.md']) {
  for (const [at, line] of readFileSync(`${root}${document}`, 'utf8').split('\n').entries()) {
    const cells = line.match(/`test\/[^`]* › [^`]*`/g) ?? [];
    for (const flaw of cells.flatMap((cell) => flawsOf(cell))) problems.push(`${document}: line ${at + 1}: ${flaw}`);
  }
}
for (const problem of problems) console.error(problem);
process.exit(problems.length === 0 ? 0 : 1);

/** What is wrong with a row's last cell. */
function flawsOf(cell) {
  const names = [...cell.matchAll(/`([^`]*)`/g)].map(([, name]) => name);
  if (names.length === 0) return /^planned: ./.test(cell) ? [] : ['names no test and is not planned'];
  return names.flatMap((name) => {
    const [file, title, ...rest] = name.split(' › ');
    if (title === undefined || rest.length > 0) return [`"${name}" is not of the form: file › title`];
    if (!existsSync(`${root}${file}`)) return [`there is no ${file}`];
    return hasTest(readFileSync(`${root}${file}`, 'utf8'), title) ? [] : [`${file} has no test "${title}"`];
  });
}

/** Whether a test has this title as plain text: `it('title'`, or after the table of an `.each`, `)('title'`. */
function hasTest(source, title) {
  const escaped = title.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll("'", String.raw`\\?'`);
  return new RegExp(`(?:\\b(?:it|test)(?:\\.\\w+)*|\\)|\`)\\(\\s*(['"\`])${escaped}\\1`).test(source);
}
