// An SSH server whose SFTP subsystem is what a test makes of it: it is handed the plain channel.
import { once } from 'node:events';
import ssh2, { type ServerChannel } from 'ssh2';
import type { SshHostOptions } from '../../src/sftp/host-repository.js';
import { fingerprint } from '../../src/sftp/host-keys.js';
import { FieldReader, packet, PacketSplitter, PacketType, string, uint32 } from '../../src/sftp/wire.js';
import { listenOnLoopback } from '../support/port.js';
import { hostProfile } from '../support/sshd-host.js';

export interface RawServer {
  readonly options: SshHostOptions;
  stop(): Promise<void>;
}

/** Everybody may log in. */
export async function startRawServer(serve: (channel: ServerChannel) => void): Promise<RawServer> {
  const { private: hostKey, public: publicKey } = ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 });
  const server = new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
    client.on('error', () => undefined);
    client.on('authentication', (context) => context.accept());
    client.on('session', (accept) => {
      accept().on('subsystem', (acceptSubsystem) => {
        const channel = acceptSubsystem();
        channel.on('error', () => undefined);
        channel.on('end', () => channel.end());
        serve(channel);
      });
    });
  });
  const port = await listenOnLoopback(server);
  return {
    options: {
      profile: hostProfile('raw', '/'),
      address: '127.0.0.1',
      port,
      username: 'somebody',
      authentication: { kind: 'password', password: 'any' },
      hostKeys: [fingerprint(Buffer.from(publicKey.split(' ')[1] ?? '', 'base64'))],
    },
    stop: async () => {
      server.close();
      await once(server, 'close');
    },
  };
}

export interface RawRequest {
  readonly type: number;
  readonly id: number;
  readonly fields: FieldReader;
}

/** Greets with the named extensions, each of version 1, and hands on every request after that. */
export function onRequests(
  channel: ServerChannel,
  answer: (request: RawRequest) => void,
  extensions: readonly string[] = [],
): void {
  const offered = extensions.flatMap((name) => [string(name), string('1')]);
  const splitter = new PacketSplitter();
  channel.on('data', (piece: Buffer) => {
    for (const bytes of splitter.push(piece)) {
      const fields = new FieldReader(bytes);
      const type = fields.byte();
      if (type === PacketType.init) channel.write(packet(PacketType.version, [uint32(3), ...offered]));
      else answer({ type, id: fields.uint32(), fields });
    }
  });
}

export function statusReply(id: number, code: number, text = ''): Buffer {
  return packet(PacketType.status, [uint32(id), uint32(code), string(text), string('')]);
}

export function handleReply(id: number): Buffer {
  return packet(PacketType.handle, [uint32(id), string('h')]);
}

/** A regular file of 7 bytes. */
export function attributesReply(id: number): Buffer {
  const flags = 0x1 | 0x4;
  return packet(PacketType.attrs, [uint32(id), uint32(flags), uint32(0), uint32(7), uint32(0o100644)]);
}
