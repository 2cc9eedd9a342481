// How connections are shared, when there are more of them, and how they end.
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { joinPath } from '../../src/core/remote-path.js';
import type { HostRepository } from '../../src/core/ports.js';
import type { SshHostOptions } from '../../src/sftp/host-repository.js';
import { DEFAULT_LIMITS, type SftpLimits } from '../../src/sftp/limits.js';
import { startBlackHole } from '../support/black-hole.js';
import { digestOf, KIB, MIB, piecesOf, randomContent } from '../support/bytes.js';
import type { Proxy } from '../support/proxy.js';
import { realClock } from '../support/roles.js';
import { sshdHostOptions } from '../support/sshd-host.js';
import { lookAtRoot, rootOf, signal, useFixture, zeroes } from './fixture.js';

const CHUNK_BYTES = MIB;

const fixture = useFixture();

const through = (proxy: Proxy): SshHostOptions => ({ ...fixture.options, port: proxy.port });

describe('sharing', () => {
  it('makes one connection for many callers, and none before the first', async () => {
    const proxy = await fixture.proxyTo(fixture.sshd);
    const repository = fixture.repositoryOf([through(proxy)]);
    expect(proxy.accepted()).toBe(0);
    await Promise.all(Array.from({ length: 20 }, () => repository.use('sshd', lookAtRoot)));
    expect(proxy.accepted()).toBe(1);
  });

  it('needs fewer sessions than sshd grants, whatever number of files is open', async () => {
    const own = await fixture.ownSshd({ maxSessions: 10 });
    const repository = fixture.repositoryOf([sshdHostOptions(own)]);
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
    const own = await fixture.ownSshd({ maxSessions });
    const repository = fixture.repositoryOf([sshdHostOptions(own)]);
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
    const proxy = await fixture.proxyTo(fixture.sshd);
    const repository = fixture.repositoryOf([through(proxy)], { limits: { idleTimeoutMs: 50 } });
    await repository.use('sshd', async (host) => {
      await realClock.sleep(200);
      expect(proxy.open()).toBe(1);
      // One that forgets to close a file keeps it no longer than that.
      await host.open(joinPath(rootOf(host), 'forgotten'), 'create');
    });
    await vi.waitFor(() => expect(proxy.open()).toBe(0));
    await vi.waitFor(() => expect(fixture.timers).toBe(0));
    expect(await repository.use('sshd', lookAtRoot)).toBe('directory');
    expect(proxy.accepted()).toBe(2);
  });
});

