// Against the least a server may be: SFTP version 3 without any extension, whose reads are short and whose file is in memory.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import ssh2 from 'ssh2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HostRepository, OpenFile } from '../../src/core/ports.js';
import type { RemotePath } from '../../src/core/remote-path.js';
import { fingerprint } from '../../src/sftp/host-keys.js';
import { createHostRepository } from '../../src/sftp/host-repository.js';
import { collect, KIB, MIB, randomContent } from '../support/bytes.js';
import { listenOnLoopback } from '../support/port.js';
import { keptLog, realClock } from '../support/roles.js';
import { hostProfile } from '../support/sshd-host.js';

const { STATUS_CODE } = ssh2.utils.sftp;
const FILE = '/file' as RemotePath;
const MAX_READ_BYTES = 1_000;

describe('a plain SFTP server', () => {
  const stored = Buffer.alloc(2 * MIB);
  let longestWriteBytes = 0;
  let server: ssh2.Server;
  let repository: HostRepository;

  beforeAll(async () => {
    const { private: hostKey, public: publicKey } = ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 });
    server = new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
      client.on('error', () => undefined);
      client.on('authentication', (context) => context.accept());
      client.on('session', (accept) => void accept().on('sftp', (acceptSftp) => serve(acceptSftp())));
    });
    const port = await listenOnLoopback(server);
    const options = {
      profile: hostProfile('plain', '/'),
      address: '127.0.0.1',
      port,
      username: 'somebody',
      authentication: { kind: 'password', password: 'any' } as const,
      hostKeys: [fingerprint(Buffer.from(publicKey.split(' ')[1] ?? '', 'base64'))],
    };
    repository = createHostRepository({ hosts: [options], clock: realClock, log: keptLog() });
  });
  afterAll(async () => {
    await repository.close();
    server.close();
    await once(server, 'close');
  });

  function serve(sftp: ssh2.SFTPWrapper): void {
    sftp.on('OPEN', (id) => sftp.handle(id, Buffer.from('h')));
    sftp.on('CLOSE', (id) => sftp.status(id, STATUS_CODE.OK));
    sftp.on('WRITE', (id, _handle, offset, data) => {
      longestWriteBytes = Math.max(longestWriteBytes, data.length);
      data.copy(stored, offset);
      sftp.status(id, STATUS_CODE.OK);
    });
    sftp.on('READ', (id, _handle, offset, length) => {
      const end = Math.min(offset + Math.min(length, MAX_READ_BYTES), stored.length);
      if (offset >= end) sftp.status(id, STATUS_CODE.EOF);
      else sftp.data(id, stored.subarray(offset, end));
    });
  }

  function withFile<T>(work: (file: OpenFile) => Promise<T>): Promise<T> {
    return repository.use('plain', async (host) => {
      const file = await host.open(FILE, 'write');
      try {
        return await work(file);
      } finally {
        await file.close();
      }
    });
  }

  it('is sent no longer writes than every server takes, and they land in place', async () => {
    const content = randomContent(MIB + 1, 300 * KIB);
    await withFile((file) => file.write(5, content.pieces, { signal: new AbortController().signal }));
    expect(longestWriteBytes).toBeLessThanOrEqual(32 * KIB);
    expect(longestWriteBytes).toBeGreaterThan(16 * KIB);
    expect(
      createHash('sha256')
        .update(stored.subarray(5, MIB + 6))
        .digest('hex'),
    ).toBe(content.digest());
  });

  it('is read in order and whole although each answer is short', async () => {
    await withFile(async (file) => {
      expect((await collect(file.read(7, 1_500_000))).equals(stored.subarray(7, 1_500_007))).toBe(true);
      expect((await collect(file.read(stored.length - 1_500, 9_999))).equals(stored.subarray(-1_500))).toBe(true);
    });
  });

  it('offers nothing, and is asked for nothing it doesn’t offer', async () => {
    await repository.use('plain', async (host) => {
      expect(Object.values(host.offers).filter((offered) => offered)).toEqual([]);
      await expect(host.replace(FILE, FILE)).rejects.toMatchObject({ code: 'HOST_UNSUPPORTED' });
      await expect(host.link(FILE, FILE)).rejects.toMatchObject({ code: 'HOST_UNSUPPORTED' });
      expect(await host.space(FILE)).toBeUndefined();
      await host.syncDirectory(FILE);
    });
    await withFile((file) => file.sync());
  });

  it('is told apart from a broken one by what it does not know', async () => {
    await repository.use('plain', async (host) => {
      await expect(host.unlink(FILE)).rejects.toMatchObject({ code: 'HOST_UNSUPPORTED' });
      const running = (async () => {
        for await (const line of host.run('echo', [])) throw new Error(line);
      })();
      await expect(running).rejects.toMatchObject({ code: 'HOST_UNSUPPORTED' });
    });
  });
});
