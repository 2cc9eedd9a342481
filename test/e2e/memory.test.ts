import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { MIB } from '../support/bytes.js';
import { startGatewayProcess } from '../support/gateway-process.js';
import { OutsideClient } from '../support/outside-client.js';
import { startSshd } from '../support/sshd.js';

const CHUNK = 64 * MIB;
const CHUNKS = 8;

it('512 MiB in chunks of 64 MiB pass through the gateway in at most 25 MiB more than it takes idle', async () => {
  const sshd = await startSshd();
  const directory = mkdtempSync(join(tmpdir(), 'longshore-memory-'));
  const host = { id: 'sshd', address: sshd.address, port: sshd.port, username: sshd.username, roots: [sshd.root] };
  const login = { privateKeyFile: sshd.privateKeyFile, hostKeys: [sshd.hostKeyFingerprint] };
  // JSON is YAML.
  writeFileSync(join(directory, 'longshore.yaml'), JSON.stringify({ hosts: [{ ...host, ...login }] }));
  const gateway = await startGatewayProcess({ directory });
  try {
    const client = new OutsideClient(gateway);
    // Idle is when everything is loaded.
    await client.put({ hostId: 'sshd', fullPath: `${sshd.root}/first`, hashCode: 'first' }, randomBytes(100_000));
    const idle = gateway.residentBytes().now;
    const file = { hostId: 'sshd', fullPath: `${sshd.root}/big`, hashCode: 'big' };
    const chunk = randomBytes(CHUNK);
    await client.status(file, CHUNKS * CHUNK, { chunkSize: CHUNK });
    for (let index = 1; index <= CHUNKS; index++) expect(await client.chunk(file, index, chunk)).toMatchObject({ index });
    await client.merge(file, CHUNKS);
    expect((await client.watch(file)).at(-1)).toMatchObject({ phase: 'DONE', proved: true });
    expect((gateway.residentBytes().peak - idle) / MIB).toBeLessThanOrEqual(25);
  } finally {
    await gateway.stop();
    await sshd.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}, 120_000);
