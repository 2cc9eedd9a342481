// A real OpenSSH sshd on a free loopback port, with keys, configuration and a directory of its own; nothing of it remains after
// `stop`. As root its client logs in as the unprivileged user `longshore-test`, else as ourselves.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from './port.js';

const SSHD = '/usr/sbin/sshd';
/** Where distributions put it: Debian, Fedora, Arch, macOS. */
const SFTP_SERVERS = [
  '/usr/lib/openssh/sftp-server',
  '/usr/libexec/openssh/sftp-server',
  '/usr/lib/ssh/sftp-server',
  '/usr/libexec/sftp-server',
];
const LOGIN_USER = 'longshore-test';
const ADDRESS = '127.0.0.1';
/** Between the choice of a free port and sshd's bind another process may take it. */
const START_ATTEMPTS = 5;

export interface SshdOptions {
  /** Whom clients log in as; default `longshore-test` where the tests run as root. */
  readonly login?: 'unprivileged' | 'ourselves';
  /** The SFTP subsystem; default the distribution's sftp-server. May be a wrapper's path with arguments, or `internal-sftp`. */
  readonly sftpCommand?: string;
  /** `ForceCommand internal-sftp`: no commands. */
  readonly sftpOnly?: boolean;
  readonly maxSessions?: number;
  /** Further lines of sshd_config; they come first, and sshd takes the first of each keyword. */
  readonly config?: readonly string[];
}

export interface Sshd {
  readonly address: string;
  readonly port: number;
  readonly username: string;
  /** OpenSSH format, ed25519, without passphrase. */
  readonly privateKey: string;
  readonly privateKeyFile: string;
  /** As `ssh-keygen -l` prints it. */
  readonly hostKeyFingerprint: string;
  /** Type and base64, as known_hosts has them after the host's name. */
  readonly hostKey: string;
  /** Empty, owned by the login user; the same path for the client and on the local disk. */
  readonly root: string;
  /** A directory beside it for the test's own files: keys, wrappers. */
  readonly directory: string;
  /** What sshd has written to standard error so far. */
  log(): string;
  /** Process ids of what the server has started, of one program or of all; sshd's own sessions are called `sshd`. */
  children(program?: string): readonly number[];
  /** Freezes those processes (SIGSTOP), or lets them go on. */
  pause(program?: string): void;
  resume(program?: string): void;
  /** Freezes the listener with all it has started, or lets it go on: the kernel still takes connections. */
  freeze(): void;
  thaw(): void;
  /** Files below `root` that the servers have open, by Linux's /proc. */
  openFiles(): readonly string[];
  /** Kills all sessions, the listener, or both. */
  kill(what: 'sessions' | 'listener' | 'everything'): Promise<void>;
  /** Listens again, on the same port, after `kill('everything')`. */
  restart(): Promise<void>;
  /** To be called between the two: the host has another key then. */
  changeHostKey(): void;
  stop(): Promise<void>;
}

