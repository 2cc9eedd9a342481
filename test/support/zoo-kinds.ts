// How each kind of server of the zoo is set up: in the foreground, on loopback, with keys, configuration and a directory of its own.
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedHost } from '../../src/embedded/embedded-host.js';
import { keptLog } from './roles.js';
import { startSequentialHost } from './sequential-host.js';
import type { SshdOptions } from './sshd.js';
import { ensureLogin, startSshd } from './sshd.js';
import { makeZooKey, startProgram } from './zoo-program.js';
import type { ZooKey, ZooProgram } from './zoo-program.js';

export const isRoot = process.getuid?.() === 0;

/** A server's directory. */
export interface ZooPlace {
  /** On the local disk; to clients it is the root. */
  readonly directory: string;
  /** Whom the server acts as on the disk. */
  readonly account: { readonly uid: number; readonly gid: number };
}

/** Puts into the directory what has to be there before the server starts, such as mounts. */
export type Prepare = (place: ZooPlace) => void;

export interface RunningServer extends ZooPlace {
  /** How it is reached: keys of the host's entry in the configuration. */
  readonly login: Readonly<Record<string, unknown>>;
  /** The directory as clients name it, without a closing slash: '' for `/`. */
  readonly root: string;
  /** Ends every session, as a crash would; new ones are taken when it resolves. */
  killSessions(): Promise<void>;
  stop(): Promise<void>;
}

export async function openssh(prepare: Prepare, options: SshdOptions = {}): Promise<RunningServer> {
  const sshd = await startSshd(options);
  const account = ensureLogin();
  prepare({ directory: sshd.root, account });
  return {
    account,
    directory: sshd.root,
    root: sshd.root,
    login: {
      address: sshd.address,
      port: sshd.port,
      username: sshd.username,
      privateKeyFile: sshd.privateKeyFile,
      hostKeys: [sshd.hostKeyFingerprint],
    },
    killSessions: () => sshd.kill('sessions'),
    stop: () => sshd.stop(),
  };
}

function ourselves(): ZooPlace['account'] {
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
}

/** `sh` and all it calls are found where PATH leads. */
export async function openSshWithBusyBox(prepare: Prepare): Promise<RunningServer> {
  const tools = mkdtempSync(join(tmpdir(), 'longshore-busybox-'));
  chmodSync(tools, 0o755);
  for (const tool of execFileSync('busybox', ['--list'], { encoding: 'utf8' }).split('\n').filter(Boolean)) {
    symlinkSync(execFileSync('which', ['busybox'], { encoding: 'utf8' }).trim(), join(tools, tool));
  }
  const server = await openssh(prepare, { config: [`SetEnv PATH=${tools}`] });
  return withCleaning(server, tools);
}

/** sshd wants every directory above a chroot to be root's alone, which the directory for temporary files is not. */
export async function openSshInChroot(prepare: Prepare): Promise<RunningServer> {
  const jail = mkdtempSync('/srv/longshore-chroot-');
  chmodSync(jail, 0o755);
  const directory = join(jail, 'upload');
  const account = ensureLogin();
  makeOwned(directory, account);
  prepare({ directory, account });
  const config = [`ChrootDirectory ${jail}`, 'ForceCommand internal-sftp'];
  const server = await openssh(() => undefined, { sftpCommand: 'internal-sftp', config });
  return withCleaning({ ...server, directory, root: '/upload' }, jail);
}

export async function proftpd(prepare: Prepare): Promise<RunningServer> {
  const account = ensureLogin();
  const home = makeHome('proftpd', account, prepare);
  writeFileSync(join(home.own, 'passwd'), `somebody:*:${account.uid}:${account.gid}::${home.directory}:/bin/sh\n`, {
    mode: 0o600,
  });
  const rfc4716 = execFileSync('ssh-keygen', ['-e', '-f', `${home.client.file}.pub`], { encoding: 'utf8' });
  writeFileSync(join(home.own, 'authorized_keys'), rfc4716);
  const config = join(home.own, 'proftpd.conf');
  const lines = (port: number): readonly string[] => [
    'LoadModule mod_sftp.c',
    'ServerType standalone',
    'DefaultAddress 127.0.0.1',
    `Port ${port}`,
    'UseIPv6 off',
    'WtmpLog off',
    `PidFile ${join(home.own, 'proftpd.pid')}`,
    `ScoreboardFile ${join(home.own, 'scoreboard')}`,
    `DelayTable none`,
    'AuthPAM off',
    'AuthOrder mod_auth_file.c',
    `AuthUserFile ${join(home.own, 'passwd')}`,
    'RequireValidShell off',
    'AllowOverwrite on',
    'SFTPEngine on',
    `SFTPHostKey ${home.host.file}`,
    `SFTPAuthorizedUserKeys file:${join(home.own, 'authorized_keys')}`,
    'SFTPAuthMethods publickey',
    '',
  ];
  const program = await startProgram({
    command: 'proftpd',
    args: (port) => {
      writeFileSync(config, lines(port).join('\n'));
      return ['-n', '-q', '-c', config];
    },
    sessions: 'processes',
  });
  return served(home, program, 'somebody');
}

