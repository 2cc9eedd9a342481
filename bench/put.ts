// One file, loopback, until it is published and proved, against OpenSSH's `sftp put` of the same file to the same sshd, in turn.
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Row, Stage } from './stage.js';
import { median, setStage } from './stage.js';

const MIB = 2 ** 20;
const FILE_BYTES = 512 * MIB;
const ROUNDS = 5;
const COMMAND = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

export async function put(): Promise<readonly Row[]> {
  const stage = await setStage();
  try {
    const file = join(stage.directory, 'file');
    writeFileSync(file, '');
    for (let done = 0; done < FILE_BYTES; done += 64 * MIB) appendFileSync(file, randomBytes(64 * MIB));
    const contenders = {
      'sftp put, default cipher': () => sftp(stage, file, []),
      'sftp put, AES-GCM': () => sftp(stage, file, ['-c', 'aes128-gcm@openssh.com']),
      'longshore put to sshd': () => longshore(stage, file, `sshd:${stage.sshd.root}/longshore`),
      'longshore put to the embedded host': () => longshore(stage, file, 'local:/longshore'),
    };
    const seconds = new Map<string, number[]>(Object.keys(contenders).map((name) => [name, []]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, run] of Object.entries(contenders)) seconds.get(name)?.push(timed(run));
    }
    const base = median(seconds.get('sftp put, default cipher') ?? []);
    return [...seconds].map(([what, times]) => ({
      what,
      medianMBs: Math.round(FILE_BYTES / 1e6 / median(times)),
      slowestMBs: Math.round(FILE_BYTES / 1e6 / Math.max(...times)),
      fastestMBs: Math.round(FILE_BYTES / 1e6 / Math.min(...times)),
      ratioToSftp: Number((base / median(times)).toFixed(2)),
    }));
  } finally {
    await stage.stop();
  }
}

function timed(run: () => void): number {
  const began = performance.now();
  run();
  return (performance.now() - began) / 1_000;
}

function sftp({ sshd }: Stage, file: string, options: readonly string[]): void {
  const target = join(sshd.root, 'sftp');
  rmSync(target, { force: true });
  const trust = ['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR'];
  const login = ['-P', `${sshd.port}`, '-i', sshd.privateKeyFile, `${sshd.username}@${sshd.address}`];
  const { status, stderr } = spawnSync('sftp', [...options, ...trust, '-b', '-', ...login], {
    input: `put ${file} ${target}\n`,
  });
  if (status !== 0) throw new Error(`sftp failed: ${stderr.toString()}`);
}

/** To a fresh path each time, so that no file is there and nothing is known. */
function longshore({ gateway }: Stage, file: string, target: string): void {
  const url = ['--url', gateway.url];
  execFileSync(process.execPath, [COMMAND, 'put', file, `${target}-${randomBytes(4).toString('hex')}`, ...url], {
    stdio: 'pipe',
  });
}
