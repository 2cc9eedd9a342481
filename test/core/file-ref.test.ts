import { describe, expect, it } from 'vitest';
import {
  checkChunkDigest,
  claimedDigest,
  formatContentDigest,
  identify,
  parseContentDigest,
  parseFileRef,
} from '../../src/core/file-ref.js';
import { InputError } from '../../src/core/problems.js';
import type { RemotePath } from '../../src/core/remote-path.js';
import { problemOf } from '../support/problems.js';
import { realHashing } from '../support/real-hashing.js';
import { hostProfile } from '../support/sshd-host.js';

const SHA256 = 'a1'.repeat(32);
const MD5 = 'b2'.repeat(16);
const ACCESS = { profile: hostProfile('h', '/srv/media'), roots: ['/srv/media', '/data'] as RemotePath[] };

const identityOf = (hostId: string, target: string, person: string, hashCode: string) =>
  identify(realHashing, { hostId, target: target as RemotePath, person, hashCode });

describe('identity of an upload', () => {
  it('has keys of 32 hex characters, whatever its parts hold', () => {
    const { targetKey, uploadKey, id } = identityOf('hôst', '/ü/🚢', 'a\nb', '"');
    for (const key of [targetKey, uploadKey, id]) expect(key).toMatch(/^[0-9a-f]{32}$/);
  });

  it('is the same for the same parts', () => {
    expect(identityOf('h', '/a', 'p', 'c')).toEqual(identityOf('h', '/a', 'p', 'c'));
  });

  it.each([
    ['a host and a target', identityOf('h', '/a/b', 'p', 'c').targetKey, identityOf('h/a', '/b', 'p', 'c').targetKey],
    ['a person and a hash code', identityOf('h', '/a', 'pc', 'd').uploadKey, identityOf('h', '/a', 'p', 'cd').uploadKey],
    ['lengths made of digits', identityOf('h', '/a', '1', '1:x').uploadKey, identityOf('h', '/a', '11:', 'x').uploadKey],
    ['an imitated length', identityOf('h', '/a', 'a1:b', 'c').uploadKey, identityOf('h', '/a', 'a', 'b1:c').uploadKey],
  ])('does not collide by moving characters between %s', (_, one, other) => {
    expect(one).not.toBe(other);
  });

  it('has a target key that knows nothing of person and content', () => {
    expect(identityOf('h', '/a', 'p', 'c').targetKey).toBe(identityOf('h', '/a', 'q', 'd').targetKey);
  });

  it('has an upload key that knows nothing of host and target', () => {
    expect(identityOf('h', '/a', 'p', 'c').uploadKey).toBe(identityOf('i', '/b', 'p', 'c').uploadKey);
  });

  it.each([
    ['host', identityOf('i', '/a', 'p', 'c')],
    ['target', identityOf('h', '/b', 'p', 'c')],
    ['person', identityOf('h', '/a', 'q', 'c')],
    ['content', identityOf('h', '/a', 'p', 'd')],
  ])('has another id for another %s', (_, other) => {
    expect(other.id).not.toBe(identityOf('h', '/a', 'p', 'c').id);
  });
});

describe('a file that a client names', () => {
  const parse = (file: { hostId?: string; fullPath?: string; hashCode?: string }) =>
    parseFileRef(ACCESS, { hostId: 'h', fullPath: '/srv/media/x', hashCode: 'quick', ...file });

  it('is taken as it was named', () => {
    expect(parse({ fullPath: '/data/%2e:x', hashCode: 'quick:1' })).toMatchObject({ path: '/data/%2e:x', hashCode: 'quick:1' });
  });

  it.each(['/srv/mediaX/x', '/srv/x', '/etc/passwd', '/srv/media/../x', 'srv/media/x', '/', '/srv/media/.longshore/x', ''])(
    'is refused at %j',
    (fullPath) => {
      expect(problemOf(() => parse({ fullPath }))).toMatchObject({ kind: 'Refused', code: 'INVALID_PATH', retryable: false });
    },
  );

  it.each([
    ['an empty one', ''],
    ['one of 201 bytes', 'é'.repeat(100) + 'x'],
    ['a control character', 'a\u0007'],
    ['a lone surrogate', 'a\ud800'],
    ['a bidirectional override', 'a\u202egpj.b'],
    ['a zero-width space', 'a\u200bb'],
    ['a line separator', 'a\u2028b'],
    ['a sha256 that is too short', `sha256:${SHA256.slice(2)}`],
    ['a sha256 in upper case', `sha256:${SHA256.toUpperCase()}`],
    ['an md5 with the length of a sha256', `md5:${SHA256}`],
    ['an md5 with something behind it', `md5:${MD5} `],
  ])('needs a hash code; refuses %s', (_, hashCode) => {
    expect(() => parse({ hashCode })).toThrow(expect.objectContaining({ name: 'InputError', argument: 'hashCode' }));
  });

  it.each([`sha256:${SHA256}`, `md5:${MD5}`, 'é'.repeat(100), '👩\u200d🚀.mov', 'SHA256:x', 'sha1:x', MD5])(
    'takes the hash code %s',
    (hashCode) => {
      expect(parse({ hashCode }).hashCode).toBe(hashCode);
    },
  );
});

describe('hashes of a content', () => {
  it.each([
    [`sha256:${SHA256}`, { algorithm: 'sha256', hex: SHA256 }],
    [`md5:${MD5}`, { algorithm: 'md5', hex: MD5 }],
    [SHA256, { algorithm: 'sha256', hex: SHA256 }],
    [MD5, { algorithm: 'md5', hex: MD5 }],
  ])('%s is understood', (text, digest) => {
    expect(parseContentDigest('digest', text)).toEqual(digest);
  });

  it.each(['', 'sha256:', `sha256:${MD5}`, `md5:${SHA256}`, `sha1:${SHA256}`, `${SHA256}0`, `${SHA256}\n`, `x${SHA256}`])(
    '%j is refused with the argument named',
    (text) => {
      expect(() => parseContentDigest('digest', text)).toThrow(expect.objectContaining({ argument: 'digest' }));
    },
  );

  it('a hash code claims a hash only with its algorithm in front', () => {
    expect(claimedDigest(SHA256)).toBeUndefined();
    expect(claimedDigest(`md5:${MD5}`)).toEqual({ algorithm: 'md5', hex: MD5 });
  });

  it('is written as it is read', () => {
    expect(formatContentDigest(parseContentDigest('digest', `sha256:${SHA256}`))).toBe(`sha256:${SHA256}`);
  });
});

describe('the digest of a chunk', () => {
  it.each([SHA256, undefined])('may be %s', (digest) => {
    expect(() => checkChunkDigest(digest)).not.toThrow();
  });

  it.each(['', MD5, SHA256.toUpperCase(), `sha256:${SHA256}`, `${SHA256}\n`])('may not be %j', (digest) => {
    expect(() => checkChunkDigest(digest)).toThrow(InputError);
  });
});
