import { describe, expect, it } from 'vitest';
import {
  chunkFileName,
  isGivenUpDirectory,
  isManifestOf,
  isOurs,
  isUploadDirectory,
  parseChunkFileName,
  parseIntent,
  parseManifest,
  parseMergeRequest,
} from '../../src/assembly/manifest.js';
import { identify } from '../../src/core/file-ref.js';
import { ProblemError } from '../../src/core/problems.js';
import type { RemotePath } from '../../src/core/remote-path.js';
import { realHashing } from '../support/real-hashing.js';

const NONCE = '0123456789abcdef';
const KEY = NONCE + NONCE;

describe('names in a staging directory', () => {
  it.each([
    'manifest.json',
    'merge.json',
    'intent.json',
    'data',
    'received',
    `manifest.json.${NONCE}`,
    `merge.json.${NONCE}`,
    `intent.json.${NONCE}`,
    `c.1.65536.${KEY}${KEY}`,
    `c.100000.1.${KEY}${KEY}`,
    `p.7.${NONCE}`,
    `out.${NONCE}`,
  ])('%s is ours', (name) => {
    expect(isOurs(name)).toBe(true);
  });

  it.each([
    '',
    'data ',
    'Data',
    'data.bak',
    'data\n',
    'xdata',
    'received2',
    'manifest.json~',
    'manifestxjson',
    'manifest.json.',
    `manifest.json.${NONCE}0`,
    `manifest.json.${NONCE.slice(1)}`,
    `manifest.json.${NONCE.toUpperCase()}`,
    `data.${NONCE}`,
    `c.0.65536.${KEY}${KEY}`,
    `c.01.65536.${KEY}${KEY}`,
    `c.1.65536.${KEY}`,
    `c.1.65536.${KEY}${KEY}.part`,
    `c.1000000.65536.${KEY}${KEY}`,
    `p.7.${NONCE}0`,
    `p.${NONCE}`,
    'out.',
    `out.${KEY}`,
    'notes.json',
    '..',
    KEY,
  ])('%j is not ours', (name) => {
    expect(isOurs(name)).toBe(false);
  });

  it.each([
    [KEY, true],
    [`${KEY}0`, false],
    [KEY.slice(1), false],
    [KEY.toUpperCase(), false],
    [`${KEY}\n`, false],
    [`x.${NONCE}`, false],
  ])('%j is an upload’s directory: %s', (name, expected) => {
    expect(isUploadDirectory(name)).toBe(expected);
  });

  it.each([
    [`x.${NONCE}`, true],
    [`n.${NONCE}`, true],
    [`y.${NONCE}`, false],
    [`x.${NONCE}0`, false],
    ['x.', false],
    [KEY, false],
  ])('%j is a directory on its way in or out: %s', (name, expected) => {
    expect(isGivenUpDirectory(name)).toBe(expected);
  });
});

describe('a chunk file’s name', () => {
  const file = { index: 100_000, lengthBytes: 64 * 1024 * 1024, digest: KEY + KEY };

  it('says what the file is', () => {
    expect(parseChunkFileName(chunkFileName(file))).toEqual(file);
  });

  it.each(['data', `p.1.${NONCE}`, `c.1.1.${KEY}`, `c.-1.1.${KEY}${KEY}`, `c.1.1.${KEY}${KEY}\n`])('is not %j', (name) => {
    expect(parseChunkFileName(name)).toBeUndefined();
  });
});

const MANIFEST = {
  version: 1,
  hostId: 'h',
  path: '/srv/x',
  person: 'anna',
  hashCode: 'quick',
  size: 1_000,
  chunkSize: 65_536,
  layout: 'in-place',
  nonce: NONCE,
  beganAt: 1_800_000_000_000,
} as const;

const HOSTILE = [
  ['nothing', ''],
  ['no JSON', '{"version":1'],
  ['null', 'null'],
  ['a number', '1'],
  ['a text', '"manifest"'],
  ['a list', '[1,2,3]'],
  ['an empty object', '{}'],
] as const;

