import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

const PAGE = read('docs/owasp.md');
const NAMED = [...PAGE.matchAll(/`(test\/[\w/.-]+)`: “([^”]*)”/g)].map(([, file = '', name = '']) => ({ file, name }));

it.each(NAMED)('docs/owasp.md names a test that is there: $file, $name', ({ file, name }) => {
  expect(name.length).toBeGreaterThan(5);
  expect(read(file)).toContain(name);
});

it('docs/owasp.md has a test for each of its rows', () => {
  const rows = PAGE.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| item'));
  expect(rows.length).toBeGreaterThan(25);
  for (const row of rows) expect(row).toMatch(/`test\/[\w/.-]+`: “/);
  expect(NAMED.length).toBeGreaterThanOrEqual(rows.length);
});
