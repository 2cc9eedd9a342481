import { execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import ssh2 from 'ssh2';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Host, HostRepository } from '../../src/core/ports.js';
import { joinPath, type RemotePath } from '../../src/core/remote-path.js';
import { createHostRepository, type HostRepositoryOptions, type SshHostOptions } from '../../src/sftp/host-repository.js';
import { fingerprint } from '../../src/sftp/host-keys.js';
import { DEFAULT_LIMITS } from '../../src/sftp/limits.js';
import { digestOfFile, KIB, MIB, piecesOf, randomContent } from '../support/bytes.js';
import { listenOnLoopback } from '../support/port.js';
import { type Proxy, startProxy } from '../support/proxy.js';
import { type KeptLog, keptLog, realClock } from '../support/roles.js';
import { type Sshd, startSshd } from '../support/sshd.js';
import { hostProfile, sshdHostOptions } from '../support/sshd-host.js';

const OTHER_FINGERPRINT = `SHA256:${'A'.repeat(43)}`;
const OTHER_KEY = `ssh-ed25519 ${'A'.repeat(68)}`;

describe('connections', () => {
  let sshd: Sshd;
  let options: SshHostOptions;
  let log: KeptLog;
  const closing: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    sshd = await startSshd();
    options = sshdHostOptions(sshd);
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });
  afterAll(() => sshd.stop());

  function repositoryOf(hosts: readonly SshHostOptions[], more: Partial<HostRepositoryOptions> = {}): HostRepository {
    log = keptLog();
    const repository = createHostRepository({ hosts, clock: realClock, log, ...more });
    closing.push(() => repository.close());
    return repository;
  }

  async function proxyTo(target: Sshd): Promise<Proxy> {
    const proxy = await startProxy(target);
    closing.push(() => proxy.stop());
    return proxy;
  }

  async function ownSshd(config: Parameters<typeof startSshd>[0] = {}): Promise<Sshd> {
    const own = await startSshd(config);
    closing.push(() => own.stop());
    return own;
  }

  const through = (proxy: Proxy): SshHostOptions => ({ ...options, port: proxy.port });
  const lookAtRoot = async (host: Host): Promise<string | undefined> => (await host.lstat(rootOf(host)))?.kind;
  const rootOf = (host: Host): RemotePath => host.profile.roots[0] ?? ('/' as RemotePath);
  const signal = (): AbortSignal => new AbortController().signal;
  const without = (): SshHostOptions => {
    const { hostKeys: _, ...rest } = options;
    return rest;
  };

  describe('the host key', () => {
    it('is accepted when a known_hosts file has it', async () => {
      const knownHosts = `[${sshd.address}]:${sshd.port} ${sshd.hostKey}\n`;
      expect(await repositoryOf([{ ...without(), knownHosts }]).use('sshd', lookAtRoot)).toBe('directory');
    });

    it.each([
      ['another fingerprint is pinned', (): Partial<SshHostOptions> => ({ hostKeys: [OTHER_FINGERPRINT] })],
      [
        'the known_hosts file has another key',
        (): Partial<SshHostOptions> => ({ knownHosts: `[${sshd.address}]:${sshd.port} ${OTHER_KEY}\n` }),
      ],
      ['the known_hosts file does not know the host', (): Partial<SshHostOptions> => ({ knownHosts: '' })],
      [
        'it is revoked',
        (): Partial<SshHostOptions> => ({ hostKeys: [sshd.hostKeyFingerprint], knownHosts: `@revoked * ${sshd.hostKey}\n` }),
      ],
    ])('is refused when %s, before any credentials are shown', async (_, keys) => {
      const before = sshd.log().length;
      const repository = repositoryOf([{ ...without(), ...keys() }]);
      await expect(repository.use('sshd', lookAtRoot)).rejects.toMatchObject({ code: 'HOST_KEY_MISMATCH' });
      expect(sshd.log().slice(before)).not.toMatch(/publickey/);
    });

    it('is required: a host without one is not even configured', () => {
      expect(() => repositoryOf([without()])).toThrow('no host key');
    });
  });

  describe('authentication', () => {
    it('fails with HOST_AUTH_FAILED for a key the host does not know', async () => {
      const { privateKey } = generateKeyPairSync('rsa', {
        modulusLength: 2048,
        privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
        publicKeyEncoding: { type: 'pkcs1', format: 'pem' },
      });
      const repository = repositoryOf([{ ...options, authentication: { kind: 'key', privateKey } }]);
      await expect(repository.use('sshd', lookAtRoot)).rejects.toMatchObject({ code: 'HOST_AUTH_FAILED' });
    });

    it('fails with HOST_AUTH_FAILED for a key that can’t be read, and for an agent that isn’t there', async () => {
      const unreadable = repositoryOf([{ ...options, authentication: { kind: 'key', privateKey: 'no key' } }]);
      await expect(unreadable.use('sshd', lookAtRoot)).rejects.toMatchObject({ code: 'HOST_AUTH_FAILED' });
      const agentless = repositoryOf([{ ...options, authentication: { kind: 'agent', socket: join(sshd.directory, 'none') } }]);
      await expect(agentless.use('sshd', lookAtRoot)).rejects.toMatchObject({ code: 'HOST_AUTH_FAILED' });
    });

    it('works with a key that has a passphrase', async () => {
      const file = join(sshd.directory, 'locked');
      execFileSync('cp', [sshd.privateKeyFile, file]);
      execFileSync('ssh-keygen', ['-q', '-p', '-N', 'open sesame', '-f', file], { stdio: 'ignore' });
      const privateKey = execFileSync('cat', [file]);
      const right = repositoryOf([{ ...options, authentication: { kind: 'key', privateKey, passphrase: 'open sesame' } }]);
      expect(await right.use('sshd', lookAtRoot)).toBe('directory');
      const wrong = repositoryOf([{ ...options, authentication: { kind: 'key', privateKey, passphrase: 'wrong' } }]);
      await expect(wrong.use('sshd', lookAtRoot)).rejects.toMatchObject({ code: 'HOST_AUTH_FAILED' });
    });

    it('works with an agent', async () => {
      const directory = mkdtempSync(join(tmpdir(), 'longshore-agent-'));
      const socket = join(directory, 'agent');
      const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] });
      const exited = once(agent, 'exit');
      closing.push(async () => {
        agent.kill();
        await exited;
        rmSync(directory, { recursive: true });
      });
      await once(agent.stdout, 'data');
      execFileSync('ssh-add', ['-q', sshd.privateKeyFile], { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: 'ignore' });
      const repository = repositoryOf([{ ...options, authentication: { kind: 'agent', socket } }]);
      expect(await repository.use('sshd', lookAtRoot)).toBe('directory');
    });

    it.each(['password', 'keyboard-interactive'] as const)(
      'works with a password where the host asks by %s',
      async (method) => {
        const server = await passwordServer(method, 'open sesame');
        closing.push(server.stop);
        const host = (password: string): SshHostOptions => ({
          profile: hostProfile('sshd', '/'),
          address: '127.0.0.1',
          port: server.port,
          username: 'somebody',
          authentication: { kind: 'password', password },
          hostKeys: [server.fingerprint],
        });
        expect(await repositoryOf([host('open sesame')]).use('sshd', async ({ offers }) => offers.hardLink)).toBe(false);
        const wrong = repositoryOf([host('wrong')]);
        await expect(wrong.use('sshd', lookAtRoot)).rejects.toMatchObject({ code: 'HOST_AUTH_FAILED' });
      },
    );
  });

  describe('an unreachable host', () => {
    it('is told at once where nobody listens', async () => {
      const proxy = await startProxy(sshd);
      await proxy.stop();
      const began = performance.now();
      const repository = repositoryOf([through(proxy)]);
      await expect(repository.use('sshd', lookAtRoot)).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
      expect(performance.now() - began).toBeLessThan(2_000);
    });

    it('is told by the deadlines together within 12 s', () => {
      const { connectTimeoutMs, silenceTimeoutMs, callTimeoutMs } = DEFAULT_LIMITS;
      // Each is looked at ten times, and may be late by two looks.
      for (const timeoutMs of [connectTimeoutMs, silenceTimeoutMs * 1.1, callTimeoutMs * 1.2])
        expect(timeoutMs).toBeLessThanOrEqual(12_000);
    });

    it('is told after the deadline where somebody listens and never answers', async () => {
      const hole = await blackHole();
      closing.push(hole.stop);
      const repository = repositoryOf([{ ...options, port: hole.port }], { limits: { connectTimeoutMs: 300 } });
      const began = performance.now();
      await expect(repository.use('sshd', lookAtRoot)).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
      expect(performance.now() - began).toBeGreaterThan(250);
      expect(performance.now() - began).toBeLessThan(2_000);
      await vi.waitFor(() => expect(hole.open()).toBe(0));
    });

    it('is told after the deadline when the network falls silent in the middle of a write', async () => {
      const proxy = await proxyTo(sshd);
      const repository = repositoryOf([through(proxy)], { limits: { silenceTimeoutMs: 500, pingIntervalMs: 100 } });
      const writing = repository.use('sshd', async (host) => {
        const file = await host.open(joinPath(rootOf(host), 'silent'), 'create');
        async function* pieces(): AsyncGenerator<Uint8Array> {
          for (let count = 0; ; count += 1) {
            if (count === 10) proxy.hold();
            yield Buffer.alloc(64 * KIB);
          }
        }
        await file.write(0, pieces(), { signal: signal() });
      });
      await expect(writing).rejects.toMatchObject({
        code: 'HOST_UNREACHABLE',
        message: expect.stringContaining('nothing heard') as string,
      });
      proxy.release();
      expect(await repository.use('sshd', lookAtRoot)).toBe('directory');
    });

    it('is alive as long as its pings are answered', async () => {
      const repository = repositoryOf([options], { limits: { silenceTimeoutMs: 300, pingIntervalMs: 50 } });
      await repository.use('sshd', async (host) => {
        await realClock.sleep(1_000);
        expect(await lookAtRoot(host)).toBe('directory');
      });
      expect(log.entries.filter(({ event }) => event === 'host connected')).toHaveLength(1);
    });

    it('is asked again only after a pause, in which callers get the last fault at once', async () => {
      const hole = await blackHole((socket) => socket.destroy());
      closing.push(hole.stop);
      let now = 0;
      const clock = { ...realClock, monotonic: () => now };
      const limits = { backOffMs: 1_000, maxBackOffMs: 3_000 };
      const repository = repositoryOf([{ ...options, port: hole.port }], { clock, limits, random: () => 0.999_999 });
      const attempt = (): Promise<unknown> =>
        expect(repository.use('sshd', lookAtRoot)).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
      await attempt();
      await attempt();
      expect(hole.accepted()).toBe(1);
      const pauses = [1_000, 2_000, 3_000, 3_000];
      for (const [index, pauseMs] of pauses.entries()) {
        now += pauseMs - 10;
        await attempt();
        expect(hole.accepted()).toBe(index + 1);
        now += 10;
        await attempt();
        expect(hole.accepted()).toBe(index + 2);
      }
    });
  });

  describe('a server that dies', () => {
    it('fails the write under way, and the next use connects anew', async () => {
      const own = await ownSshd();
      const repository = repositoryOf([sshdHostOptions(own)]);
      let killed: Promise<void> | undefined;
      const writing = repository.use('sshd', async (host) => {
        const file = await host.open(joinPath(rootOf(host), 'killed'), 'create');
        async function* pieces(): AsyncGenerator<Uint8Array> {
          for (let count = 0; ; count += 1) {
            if (count === 200) killed = own.kill('sessions');
            yield Buffer.alloc(64 * KIB);
          }
        }
        try {
          await file.write(0, pieces(), { signal: signal() });
        } finally {
          await file.close();
          await expect(host.lstat(rootOf(host))).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
        }
      });
      await expect(writing).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
      await killed;
      expect(await repository.use('sshd', lookAtRoot)).toBe('directory');
    });

    it('is unreachable until it is back', async () => {
      const own = await ownSshd();
      const repository = repositoryOf([sshdHostOptions(own)], { limits: { backOffMs: 1 } });
      await repository.use('sshd', lookAtRoot);
      await own.kill('everything');
      await expect(repository.use('sshd', lookAtRoot)).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
      await own.restart();
      await vi.waitFor(async () => expect(await repository.use('sshd', lookAtRoot)).toBe('directory'));
    });

    it('gets a new session on the same connection when only the SFTP server died', async () => {
      const own = await ownSshd();
      const proxy = await proxyTo(own);
      const repository = repositoryOf([{ ...sshdHostOptions(own), port: proxy.port }]);
      await repository.use('sshd', async (host) => {
        const looking = host.lstat(rootOf(host));
        for (const pid of own.children('sftp-server')) process.kill(pid, 'SIGKILL');
        await looking.catch(() => undefined);
        await vi.waitFor(async () => expect(await lookAtRoot(host)).toBe('directory'));
      });
      expect(proxy.accepted()).toBe(1);
    });
  });

  describe('an SFTP server that hangs', () => {
    const limits = { callTimeoutMs: 400 };

    it('is given up after the deadline, other hosts are served meanwhile, and a new connection helps', async () => {
      // sshd counts the hung session for as long as it hangs: on this connection there will be no other.
      const own = await ownSshd({ maxSessions: 1 });
      const repository = repositoryOf([sshdHostOptions(own, 'hung'), options], { limits });
      await repository.use('hung', lookAtRoot);
      own.pause('sftp-server');
      const began = performance.now();
      const looking = repository.use('hung', lookAtRoot);
      const failed = expect(looking).rejects.toMatchObject({
        code: 'HOST_UNREACHABLE',
        message: expect.stringContaining('no answer') as string,
      });
      expect(await repository.use('sshd', lookAtRoot)).toBe('directory');
      expect(performance.now() - began).toBeLessThan(400);
      await failed;
      expect(performance.now() - began).toBeLessThan(1_500);
      expect(await repository.use('hung', lookAtRoot)).toBe('directory');
    });

    it('fails a write, and at once whatever else is asked of the file', async () => {
      const own = await ownSshd();
      const repository = repositoryOf([sshdHostOptions(own)], { limits });
      let pulled = 0;
      const writing = repository.use('sshd', async (host) => {
        const file = await host.open(joinPath(rootOf(host), 'hung'), 'create');
        async function* pieces(): AsyncGenerator<Uint8Array> {
          for (; ; pulled += 1) {
            if (pulled === 100) own.pause('sftp-server');
            yield Buffer.alloc(64 * KIB);
          }
        }
        try {
          await file.write(0, pieces(), { signal: signal() });
        } finally {
          // ssh2 would leave these without an answer for ever.
          await expect(file.facts()).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
          await file.close();
        }
      });
      await expect(writing).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
      expect(pulled).toBeLessThan(1_000);
    });

    it('does not hang on a FIFO that is opened by mistake', async () => {
      const own = await ownSshd();
      execFileSync('mkfifo', ['-m', '666', join(own.root, 'fifo')]);
      const repository = repositoryOf([sshdHostOptions(own)], { limits });
      const opening = repository.use('sshd', (host) => host.open(joinPath(rootOf(host), 'fifo'), 'read'));
      await expect(opening).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
      expect(await repository.use('sshd', lookAtRoot)).toBe('directory');
    });

    it('is told from a slow link, on which bytes wait longer than any deadline', async () => {
      // 4 MiB at about 2 MiB/s, with a deadline of 400 ms.
      const proxy = await startProxy(sshd, { bytesPerSecond: 2 * MIB });
      closing.push(() => proxy.stop());
      const repository = repositoryOf([through(proxy)], { limits: { ...limits, silenceTimeoutMs: 1_000 } });
      const content = randomContent(4 * MIB);
      await repository.use('sshd', async (host) => {
        const file = await host.open(joinPath(rootOf(host), 'slow'), 'create');
        await file.write(0, content.pieces, { signal: signal() });
        await file.close();
      });
      expect(await digestOfFile(join(sshd.root, 'slow'))).toBe(content.digest());
    });
  });

  it('tells a full disk from other failures', async (context) => {
    const own = await ownSshd();
    const disk = join(own.root, 'disk');
    execFileSync('mkdir', [disk]);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=0777', 'longshore-test', disk], { stdio: 'pipe' });
    } catch {
      return context.skip('only root may mount a file system small enough to fill');
    }
    closing.push(async () => void execFileSync('umount', [disk]));
    const repository = repositoryOf([sshdHostOptions(own)]);
    await repository.use('sshd', async (host) => {
      const directory = joinPath(rootOf(host), 'disk');
      expect((await host.space(directory))?.fileSystem).not.toBe((await host.space(rootOf(host)))?.fileSystem);
      expect((await host.space(directory))?.freeBytes).toBe(MIB);
      const file = await host.open(joinPath(directory, 'large'), 'create');
      const writing = file.write(0, randomContent(8 * MIB).pieces, { signal: signal() });
      await expect(writing).rejects.toMatchObject({ code: 'NOT_ENOUGH_SPACE', cause: { code: 'FAILURE' } });
      await file.close();
    });
  });

  it('writes on while the session keys are changed', async () => {
    const own = await ownSshd({ config: ['RekeyLimit 4M'] });
    const repository = repositoryOf([sshdHostOptions(own)]);
    const content = randomContent(64 * MIB);
    await repository.use('sshd', async (host) => {
      const file = await host.open(joinPath(rootOf(host), 'rekeyed'), 'create');
      await file.write(0, content.pieces, { signal: signal() });
      await file.close();
    });
    expect(await digestOfFile(join(own.root, 'rekeyed'))).toBe(content.digest());
  });

  describe('sharing', () => {
    it('makes one connection for many callers, and none before the first', async () => {
      const proxy = await proxyTo(sshd);
      const repository = repositoryOf([through(proxy)]);
      expect(proxy.accepted()).toBe(0);
      await Promise.all(Array.from({ length: 20 }, () => repository.use('sshd', lookAtRoot)));
      expect(proxy.accepted()).toBe(1);
    });

    it('needs fewer sessions than sshd grants, whatever number of files is open', async () => {
      const own = await ownSshd({ maxSessions: 10 });
      const repository = repositoryOf([sshdHostOptions(own)]);
      await repository.use('sshd', async (host) => {
        const files = await Promise.all(
          Array.from({ length: 40 }, (_, index) => host.open(joinPath(rootOf(host), `file-${index}`), 'create')),
        );
        await Promise.all(files.map((file, index) => file.write(0, piecesOf(`content ${index}`), { signal: signal() })));
        expect(own.children('sftp-server')).toHaveLength(1 + DEFAULT_LIMITS.bulkChannels);
        await Promise.all(files.map((file) => file.close()));
      });
    });

    it.each([1, 2, 3])('makes do with %i sessions', async (maxSessions) => {
      const own = await ownSshd({ maxSessions });
      const repository = repositoryOf([sshdHostOptions(own)]);
      await repository.use('sshd', async (host) => {
        const names = ['a', 'b', 'c', 'd', 'e', 'f'];
        const files = await Promise.all(names.map((name) => host.open(joinPath(rootOf(host), name), 'create')));
        await Promise.all(files.map((file) => file.write(0, piecesOf('x'), { signal: signal() })));
        await Promise.all(files.map((file) => file.close()));
        expect(await host.list(rootOf(host))).toHaveLength(names.length);
        const running = (async () => {
          for await (const line of host.run('echo', [])) throw new Error(line);
        })();
        await expect(running).rejects.toMatchObject({ code: 'HOST_BUSY' });
      });
    });

    it('closes a connection nobody uses, and makes another when somebody does', async () => {
      const proxy = await proxyTo(sshd);
      const repository = repositoryOf([through(proxy)], { limits: { idleTimeoutMs: 50 } });
      await repository.use('sshd', async (host) => {
        await realClock.sleep(200);
        expect(proxy.open()).toBe(1);
        await lookAtRoot(host);
      });
      await vi.waitFor(() => expect(proxy.open()).toBe(0));
      expect(await repository.use('sshd', lookAtRoot)).toBe('directory');
      expect(proxy.accepted()).toBe(2);
    });
  });

  describe('close', () => {
    it('fails what is under way and what comes later, and leaves nothing open', async () => {
      const proxy = await proxyTo(sshd);
      let timers = 0;
      const sleep = async (ms: number, until?: AbortSignal): Promise<void> => {
        timers += 1;
        await realClock.sleep(ms, until).finally(() => (timers -= 1));
      };
      const repository = repositoryOf([through(proxy)], { clock: { ...realClock, sleep } });
      let closed: Promise<void> | undefined;
      const writing = repository.use('sshd', async (host) => {
        const file = await host.open(joinPath(rootOf(host), 'closed'), 'create');
        async function* pieces(): AsyncGenerator<Uint8Array> {
          for (let count = 0; ; count += 1) {
            if (count === 50) {
              expect(timers).toBeGreaterThan(0);
              closed = repository.close();
            }
            yield Buffer.alloc(64 * KIB);
          }
        }
        await file.write(0, pieces(), { signal: signal() });
      });
      await expect(writing).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
      await closed;
      // A cancelled timer's promise settles a few turns later.
      await setImmediate();
      expect(timers).toBe(0);
      await vi.waitFor(() => expect(proxy.open()).toBe(0));
      await expect(repository.use('sshd', lookAtRoot)).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
      await repository.close();
      expect(proxy.accepted()).toBe(1);
    });

    it('ends an attempt to connect', async () => {
      const hole = await blackHole();
      closing.push(hole.stop);
      const repository = repositoryOf([{ ...options, port: hole.port }]);
      const began = performance.now();
      const closed = vi.waitFor(() => expect(hole.accepted()).toBe(1)).then(() => repository.close());
      await expect(repository.use('sshd', lookAtRoot)).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
      await closed;
      expect(performance.now() - began).toBeLessThan(2_000);
    });
  });
});

interface Hole {
  readonly port: number;
  accepted(): number;
  open(): number;
  stop(): Promise<void>;
}

/** Takes connections and says nothing. */
async function blackHole(onConnection: (socket: Socket) => void = () => undefined): Promise<Hole> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer((socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    socket.resume();
    onConnection(socket);
  });
  const port = await listenOnLoopback(server);
  return {
    port,
    accepted: () => accepted,
    open: () => sockets.size,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** An SSH server that knows one password, asks for it in one way, and has an SFTP session without extensions. */
async function passwordServer(
  method: 'password' | 'keyboard-interactive',
  password: string,
): Promise<{ readonly port: number; readonly fingerprint: string; readonly stop: () => Promise<void> }> {
  const { private: hostKey, public: publicKey } = ssh2.utils.generateKeyPairSync('ed25519');
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