export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const login = options.login === 'ourselves' ? userInfo() : ensureLogin();
  const directory = mkdtempSync(join(tmpdir(), 'longshore-sshd-'));
  chmodSync(directory, 0o755);
  const root = join(directory, 'root');
  mkdirSync(root);
  chownSync(root, login.uid, login.gid);
  const privateKeyFile = makeKey(directory, 'client');
  const hostKeyFile = makeKey(directory, 'host');
  writeFileSync(join(directory, 'authorized_keys'), readFileSync(`${privateKeyFile}.pub`), { mode: 0o644 });

  const { port, ...started } = await listen(directory, hostKeyFile, options);
  let { listener } = started;
  const children = (program?: string): readonly number[] => descendants(listener.process.pid, program);
  /** One whose session has ended meanwhile is nobody's child, and would stand still for ever. */
  const paused = new Set<number>();
  const signalAll = (pids: readonly number[], signal: NodeJS.Signals): void => pids.forEach((pid) => sendSignal(pid, signal));
  const kill = async (what: 'sessions' | 'listener' | 'everything'): Promise<void> => {
    const sessions = what === 'listener' ? [] : children();
    if (what !== 'sessions') {
      sendSignal(listener.process.pid, 'SIGKILL');
      await listener.exited;
    }
    signalAll(sessions, 'SIGKILL');
  };
  // A test run that ends without `stop` takes its server along.
  const onExit = (): void =>
    signalAll([...children(), ...(listener.process.pid === undefined ? [] : [listener.process.pid])], 'SIGKILL');
  process.once('exit', onExit);
  return {
    address: ADDRESS,
    port,
    username: login.username,
    privateKey: readFileSync(privateKeyFile, 'utf8'),
    privateKeyFile,
    hostKeyFingerprint:
      execFileSync('ssh-keygen', ['-l', '-f', `${hostKeyFile}.pub`], { encoding: 'utf8' }).split(' ')[1] ?? '',
    hostKey: readFileSync(`${hostKeyFile}.pub`, 'utf8').split(' ').slice(0, 2).join(' ').trim(),
    root,
    directory,
    log: () => listener.log(),
    children,
    pause: (program) => {
      for (const pid of children(program)) paused.add(pid);
      signalAll(children(program), 'SIGSTOP');
    },
    resume: (program) => signalAll(children(program), 'SIGCONT'),
    freeze: () => {
      sendSignal(listener.process.pid, 'SIGSTOP');
      signalAll(children(), 'SIGSTOP');
    },
    thaw: () => {
      signalAll(children(), 'SIGCONT');
      sendSignal(listener.process.pid, 'SIGCONT');
    },
    openFiles: () =>
      children()
        .flatMap(openFilesOf)
        .filter((file) => file.startsWith(`${root}/`)),
    kill,
    restart: async () => {
      listener = await startListener(directory);
    },
    changeHostKey: () => {
      rmSync(hostKeyFile);
      makeKey(directory, 'host');
    },
    stop: async () => {
      await kill('everything');
      signalAll([...paused], 'SIGCONT');
      process.off('exit', onExit);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

interface Login {
  readonly username: string;
  readonly uid: number;
  readonly gid: number;
}

/** The account to log in as. Root may do everything, which would make tests about permissions pass or fail for no reason. */
export function ensureLogin(): Login {
  const self = userInfo();
  if (self.uid !== 0) return { username: self.username, uid: self.uid, gid: self.gid };
  // sshd run by root wants the directory that Debian makes when the service starts.
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const found = findLogin();
  if (found !== undefined) return found;
  try {
    // Password `*`: none fits, yet the account is not locked. The same in scripts/test-machine.mjs.
    execFileSync('useradd', ['--system', '--create-home', '--shell', '/bin/sh', '-p', '*', LOGIN_USER], { stdio: 'pipe' });
  } catch (error) {
    // Another test file may have been quicker.
    if (findLogin() === undefined) throw error;
  }
  const made = findLogin();
  if (made === undefined) throw new Error(`there is no user ${LOGIN_USER}`);
  return made;
}

function findLogin(): Login | undefined {
  for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
    const [username, , uid, gid] = line.split(':');
    if (username === LOGIN_USER) return { username, uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}

function makeKey(directory: string, name: string): string {
  const file = join(directory, name);
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', file]);
  return file;
}

interface Listener {
  readonly process: ChildProcess;
  readonly exited: Promise<void>;
  log(): string;
}

async function listen(
  directory: string,
  hostKeyFile: string,
  options: SshdOptions,
): Promise<{ readonly listener: Listener; readonly port: number }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    writeFileSync(join(directory, 'sshd_config'), configuration(directory, hostKeyFile, port, options));
    try {
      return { listener: await startListener(directory), port };
    } catch (error) {
      if (attempt === START_ATTEMPTS) throw error;
    }
  }
}

function configuration(directory: string, hostKeyFile: string, port: number, options: SshdOptions): string {
  const sftpServer = SFTP_SERVERS.find((file) => existsSync(file)) ?? 'internal-sftp';
  return [
    ...(options.config ?? []),
    `Port ${port}`,
    `ListenAddress ${ADDRESS}`,
    `HostKey ${hostKeyFile}`,
    `AuthorizedKeysFile ${join(directory, 'authorized_keys')}`,
    `PidFile ${join(directory, 'sshd.pid')}`,
    `Subsystem sftp ${options.sftpCommand ?? sftpServer}`,
    ...(options.sftpOnly === true ? ['ForceCommand internal-sftp'] : []),
    ...(options.maxSessions === undefined ? [] : [`MaxSessions ${options.maxSessions}`]),
    // Without PAM sshd runs as anybody; without strict modes it takes keys from a directory below /tmp.
    'UsePAM no',
    'StrictModes no',
    'UseDNS no',
    'PrintMotd no',
    'LogLevel VERBOSE',
    '',
  ].join('\n');
}

async function startListener(directory: string): Promise<Listener> {
  const child = spawn(SSHD, ['-D', '-e', '-f', join(directory, 'sshd_config')], { stdio: ['ignore', 'ignore', 'pipe'] });
  const lines: string[] = [];
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`sshd did not start:\n${lines.join('\n')}`)));
    createInterface(child.stderr).on('line', (line) => {
      lines.push(line);
      if (line.startsWith('Server listening on')) resolve();
    });
  });
  return { process: child, exited, log: () => lines.join('\n') };
}

/** All that `pid` started, directly or not, by Linux's /proc; each session of sshd is a process group of its own. */
function descendants(pid: number | undefined, program?: string): readonly number[] {
  if (pid === undefined) return [];
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        // pid (comm) state ppid …; comm may hold spaces and parentheses.
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        const end = stat.lastIndexOf(')');
        return [
          {
            pid: Number(name),
            program: stat.slice(stat.indexOf('(') + 1, end),
            parent: Number(stat.slice(end + 2).split(' ')[1]),
          },
        ];
      } catch {
        return []; // It has ended meanwhile.
      }
    });
  const family = new Set([pid]);
  for (let size = 0; size !== family.size;) {
    size = family.size;
    for (const one of processes) if (family.has(one.parent)) family.add(one.pid);
  }
  return processes
    .filter((one) => one.pid !== pid && family.has(one.pid) && (program === undefined || one.program === program))
    .map((one) => one.pid);
}

function openFilesOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  } catch {
    return []; // It, or one of its files, has been closed meanwhile: the next look tells.
  }
}

function sendSignal(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile, which is what most signals are for.
  }
}