/** Whom Dropbear lets in stands in the account's home directory, so it gets another one, which it alone sees. */
export async function dropbear(prepare: Prepare): Promise<RunningServer> {
  const account = ensureLogin();
  const home = makeHome('dropbear', account, prepare);
  const key = join(home.own, 'dropbear_host_key');
  execFileSync('dropbearconvert', ['openssh', 'dropbear', home.host.file, key], { stdio: 'pipe' });
  const login = join(home.own, 'home');
  const homeDirectory = execFileSync('getent', ['passwd', account.username], { encoding: 'utf8' }).split(':')[5] ?? '';
  makeOwned(login, account);
  makeOwned(join(login, '.ssh'), account);
  writeFileSync(join(login, '.ssh', 'authorized_keys'), home.client.publicKey);
  const script = `mount --bind "$1" "$2" && shift 2 && exec dropbear -F -E "$@"`;
  const program = await startProgram({
    command: 'unshare',
    args: (port) => ['--mount', 'sh', '-c', script, 'sh', login, homeDirectory, '-r', key, '-p', `127.0.0.1:${port}`, '-P', ''],
    sessions: 'processes',
  });
  return served(home, program, account.username);
}

export async function rclone(prepare: Prepare): Promise<RunningServer> {
  const account = ensureLogin();
  const home = makeHome('rclone', account, prepare);
  for (const file of [home.host.file, `${home.client.file}.pub`]) chownSync(file, account.uid, account.gid);
  const program = await startProgram({
    command: 'rclone',
    args: (port) => [
      ...['serve', 'sftp', home.directory, '--addr', `127.0.0.1:${port}`, '--key', home.host.file],
      ...['--authorized-keys', `${home.client.file}.pub`, '--config', '/dev/null'],
    ],
    ...(isRoot && { account }),
    sessions: 'itself',
  });
  return { ...served(home, program, 'anybody'), root: '' };
}

export async function embedded(prepare: Prepare): Promise<RunningServer> {
  const own = makeDirectory('embedded');
  const directory = join(own, 'root');
  const account = ourselves();
  makeOwned(directory, account);
  prepare({ directory, account });
  const stateDirectory = join(own, 'state');
  const start = (port: number) => startEmbeddedHost({ directory, stateDirectory, address: '127.0.0.1', port, log: keptLog() });
  let host = await start(0);
  const { port, username, privateKeyFile, hostKeyFingerprint } = host;
  return {
    account,
    directory,
    root: '',
    // As the gateway does for its own: what the host's own hashing is too small for is read back.
    login: { address: '127.0.0.1', port, username, privateKeyFile, hostKeys: [hostKeyFingerprint], verify: 'read-back' },
    async killSessions() {
      await host.close();
      host = await start(port);
    },
    async stop() {
      await host.close();
      rmSync(own, { recursive: true, force: true });
    },
  };
}

export async function sequential(prepare: Prepare): Promise<RunningServer> {
  const host = await startSequentialHost();
  const account = ourselves();
  prepare({ directory: host.root, account });
  const { address, port, username, hostKeys } = host.options;
  return {
    account,
    directory: host.root,
    root: host.root,
    login: { address, port, username, password: 'any', hostKeys },
    killSessions: () => Promise.resolve(host.disconnect()),
    stop: () => host.stop(),
  };
}

interface Home extends ZooPlace {
  /** For configuration and keys; nobody but we may write there. */
  readonly own: string;
  readonly host: ZooKey;
  readonly client: ZooKey;
}

function makeHome(name: string, account: ZooPlace['account'], prepare: Prepare): Home {
  const own = makeDirectory(name);
  const directory = join(own, 'root');
  makeOwned(directory, account);
  prepare({ directory, account });
  return { own, directory, account, host: makeZooKey(own, 'host'), client: makeZooKey(own, 'client') };
}

function served(home: Home, program: ZooProgram, username: string): RunningServer {
  const { directory, account } = home;
  const server = {
    directory,
    account,
    root: directory,
    login: {
      address: '127.0.0.1',
      port: program.port,
      username,
      privateKeyFile: home.client.file,
      hostKeys: [home.host.fingerprint],
    },
    killSessions: () => program.killSessions(),
    stop: () => program.stop(),
  };
  return withCleaning(server, home.own);
}

function withCleaning(server: RunningServer, directory: string): RunningServer {
  const stop = async (): Promise<void> => {
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  return { ...server, stop };
}

function makeDirectory(name: string): string {
  const directory = mkdtempSync(join(tmpdir(), `longshore-${name}-`));
  chmodSync(directory, 0o755);
  return directory;
}

function makeOwned(directory: string, { uid, gid }: ZooPlace['account']): void {
  mkdirSync(directory);
  chownSync(directory, uid, gid);
}
