// The embedded host: an SSH server in our own process, for a gateway that nobody has configured.
// Secret: how SFTP is spoken and how the file system is kept inside one directory. OpenSSH's sftp and rclone can use it, too.
// Called by compose alone; everybody else sees one more host to connect to. May import core, ssh2 and node:*.
import { once } from 'node:events';
import * as fs from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { relative, sep } from 'node:path';
import ssh2, { type Algorithms, type Connection, type ServerChannel, type ServerConfig } from 'ssh2';
import type { Log } from '../core/ports.js';
import { admit } from './authentication.js';
import { Jail } from './jail.js';
import { keepKeyPair } from './keys.js';
import { serveSftp } from './sftp-session.js';

export interface EmbeddedHostOptions {
  /** What `/` is to clients; made when it isn't there. */
  readonly directory: string;
  /** Where the keys are kept: outside of `directory`, for clients must not reach them. */
  readonly stateDirectory: string;
  /** Loopback. */
  readonly address: '127.0.0.1';
  /** 0: any that is free. */
  readonly port: number;
  readonly log: Log;
  /** Told of all bytes that arrive. */
  readonly onBytes?: (bytes: number) => void;
}

export interface EmbeddedHost {
  readonly port: number;
  readonly username: string;
  /** The one key that is let in, OpenSSH format. */
  readonly privateKey: string;
  readonly privateKeyFile: string;
  /** `SHA256:…`, as ssh-keygen prints it. */
  readonly hostKeyFingerprint: string;
  /** `ssh-ed25519 AAAA…`, for a known_hosts file. */
  readonly hostKey: string;
  /** Hangs up on everybody. Resolves when every file is closed. May be called again. */
  close(): Promise<void>;
}

const USERNAME = 'longshore';
/** More than a gateway's connection pool and a few people have. */
const MAX_CONNECTIONS = 128;
/** OpenSSH's MaxSessions is 10; our own gateway should never meet this one. */
const MAX_SESSIONS = 64;

/** What ssh2 would offer by itself less everything with SHA-1; strict key exchange (OpenSSH PROTOCOL §1.10) it always adds. */
const ALGORITHMS: Algorithms = {
  cipher: ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'chacha20-poly1305@openssh.com', 'aes256-ctr', 'aes128-ctr'],
  kex: ['curve25519-sha256', 'curve25519-sha256@libssh.org', 'ecdh-sha2-nistp256', 'ecdh-sha2-nistp384', 'ecdh-sha2-nistp521'],
  hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'],
  compress: ['none'],
};

/** Rejects with the system's error (`EADDRINUSE`, `EACCES`) when the port can't be had. */
export async function startEmbeddedHost(options: EmbeddedHostOptions): Promise<EmbeddedHost> {
  const { directory, stateDirectory, address, port, log, onBytes = () => undefined } = options;
  await fs.mkdir(directory, { recursive: true });
  const hostKey = await keepKeyPair(stateDirectory, 'host_key');
  const clientKey = await keepKeyPair(stateDirectory, 'client_key');
  await refuseNested(stateDirectory, directory);
  const connections = new Set<Socket>();
  const work = new Set<Promise<void>>();
  const house: House = {
    jail: await Jail.at(directory),
    ssh: { hostKeys: [hostKey.privateKey], ident: 'Longshore', algorithms: ALGORITHMS },
    publicKey: clientKey.public.line,
    log,
    keep: (promise) => {
      work.add(promise);
      void promise.finally(() => work.delete(promise));
    },
  };
  const server = createServer({ noDelay: true }, (socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
    serveConnection(socket, house);
    socket.on('data', ({ length }: Buffer) => onBytes(length));
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.listen(port, address);
  await once(server, 'listening');
  server.on('error', (err) => log.warn({ err }, 'embedded host: connection not accepted')); // EMFILE
  let closing: Promise<void> | undefined;
  const shutDown = async (): Promise<void> => {
    const closed = once(server, 'close');
    server.close();
    for (const socket of connections) socket.destroy();
    await closed;
    await Promise.all(work);
  };
  return {
    port: (server.address() as AddressInfo).port,
    username: USERNAME,
    privateKey: clientKey.privateKey,
    privateKeyFile: clientKey.privateKeyFile,
    hostKeyFingerprint: hostKey.public.fingerprint,
    hostKey: hostKey.public.line,
    close: () => (closing ??= shutDown()),
  };
}

interface House {
  readonly jail: Jail;
  readonly ssh: ServerConfig;
  readonly publicKey: string;
  readonly log: Log;
  /** Waits for it at the end. */
  keep(work: Promise<void>): void;
}

/** Each connection gets an `ssh2.Server` of its own, which never listens: so what belongs to which socket is plain to see. */
function serveConnection(socket: Socket, house: House): void {
  const server = new ssh2.Server(house.ssh, (client, { header }) => {
    client.on('error', (err) => house.log.debug({ err }, 'embedded host: connection failed'));
    admit(client, { username: USERNAME, publicKey: house.publicKey });
    // ssh2's client keeps to the draft with every server that doesn't call itself OpenSSH; all others do as OpenSSH does.
    const symlinkOrder = header.versions.software.startsWith('ssh2js') ? 'link-first' : 'target-first';
    serveSessions({ client, socket }, (channel, gone) => {
      house.keep(serveSftp({ channel, socket, gone, jail: house.jail, symlinkOrder, log: house.log }));
    });
  });
  server.on('error', (err: unknown) => house.log.debug({ err }, 'embedded host: connection failed'));
  socket.setMaxListeners(4 * MAX_SESSIONS); // each session listens for its end and for room for replies
  server.injectSocket(socket);
}

interface ServedConnection {
  readonly client: Connection;
  readonly socket: Socket;
}

/** Of what a session may be asked for there is only SFTP: ssh2 refuses whatever has no listener. */
function serveSessions(
  { client, socket }: ServedConnection,
  onSftp: (channel: ServerChannel, gone: AbortSignal) => void,
): void {
  let sessions = 0;
  client.on('session', (accept, reject) => {
    if (sessions >= MAX_SESSIONS) return reject();
    const session = accept();
    const gone = new AbortController();
    const onGone = (): void => gone.abort();
    sessions += 1;
    socket.once('close', onGone);
    session.once('close', () => {
      sessions -= 1;
      socket.off('close', onGone);
      gone.abort();
    });
    session.on('error', () => undefined); // the connection's own listener has told it
    session.on('subsystem', (acceptSubsystem, rejectSubsystem, { name }) => {
      if (name === 'sftp') onSftp(acceptSubsystem(), gone.signal);
      else rejectSubsystem();
    });
  });
}

async function refuseNested(stateDirectory: string, directory: string): Promise<void> {
  const way = relative(await fs.realpath(directory), await fs.realpath(stateDirectory));
  if (way === '..' || way.startsWith(`..${sep}`)) return;
  throw new Error(`the keys of the embedded host would be within its root: ${stateDirectory}`);
}
