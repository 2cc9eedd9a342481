// Whoever would have the gateway connect to a place of his choice: hosts are named, and only the configuration says where they are.
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { buildSchema, isInputObjectType, isObjectType } from 'graphql';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TestServices } from '../assembly/support.js';
import { ANNA, startServices } from '../assembly/support.js';
import type { Sshd } from '../support/sshd.js';
import { startSshd } from '../support/sshd.js';
import { sshdHostOptions } from '../support/sshd-host.js';

let sshd: Sshd;
let services: TestServices;
beforeAll(async () => {
  sshd = await startSshd();
  services = await startServices(sshdHostOptions(sshd));
});
afterAll(async () => {
  await services.close();
  await sshd.stop();
});

it('no argument and no input field is an address, a port, a user, a key or a command', () => {
  const types = Object.values(buildSchema(fs.readFileSync('schema.graphql', 'utf8')).getTypeMap());
  const inputs = types.flatMap((type) => {
    if (type.name.startsWith('__')) return [];
    if (isInputObjectType(type)) return Object.keys(type.getFields());
    return isObjectType(type) ? Object.values(type.getFields()).flatMap((field) => field.args.map(({ name }) => name)) : [];
  });
  const known =
    'after chunk chunkCount chunkSize digest file first fullPath hashCode hostId ifExists ifMatch index size takeOver';
  expect([...new Set(inputs)].sort()).toEqual(known.split(' '));
});

it('a host that is named like an address, an option or a command reaches nothing', async () => {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const at = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const accepted = sshd.log().match(/Connection from/g)?.length ?? 0;
  const names = [
    at,
    `root@${at}`,
    `[::1]:22`,
    `ssh://${at}`,
    `http://${at}/`,
    `sshd@${at}`,
    `sshd:${at}`,
    `-oProxyCommand=nc ${at}`,
    '-p 22',
    'SSHD',
    'sshd ',
    'sshd\u0000',
    '../sshd',
    '__proto__',
    'constructor',
    'toString',
    '',
  ];
  for (const hostId of names) {
    const file = { hostId, fullPath: `${sshd.root}/x`, hashCode: 'x' };
    const status = { file, size: 1, ifExists: 'ASK', takeOver: false } as const;
    expect(await services.longshore.uploadStatus(ANNA, status), hostId).toMatchObject({ code: 'HOST_UNKNOWN' });
  }
  for (const fullPath of [`${at}:/x`, `root@${at}:/x`, `-oProxyCommand=nc ${at}`, `ssh://${at}/x`, `file:///etc/passwd`]) {
    const file = { hostId: 'sshd', fullPath, hashCode: 'x' };
    const status = { file, size: 1, ifExists: 'ASK', takeOver: false } as const;
    expect(await services.longshore.uploadStatus(ANNA, status), fullPath).toMatchObject({ code: 'INVALID_PATH' });
  }
  expect([connections, sshd.log().match(/Connection from/g)?.length ?? 0]).toEqual([0, accepted]);
  server.close();
});