describe('a manifest', () => {
  it('is read as it was written', () => {
    expect(parseManifest(JSON.stringify(MANIFEST))).toEqual(MANIFEST);
  });

  it('may be of an empty file, and of the other layout', () => {
    const manifest = { ...MANIFEST, size: 0, layout: 'chunk-files' };
    expect(parseManifest(JSON.stringify(manifest))).toEqual(manifest);
  });

  it('loses what it has no place for', () => {
    expect(parseManifest(JSON.stringify({ ...MANIFEST, delete: '/etc' }))).toEqual(MANIFEST);
  });

  it.each(HOSTILE)('is not %s', (_, text) => {
    expect(parseManifest(text)).toBeUndefined();
  });

  it('gets nothing by way of the prototype', () => {
    expect(parseManifest(`{"__proto__":${JSON.stringify(MANIFEST)}}`)).toBeUndefined();
    expect(Object.keys(parseManifest(`{"__proto__":{"x":1},${JSON.stringify(MANIFEST).slice(1)}`) ?? {})).not.toContain('x');
  });

  it.each<[string, Record<string, unknown>]>([
    ['hostId', { hostId: 1 }],
    ['path', { path: null }],
    ['person', { person: ['anna'] }],
    ['hashCode', { hashCode: { toString: 'x' } }],
    ['size, negative', { size: -1 }],
    ['size, broken', { size: 1.5 }],
    ['size, as text', { size: '1000' }],
    ['size, beyond 2^53', { size: 2 ** 53 }],
    ['chunkSize, zero', { chunkSize: 0 }],
    ['chunkSize, zero, of an empty file', { size: 0, chunkSize: 0 }],
    ['chunkSize, missing', { chunkSize: undefined }],
    ['layout', { layout: 'other' }],
    ['nonce', { nonce: 'x' }],
    ['nonce, missing', { nonce: undefined }],
    ['nonce, too long', { nonce: `${NONCE}0` }],
    ['beganAt', { beganAt: '2026-01-01' }],
    ['version, as text', { version: '1' }],
    ['version, missing', { version: undefined }],
    // 2^53 chunks of a byte: a map of that size would take the process down.
    ['number of chunks', { size: Number.MAX_SAFE_INTEGER, chunkSize: 1 }],
    ['number of chunks, by one', { size: 100_001 * 65_536, chunkSize: 65_536 }],
  ])('has no wrong %s', (_, wrong) => {
    expect(parseManifest(JSON.stringify({ ...MANIFEST, ...wrong }))).toBeUndefined();
  });

  it('may have exactly 100 000 chunks', () => {
    expect(parseManifest(JSON.stringify({ ...MANIFEST, size: 100_000 * 65_536 }))).toBeDefined();
  });

  it('of another version is refused, whatever else it says', () => {
    expect(() => parseManifest('{"version":2}')).toThrow(ProblemError);
  });
});

describe('whose a manifest is', () => {
  const identity = identify(realHashing, { hostId: 'h', target: '/srv/x' as RemotePath, person: 'anna', hashCode: 'quick' });

  it('is the upload’s with the same parts', () => {
    expect(isManifestOf(MANIFEST, identity)).toBe(true);
  });

  it.each([{ hostId: 'i' }, { path: '/srv/y' }, { person: 'bert' }, { hashCode: 'slow' }])('is not with %j', (other) => {
    expect(isManifestOf({ ...MANIFEST, ...other }, identity)).toBe(false);
  });
});

describe('a merge request', () => {
  const request = { ifExists: 'REPLACE', ifMatch: 'etag', digest: { algorithm: 'md5', hex: '00' }, askedAt: 1 } as const;

  it.each([request, { ifExists: 'ASK', askedAt: 0 }])('is read as it was written: %j', (written) => {
    expect(parseMergeRequest(JSON.stringify(written))).toEqual(written);
  });

  it.each(HOSTILE)('is not %s', (_, text) => {
    expect(parseMergeRequest(text)).toBeUndefined();
  });

  it.each<Record<string, unknown>>([
    { ifExists: 'ALWAYS' },
    { ifExists: undefined },
    { ifMatch: 1 },
    { ifMatch: null },
    { digest: 'md5:00' },
    { digest: null },
    { digest: { algorithm: 'sha1', hex: '00' } },
    { digest: { algorithm: 'md5' } },
    { askedAt: '1' },
    { askedAt: -1 },
  ])('has no wrong part: %j', (wrong) => {
    expect(parseMergeRequest(JSON.stringify({ ...request, ...wrong }))).toBeUndefined();
  });
});

describe('an intent', () => {
  const intent = {
    output: 'data',
    ifExists: 'ASK',
    size: 5,
    modifiedAt: 1_800_000_000_000,
    verified: { proved: true, digest: { algorithm: 'sha256', hex: '00' } },
  } as const;

  it.each([intent, { ...intent, output: `out.${NONCE}` }, { ...intent, verified: { proved: false } }])(
    'is read as it was written: %j',
    (written) => {
      expect(parseIntent(JSON.stringify(written))).toEqual(written);
    },
  );

  it.each(HOSTILE)('is not %s', (_, text) => {
    expect(parseIntent(text)).toBeUndefined();
  });

  it.each<Record<string, unknown>>([
    { output: 'received' },
    { output: '../../etc/passwd' },
    { output: `out.${NONCE}/..` },
    { output: ['data'] },
    { ifExists: true },
    { size: -1 },
    { size: '5' },
    { modifiedAt: null },
  ])('has no wrong part: %j', (wrong) => {
    expect(parseIntent(JSON.stringify({ ...intent, ...wrong }))).toBeUndefined();
  });

  it.each([undefined, null, true, 'yes', { proved: 'true' }, { proved: 1 }])('proves nothing by %j', (verified) => {
    expect(parseIntent(JSON.stringify({ ...intent, verified }))?.verified).toEqual({ proved: false });
  });
});
