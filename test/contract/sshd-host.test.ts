import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { RemotePath } from '../../src/core/remote-path.js';
import { startSshd } from '../support/sshd.js';
import { sshdHostOptions } from '../support/sshd-host.js';
import { hostRepositoryContract } from './host-repository.js';

hostRepositoryContract('OpenSSH sshd', async () => {
  const sshd = await startSshd();
  // Made by whoever runs the tests; where that is the login user itself, the mode forbids it.
  const denied = join(sshd.directory, 'denied');
  mkdirSync(denied);
  chmodSync(denied, 0o555);
  return {
    options: sshdHostOptions(sshd),
    root: sshd.root as RemotePath,
    localRoot: sshd.root,
    deniedDirectory: denied as RemotePath,
    stop: () => sshd.stop(),
  };
});
