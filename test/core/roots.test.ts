import { describe, expect, it } from 'vitest';
import type { DirectoryEntry, Host } from '../../src/core/ports.js';
import { Fault } from '../../src/core/problems.js';
import type { RemotePath } from '../../src/core/remote-path.js';
import { canonicalRoots, everyRoot, firstRoot } from '../../src/core/roots.js';
import { hostProfile } from '../support/sshd-host.js';

const directory = (name: string): DirectoryEntry => ({ name, kind: 'directory', size: 0, modifiedAt: 0, mode: 0o755 });

/** `/srv` is a link to `/disk`; below it are these persons' homes. */
function hostWith(persons: readonly string[], own: Partial<Host> = {}): Host {
  const host: Partial<Host> = {
    profile: hostProfile('h', '/srv/{person}/in'),
    list: async () => [...persons.map(directory), { ...directory('a-file'), kind: 'file' }],
    realPath: async (path) => {
      const person = path.split('/')[2];
      if (person !== undefined && !persons.includes(person)) return undefined;
      return path.replace('/srv', '/disk') as RemotePath;
    },
    ...own,
  };
  return host as Host;
}

describe('a root for each person', () => {
  it('is where the part that all share really is', async () => {
    expect(await canonicalRoots(hostWith(['anna']), 'anna')).toEqual(['/disk/anna/in']);
    expect(await canonicalRoots(hostWith(['anna']), 'bert')).toEqual([]);
    expect(await firstRoot(hostWith(['anna']), 'bert')).toBe('/disk');
  });

  it('is found for all who have one, however many', async () => {
    const persons = Array.from({ length: 30 }, (_, at) => `p${at}`);
    expect(await everyRoot(hostWith(persons))).toEqual(persons.map((person) => `/disk/${person}/in`));
  });

  it.each(['PERMISSION_DENIED', 'FAILURE'] as const)('is nobody’s where ours may not look: %s', async (code) => {
    const host = hostWith(['anna', 'lost+found', 'zoe']);
    const realPath: Host['realPath'] = (path) =>
      path.includes('lost+found') ? Promise.reject(new Fault(code, 'no')) : host.realPath(path);
    expect(await everyRoot({ ...host, realPath })).toEqual(['/disk/anna/in', '/disk/zoe/in']);
  });

  it('is looked for again when the host goes away', async () => {
    const realPath: Host['realPath'] = (path) =>
      path === '/srv' ? Promise.resolve(path) : Promise.reject(new Fault('HOST_UNREACHABLE', 'away'));
    await expect(everyRoot(hostWith(['anna'], { realPath }))).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
  });
});
