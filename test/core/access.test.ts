import { describe, expect, it } from 'vitest';
import type { Operation } from '../../src/core/access.js';
import { decide, fileKey } from '../../src/core/access.js';
import type { Caller } from '../../src/core/answers.js';
import type { HostProfile } from '../../src/core/ports.js';
import { AccessError, ProblemError } from '../../src/core/problems.js';
import type { Root } from '../../src/core/remote-path.js';
import { problemOf } from '../support/problems.js';
import { realHashing } from '../support/real-hashing.js';
import { hostProfile } from '../support/sshd-host.js';

const ANNA: Caller = { person: 'anna', groups: ['editors'] };
const FILE = { hostId: 'h', fullPath: '/srv/x', hashCode: 'quick' };

function profile(own: Partial<HostProfile> = {}): HostProfile {
  return { ...hostProfile('h', '/srv'), ...own };
}

function decideOn(profiles: readonly HostProfile[], caller: Caller, operation: Operation, file?: typeof FILE) {
  return decide({ profiles, hashing: realHashing }, caller, { operation, ...(file && { file }) });
}

describe('who may use a host', () => {
  it.each([
    ['everybody where nothing is said', undefined, true],
    ['a person who is named', { persons: ['anna'], groups: [] }, true],
    ['a member of a group', { persons: [], groups: ['readers', 'editors'] }, true],
    ['nobody else', { persons: ['bert'], groups: ['readers'] }, false],
    ['no person for a group of that name', { persons: ['editors'], groups: ['anna'] }, false],
    ['nobody where nobody is named', { persons: [], groups: [] }, false],
  ])('%s', (_, allow, expected) => {
    const profiles = [profile(allow && { allow })];
    expect(decideOn(profiles, ANNA, 'hosts')).toHaveLength(expected ? 1 : 0);
    if (expected) expect(decideOn(profiles, ANNA, 'dirInfo', FILE)).toHaveLength(1);
    else expect(() => decideOn(profiles, ANNA, 'dirInfo', FILE)).toThrow(ProblemError);
  });

  it('a host the caller may not use is answered as one that does not exist', () => {
    const forbidden = problemOf(() => decideOn([profile({ allow: { persons: [], groups: [] } })], ANNA, 'mergeFile', FILE));
    expect(forbidden).toEqual(problemOf(() => decideOn([], ANNA, 'mergeFile', FILE)));
    expect(forbidden).toMatchObject({ code: 'HOST_UNKNOWN', retryable: false });
  });
});

describe('a root for each person', () => {
  const homes = profile({ roots: ['/srv/home/{person}/in'] as string[] as Root[] });

  it.each(['anna', 'auth0|6f', 'ann@example.com', '{person}', '安娜', '...', 'a b'])('is the home of %s alone', (person) => {
    expect(decideOn([homes], { person, groups: [] }, 'hosts')).toMatchObject([{ roots: [`/srv/home/${person}/in`] }]);
  });

  it.each(['..', '.', '', 'a/b', '../bert', '/', 'a\u0000', '.longshore', '.LONGSHORE', 'a'.repeat(256)])(
    'is none for a person named %j, who then has no host',
    (person) => {
      expect(decideOn([homes], { person, groups: [] }, 'hosts')).toEqual([]);
    },
  );
});

describe('an upload ticket', () => {
  const ticket = (file = FILE): Caller => ({ ...ANNA, ticketFor: fileKey(realHashing, file) });

  it.each(['dirInfo', 'uploadChunk', 'mergeProgress'] as const)('is good for %s of its file', (operation) => {
    expect(decideOn([profile()], ticket(), operation, FILE)).toHaveLength(1);
  });

  it.each(['uploadStatus', 'mergeFile', 'abortUpload', 'hosts', 'uploads'] as const)('is no token for %s', (operation) => {
    const file = operation === 'hosts' || operation === 'uploads' ? undefined : FILE;
    expect(() => decideOn([profile()], ticket(), operation, file)).toThrow(
      expect.objectContaining({ name: 'AccessError', code: 'UNAUTHENTICATED' }),
    );
  });

  it.each([
    ['host', { ...FILE, hostId: 'i' }],
    ['path', { ...FILE, fullPath: '/srv/y' }],
    ['content', { ...FILE, hashCode: 'slow' }],
    ['split of the same letters', { ...FILE, fullPath: '/srv/xq', hashCode: 'uick' }],
  ])('is for no other %s', (_, file) => {
    const refusal = () => decideOn([profile()], ticket(file), 'uploadChunk', FILE);
    expect(refusal).toThrow(AccessError);
    expect(refusal).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }));
  });

  it('is worth no more than its person is by now', () => {
    const moved = profile({ allow: { persons: ['bert'], groups: [] } });
    expect(problemOf(() => decideOn([moved], ticket(), 'uploadChunk', FILE))).toMatchObject({ code: 'HOST_UNKNOWN' });
  });
});
