// Hosts that die in every way there is, at the same time and with the deadlines as they are.
import { describe, expect, it, vi } from 'vitest';
import type { HostRepository } from '../../src/core/ports.js';
import { joinPath } from '../../src/core/remote-path.js';
import type { SshHostOptions } from '../../src/sftp/host-repository.js';
import { startBlackHole } from '../support/black-hole.js';
import { MIB, randomContent } from '../support/bytes.js';
import { realClock } from '../support/roles.js';
import { sshdHostOptions } from '../support/sshd-host.js';
import { lookAtRoot, rootOf, signal, useFixture } from './fixture.js';

const fixture = useFixture();

/** One way for a host to die, and to come back. */
interface Death {
  readonly options: SshHostOptions;
  readonly die: () => unknown;
  readonly comeBack: () => unknown;
}

async function deaths(): Promise<readonly Death[]> {
  const [hung, frozen, cutOff, killed] = await Promise.all([1, 2, 3, 4].map(() => fixture.ownSshd()));
  if (hung === undefined || frozen === undefined || cutOff === undefined || killed === undefined) throw new Error('too few');
  const proxy = await fixture.proxyTo(cutOff);
  const [die, comeBack] = [(): void => proxy.hold(), (): void => proxy.release()];
  return [
    { options: sshdHostOptions(hung, 'hung'), die: () => hung.pause('sftp-server'), comeBack: () => undefined },
    { options: sshdHostOptions(frozen, 'frozen'), die: () => frozen.freeze(), comeBack: () => frozen.thaw() },
    { options: { ...sshdHostOptions(cutOff, 'cut off'), port: proxy.port }, die, comeBack },
    {
      options: sshdHostOptions(killed, 'killed'),
      die: () => killed.kill('everything'),
      comeBack: () => killed.restart(),
    },
  ];
}

async function tookMs(work: Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work.catch(() => undefined);
  return performance.now() - began;
}

describe('with the deadlines as they are', () => {
  const MUST_BE_TOLD_MS = 12_000;
  /** The longest pause, and a handshake. */
  const MUST_BE_BACK_MS = 10_000;
  const FILE_BYTES = 64 * MIB;

  /** Somebody who wants to know each tenth of a second; gives how long he waited for each answer. */
  async function ask(repository: HostRepository, id: string, isOver: () => boolean): Promise<readonly number[]> {
    const waits: number[] = [];
    while (!isOver()) {
      waits.push(await tookMs(repository.use(id, lookAtRoot)));
      await realClock.sleep(100);
    }
    return waits;
  }

  /** A large write in the middle of which the host dies, and a sync that is asked for then; gives how long both went on. */
  async function dieIn(repository: HostRepository, { options, die }: Death): Promise<number> {
    let diedAt = Infinity;
    const content = randomContent(FILE_BYTES);
    await repository.use(options.profile.id, async (host) => {
      const large = await host.open(joinPath(rootOf(host), 'large'), 'create');
      const other = await host.open(joinPath(rootOf(host), 'other'), 'create');
      let syncing: Promise<void> | undefined;
      async function* pieces(): AsyncGenerator<Uint8Array> {
        let count = 0;
        for await (const piece of content.pieces) {
          yield piece;
          if ((count += 1) !== 256) continue;
          diedAt = performance.now();
          syncing = Promise.resolve(die()).then(() => other.sync());
        }
      }
      await expect(large.write(0, pieces(), { signal: signal() })).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
      await expect(syncing).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
      await Promise.all([large.close(), other.close()]);
    });
    return performance.now() - diedAt;
  }

  it('every dead host is told of within 12 s, disturbs no other, and is used within 10 s of its return', async () => {
    const dying = await deaths();
    const mute = await startBlackHole();
    fixture.onClose(mute.stop);
    const repository = fixture.repositoryOf([
      ...dying.map(({ options }) => options),
      { ...sshdHostOptions(fixture.sshd, 'mute'), port: mute.port },
      fixture.options,
    ]);
    let isOver = false;
    const healthy = ask(repository, 'sshd', () => isOver);
    const silent = ask(repository, 'mute', () => isOver);
    const deathMs = await Promise.all(dying.map((death) => dieIn(repository, death)));
    for (const [index, ms] of deathMs.entries()) expect(ms, dying[index]?.options.profile.id).toBeLessThan(MUST_BE_TOLD_MS);
    const callers = dying.map(({ options }) => ask(repository, options.profile.id, () => isOver));
    await realClock.sleep(5_000);
    const returns = dying.map(async ({ options, comeBack }) => {
      await comeBack();
      return tookMs(vi.waitFor(() => repository.use(options.profile.id, lookAtRoot), { timeout: 20_000, interval: 100 }));
    });
    for (const [index, ms] of (await Promise.all(returns)).entries())
      expect(ms, dying[index]?.options.profile.id).toBeLessThan(MUST_BE_BACK_MS);
    isOver = true;
    for (const waits of await Promise.all([silent, ...callers])) expect(Math.max(...waits)).toBeLessThan(MUST_BE_TOLD_MS);
    expect(Math.max(...(await healthy))).toBeLessThan(1_000);
  }, 90_000);
});
