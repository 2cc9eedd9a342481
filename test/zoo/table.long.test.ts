// The table of docs/servers.md: what each server of the zoo was found to be. Under CI it is compared, elsewhere written.
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Answer } from '../support/outside-client.js';
import { sha256 } from '../support/outside-client.js';
import { isRoot } from '../support/zoo-kinds.js';
import type { ZooServer } from '../support/zoo-servers.js';
import { SERVERS } from '../support/zoo-servers.js';
import { merges, upload, withStage } from '../support/zoo-stage.js';

const PAGE = fileURLToPath(new URL('../../docs/servers.md', import.meta.url));
const BEGIN = '<!-- Found by test/zoo/table.long.test.ts: begin -->\n';
const END = '<!-- end -->';
const isWhole = SERVERS.every((server) => isRoot || server.needsRoot !== true);

interface Found {
  readonly host: Answer | undefined;
  /** How an upload of a few bytes with a hash to prove ended. */
  readonly ending: Answer | undefined;
}

describe.runIf(isWhole)(isWhole ? 'docs/servers.md' : 'docs/servers.md (not compared: some servers need root)', () => {
  const found = new Map<ZooServer, Found>();

  beforeAll(async () => {
    for (const server of SERVERS) {
      await withStage(server, { strategy: 'auto' }, async (stage) => {
        const [host] = await stage.ann.hosts();
        const bytes = randomBytes(100);
        found.set(server, { host, ending: await upload(stage, stage.ref('film'), bytes, { digest: sha256(bytes) }) });
      });
    }
  });

  it.each(SERVERS)('$name gets from auto what this suite says', (server) => {
    const strategy = server.auto === undefined ? null : merges(server.auto);
    expect(found.get(server)).toMatchObject({
      host: { reachable: true, strategy },
      ending: strategy === null ? { code: server.refusal } : { phase: 'DONE', strategy, proved: server.proved },
    });
  });

  it('says what was found', () => {
    const page = readFileSync(PAGE, 'utf8');
    const [before, , after] = parts(page);
    const current = `${before}${BEGIN}${table(found)}${END}${after}`;
    if (process.env['CI'] === 'true') expect(page).toBe(current);
    else writeFileSync(PAGE, current);
  });
});

/** Before, between and after the marks. */
function parts(page: string): readonly [string, string, string] {
  const [before, rest] = page.split(BEGIN);
  const [between, after] = rest?.split(END) ?? [];
  if (before === undefined || between === undefined || after === undefined) throw new Error(`${PAGE} has lost its marks`);
  return [before, between, after];
}

function table(found: ReadonlyMap<ZooServer, Found>): string {
  const rows = [...found].map(([server, { host, ending }]) => [
    server.name,
    (host?.['capabilities'] as readonly string[]).map((capability) => `\`${capability}\``).join(' '),
    toldStrategy(host?.['strategy']),
    server.strategies.filter((strategy) => strategy !== server.auto).join(', '),
    ending?.['phase'] === 'DONE' ? (ending['proved'] === true ? 'yes' : 'no') : `\`${String(ending?.['code'])}\``,
    server.remark,
  ]);
  const head = [['server', 'capabilities', '`auto`', 'also', 'proved', 'remarks'], Array<string>(6).fill('---')];
  return [...head, ...rows].map((cells) => `| ${cells.map((cell) => cell || '–').join(' | ')} |\n`).join('');
}

function toldStrategy(strategy: unknown): string {
  return typeof strategy === 'string' ? strategy.toLowerCase().replace('_', '-') : 'none';
}
