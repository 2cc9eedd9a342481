// The session on which a server copies: nobody waits for it, and nothing stays of it.
import { chmodSync, existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { FileRange, Host } from '../../src/core/ports.js';
import type { RemotePath } from '../../src/core/remote-path.js';
import { joinPath } from '../../src/core/remote-path.js';
import { PacketType } from '../../src/sftp/wire.js';
import { KIB, MIB } from '../support/bytes.js';
import { deferred } from '../support/manual-clock.js';
import type { Sshd } from '../support/sshd.js';
import { sshdHostOptions } from '../support/sshd-host.js';
import { lookAtRoot, rootOf, signal, useFixture } from './fixture.js';
import { attributesReply, handleReply, onRequests, startRawServer, statusReply } from './raw-server.js';

const SFTP_SERVER = ['/usr/lib/openssh/sftp-server', '/usr/libexec/openssh/sftp-server'].find((file) => existsSync(file)) ?? '';
const OP_UNSUPPORTED = 8;
const STEP_BYTES = 256 * KIB;

const fixture = useFixture();

let made = 0;
/** A file of the host's account. */
function makeFile(sshd: Sshd, content: string | Buffer): RemotePath {
  const file = join(sshd.root, `file-${(made += 1)}`);
  writeFileSync(file, content);
  chmodSync(file, 0o666);
  return file as RemotePath;
}

async function* times(count: number, range: FileRange): AsyncGenerator<FileRange> {
  for (let left = count; left > 0; left -= 1) yield range;
}

interface Wish {
  readonly count?: number;
  readonly onGrown?: (lengthBytes: number) => void;
}

function append(host: Host, source: RemotePath, output: RemotePath, { count = 1, onGrown = () => undefined }: Wish = {}) {
  const range = { path: source, offset: 0, lengthBytes: statSync(source).size };
  return host.append(output, times(count, range), { from: 0, signal: signal(), onGrown });
}

const sessions = (sshd: Sshd): readonly number[] => sshd.children('sftp-server');

describe('the session of a copy', () => {
  it('is ended with it, and no file stays open, however it ends', async () => {
    const { sshd } = fixture;
    const [source, output] = [makeFile(sshd, 'content'), makeFile(sshd, '')];
    await fixture.repositoryOf([fixture.options]).use('sshd', async (host) => {
      const before = sessions(sshd).length;
      let during = 0;
      await append(host, source, output, { onGrown: () => (during = sessions(sshd).length) });
      expect(during).toBe(before + 1);
      await vi.waitFor(() => expect(sessions(sshd)).toHaveLength(before));
      await expect(append(host, source, output)).rejects.toMatchObject({ code: 'HOST_BUSY' });
      await expect(append(host, source, joinPath(rootOf(host), 'none'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await vi.waitFor(() => expect(sessions(sshd)).toHaveLength(before));
      expect(sshd.openFiles()).toEqual([]);
    });
  });

  it('keeps few files open, however many there are', async () => {
    const { sshd } = fixture;
    const [source, output] = [makeFile(sshd, 'x'), makeFile(sshd, '')];
    let open = 0;
    const onGrown = (lengthBytes: number): void => {
      if (lengthBytes % 100 === 0) open = Math.max(open, sshd.openFiles().length);
    };
    await fixture
      .repositoryOf([fixture.options])
      .use('sshd', (host) => append(host, source, output, { count: 2_000, onGrown }));
    expect(open).toBeGreaterThan(1);
    expect(open).toBeLessThan(200);
    expect(statSync(output).size).toBe(2_000);
  });

  it('holds up nobody else', async () => {
    const { sshd } = fixture;
    const [source, output] = [makeFile(sshd, Buffer.alloc(MIB)), makeFile(sshd, '')];
    await fixture.repositoryOf([fixture.options]).use('sshd', async (host) => {
      const others = new Set(sessions(sshd));
      const isHeld = deferred();
      const own = (): readonly number[] => sessions(sshd).filter((pid) => !others.has(pid));
      const onGrown = (lengthBytes: number): void => {
        if (lengthBytes !== 8 * MIB) return;
        for (const pid of own()) process.kill(pid, 'SIGSTOP');
        isHeld.resolve();
      };
      const copying = append(host, source, output, { count: 200, onGrown });
      await isHeld.promise;
      expect(await lookAtRoot(host)).toBe('directory');
      const other = await host.open(joinPath(rootOf(host), 'other'), 'create');
      await other.close();
      for (const pid of own()) process.kill(pid, 'SIGCONT');
      await copying;
      expect(statSync(output).size).toBe(200 * MIB);
    });
  });

  it.each([1, 2])('has a connection apart where sshd grants %i sessions on one', async (maxSessions) => {
    const own = await fixture.ownSshd({ maxSessions });
    const proxy = await fixture.proxyTo(own);
    const repository = fixture.repositoryOf([{ ...sshdHostOptions(own), port: proxy.port }]);
    const [source, output] = [makeFile(own, 'content'), makeFile(own, '')];
    await repository.use('sshd', async (host) => {
      const open = await host.open(joinPath(rootOf(host), 'open'), 'create');
      await append(host, source, output);
      await open.close();
      expect(readFileSync(output, 'utf8')).toBe('content');
      expect(proxy.accepted()).toBe(2);
      await vi.waitFor(() => expect(proxy.open()).toBe(1));
    });
  });

  it.each([10, 1])('ends when the repository is closed, with %i sessions to have', async (maxSessions) => {
    const own = await fixture.ownSshd({ maxSessions });
    const repository = fixture.repositoryOf([sshdHostOptions(own)]);
    const [source, output] = [makeFile(own, Buffer.alloc(MIB, 'x')), makeFile(own, '')];
    let closing: Promise<void> | undefined;
    const onGrown = (): void => void (closing ??= repository.close());
    const copying = repository.use('sshd', (host) => append(host, source, output, { count: 1_000, onGrown }));
    await expect(copying).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
    await closing;
    await vi.waitFor(() => expect(own.openFiles()).toEqual([]));
    const bytes = readFileSync(output);
    expect(bytes.equals(Buffer.alloc(bytes.length, 'x'))).toBe(true);
  });

  it('leaves what is right when it dies', async () => {
    const { sshd } = fixture;
    const [source, output] = [makeFile(sshd, Buffer.alloc(MIB, 'x')), makeFile(sshd, '')];
    await fixture.repositoryOf([fixture.options]).use('sshd', async (host) => {
      const others = new Set(sessions(sshd));
      const onGrown = (lengthBytes: number): void => {
        if (lengthBytes !== 8 * MIB) return;
        for (const pid of sessions(sshd)) if (!others.has(pid)) process.kill(pid, 'SIGKILL');
      };
      const copying = append(host, source, output, { count: 1_000, onGrown });
      await expect(copying).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
      const bytes = readFileSync(output);
      expect(bytes.length).toBeGreaterThanOrEqual(8 * MIB);
      expect(bytes.equals(Buffer.alloc(bytes.length, 'x'))).toBe(true);
      expect(await lookAtRoot(host)).toBe('directory');
    });
  });

  it('is given up when the server answers nothing for the time a slow call may take', async () => {
    const { sshd } = fixture;
    const [source, output] = [makeFile(sshd, ''), makeFile(sshd, '')];
    // Of one source, so that hardly anything but copying is asked of the server; of zeroes that take no room.
    truncateSync(source, 512 * MIB);
    const limits = { callTimeoutMs: 500, slowCallTimeoutMs: 1_500 };
    await fixture.repositoryOf([fixture.options], { limits }).use('sshd', async (host) => {
      const others = new Set(sessions(sshd));
      let heldAt = 0;
      const own = (): readonly number[] => sessions(sshd).filter((pid) => !others.has(pid));
      const onGrown = (): void => {
        if (heldAt > 0) return;
        heldAt = performance.now();
        for (const pid of own()) process.kill(pid, 'SIGSTOP');
      };
      const copying = append(host, source, output, { onGrown });
      await expect(copying).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
      expect(performance.now() - heldAt).toBeGreaterThan(1_400);
      for (const pid of own()) process.kill(pid, 'SIGCONT');
    });
  });
});

describe('a server that can’t', () => {
  it('is not asked when it doesn’t offer it', async () => {
    const own = await fixture.ownSshd({ sftpCommand: `${SFTP_SERVER} -P copy-data` });
    const [source, output] = [makeFile(own, 'content'), makeFile(own, '')];
    await fixture.repositoryOf([sshdHostOptions(own)]).use('sshd', async (host) => {
      expect(host.offers.copyData).toBe(false);
      await expect(append(host, source, output)).rejects.toMatchObject({ code: 'HOST_UNSUPPORTED' });
    });
    expect(sessions(own)).toHaveLength(1);
  });

  it('is said not to, when it offers it and knows nothing of it', async () => {
    const answered: number[] = [];
    const server = await startRawServer((channel) =>
      onRequests(
        channel,
        ({ type, id }) => {
          answered.push(type);
          if (type === PacketType.open) channel.write(handleReply(id));
          else if (type === PacketType.fstat) channel.write(attributesReply(id));
          else channel.write(statusReply(id, type === PacketType.extended ? OP_UNSUPPORTED : 0));
        },
        ['copy-data'],
      ),
    );
    fixture.onClose(server.stop);
    await fixture.repositoryOf([server.options]).use('raw', async (host) => {
      const ranges = times(5, { path: '/source' as RemotePath, offset: 0, lengthBytes: 1 });
      const options = { from: 7, signal: signal(), onGrown: () => undefined };
      await expect(host.append('/output' as RemotePath, ranges, options)).rejects.toMatchObject({ code: 'HOST_UNSUPPORTED' });
    });
    expect(answered).toContain(PacketType.extended);
  });

  it('loses the output when what lies behind a hole can’t be cut off', async () => {
    const own = await fixture.ownSshd({ sftpCommand: `${SFTP_SERVER} -P fsetstat` });
    const [source, short, output] = [makeFile(own, Buffer.alloc(STEP_BYTES)), makeFile(own, 'x'), makeFile(own, '')];
    async function* ranges(): AsyncGenerator<FileRange> {
      yield { path: short, offset: 0, lengthBytes: 2 };
      yield* times(3, { path: source, offset: 0, lengthBytes: STEP_BYTES });
    }
    await fixture.repositoryOf([sshdHostOptions(own)]).use('sshd', async (host) => {
      const options = { from: 0, signal: signal(), onGrown: () => undefined };
      await expect(host.append(output, ranges(), options)).rejects.toMatchObject({ code: 'FAILURE' });
    });
    expect(existsSync(output)).toBe(false);
  });
});
