// The clients' pages show the examples' own lines, and link to what is there.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

describe.each(['apollo', 'urql', 'node', 'curl', 'sdk'])('the page for %s', (name) => {
  const page = read(`docs/clients/${name}.md`);

  it('shows code that is in the example, to the letter', () => {
    const paths = readdirSync(new URL(`examples/${name}`, root), { recursive: true, encoding: 'utf8' });
    const sources = paths.filter((path) => /\.(ts|tsx|mjs|sh)$/.test(path)).map((path) => read(`examples/${name}/${path}`));
    const blocks = [...page.matchAll(/^```(?:ts|tsx|js|sh)\n(.*?)^```$/gms)].map(([, block = '']) => block);
    // Commands to type are no part of an example.
    const shown = blocks.filter((block) => !/^(npm|npx|node|sh) /.test(block));
    expect(shown).not.toEqual([]);
    for (const block of shown)
      expect(
        sources.some((source) => source.includes(block)),
        block,
      ).toBe(true);
  });

  it('links to files that are there', () => {
    const links = [...page.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(
      ([, link = '']) => new URL(link, new URL('docs/clients/', root)),
    );
    expect(links.map(String).filter((url) => !existsSync(new URL(url)))).toEqual([]);
  });
});
