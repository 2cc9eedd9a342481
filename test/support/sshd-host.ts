// A test's sshd as a host of the repository.
import type { HostProfile } from '../../src/core/ports.js';
import type { Root } from '../../src/core/remote-path.js';
import type { SshHostOptions } from '../../src/sftp/host-repository.js';
import type { Sshd } from './sshd.js';

export function hostProfile(id: string, root: string): HostProfile {
  const how = { strategy: 'auto', durability: 'normal', verify: 'host', keepFreeBytes: 0 } as const;
  return { id, name: `Host ${id}`, roots: [root as Root], ...how };
}

export function sshdHostOptions(sshd: Sshd, id = 'sshd'): SshHostOptions {
  return {
    profile: hostProfile(id, sshd.root),
    address: sshd.address,
    port: sshd.port,
    username: sshd.username,
    authentication: { kind: 'key', privateKey: sshd.privateKey },
    hostKeys: [sshd.hostKeyFingerprint],
  };
}
