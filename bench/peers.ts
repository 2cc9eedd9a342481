// What a user would pick instead, each put to work as its own documentation says: from local files to whole files on the host.
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Stage } from './stage.js';

export interface Peer {
  readonly name: string;
  /** Goes through our gateway. */
  readonly isOurs?: boolean;
  /** Has one connection and a window of its own on it: where the way is long, it only waits. */
  readonly waits?: boolean;
  /** Puts the file, or the directory, below the host's root; resolves with its path when it is whole there. */
  put(from: string, stage: Stage): Promise<string>;
}

/** Trusts whatever answers, and leaves nothing behind. */
const SSH_OPTIONS = [
  'StrictHostKeyChecking=no',
  'UserKnownHostsFile=/dev/null',
  'LogLevel=ERROR',
  'IdentitiesOnly=yes',
].flatMap((option) => ['-o', option]);

/** `put` is a command of its own. */
function sftp(name: string, put: string, options: readonly string[] = []): Peer {
  return {
    name,
    waits: true,
    async put(from, stage) {
      const to = target(stage);
      const { port, sshd } = stage;
      const login = ['-P', `${port}`, '-i', sshd.privateKeyFile, `${sshd.username}@${sshd.address}`];
      await run('sftp', [...options, ...SSH_OPTIONS, '-b', '-', ...login], `${put} ${from} ${to}\n`);
      return to;
    },
  };
}

function scp(name: string, options: readonly string[] = []): Peer {
  return {
    name,
    waits: true,
    async put(from, stage) {
      const to = target(stage);
      const { port, sshd } = stage;
      const login = `${sshd.username}@${sshd.address}:${to}`;
      await run('scp', ['-q', ...options, '-P', `${port}`, '-i', sshd.privateKeyFile, ...SSH_OPTIONS, from, login]);
      return to;
    },
  };
}

export function rclone(name: string, command: 'copy' | 'copyto', options: readonly string[] = []): Peer {
  return {
    name,
    waits: true,
    async put(from, stage) {
      const to = target(stage);
      const { port, sshd } = stage;
      const host = ['--sftp-host', sshd.address, '--sftp-port', `${port}`, '--sftp-user', sshd.username];
      const login = [...host, '--sftp-key-file', sshd.privateKeyFile, '--config', '/dev/null'];
      await run('rclone', [command, ...login, ...options, from, `:sftp:${to}`]);
      return to;
    },
  };
}

const lftp: Peer = {
  name: 'lftp',
  waits: true,
  async put(file, stage) {
    const to = target(stage);
    const { port, sshd } = stage;
    const program = ['ssh', '-a', '-x', '-i', sshd.privateKeyFile, ...SSH_OPTIONS].join(' ');
    const script = `set sftp:connect-program "${program}"; open sftp://${sshd.username}:@${sshd.address}:${port}; put ${file} -o ${to}`;
    await run('lftp', ['-c', script]);
    return to;
  },
};

const TUS_SENDER = fileURLToPath(new URL('tus-sender.mjs', import.meta.url));

const tus: Peer = {
  name: 'tus-js-client to @tus/server',
  async put(file, { tus: server }) {
    const id = await run(process.execPath, [TUS_SENDER, file, server.url]);
    return join(server.directory, id.trim());
  },
};

/** What the machine's disk takes, with nothing between. */
const cp: Peer = {
  name: 'cp',
  put(file, stage) {
    const to = target(stage);
    copyFileSync(file, to);
    return Promise.resolve(to);
  },
};

const COMMAND = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

/** The command, from its start until all is published and proved. */
function longshore(name: string, options: readonly string[] = []): Peer {
  return {
    name,
    isOurs: true,
    async put(from, stage) {
      const to = target(stage);
      await longshorePut([...options, from, `sshd:${to}`], stage);
      return to;
    },
  };
}

export async function longshorePut(args: readonly string[], { gateway }: Pick<Stage, 'gateway'>): Promise<void> {
  await run(process.execPath, [COMMAND, 'put', ...args, '--url', gateway.url]);
}

export const SFTP = sftp('sftp put', 'put');
export const SFTP_AES_GCM = sftp('sftp put, AES-GCM', 'put', ['-c', 'aes128-gcm@openssh.com']);
export const RCLONE = rclone('rclone copy', 'copyto');
export const LONGSHORE = longshore('longshore put');

/** For one file. */
export const FILE_PEERS: readonly Peer[] = [
  SFTP,
  SFTP_AES_GCM,
  scp('scp'),
  RCLONE,
  rclone('rclone copy, tuned', 'copyto', [
    ...['--sftp-concurrency', '256', '--sftp-chunk-size', '255k', '--sftp-disable-hashcheck'],
  ]),
  lftp,
  tus,
  cp,
  LONGSHORE,
];

/** For a directory with all that is in it. */
export const DIRECTORY_PEERS: readonly Peer[] = [
  sftp('sftp put -r', 'put -r'),
  scp('scp -r', ['-r']),
  rclone('rclone copy', 'copy'),
  rclone('rclone copy --transfers 32', 'copy', ['--transfers', '32']),
  longshore('longshore put -r', ['-r']),
];

/** Of each program, by its own word. Throws when one can't be run. */
export function peerVersions(): Readonly<Record<string, string>> {
  const tusServer = new URL('../node_modules/@tus/server/package.json', import.meta.url);
  const asked = { sftp: ['ssh', '-V'], rclone: ['rclone', 'version'], lftp: ['lftp', '--version'] };
  const versions = Object.entries(asked).map(([name, [program = '', option = '']]) => {
    try {
      const printed = execFileSync('sh', ['-c', `${program} ${option} 2>&1`], { encoding: 'utf8' });
      return [name, /\d[\w.]*/.exec(printed)?.[0] ?? printed];
    } catch (cause) {
      throw new Error(`${program} can't be run; node scripts/test-machine.mjs installs it, or says how`, { cause });
    }
  });
  const { version } = JSON.parse(execFileSync('cat', [fileURLToPath(tusServer)], { encoding: 'utf8' })) as { version: string };
  return { ...(Object.fromEntries(versions) as Record<string, string>), '@tus/server': version };
}

export interface Content {
  readonly files: number;
  readonly bytes: number;
}

/** Throws unless all is there, in the file or below the directory, as it was sent; then removes it. */
export function takeAway(path: string, { files, bytes }: Content): void {
  const paths = statSync(path).isDirectory() ? filesBelow(path) : [path];
  const there = paths.reduce((sum, file) => sum + statSync(file).size, 0);
  if (paths.length !== files || there !== bytes) {
    throw new Error(`${path} has ${paths.length} files with ${there} bytes, not ${files} with ${bytes}`);
  }
  rmSync(path, { recursive: true });
}

function filesBelow(directory: string): readonly string[] {
  const entries = readdirSync(directory, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Where nothing is yet. */
export function target({ sshd }: Pick<Stage, 'sshd'>): string {
  return join(sshd.root, `new-${randomBytes(4).toString('hex')}`);
}

const DEADLINE_MS = 10 * 60_000;

/** Resolves with what it printed. */
export async function run(program: string, args: readonly string[], input = ''): Promise<string> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: DEADLINE_MS });
  let printed = '';
  let complaint = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  // Who has ended already is known by his code.
  child.stdin.on('error', () => undefined).end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', (error) => reject(new Error(`${program} can't be run: ${error.message}`)));
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${complaint.slice(-500)}`);
  return printed;
}
