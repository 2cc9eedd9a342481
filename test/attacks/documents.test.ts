import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Kind, getIntrospectionQuery, parse, print, visit } from 'graphql';
import { describe, expect, it } from 'vitest';
import * as operations from '../../src/client/operations.js';
import { audited } from '../../src/core/audit.js';
import type { AuditEvent } from '../../src/core/ports.js';
import { DOCUMENT_LIMITS, checkDocument, checkText, checkVariables, documentCaches } from '../../src/graphql/documents.js';
import type { RunningServer } from '../../src/http/server.js';
import { visible } from '../../src/system.js';
import type { Answer } from '../http/support.js';
import { codeOf, longshoreWith, query, serve } from '../http/support.js';
import { BOMBS, HARD_NUTS } from '../support/bombs.js';

/** What is promised is 20 ms for a refusal and 50 ms for everybody else: `npm run bench -- bombs` measures that. Here the machine is shared. */
const REFUSAL_MAX_MS = 100;
const DELAY_MAX_MS = 250;

/** A first request loads and compiles what all others have ready. Calls are audited, in lines as the log has them. */
async function warm(lines: string[] = []): Promise<RunningServer> {
  const audit = { record: (event: AuditEvent) => void lines.push(visible(JSON.stringify(event))) };
  const server = await serve(audited(longshoreWith(), audit), { audit });
  await query(server, '{ hosts { id } }');
  return server;
}

/** Of three: what is measured is our work, not that of the test beside us. */
async function quickest(ask: (n: number) => Promise<Answer>): Promise<{ readonly answer: Answer; readonly tookMs: number }> {
  const times: number[] = [];
  let answer: Answer | undefined;
  for (let n = 0; n < 3; n += 1) {
    const beganAt = performance.now();
    answer = await ask(n);
    times.push(performance.now() - beganAt);
  }
  if (answer === undefined) throw new Error('it was asked three times');
  return { answer, tookMs: Math.min(...times) };
}

describe('a document that asks for too much', () => {
  it.each(Object.entries(BOMBS))('is refused early, with one code: %s', async (_name, { query: text, variables }) => {
    const server = await warm();
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const { answer, tookMs } = await quickest(() => query(server, text, variables));
    delay.disable();
    expect([answer.status, codeOf(answer)]).toEqual([400, 'QUERY_TOO_COMPLEX']);
    expect(answer.json.errors?.[0]?.message).toMatch(/^A document may have at most \d+ /);
    expect(tookMs).toBeLessThan(REFUSAL_MAX_MS);
    expect(delay.percentile(99) / 1e6).toBeLessThan(DELAY_MAX_MS);
  });

  it.each(Object.entries(HARD_NUTS))('within the limits costs little: %s', async (_name, { query: text, variables }) => {
    const server = await warm();
    const { answer, tookMs } = await quickest((n) => query(server, `${text} #${n}`, variables));
    expect(tookMs).toBeLessThan(REFUSAL_MAX_MS);
    expect(answer.status).toBeLessThan(500);
    expect(codeOf(answer)).not.toBe('QUERY_TOO_COMPLEX');
    expect(answer.text.length).toBeLessThan(64 * 1024);
  });

  it('makes no more of the audit than its calls may say', async () => {
    const lines: string[] = [];
    const server = await warm(lines);
    const { query: text, variables } = HARD_NUTS['twenty calls for a path of 65 000 bidirectional overrides'] ?? { query: '' };
    await query(server, text, variables);
    const calls = lines.filter((line) => line.includes('"dirInfo"'));
    expect(calls.length).toBe(20);
    expect(calls.join('').length).toBeLessThan(20 * 32 * 1_024);
  });

  it('is told the first of its faults, and not a hundred', async () => {
    const server = await warm();
    const answer = await query(server, `{ hosts { ${Array.from({ length: 900 }, (_, n) => `x${n}`).join(' ')} } }`);
    expect(answer.json.errors?.length).toBeLessThan(25);
  });

  it('is told of a wrong value without all of it', async () => {
    const server = await warm();
    const answer = await query(server, 'query($first: Int!) { uploads(first: $first) { nextAfter } }', {
      first: 'x'.repeat(60_000),
    });
    expect([codeOf(answer), answer.text.length < 2_000]).toEqual(['BAD_USER_INPUT', true]);
  });

  it('is told of many wrong values that they are too many', async () => {
    const server = await warm();
    const file = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`x${n}`, 1]));
    const answer = await query(server, 'query($file: FileRef!) { dirInfo(file: $file) { __typename } }', { file });
    expect([answer.status, codeOf(answer)]).toEqual([400, 'BAD_USER_INPUT']);
  });
});

describe('what clients of ours ask', () => {
  const own = Object.entries(operations).filter(([, value]) => typeof value === 'string');

  it('is far within the limits: all of the SDK’s operations pass in one document', () => {
    expect(own.length).toBeGreaterThan(7);
    const text = own
      .map(([name, operation]) => operation.replace(/(query|mutation|subscription)( \w+)?/, `$1 ${name}`))
      .join('\n');
    checkText(text);
    checkDocument(parse(text));
  });

  it('is far within the limits: the introspection of tools passes three times over', async () => {
    const everything = {
      schemaDescription: true,
      specifiedByUrl: true,
      directiveIsRepeatable: true,
      inputValueDeprecation: true,
    };
    const text = ['A', 'B', 'C'].map((mark) => renamed(getIntrospectionQuery(everything), mark)).join('\n');
    checkText(text);
    checkDocument(parse(text));
    const server = await warm();
    expect((await query(server, getIntrospectionQuery(everything))).json.data?.['__schema']).toBeDefined();
  });
});

