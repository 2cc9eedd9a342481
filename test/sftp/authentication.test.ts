// Who a host is, and who we are there.
import { execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { describe, expect, it, vi } from 'vitest';
import type { SshHostOptions } from '../../src/sftp/host-repository.js';
import { fingerprint } from '../../src/sftp/host-keys.js';
import { listenOnLoopback } from '../support/port.js';
import { hostProfile, sshdHostOptions } from '../support/sshd-host.js';
import { lookAtRoot, useFixture } from './fixture.js';

const OTHER_FINGERPRINT = `SHA256:${'A'.repeat(43)}`;
const OTHER_KEY = `ssh-ed25519 ${'A'.repeat(68)}`;

const fixture = useFixture();

const without = (): SshHostOptions => {
  const { hostKeys: _, ...rest } = fixture.options;
  return rest;
};

describe('the host key', () => {
  it('is accepted when a known_hosts file has it', async () => {
    const knownHosts = `[${fixture.sshd.address}]:${fixture.sshd.port} ${fixture.sshd.hostKey}\n`;
    expect(await fixture.repositoryOf([{ ...without(), knownHosts }]).use('sshd', lookAtRoot)).toBe('directory');
  });

  it.each([
    ['another fingerprint is pinned', (): Partial<SshHostOptions> => ({ hostKeys: [OTHER_FINGERPRINT] })],
    [
      'the known_hosts file has another key',
      (): Partial<SshHostOptions> => ({ knownHosts: `[${fixture.sshd.address}]:${fixture.sshd.port} ${OTHER_KEY}\n` }),
    ],
    ['the known_hosts file does not know the host', (): Partial<SshHostOptions> => ({ knownHosts: '' })],
    [
      'it is revoked',
      (): Partial<SshHostOptions> => ({
        hostKeys: [fixture.sshd.hostKeyFingerprint],
        knownHosts: `@revoked * ${fixture.sshd.hostKey}\n`,
      }),
    ],
  ])('is refused when %s, before any credentials are shown', async (_, keys) => {
    const before = fixture.sshd.log().length;
    const repository = fixture.repositoryOf([{ ...without(), ...keys() }]);
    await expect(repository.use('sshd', lookAtRoot)).rejects.toMatchObject({ code: 'HOST_KEY_MISMATCH' });
    expect(fixture.sshd.log().slice(before)).not.toMatch(/publickey/);
  });

  it('is refused when the server has come back with another one, and nothing is shown to it', async () => {
    const own = await fixture.ownSshd();
    const repository = fixture.repositoryOf([sshdHostOptions(own)], { limits: { backOffMs: 1, refusalBackOffMs: 1 } });
    expect(await repository.use('sshd', lookAtRoot)).toBe('directory');
    await own.kill('everything');
    own.changeHostKey();
    await own.restart();
    await vi.waitFor(() => expect(repository.use('sshd', lookAtRoot)).rejects.toMatchObject({ code: 'HOST_KEY_MISMATCH' }));
    expect(own.log()).toMatch(/Connection from/);
    expect(own.log()).not.toMatch(/publickey|longshore-test/);
  });

  it('is required: a host without one is not even configured', () => {
    expect(() => fixture.repositoryOf([without()])).toThrow('no host key');
  });
});

describe('authentication', () => {
  it('fails with HOST_AUTH_FAILED for a key the host does not know', async () => {
    const { privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
      publicKeyEncoding: { type: 'pkcs1', format: 'pem' },
    });
    const repository = fixture.repositoryOf([{ ...fixture.options, authentication: { kind: 'key', privateKey } }]);
    await expect(repository.use('sshd', lookAtRoot)).rejects.toMatchObject({ code: 'HOST_AUTH_FAILED' });
  });

  it('fails with HOST_AUTH_FAILED for a key that can’t be read, and for an agent that isn’t there', async () => {
    const unreadable = fixture.repositoryOf([{ ...fixture.options, authentication: { kind: 'key', privateKey: 'no key' } }]);
    await expect(unreadable.use('sshd', lookAtRoot)).rejects.toMatchObject({ code: 'HOST_AUTH_FAILED' });
    const agentless = fixture.repositoryOf([
      { ...fixture.options, authentication: { kind: 'agent', socket: join(fixture.sshd.directory, 'none') } },
    ]);
    await expect(agentless.use('sshd', lookAtRoot)).rejects.toMatchObject({ code: 'HOST_AUTH_FAILED' });
  });

  it('is not tried again and again where it was refused: each further try may lock the account', async () => {
    const own = await fixture.ownSshd();
    const { private: privateKey } = ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 });
    const tries = (): number => own.log().split('Connection from').length - 1;
    let now = 0;
    const options = { ...sshdHostOptions(own), authentication: { kind: 'key', privateKey } } as const;
    const repository = fixture.repositoryOf([options], { clock: { ...fixture.clock, monotonic: () => now }, random: () => 0 });
    const before = tries();
    for (const [seconds, expected] of [
      [0, 1],
      [2, 1],
      [3, 2],
      [7, 2],
      [9, 3],
      [18, 3],
      [20, 4],
    ] as const) {
      now = seconds * 1_000;
      const looks = Array.from({ length: 10 }, () => repository.use('sshd', lookAtRoot));
      for (const look of looks) await expect(look).rejects.toMatchObject({ code: 'HOST_AUTH_FAILED' });
      expect(tries() - before, `after ${seconds} s`).toBe(expected);
    }
  });

  it('works with a key that has a passphrase', async () => {
    const file = join(fixture.sshd.directory, 'locked');
    execFileSync('cp', [fixture.sshd.privateKeyFile, file]);
    execFileSync('ssh-keygen', ['-q', '-p', '-N', 'open sesame', '-f', file], { stdio: 'ignore' });
    const privateKey = execFileSync('cat', [file]);
    const right = fixture.repositoryOf([
      { ...fixture.options, authentication: { kind: 'key', privateKey, passphrase: 'open sesame' } },
    ]);
    expect(await right.use('sshd', lookAtRoot)).toBe('directory');
    const wrong = fixture.repositoryOf([
      { ...fixture.options, authentication: { kind: 'key', privateKey, passphrase: 'wrong' } },
    ]);
    await expect(wrong.use('sshd', lookAtRoot)).rejects.toMatchObject({ code: 'HOST_AUTH_FAILED' });
  });

  it('works with an agent', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'longshore-agent-'));
    const socket = join(directory, 'agent');
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] });
    const exited = once(agent, 'exit');
    fixture.onClose(async () => {
      agent.kill();
      await exited;
      rmSync(directory, { recursive: true });
    });
    await once(agent.stdout, 'data');
    execFileSync('ssh-add', ['-q', fixture.sshd.privateKeyFile], {
      env: { ...process.env, SSH_AUTH_SOCK: socket },
      stdio: 'ignore',
    });
    const repository = fixture.repositoryOf([{ ...fixture.options, authentication: { kind: 'agent', socket } }]);
    expect(await repository.use('sshd', lookAtRoot)).toBe('directory');
  });

  it.each(['password', 'keyboard-interactive'] as const)('works with a password where the host asks by %s', async (method) => {
    const server = await passwordServer(method, 'open sesame');
    fixture.onClose(server.stop);
    const host = (password: string): SshHostOptions => ({
      profile: hostProfile('sshd', '/'),
      address: '127.0.0.1',
      port: server.port,
      username: 'somebody',
      authentication: { kind: 'password', password },
      hostKeys: [server.fingerprint],
    });
    expect(await fixture.repositoryOf([host('open sesame')]).use('sshd', async ({ offers }) => offers.hardLink)).toBe(false);
    const wrong = fixture.repositoryOf([host('wrong')]);
    await expect(wrong.use('sshd', lookAtRoot)).rejects.toMatchObject({ code: 'HOST_AUTH_FAILED' });
  });
});

/** An SSH server that knows one password, asks for it in one way, and has an SFTP session without extensions. */
async function passwordServer(
  method: 'password' | 'keyboard-interactive',
  password: string,
): Promise<{ readonly port: number; readonly fingerprint: string; readonly stop: () => Promise<void> }> {
  const { private: hostKey, public: publicKey } = ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 });
  const server = new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
    client.on('error', () => undefined);
    client.on('authentication', (context) => {
      if (context.method === 'password' && method === 'password') {
        if (context.password === password) context.accept();
        else context.reject();
      } else if (context.method === 'keyboard-interactive' && method === 'keyboard-interactive') {
        context.prompt([{ prompt: 'Password: ', echo: false }], (answers) => {
          if (answers[0] === password) context.accept();
          else context.reject();
        });
      } else context.reject([method]);
    });
    client.on('session', (acceptSession) => void acceptSession().on('sftp', (acceptSftp) => void acceptSftp()));
  });
  const port = await listenOnLoopback(server);
  return {
    port,
    fingerprint: fingerprint(Buffer.from(publicKey.split(' ')[1] ?? '', 'base64')),
    stop: async () => {
      server.close();
      await once(server, 'close');
    },
  };
}
