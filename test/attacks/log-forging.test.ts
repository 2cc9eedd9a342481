// Names that are meant to make the log lie: line breaks, terminal commands, characters that turn the line around.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { AuditEvent } from '../../src/core/ports.js';
import { visible } from '../../src/system.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import { startGatewayProcess } from '../support/gateway-process.js';

/** Whatever a terminal obeys or hides, JSON's own line feed apart. */
const DANGEROUS = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

const NAMES = [
  'line\nbreak","audit":{"result":"done"}',
  'line\r\nbreak',
  'clear\u001b[2J\u001b[1;1Hscreen',
  'c1\u009b31mred',
  'bidi\u202egpj.exe',
  'isolate\u2066x\u2069',
  'zero\u200bwidth\ufeff',
  'tags\u{e0041}\u{e007f}',
  'separators\u2028x\u2029',
  'delete\u007f',
];

/** As it is built. */
const SYSTEM = new URL('../../dist/system.js', import.meta.url).href;

let directory: string;
let gateway: GatewayProcess;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'longshore-log-'));
  gateway = await startGatewayProcess({ directory });
});
afterAll(async () => {
  await gateway.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function ask(fullPath: string, headers: Readonly<Record<string, string>> = {}) {
  const query = 'query ($file: FileRef!) { uploadStatus(file: $file, size: 1) { __typename ... on Problem { code message } } }';
  const variables = { file: { hostId: 'local', fullPath, hashCode: 'quick' } };
  const response = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query, variables }),
  });
  await response.text();
  return response;
}

const audits = () =>
  gateway.log().flatMap((line) => ((JSON.parse(line) as { audit?: AuditEvent }).audit ?? []) as AuditEvent[]);
const auditsOf = (fullPath: string) => audits().filter((event) => event.fullPath === fullPath);

describe('forging the log', () => {
  it.each(NAMES.map((name) => [JSON.stringify(name), `/${name}`]))('by a file named %s', async (_, fullPath) => {
    await ask(fullPath);
    await vi.waitFor(() => expect(auditsOf(fullPath)).toHaveLength(1));
    // The name is there to the letter, and every line is what we wrote and can be shown.
    for (const line of gateway.log()) {
      expect(line).not.toMatch(DANGEROUS);
      expect(JSON.parse(line)).toMatchObject({ level: expect.any(Number), time: expect.any(Number), msg: expect.any(String) });
    }
  });

  it('leaves who, what, where, the result and the request', async () => {
    const response = await ask('/seen.bin', { 'x-person-id': 'ann' });
    await vi.waitFor(() => expect(auditsOf('/seen.bin')).toHaveLength(1));
    expect(auditsOf('/seen.bin')).toEqual([
      {
        action: 'uploadStatus',
        result: 'done',
        person: 'ann',
        requestId: response.headers.get('x-request-id'),
        address: '127.0.0.1',
        hostId: 'local',
        fullPath: '/seen.bin',
        hashCode: 'quick',
        details: { sizeBytes: 1, ifExists: 'ASK', answer: 'UploadReady' },
      },
    ]);
  });

  it.each([
    ['error', 1],
    ['silent', 0],
  ])('is audited at the level %s, too: %i line', (level, lines) => {
    const program = `import { createAudit } from ${JSON.stringify(SYSTEM)}; createAudit('${level}').record({ action: 'x', result: 'done' });`;
    const { stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' });
    expect(stderr.split('\n').filter((line) => line.includes('"audit":{"action":"x","result":"done"}'))).toHaveLength(lines);
  });

  it('by a person with such a name is refused, and told', async () => {
    const response = await ask('/unseen.bin', { 'x-person-id': Buffer.from('ann\u009b').toString('latin1') });
    expect(response.status).toBe(401);
    const requestId = response.headers.get('x-request-id');
    await vi.waitFor(() =>
      expect(audits().find((event) => event.requestId === requestId)).toMatchObject({ result: 'UNAUTHENTICATED' }),
    );
    expect(auditsOf('/unseen.bin')).toEqual([]);
  });

  it('is not possible with any character that can not be seen', () => {
    for (let code = 0; code <= 0x10ffff; code += code < 0x3000 || code > 0xdfff ? 1 : 7) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const text = String.fromCodePoint(code);
      const line = visible(JSON.stringify({ text }));
      expect(line).not.toMatch(DANGEROUS);
      if (JSON.parse(line).text !== text) throw new Error(`${code.toString(16)} was lost`);
    }
  });
});