describe('growing', () => {
  /** 128 KiB per 20 ms a connection: little enough for a busy machine. Behind sshd's strictest limit: one that hasn't logged in yet. */
  async function longWay(limits: Partial<SftpLimits> = {}) {
    const own = await fixture.ownSshd({ config: ['MaxStartups 2:100:2'] });
    const proxy = await fixture.proxyTo(own, { delayMs: 10, windowBytes: 128 * KIB });
    const options = { ...sshdHostOptions(own), port: proxy.port };
    return { own, proxy, repository: fixture.repositoryOf([options], { limits: { growthLookMs: 50, ...limits } }) };
  }

  /** Chunk after chunk, eight at once, until `isEnough`; the content's digest by offset. */
  async function writeChunks(repository: HostRepository, name: string, isEnough: () => boolean): Promise<readonly string[]> {
    const digests: string[] = [];
    await repository.use('sshd', async (host) => (await host.open(joinPath(rootOf(host), name), 'create')).close());
    const work = async (): Promise<void> => {
      while (!isEnough()) {
        const index = digests.push('') - 1;
        const content = randomContent(CHUNK_BYTES);
        await repository.use('sshd', async (host) => {
          const file = await host.open(joinPath(rootOf(host), name), 'write');
          await file.write(index * CHUNK_BYTES, content.pieces, { signal: signal() });
          await file.close();
        });
        digests[index] = content.digest();
      }
    };
    await Promise.all(Array.from({ length: 8 }, work));
    return digests;
  }

  async function expectChunks(file: string, digests: readonly string[]): Promise<void> {
    for (const [index, digest] of digests.entries()) {
      const range = createReadStream(file, { start: index * CHUNK_BYTES, end: (index + 1) * CHUNK_BYTES - 1 });
      expect(await digestOf(range), `chunk ${index}`).toBe(digest);
    }
  }

  const connected = (): number => fixture.log.entries.filter(({ event }) => event === 'host connected').length;

  it('opens further connections on a long way, no more at a time than there are, and gives them up when they idle', async () => {
    const { own, proxy, repository } = await longWay({ idleTimeoutMs: 1_000 });
    const began = performance.now();
    let open = 0;
    const digests = await writeChunks(repository, 'grown', () => {
      open = Math.max(open, proxy.open());
      return connected() >= 3 || performance.now() - began > 15_000;
    });
    expect(open).toBeGreaterThan(2);
    await expectChunks(join(own.root, 'grown'), digests);
    // What is little enough for one keeps one alone.
    await vi.waitFor(async () => {
      await repository.use('sshd', lookAtRoot);
      expect(proxy.open()).toBe(1);
    }, 5_000);
    await vi.waitFor(() => expect(own.openFiles()).toEqual([]));
    expect(own.log()).not.toMatch(/beginning MaxStartups throttling|drop connection/);
  });

  it('never exceeds its limit', async () => {
    const { proxy, repository } = await longWay({ maxConnections: 2 });
    const began = performance.now();
    await writeChunks(repository, 'limited', () => performance.now() - began > 4_500);
    expect(proxy.accepted()).toBe(2);
  });

  it('stays with one connection on a short way, however much there is to do', async () => {
    const proxy = await fixture.proxyTo(fixture.sshd);
    const repository = fixture.repositoryOf([through(proxy)], { limits: { growthLookMs: 50 } });
    const began = performance.now();
    await writeChunks(repository, 'short', () => performance.now() - began > 2_500);
    expect(proxy.accepted()).toBe(1);
  });

  it('disturbs nobody when the host takes no further connection', async () => {
    const { own, proxy, repository } = await longWay({ backOffMs: 60_000 });
    const began = performance.now();
    await repository.use('sshd', async (host) => {
      // Whoever comes now finds nobody.
      await own.kill('listener');
      const digests = await writeChunks(repository, 'alone', () => performance.now() - began > 3_000);
      await expectChunks(join(own.root, 'alone'), digests);
      expect(await lookAtRoot(host)).toBe('directory');
    });
    expect(proxy.accepted()).toBeGreaterThan(1);
    expect(fixture.log.entries.filter(({ event }) => event === 'host did not connect')).toHaveLength(1);
    // It was no reason to think the host dead, so there is no pause when the one connection goes.
    await own.restart();
    proxy.cut();
    await vi.waitFor(() => expect(proxy.open()).toBe(0));
    expect(await repository.use('sshd', lookAtRoot)).toBe('directory');
  });

  it('keeps files where they are: the death of one connection fails those on it alone, once', async () => {
    const { own, repository } = await longWay();
    const began = performance.now();
    await repository.use('sshd', async (host) => {
      const before = own.children('sshd');
      await writeChunks(repository, 'shared', () => connected() >= 2 || performance.now() - began > 15_000);
      const later = own.children('sshd').filter((pid) => !before.includes(pid));
      expect(later.length).toBeGreaterThan(0);
      const names = ['a', 'b', 'c', 'd', 'e', 'f'];
      const files = await Promise.all(names.map((name) => host.open(joinPath(rootOf(host), name), 'create')));
      const stop = new AbortController();
      const writes = files.map((file) => file.write(0, zeroes(64 * KIB), { signal: stop.signal }));
      const ends = Promise.allSettled(writes);
      for (const pid of later) process.kill(pid, 'SIGKILL');
      await Promise.race(writes).catch(() => undefined);
      expect(await lookAtRoot(host)).toBe('directory');
      stop.abort(new Error('enough'));
      const reasons = (await ends).map((end) => (end.status === 'rejected' ? (end.reason as Error).name : 'nothing'));
      expect(reasons.filter((name) => name === 'Fault')).toHaveLength(3);
      expect(reasons.filter((name) => name === 'Error')).toHaveLength(3);
      const again = await host.open(joinPath(rootOf(host), 'again'), 'create');
      await again.write(0, piecesOf('x'), { signal: signal() });
      await Promise.all([...files, again].map((file) => file.close()));
    });
  });
});

describe('close', () => {
  it('fails what is under way and what comes later, and leaves nothing open', async () => {
    const proxy = await fixture.proxyTo(fixture.sshd);
    const repository = fixture.repositoryOf([through(proxy)]);
    let closed: Promise<void> | undefined;
    const writing = repository.use('sshd', async (host) => {
      const file = await host.open(joinPath(rootOf(host), 'closed'), 'create');
      const pieces = zeroes(64 * KIB, (count) => {
        if (count !== 50) return;
        expect(fixture.timers).toBeGreaterThan(0);
        closed = repository.close();
      });
      await file.write(0, pieces, { signal: signal() });
    });
    await expect(writing).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
    await closed;
    // A cancelled timer's promise settles a few turns later.
    await setImmediate();
    expect(fixture.timers).toBe(0);
    await vi.waitFor(() => expect(proxy.open()).toBe(0));
    await expect(repository.use('sshd', lookAtRoot)).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
    await repository.close();
    expect(proxy.accepted()).toBe(1);
  });

  it('ends an attempt to connect', async () => {
    const hole = await startBlackHole();
    fixture.onClose(hole.stop);
    const repository = fixture.repositoryOf([{ ...fixture.options, port: hole.port }]);
    const began = performance.now();
    const closed = vi.waitFor(() => expect(hole.accepted()).toBe(1)).then(() => repository.close());
    await expect(repository.use('sshd', lookAtRoot)).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
    await closed;
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});