describe('who may not ask for the schema', () => {
  const secret = { introspection: false };
  const ask = async (text: string, variables?: object): Promise<Answer> =>
    query(await serve(longshoreWith(), secret), text, variables);

  it.each([
    '{ __schema { types { name } } }',
    '{ __type(name: "Host") { name } }',
    '{ ...f } fragment f on Query { a: __schema { types { name } } }',
  ])('is not answered %s', async (text) => {
    const answer = await ask(text);
    expect(codeOf(answer)).toBe('GRAPHQL_VALIDATION_FAILED');
    expect(answer.json.data).toBeUndefined();
  });

  it('still gets the names of the types it selects from', async () => {
    expect((await ask('{ __typename hosts { __typename } }')).json.data).toEqual({ __typename: 'Query', hosts: [] });
  });

  it.each([
    ['a field', '{ hostz { id } }', {}],
    ['an argument', '{ uploads(frist: 1) { nextAfter } }', {}],
    ['a type', '{ hosts { ... on Hoost { id } } }', {}],
    [
      'a literal of an enum',
      '{ uploadStatus(file: { hostId: "h", fullPath: "p", hashCode: "c" }, size: 1, ifExists: ASKK) { __typename } }',
      {},
    ],
    ['a field of a literal', '{ dirInfo(file: { hostIdd: "h", fullPath: "p", hashCode: "c" }) { __typename } }', {}],
    ['a field of a variable', 'query($file: FileRef!) { dirInfo(file: $file) { __typename } }', { file: { hostIdd: 'h' } }],
    [
      'a variable of an enum',
      'query($file: FileRef!, $if: IfExists!) { uploadStatus(file: $file, size: 1, ifExists: $if) { __typename } }',
      { file: { hostId: 'h', fullPath: 'p', hashCode: 'c' }, if: 'ASKK' },
    ],
  ])('gets no hint at a name it mistyped: %s', async (_what, text, variables) => {
    const hinting = await query(await serve(longshoreWith()), text, variables);
    expect(hinting.text).toContain('Did you mean');
    const answer = await ask(text, variables);
    expect(answer.json.errors?.length).toBeGreaterThan(0);
    expect(answer.text).not.toContain('Did you mean');
  });
});

it('documents that were seen are kept, but no more than twenty thousand tokens of them, and none that is broken', () => {
  const { documentCache, errorCache } = documentCaches();
  // With the beginning and the end that the parser counts as tokens, too.
  const document = parse(`{ hosts { ${'id '.repeat(93)} } }`);
  for (let n = 0; n < 1_000; n += 1) documentCache.set(`document ${n % 500}`, document);
  const kept = Array.from({ length: 500 }, (_, n) => documentCache.get(`document ${n}`)).filter(Boolean);
  expect(kept.length).toBe(200);
  expect(documentCache.get('document 499')).toBe(document);
  errorCache.set();
  expect(errorCache.get()).toBeUndefined();
});

const PHRASES: Readonly<Record<keyof typeof DOCUMENT_LIMITS, string>> = {
  letters: 'letters',
  tokens: 'tokens',
  nesting: 'brackets inside one another',
  operations: 'operations',
  fragments: 'fragments',
  spreads: 'uses of fragments',
  directives: 'directives',
  aliases: 'aliases',
  depth: 'fields inside one another',
  fields: 'fields',
  rootFields: 'fields at the top',
  sameName: 'selections of the same name',
  repeatedSelections: 'repeated fields with selections',
  values: 'values in its variables',
  variableLetters: 'letters in its variables',
};

it('every limit refuses at least one of the bombs', () => {
  const refusals = Object.values(BOMBS).map(({ query: text, variables }) => {
    try {
      checkVariables(variables);
      checkText(text);
      checkDocument(parse(text));
      return 'none';
    } catch (error) {
      return String(error);
    }
  });
  for (const [limit, words] of Object.entries(PHRASES)) {
    const phrase = ` at most ${DOCUMENT_LIMITS[limit as keyof typeof PHRASES]} ${words}.`;
    expect(refusals.filter((refusal) => refusal.includes(phrase)).length, phrase).toBeGreaterThan(0);
  }
});

/** The document with other names for its operation and fragments, so that it can stand beside itself. */
function renamed(text: string, mark: string): string {
  return print(
    visit(parse(text), {
      Name: (node, _key, parent) =>
        parent !== undefined &&
        'kind' in parent &&
        [Kind.OPERATION_DEFINITION, Kind.FRAGMENT_DEFINITION, Kind.FRAGMENT_SPREAD].includes(
          parent.kind as Kind.FRAGMENT_SPREAD,
        )
          ? { ...node, value: node.value + mark }
          : undefined,
    }),
  );
}
