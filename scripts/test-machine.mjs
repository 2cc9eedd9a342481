// Makes sure that the machine has what the tests run against. As root on Debian or Ubuntu it installs what is missing and says
// so; elsewhere it says what to install and fails, since a test that is silently skipped proves nothing.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Each program the tests start, or file they use, the Debian package that has it, and what for. */
const PROGRAMS = [
  { command: 'sshd', package: 'openssh-server', why: 'the SSH host that uploads go to' },
  { command: 'sftp', package: 'openssh-client', why: 'a foreign client of the embedded host' },
  { command: 'ssh-keygen', package: 'openssh-client', why: 'host and user keys' },
  { command: 'chromium', package: 'chromium', why: 'the browser that the SDK and the page run in' },
  { command: 'redis-server', package: 'redis-server', why: 'the store that gateways share' },
  { file: libfaketime(), package: 'libfaketime', why: 'a Redis whose clock tests can move' },
  { command: 'strace', package: 'strace', why: "a host's sessions that end at a chosen system call" },
  { command: 'rclone', package: 'rclone', why: 'another foreign client of the embedded host, and an SSH host of its own' },
  { command: 'lftp', package: 'lftp', why: 'one of those that the benchmark measures' },
  { command: 'dropbear', package: 'dropbear-bin', why: "an SSH host with little memory, in front of OpenSSH's sftp-server" },
  { command: 'busybox', package: 'busybox', why: 'a login shell and hashing tools that are not GNU' },
  { command: 'proftpd', package: 'proftpd-core', why: 'an SSH host that is another program throughout' },
  { file: '/usr/lib/proftpd/mod_sftp.so', package: 'proftpd-mod-crypto', why: "that host's SSH and SFTP" },
  { command: 'curl', package: 'curl', why: 'the example for shells' },
  { command: 'openssl', package: 'openssl', why: 'certificates for TLS' },
];

/** The account that permission tests log in as: root may write everywhere. */
const LOGIN_USER = 'longshore-test';
/** Where sshd wants an empty directory to lock its unprivileged half into; Debian makes it when the service starts. */
const PRIVILEGE_SEPARATION_DIRECTORY = '/run/sshd';
/** Administrators' programs are not on every PATH. */
const SEARCH_PATH = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/sbin'];

const isRoot = process.getuid?.() === 0;

installMissing();
if (isRoot && process.platform === 'linux') prepareForRoot();

function installMissing() {
  const missing = PROGRAMS.filter((program) => !isThere(program));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((program) => program.package))];
  for (const program of missing) console.log(`test machine: ${nameOf(program)} is missing (${program.why})`);
  if (!isRoot || !isInstalled('apt-get')) {
    fail(
      `install it and run this again; on Debian or Ubuntu:\n  sudo apt-get install --no-install-recommends ${packages.join(' ')}`,
    );
  }
  console.log(`test machine: installing ${packages.join(', ')} with apt-get`);
  withoutStartingServices(() => {
    run('apt-get', ['update', '-qq']);
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120', ...packages]);
  });
  const still = missing.filter((program) => !isThere(program));
  if (still.length > 0) fail(`still missing after the installation: ${still.map(nameOf).join(', ')}`);
}

/** Debian starts a service when its package is installed, unless policy-rc.d answers 101 (invoke-rc.d(8)). */
function withoutStartingServices(install) {
  const policy = '/usr/sbin/policy-rc.d';
  const isOurs = !existsSync(policy);
  if (isOurs) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    install();
  } finally {
    if (isOurs) rmSync(policy, { force: true });
  }
}

function prepareForRoot() {
  mkdirSync(PRIVILEGE_SEPARATION_DIRECTORY, { recursive: true, mode: 0o755 });
  const accounts = readFileSync('/etc/passwd', 'utf8');
  if (accounts.split('\n').some((line) => line.startsWith(`${LOGIN_USER}:`))) return;
  console.log(`test machine: adding the user ${LOGIN_USER}`);
  // Password `*`: no password fits, but the account is not locked, so sshd takes its key.
  run('useradd', ['--system', '--create-home', '--shell', '/bin/sh', '-p', '*', LOGIN_USER]);
}

/** Where Debian puts it: below the directory of the machine's architecture. */
function libfaketime() {
  const architectures = { x64: 'x86_64', arm64: 'aarch64' };
  return `/usr/lib/${architectures[process.arch] ?? process.arch}-linux-gnu/faketime/libfaketimeMT.so.1`;
}

function nameOf({ command, file }) {
  return command ?? file;
}

function isThere({ command, file }) {
  return command === undefined ? existsSync(file) : isInstalled(command);
}

function isInstalled(command) {
  return SEARCH_PATH.some((directory) => {
    if (directory === '') return false;
    try {
      accessSync(join(directory, command), constants.X_OK);
      return true;
    } catch {
      return false; // Not here: that is the answer.
    }
  });
}

function run(command, args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', PATH: SEARCH_PATH.join(delimiter) };
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], env });
  if (error !== undefined) fail(`${command}: ${error.message}`);
  // Thrown, not exited, so that what was set up for the installation is taken back.
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`);
}

function fail(message) {
  console.error(`test machine: ${message}`);
  process.exit(1);
}
