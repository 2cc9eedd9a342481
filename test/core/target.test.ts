import { describe, expect, it } from 'vitest';
import type { FileFacts, Host } from '../../src/core/ports.js';
import type { RemotePath } from '../../src/core/remote-path.js';
import { resolveTarget } from '../../src/core/target.js';
import { hostProfile } from '../support/sshd-host.js';

const DIRECTORY: FileFacts = { kind: 'directory', size: 0, modifiedAt: 0, mode: 0o755 };
const LINK: FileFacts = { ...DIRECTORY, kind: 'symlink' };

/** `/inbox` is what `looks` say, one after the other: a real path, and what lies there. */
function hostWhere(looks: { readonly realPath: (RemotePath | undefined)[]; readonly lstat: (FileFacts | undefined)[] }): Host {
  const host: Partial<Host> = {
    profile: hostProfile('h', '/'),
    realPath: async (path) => (path === '/inbox' ? looks.realPath.shift() : path),
    lstat: async (path) => (path === '/inbox' ? (looks.lstat.length > 1 ? looks.lstat.shift() : looks.lstat[0]) : undefined),
  };
  return host as Host;
}

describe('resolving a target', () => {
  it('finds the directory that another upload makes in that very moment', async () => {
    const host = hostWhere({ realPath: [undefined, '/inbox' as RemotePath], lstat: [undefined, DIRECTORY] });
    expect(await resolveTarget(host, { path: '/inbox/film.mov' as RemotePath, person: 'anna' })).toMatchObject({
      path: '/inbox/film.mov',
      base: '/inbox',
    });
  });

  it('refuses what is below a link that leads nowhere', async () => {
    const host = hostWhere({ realPath: [undefined, undefined], lstat: [LINK] });
    await expect(resolveTarget(host, { path: '/inbox/film.mov' as RemotePath, person: 'anna' })).rejects.toMatchObject({
      problem: { code: 'INVALID_PATH' },
    });
  });
});
