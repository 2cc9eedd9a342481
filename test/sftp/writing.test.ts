// Writing in odd circumstances: a full disk, new session keys, a slow link.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { joinPath } from '../../src/core/remote-path.js';
import { digestOfFile, KIB, MIB, randomContent } from '../support/bytes.js';
import { sshdHostOptions } from '../support/sshd-host.js';
import { rootOf, signal, useFixture } from './fixture.js';

const fixture = useFixture();

describe('writing', () => {
  it('tells a full disk from other failures', async (context) => {
    const own = await fixture.ownSshd();
    const disk = join(own.root, 'disk');
    execFileSync('mkdir', [disk]);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=0777', 'longshore-test', disk], { stdio: 'pipe' });
    } catch {
      return context.skip('only root may mount a file system small enough to fill');
    }
    fixture.onClose(async () => void execFileSync('umount', [disk]));
    const repository = fixture.repositoryOf([sshdHostOptions(own)]);
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

  it('puts pieces of every size where they belong, whatever shares a channel with them', async () => {
    const repository = fixture.repositoryOf([fixture.options], { limits: { bulkChannels: 1 } });
    // From less than a packet of SSH to more than a WRITE.
    const sizes = [1, 100, 31 * KIB, 64 * KIB, 65 * KIB, 255 * KIB, 256 * KIB, 600 * KIB];
    const contents = sizes.map((pieceBytes) => randomContent(pieceBytes === 1 ? 300 : 4 * MIB + pieceBytes, pieceBytes));
    await repository.use('sshd', async (host) => {
      await Promise.all(
        contents.map(async ({ pieces }, at) => {
          const file = await host.open(joinPath(rootOf(host), `of-${at}`), 'create');
          await file.write(0, pieces, { signal: signal() });
          await file.close();
        }),
      );
    });
    for (const [at, content] of contents.entries()) {
      expect(await digestOfFile(join(fixture.sshd.root, `of-${at}`))).toBe(content.digest());
    }
  });

  it('writes on while the session keys are changed', async () => {
    const own = await fixture.ownSshd({ config: ['RekeyLimit 4M'] });
    const repository = fixture.repositoryOf([sshdHostOptions(own)]);
    const content = randomContent(64 * MIB);
    await repository.use('sshd', async (host) => {
      const file = await host.open(joinPath(rootOf(host), 'rekeyed'), 'create');
      await file.write(0, content.pieces, { signal: signal() });
      await file.close();
    });
    expect(await digestOfFile(join(own.root, 'rekeyed'))).toBe(content.digest());
  });

  it('goes on over a slow link, on which bytes wait longer than any deadline', async () => {
    // 4 MiB at about 2 MiB/s, with a deadline of 400 ms.
    const proxy = await fixture.proxyTo(fixture.sshd, { bytesPerSecond: 2 * MIB });
    const options = { ...fixture.options, port: proxy.port };
    const repository = fixture.repositoryOf([options], { limits: { callTimeoutMs: 400, silenceTimeoutMs: 1_000 } });
    const content = randomContent(4 * MIB);
    await repository.use('sshd', async (host) => {
      const file = await host.open(joinPath(rootOf(host), 'slow'), 'create');
      await file.write(0, content.pieces, { signal: signal() });
      await file.close();
    });
    expect(await digestOfFile(join(fixture.sshd.root, 'slow'))).toBe(content.digest());
  });
});
