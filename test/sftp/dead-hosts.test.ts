// Hosts that die, hang or fall silent: who waits is told in time, nobody else is disturbed, and nothing is left of it.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { joinPath } from '../../src/core/remote-path.js';
import type { SshHostOptions } from '../../src/sftp/host-repository.js';
import { startBlackHole } from '../support/black-hole.js';
import { KIB } from '../support/bytes.js';
import { type Proxy, startProxy } from '../support/proxy.js';
import { realClock } from '../support/roles.js';
import { DEFAULT_LIMITS } from '../../src/sftp/limits.js';
import { sshdHostOptions } from '../support/sshd-host.js';
import { lookAtRoot, rootOf, signal, useFixture, zeroes } from './fixture.js';

const fixture = useFixture();

const through = (proxy: Proxy): SshHostOptions => ({ ...fixture.options, port: proxy.port });

describe('an unreachable host', () => {
  it('is told at once where nobody listens', async () => {
    const proxy = await startProxy(fixture.sshd);
    await proxy.stop();
    const began = performance.now();
    const repository = fixture.repositoryOf([through(proxy)]);
    await expect(repository.use('sshd', lookAtRoot)).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
    expect(performance.now() - began).toBeLessThan(2_000);
  });

  it('is told by the deadlines together within 12 s', () => {
    const { connectTimeoutMs, silenceTimeoutMs, callTimeoutMs } = DEFAULT_LIMITS;
    // Silence is looked at ten times and may be late by a look, calls twenty times and by two; those that may take longer are judged
    // by a sign of life that is asked for, and missed, a look later each.
    for (const timeoutMs of [connectTimeoutMs, silenceTimeoutMs * 1.1, callTimeoutMs * 1.2])
      expect(timeoutMs).toBeLessThanOrEqual(12_000);
    // And it is used again within 10 s of its return, the handshake included.
    expect(DEFAULT_LIMITS.maxBackOffMs).toBeLessThanOrEqual(9_000);
  });

  it('is told after the deadline where somebody listens and never answers', async () => {
    const hole = await startBlackHole();
    fixture.onClose(hole.stop);
    const repository = fixture.repositoryOf([{ ...fixture.options, port: hole.port }], { limits: { connectTimeoutMs: 300 } });
    const began = performance.now();
    await expect(repository.use('sshd', lookAtRoot)).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
    expect(performance.now() - began).toBeGreaterThan(250);
    expect(performance.now() - began).toBeLessThan(2_000);
    await vi.waitFor(() => expect(hole.open()).toBe(0));
  });

  it('is told after the deadline when the network falls silent in the middle of a write', async () => {
    const proxy = await fixture.proxyTo(fixture.sshd);
    const repository = fixture.repositoryOf([through(proxy)], { limits: { silenceTimeoutMs: 500, pingIntervalMs: 100 } });
    const writing = repository.use('sshd', async (host) => {
      const file = await host.open(joinPath(rootOf(host), 'silent'), 'create');
      const pieces = zeroes(64 * KIB, (count) => {
        if (count === 10) proxy.hold();
      });
      await file.write(0, pieces, { signal: signal() });
    });
    await expect(writing).rejects.toMatchObject({
      code: 'HOST_UNREACHABLE',
      message: expect.stringContaining('nothing heard') as string,
    });
    proxy.release();
    expect(await repository.use('sshd', lookAtRoot)).toBe('directory');
  });

  it('is alive as long as its pings are answered', async () => {
    const repository = fixture.repositoryOf([fixture.options], { limits: { silenceTimeoutMs: 300, pingIntervalMs: 50 } });
    await repository.use('sshd', async (host) => {
      await realClock.sleep(1_000);
      expect(await lookAtRoot(host)).toBe('directory');
    });
    expect(fixture.log.entries.filter(({ event }) => event === 'host connected')).toHaveLength(1);
  });

  it('is asked again only after a pause, in which callers get the last fault at once', async () => {
    const hole = await startBlackHole((socket) => socket.destroy());
    fixture.onClose(hole.stop);
    let now = 0;
    const clock = { ...realClock, monotonic: () => now };
    const limits = { backOffMs: 1_000, maxBackOffMs: 3_000 };
    const repository = fixture.repositoryOf([{ ...fixture.options, port: hole.port }], {
      clock,
      limits,
      random: () => 0.999_999,
    });
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

  it('is probed by one at a time, and meanwhile the others get the last fault soon', async () => {
    let isFirst = true;
    const hole = await startBlackHole((socket) => {
      if (isFirst) socket.destroy();
      isFirst = false;
    });
    fixture.onClose(hole.stop);
    const limits = { backOffMs: 1, probePatienceMs: 100, connectTimeoutMs: 1_000 };
    const repository = fixture.repositoryOf([{ ...fixture.options, port: hole.port }], { limits });
    const first = await repository.use('sshd', lookAtRoot).catch((error: unknown) => error);
    await realClock.sleep(2);
    const began = performance.now();
    const looks = Array.from({ length: 20 }, () => repository.use('sshd', lookAtRoot));
    for (const look of looks) await expect(look).rejects.toBe(first);
    expect(performance.now() - began).toBeLessThan(800);
    expect(hole.accepted()).toBe(2);
    await vi.waitFor(() => expect(hole.open()).toBe(0), 3_000);
  });
});

describe('a server that dies', () => {
  it('fails the write under way, and the next use connects anew', async () => {
    const own = await fixture.ownSshd();
    const repository = fixture.repositoryOf([sshdHostOptions(own)]);
    let killed: Promise<void> | undefined;
    const writing = repository.use('sshd', async (host) => {
      const file = await host.open(joinPath(rootOf(host), 'killed'), 'create');
      const pieces = zeroes(64 * KIB, (count) => {
        if (count === 200) killed = own.kill('sessions');
      });
      try {
        await file.write(0, pieces, { signal: signal() });
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
    const own = await fixture.ownSshd();
    const repository = fixture.repositoryOf([sshdHostOptions(own)], { limits: { backOffMs: 1 } });
    await repository.use('sshd', lookAtRoot);
    await own.kill('everything');
    await expect(repository.use('sshd', lookAtRoot)).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
    await own.restart();
    await vi.waitFor(async () => expect(await repository.use('sshd', lookAtRoot)).toBe('directory'));
  });

  it('gets a new session on the same connection when only the SFTP server died', async () => {
    const own = await fixture.ownSshd();
    const proxy = await fixture.proxyTo(own);
    const repository = fixture.repositoryOf([{ ...sshdHostOptions(own), port: proxy.port }]);
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
    const own = await fixture.ownSshd({ maxSessions: 1 });
    const repository = fixture.repositoryOf([sshdHostOptions(own, 'hung'), fixture.options], { limits });
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
    const own = await fixture.ownSshd();
    const repository = fixture.repositoryOf([sshdHostOptions(own)], { limits });
    let pulled = 0;
    const writing = repository.use('sshd', async (host) => {
      const file = await host.open(joinPath(rootOf(host), 'hung'), 'create');
      const pieces = zeroes(64 * KIB, (count) => {
        pulled = count;
        if (count === 100) own.pause('sftp-server');
      });
      try {
        await file.write(0, pieces, { signal: signal() });
      } finally {
        // ssh2 would leave these without an answer for ever.
        await expect(file.facts()).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
        await file.close();
      }
    });
    await expect(writing).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
    expect(pulled).toBeLessThan(1_000);
  });

  it('is given up in the middle of an fsync, too, when it leaves everything else unanswered', async () => {
    const own = await fixture.ownSshd();
    const repository = fixture.repositoryOf([sshdHostOptions(own)], { limits });
    await repository.use('sshd', async (host) => {
      const file = await host.open(joinPath(rootOf(host), 'synced'), 'create');
      own.pause('sftp-server');
      const began = performance.now();
      await expect(file.sync()).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
      expect(performance.now() - began).toBeLessThan(1_500);
      await file.close();
    });
  });

  it('is left alone with a slow fsync while it answers beside it', async () => {
    const own = await fixture.ownSshd();
    const repository = fixture.repositoryOf([sshdHostOptions(own)], { limits });
    await repository.use('sshd', async (host) => {
      const control = own.children('sftp-server');
      const file = await host.open(joinPath(rootOf(host), 'slow'), 'create');
      const syncing = own.children('sftp-server').filter((pid) => !control.includes(pid));
      for (const pid of syncing) process.kill(pid, 'SIGSTOP');
      const synced = file.sync();
      await realClock.sleep(3 * limits.callTimeoutMs);
      for (const pid of syncing) process.kill(pid, 'SIGCONT');
      await synced;
      await file.close();
    });
  });

  it('does not hang on a FIFO that is opened by mistake', async () => {
    const own = await fixture.ownSshd();
    execFileSync('mkfifo', ['-m', '666', join(own.root, 'fifo')]);
    const repository = fixture.repositoryOf([sshdHostOptions(own)], { limits });
    const opening = repository.use('sshd', (host) => host.open(joinPath(rootOf(host), 'fifo'), 'read'));
    await expect(opening).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
    expect(await repository.use('sshd', lookAtRoot)).toBe('directory');
  });
});
