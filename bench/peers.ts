// What a user would pick instead, each put to work as its own documentation says: from a local file to a whole file on the host.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Stage } from './stage.js';

const COMMAND = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const TUS_SENDER = fileURLToPath(new URL('tus-sender.mjs', import.meta.url));

export interface Peer {
  readonly name: string;
  /** Puts the file below the host's root; resolves with its path when it is whole there. */
  put(file: string, stage: Stage): Promise<string>;
}

/** Trusts whatever answers, and leaves nothing behind. */
const SSH_OPTIONS = [
  'StrictHostKeyChecking=no',
  'UserKnownHostsFile=/dev/null',
  'LogLevel=ERROR',
  'IdentitiesOnly=yes',
].flatMap((option) => ['-o', option]);

function sftp(name: string, options: readonly string[]): Peer {
  return {
    name,
    async put(file, stage) {
      const to = target(stage);
      const { port, sshd } = stage;
      const login = ['-P', `${port}`, '-i', sshd.privateKeyFile, `${sshd.username}@${sshd.address}`];
      await run('sftp', [...options, ...SSH_OPTIONS, '-b', '-', ...login], `put ${file} ${to}\n`);
      return to;
    },
  };
}

const scp: Peer = {
  name: 'scp',
  async put(file, stage) {
    const to = target(stage);
    const { port, sshd } = stage;
    const login = `${sshd.username}@${sshd.address}:${to}`;
    await run('scp', ['-q', '-P', `${port}`, '-i', sshd.privateKeyFile, ...SSH_OPTIONS, file, login]);
    return to;
  },
};

function rclone(name: string, options: readonly string[]): Peer {
  return {
    name,
    async put(file, stage) {
      const to = target(stage);
      const { port, sshd } = stage;
      const host = ['--sftp-host', sshd.address, '--sftp-port', `${port}`, '--sftp-user', sshd.username];
      const login = [...host, '--sftp-key-file', sshd.privateKeyFile, '--config', '/dev/null'];
      await run('rclone', ['copyto', ...login, ...options, file, `:sftp:${to}`]);
      return to;
    },
  };
}

const lftp: Peer = {
  name: 'lftp',
  async put(file, stage) {
    const to = target(stage);
    const { port, sshd } = stage;
    const program = ['ssh', '-a', '-x', '-i', sshd.privateKeyFile, ...SSH_OPTIONS].join(' ');
    const script = `set sftp:connect-program "${program}"; open sftp://${sshd.username}:@${sshd.address}:${port}; put ${file} -o ${to}`;
    await run('lftp', ['-c', script]);
    return to;
  },
};

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

/** The command, from its start until the file is published and proved. */
const longshore: Peer = {
  name: 'longshore put',
  async put(file, { gateway, ...stage }) {
    const to = target(stage);
    await run(process.execPath, [COMMAND, 'put', file, `sshd:${to}`, '--url', gateway.url]);
    return to;
  },
};

export const PEERS: readonly Peer[] = [
  sftp('sftp put', []),
  sftp('sftp put, AES-GCM', ['-c', 'aes128-gcm@openssh.com']),
  scp,
  rclone('rclone copy', []),
  rclone('rclone copy, tuned', ['--sftp-concurrency', '256', '--sftp-chunk-size', '255k', '--sftp-disable-hashcheck']),
  lftp,
  tus,
  cp,
  longshore,
];

/** Throws unless the file is there as it was sent; then removes it. */
export function takeAway(path: string, bytes: number): void {
  const { size } = statSync(path);
  if (size !== bytes) throw new Error(`${path} has ${size} bytes, not ${bytes}`);
  rmSync(path);
}

function target({ sshd }: Pick<Stage, 'sshd'>): string {
  return join(sshd.root, `file-${randomBytes(4).toString('hex')}`);
}

const DEADLINE_MS = 10 * 60_000;

/** Resolves with what it printed. */
export async function run(program: string, args: readonly string[], input = ''): Promise<string> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: DEADLINE_MS });
  let printed = '';
  let complaint = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', (error) => reject(new Error(`${program} can't be run: ${error.message}`)));
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${complaint.slice(-500)}`);
  return printed;
}
