// What tests of connections share: an sshd, repositories over it, and the count at the end of each test, when nothing may be left of
// what it began: no timer, no connection, no session.
import { afterAll, afterEach, beforeAll, expect, vi } from 'vitest';
import type { Clock, Host, HostRepository } from '../../src/core/ports.js';
import type { RemotePath } from '../../src/core/remote-path.js';
import { createHostRepository, type HostRepositoryOptions, type SshHostOptions } from '../../src/sftp/host-repository.js';
import { type Proxy, type ProxyOptions, startProxy } from '../support/proxy.js';
import { type KeptLog, keptLog, realClock } from '../support/roles.js';
import { type Sshd, type SshdOptions, startSshd } from '../support/sshd.js';
import { sshdHostOptions } from '../support/sshd-host.js';

export class Fixture {
  readonly #closing: (() => Promise<void>)[] = [];
  #sshd: Sshd | undefined;
  #log: KeptLog = keptLog();
  #timers = 0;

  /** One for the whole file. */
  get sshd(): Sshd {
    if (this.#sshd === undefined) throw new Error('there is no sshd yet');
    return this.#sshd;
  }

  get options(): SshHostOptions {
    return sshdHostOptions(this.sshd);
  }

  /** Of the last repository. */
  get log(): KeptLog {
    return this.#log;
  }

  /** Timers that wait now. */
  get timers(): number {
    return this.#timers;
  }

  readonly clock: Clock = {
    ...realClock,
    sleep: async (ms, signal) => {
      this.#timers += 1;
      await realClock.sleep(ms, signal).finally(() => (this.#timers -= 1));
    },
  };

  /** Undone after the test, the last one first. */
  onClose(close: () => Promise<void>): void {
    this.#closing.push(close);
  }

  repositoryOf(hosts: readonly SshHostOptions[], more: Partial<HostRepositoryOptions> = {}): HostRepository {
    this.#log = keptLog();
    const repository = createHostRepository({ hosts, clock: this.clock, log: this.#log, ...more });
    this.onClose(() => repository.close());
    return repository;
  }

  async proxyTo(target: { readonly address: string; readonly port: number }, options?: ProxyOptions): Promise<Proxy> {
    const proxy = await startProxy(target, options);
    this.onClose(async () => {
      proxy.release();
      await vi.waitFor(() => expect(proxy.open(), 'connections left').toBe(0));
      await proxy.stop();
    });
    return proxy;
  }

  /** One for this test alone. */
  async ownSshd(options?: SshdOptions): Promise<Sshd> {
    const own = await startSshd(options);
    this.onClose(async () => {
      own.thaw();
      await expectNoSessions(own);
      await own.stop();
    });
    return own;
  }

  async start(): Promise<void> {
    this.#sshd = await startSshd();
  }

  async finishTest(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close();
    await vi.waitFor(() => expect(this.#timers, 'timers left').toBe(0));
    await expectNoSessions(this.sshd);
  }

  async stop(): Promise<void> {
    await this.sshd.stop();
  }
}

/** To be called once for a `describe`. */
export function useFixture(): Fixture {
  const fixture = new Fixture();
  beforeAll(() => fixture.start());
  afterEach(() => fixture.finishTest());
  afterAll(() => fixture.stop());
  return fixture;
}

async function expectNoSessions(sshd: Sshd): Promise<void> {
  await vi.waitFor(() => expect(sshd.children('sftp-server'), 'sessions left').toEqual([]), 5_000);
}

export function rootOf(host: Host): RemotePath {
  return host.profile.roots[0] ?? ('/' as RemotePath);
}

export async function lookAtRoot(host: Host): Promise<string | undefined> {
  return (await host.lstat(rootOf(host)))?.kind;
}

/** That nobody aborts. */
export function signal(): AbortSignal {
  return new AbortController().signal;
}

/** Without end; `onPiece` is told how many there were before. */
export async function* zeroes(
  pieceBytes: number,
  onPiece: (count: number) => void = () => undefined,
): AsyncGenerator<Uint8Array> {
  for (let count = 0; ; count += 1) {
    onPiece(count);
    yield Buffer.alloc(pieceBytes);
  }
}
