import { describe, expect, it } from 'vitest';
import type { Caller, DirInfo, UploadStatusInput, UploadsInput } from '../../src/core/answers.js';
import { InputError } from '../../src/core/problems.js';
import { ANYONE, FILE, PREFLIGHT, ask, codeOf, longshoreWith, memoryLog, query, serve } from './support.js';

const STATUS =
  'query($file: FileRef!, $size: ByteCount!) { uploadStatus(file: $file, size: $size) { __typename ... on Problem { code } ... on UploadReady { claimedUntil chunkCount } } }';

describe('answers', () => {
  it('come from core, with times in ISO 8601 and bytes beyond 2 GiB as numbers', async () => {
    const hosts = [
      { id: 'local', name: 'Local', roots: ['/'], reachable: true, capabilities: ['SPACE'], freeBytes: 5e12 },
    ] as const;
    const ready = { kind: 'UploadReady', claimedUntil: 1_000, chunkSize: 65_536, chunkCount: 3 } as const;
    const server = await serve(longshoreWith({ hosts: async () => hosts, uploadStatus: async () => ready }));
    expect((await query(server, '{ hosts { id strategy capabilities freeBytes } }')).json.data).toEqual({
      hosts: [{ id: 'local', strategy: null, capabilities: ['SPACE'], freeBytes: 5e12 }],
    });
    expect((await query(server, STATUS, { file: FILE, size: 3e12 })).json.data).toEqual({
      uploadStatus: { __typename: 'UploadReady', claimedUntil: '1970-01-01T00:00:01.000Z', chunkCount: 3 },
    });
  });

  it('tell a problem by its interface, in a union and inside a field', async () => {
    const problem = {
      kind: 'TryAgainLater',
      code: 'HOST_UNREACHABLE',
      message: 'm',
      retryable: true,
      retryAfterMs: 5,
    } as const;
    const server = await serve(longshoreWith({ uploads: async () => ({ items: [], problems: [problem] }) }));
    const { json } = await query(
      server,
      '{ uploads { nextAfter problems { __typename code ... on TryAgainLater { retryAfterMs } } } }',
    );
    expect(json.data).toEqual({
      uploads: { nextAfter: null, problems: [{ __typename: 'TryAgainLater', code: 'HOST_UNREACHABLE', retryAfterMs: 5 }] },
    });
  });

  it('give core the defaults, and undefined for what was left out or null', async () => {
    const seen: { status?: UploadStatusInput; uploads?: UploadsInput; callers: Caller[] } = { callers: [] };
    const server = await serve(
      longshoreWith({
        uploadStatus: async (caller, input) => {
          seen.status = input;
          seen.callers.push(caller);
          return { kind: 'UploadReady', claimedUntil: 0, chunkSize: 1, chunkCount: 1 };
        },
        uploads: async (_caller, input) => {
          seen.uploads = input;
          return { items: [], problems: [] };
        },
      }),
    );
    const status =
      'query($file: FileRef!) { uploadStatus(file: $file, size: 1, chunkSize: null, ifMatch: null) { __typename } }';
    await query(server, status, { file: FILE });
    await query(server, '{ uploads { nextAfter } }');
    expect(seen.status).toStrictEqual({
      file: expect.objectContaining(FILE) as unknown,
      size: 1,
      ifExists: 'ASK',
      takeOver: false,
    });
    expect(seen.uploads).toStrictEqual({ first: 100 });
    expect(seen.callers).toMatchObject([ANYONE]);
  });

  it('page stored chunks within bounds', async () => {
    const dirInfo: DirInfo = {
      kind: 'DirInfo',
      ...{ name: 'n', dir: 'd', dirHashCode: 'h', size: 1, chunkSize: 1, chunkCount: 1, uploadedBytes: 1, uploadedCount: 1 },
      ...{ chunkList: [1], missing: [] },
      strategy: 'IN_PLACE',
      chunks: ({ first, after }) => [{ index: first + after, digest: '' }],
    };
    const server = await serve(longshoreWith({ dirInfo: async () => dirInfo }));
    const chunks = (args: string): Promise<Awaited<ReturnType<typeof query>>> =>
      query(server, `query($file: FileRef!) { dirInfo(file: $file) { ... on DirInfo { chunks${args} { index } } } }`, {
        file: FILE,
      });
    expect((await chunks('')).json.data).toEqual({ dirInfo: { chunks: [{ index: 1000 }] } });
    expect((await chunks('(first: 10000, after: 7)')).json.data).toEqual({ dirInfo: { chunks: [{ index: 10_007 }] } });
    for (const [args, argument] of [
      ['(first: 0)', 'first'],
      ['(first: 10001)', 'first'],
      ['(after: -1)', 'after'],
    ] as const) {
      expect((await chunks(args)).json.errors?.[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', argument });
    }
  });
});

describe('errors', () => {
  it.each([
    ['of core', STATUS, { file: FILE, size: 1 }, 'file', 200],
    ['in a variable', STATUS, { file: FILE, size: -1 }, 'size', 400],
    ['inside a variable', STATUS, { file: { hostId: 'h' }, size: 1 }, 'file', 400],
    ['of a missing variable', STATUS, { file: FILE }, 'size', 400],
    [
      'in a literal',
      '{ uploadStatus(file: { hostId: "h", fullPath: "p", hashCode: "c" }, size: -1) { __typename } }',
      {},
      'size',
      400,
    ],
    ['of null for a default', 'query($n: Int = 1) { uploads(first: $n) { nextAfter } }', { n: null }, 'first', 200],
  ])('about input %s are BAD_USER_INPUT and name the argument', async (_where, text, variables, argument, status) => {
    const server = await serve(
      longshoreWith({ uploadStatus: () => Promise.reject(new InputError('file', 'the file is wrong')) }),
    );
    const answer = await query(server, text, variables, { accept: 'application/graphql-response+json' });
    expect(answer.json.errors?.[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', argument });
    expect(answer.status).toBe(status);
  });

  it('of syntax and validation keep the codes of GraphQL', async () => {
    const server = await serve(longshoreWith());
    expect(codeOf(await query(server, '{ hosts {'))).toBe('GRAPHQL_PARSE_FAILED');
    expect(codeOf(await query(server, '{ nothing }'))).toBe('GRAPHQL_VALIDATION_FAILED');
    expect(codeOf(await query(server, '{ uploads(first: 99999999999) { nextAfter } }'))).toBe('GRAPHQL_VALIDATION_FAILED');
  });

  it('nobody expected are masked, under an id that the log has too', async () => {
    const log = memoryLog();
    const secret = new Error('the password is swordfish');
    const server = await serve(longshoreWith({ hosts: () => Promise.reject(secret) }), { log });
    const answer = await query(server, '{ hosts { id } }');
    const { code, id } = answer.json.errors?.[0]?.extensions ?? {};
    expect(code).toBe('INTERNAL_SERVER_ERROR');
    expect(answer.text).not.toContain('swordfish');
    expect(log.lines).toEqual([
      { level: 'error', fields: { requestId: id, err: secret, path: 'hosts' }, event: 'unexpected error' },
    ]);
  });

  it('about what core returned are ours, not the client’s', async () => {
    const hosts = [{ id: 'h', name: 'n', roots: [], reachable: true, capabilities: [], freeBytes: -1 }];
    const server = await serve(longshoreWith({ hosts: async () => hosts }));
    expect(codeOf(await query(server, '{ hosts { freeBytes } }'))).toBe('INTERNAL_SERVER_ERROR');
  });
});

describe('a body without a file', () => {
  it('is refused beyond 256 KiB, whether it says so or not', async () => {
    const server = await serve(longshoreWith());
    const body = JSON.stringify({ query: '{ hosts { id } }', variables: { filler: 'x'.repeat(256 * 1024) } });
    const json = { 'content-type': 'application/json' };
    const declared = await ask(server, { headers: json, body });
    expect([declared.status, codeOf(declared)]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    const chunked = await ask(server, { headers: { ...json, 'transfer-encoding': 'chunked' }, body });
    expect([chunked.status, codeOf(chunked)]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
  });

  it('may be a form, with the header', async () => {
    const server = await serve(longshoreWith());
    const form = { 'content-type': 'application/x-www-form-urlencoded', ...PREFLIGHT };
    expect((await ask(server, { headers: form, body: 'query={hosts{id}}' })).json.data).toEqual({ hosts: [] });
  });
});
