import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RemotePath } from '../../src/core/remote-path.js';
import { startEmbeddedHost } from '../../src/embedded/embedded-host.js';
import { keptLog } from '../support/roles.js';
import { hostProfile } from '../support/sshd-host.js';
import { hostRepositoryContract } from './host-repository.js';

hostRepositoryContract('embedded host', async () => {
  const base = await mkdtemp(join(tmpdir(), 'longshore-embedded-'));
  const directory = join(base, 'data');
  await mkdir(join(directory, 'root'), { recursive: true });
  // The host has the rights of its process, which may be root's; what is outside is denied even then.
  const outside = join(base, 'outside');
  await mkdir(outside);
  await symlink(outside, join(directory, 'denied'));
  const stateDirectory = join(base, 'state');
  const host = await startEmbeddedHost({ directory, stateDirectory, address: '127.0.0.1', port: 0, log: keptLog() });
  return {
    options: {
      profile: hostProfile('local', '/'),
      address: '127.0.0.1',
      port: host.port,
      username: host.username,
      authentication: { kind: 'key', privateKey: host.privateKey },
      hostKeys: [host.hostKeyFingerprint],
    },
    root: '/root' as RemotePath,
    localRoot: join(directory, 'root'),
    deniedDirectory: '/denied' as RemotePath,
    stop: async () => {
      await host.close();
      await rm(base, { recursive: true, force: true });
    },
  };
});
