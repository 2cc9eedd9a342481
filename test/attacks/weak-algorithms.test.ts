// A host, or somebody in its place, that offers nothing but algorithms that no longer hold; and what we offer, as it is on the wire.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startEmbeddedHost } from '../../src/embedded/embedded-host.js';
import { isPrefixTruncatable } from '../../src/sftp/client-config.js';
import { expectHostKeys } from '../../src/sftp/host-keys.js';
import type { SshHostOptions } from '../../src/sftp/host-repository.js';
import { createHostRepository } from '../../src/sftp/host-repository.js';
import { keptLog, realClock } from '../support/roles.js';
import { startSshd } from '../support/sshd.js';
import { sshdHostOptions } from '../support/sshd-host.js';

const REFUSED_MS = 5_000;

async function lookAt(options: SshHostOptions): Promise<unknown> {
  const hosts = createHostRepository({ hosts: [options], clock: realClock, log: keptLog() });
  try {
    const [root] = options.profile.roots;
    return await hosts.use(options.profile.id, async (host) => (await host.lstat(root ?? ('/' as never)))?.kind);
  } finally {
    await hosts.close();
  }
}

describe('a host that offers nothing but', () => {
  it.each([
    ['a key exchange with SHA-1', ['KexAlgorithms diffie-hellman-group14-sha1,diffie-hellman-group1-sha1']],
    ['ciphers in CBC mode', ['Ciphers aes128-cbc,3des-cbc']],
    ['MACs of SHA-1 and MD5', ['Ciphers aes128-ctr', 'MACs hmac-sha1,hmac-md5,hmac-sha1-etm@openssh.com']],
    ['host keys signed with SHA-1', ['HostKeyAlgorithms ssh-rsa']],
  ])('%s is refused, soon and clearly', async (_what, config) => {
    const directory = fs.mkdtempSync(join(tmpdir(), 'longshore-weak-'));
    execFileSync('ssh-keygen', ['-q', '-t', 'rsa', '-b', '2048', '-N', '', '-f', join(directory, 'rsa')]);
    const sshd = await startSshd({ config: [...config, `HostKey ${join(directory, 'rsa')}`] });
    try {
      const begun = performance.now();
      await expect(lookAt(sshdHostOptions(sshd))).rejects.toMatchObject({
        code: 'HOST_UNSUPPORTED',
        message: expect.stringMatching(/no matching/i),
      });
      expect(performance.now() - begun).toBeLessThan(REFUSED_MS);
    } finally {
      await sshd.stop();
      fs.rmSync(directory, { recursive: true });
    }
  });

  it('ChaCha20, with a strict key exchange, is taken', async () => {
    const sshd = await startSshd({ config: ['Ciphers chacha20-poly1305@openssh.com'] });
    try {
      expect(await lookAt(sshdHostOptions(sshd))).toBe('directory');
    } finally {
      await sshd.stop();
    }
  });
});

describe('without a strict key exchange (CVE-2023-48795)', () => {
  const way = (cipher: string, mac: string) => ({ cipher, mac, compress: 'none', lang: '' });
  const lax = { _protocol: { _strictMode: false } };
  const gcm = way('aes128-gcm@openssh.com', '');

  it.each([
    [way('chacha20-poly1305@openssh.com', ''), true],
    [way('aes128-ctr', 'hmac-sha2-256-etm@openssh.com'), true],
    [way('aes128-ctr', 'hmac-sha2-256'), false],
    [gcm, false],
  ])('%j can be cut: %s', (one, expected) => {
    for (const ways of [
      { cs: one, sc: gcm },
      { cs: gcm, sc: one },
    ]) {
      expect(isPrefixTruncatable(lax, ways)).toBe(expected);
      expect(isPrefixTruncatable({}, ways), 'where nothing tells').toBe(expected);
      expect(isPrefixTruncatable({ _protocol: { _strictMode: true } }, ways)).toBe(false);
    }
  });
});

it.each([
  [1_024, 'refused'],
  [2_048, 'expected'],
])('a host key of RSA with %i bits is %s', (bits, verdict) => {
  const directory = fs.mkdtempSync(join(tmpdir(), 'longshore-weak-'));
  execFileSync('ssh-keygen', ['-q', '-t', 'rsa', '-b', `${bits}`, '-N', '', '-f', join(directory, 'rsa')]);
  const [type = '', base64 = ''] = fs.readFileSync(join(directory, 'rsa.pub'), 'utf8').split(' ');
  fs.rmSync(directory, { recursive: true });
  const keys = expectHostKeys({ address: 'host', port: 22, knownHosts: `host ${type} ${base64}` });
  expect(keys.verify(Buffer.from(base64, 'base64')).kind).toBe(verdict);
});

/** The lists of a KEXINIT (RFC 4253 §7.1), as they go over the wire behind the line that says who speaks. */
async function offered(socket: Socket): Promise<readonly (readonly string[])[]> {
  socket.write('SSH-2.0-test\r\n');
  let bytes = Buffer.alloc(0);
  for await (const piece of socket) {
    bytes = Buffer.concat([bytes, piece as Buffer]);
    const from = bytes.indexOf('\r\n') + 2;
    if (from < 2 || bytes.length < from + 4 || bytes.length < from + 4 + bytes.readUInt32BE(from)) continue;
    expect(bytes[from + 5]).toBe(20);
    const lists: string[][] = [];
    for (let at = from + 22; lists.length < 8;) {
      const length = bytes.readUInt32BE(at);
      lists.push(bytes.toString('latin1', at + 4, at + 4 + length).split(','));
      at += 4 + length;
    }
    socket.destroy();
    return lists;
  }
  throw new Error('no KEXINIT came');
}

const WEAK = /sha1|md5|cbc|arcfour|3des|group1-|^ssh-(?:rsa|dss)$|^none$|zlib/;

describe('what we offer', () => {
  const expectStrong = (lists: readonly (readonly string[])[], strict: string) => {
    expect(lists[0]).toContain(strict);
    expect(
      lists
        .slice(0, 6)
        .flat()
        .filter((name) => WEAK.test(name)),
    ).toEqual([]);
    expect(lists.slice(6).flat()).toEqual(['none', 'none']);
  };

  it('as a client has nothing weak in it, and strict key exchange', async () => {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const profile = { id: 'wire', name: 'wire', roots: ['/'], strategy: 'auto', durability: 'normal', verify: 'host' } as const;
    const options = {
      profile: { ...profile, keepFreeBytes: 0 } as never,
      address: '127.0.0.1',
      port,
      username: 'u',
      authentication: { kind: 'password', password: 'p' },
      hostKeys: [`SHA256:${'A'.repeat(43)}`],
    } as const;
    const looking = lookAt(options).catch(() => undefined);
    const [socket] = (await once(server, 'connection')) as [Socket];
    expectStrong(await offered(socket), 'kex-strict-c-v00@openssh.com');
    await looking;
    server.close();
  });

  it('as the embedded host has nothing weak in it, and strict key exchange', async () => {
    const directory = fs.mkdtempSync(join(tmpdir(), 'longshore-weak-'));
    const place = { directory: join(directory, 'root'), stateDirectory: join(directory, 'state') };
    const host = await startEmbeddedHost({ ...place, address: '127.0.0.1', port: 0, log: keptLog() });
    expectStrong(await offered(connect(host.port, '127.0.0.1')), 'kex-strict-s-v00@openssh.com');
    await host.close();
    fs.rmSync(directory, { recursive: true });
  });
});
