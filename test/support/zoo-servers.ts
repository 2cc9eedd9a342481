// The zoo: the kinds of SSH servers that the whole way of an upload is tried on, each as its own people would set it up. A new one is
// one more entry here; what is found of it goes into docs/servers.md by itself.
import type { Prepare, RunningServer } from './zoo-kinds.js';
import { dropbear, embedded, openssh, openSshInChroot, openSshWithBusyBox, proftpd, rclone, sequential } from './zoo-kinds.js';

const SFTP_SERVER = '/usr/lib/openssh/sftp-server';

export type Strategy = 'in-place' | 'copy-data' | 'command' | 'relay';

export interface ZooServer {
  readonly name: string;
  readonly start: (prepare: Prepare) => Promise<RunningServer>;
  /** What `auto` comes to; undefined: nothing can be uploaded to it. */
  readonly auto: Strategy | undefined;
  /** Those that it has what they need for. */
  readonly strategies: readonly Strategy[];
  /** Whether the bytes are looked at again on the host before they are published. */
  readonly proved: boolean;
  /** What an upload is refused with, when there is no `auto`. */
  readonly refusal?: string;
  readonly needsRoot?: boolean;
  /** For people who have one, in a sentence or two. */
  readonly remark: string;
}

const ALL = ['in-place', 'copy-data', 'command', 'relay'] as const;

export const SERVERS: readonly ZooServer[] = [
  {
    name: 'OpenSSH',
    start: (prepare) => openssh(prepare),
    auto: 'in-place',
    strategies: ALL,
    proved: true,
    remark: 'An account with a shell.',
  },
  {
    name: 'OpenSSH with the tools of BusyBox',
    start: openSshWithBusyBox,
    auto: 'in-place',
    strategies: ALL,
    proved: true,
    remark: 'Shell and hashing tools as on routers and storage boxes.',
  },
  {
    name: 'OpenSSH `internal-sftp` in a chroot',
    start: openSshInChroot,
    auto: 'in-place',
    strategies: ['in-place', 'copy-data', 'relay'],
    proved: false,
    needsRoot: true,
    remark: '`ChrootDirectory` and `ForceCommand internal-sftp`: no commands; `roots` are paths inside the chroot.',
  },
  {
    name: 'OpenSSH without `copy-data`',
    start: (prepare) => openssh(prepare, { sftpCommand: `${SFTP_SERVER} -P copy-data` }),
    auto: 'in-place',
    strategies: ['in-place', 'command', 'relay'],
    proved: true,
    remark: '`sftp-server -P copy-data`, or a version before 9.0.',
  },
  {
    name: 'OpenSSH without `copy-data` and shell',
    start: (prepare) => openssh(prepare, { sftpCommand: 'internal-sftp', config: ['ForceCommand internal-sftp -P copy-data'] }),
    auto: 'in-place',
    strategies: ['in-place', 'relay'],
    proved: false,
    remark: '`ForceCommand internal-sftp -P copy-data`.',
  },
  {
    name: 'OpenSSH, read-only',
    start: (prepare) => openssh(prepare, { sftpCommand: `${SFTP_SERVER} -R` }),
    auto: undefined,
    strategies: [],
    proved: false,
    refusal: 'PERMISSION_DENIED',
    remark: '`sftp-server -R`.',
  },
  {
    name: 'ProFTPD `mod_sftp`',
    start: proftpd,
    auto: 'in-place',
    strategies: ['in-place', 'relay'],
    proved: false,
    remark: 'No commands.',
  },
  {
    name: "Dropbear with OpenSSH's sftp-server",
    start: dropbear,
    auto: 'in-place',
    strategies: ALL,
    proved: true,
    needsRoot: true,
    remark: 'A small receive window (`-W`) bounds the rate on long links.',
  },
  {
    name: '`rclone serve sftp`',
    start: rclone,
    auto: undefined,
    strategies: [],
    proved: false,
    refusal: 'HOST_UNSUPPORTED',
    remark:
      'Its rename replaces what is there and its `hardlink@openssh.com` makes nothing: it has no way to publish a file that never overwrites.',
  },
  {
    name: 'the embedded host',
    start: embedded,
    auto: 'in-place',
    strategies: ['in-place', 'copy-data', 'relay'],
    proved: true,
    remark: 'The SSH server that the gateway brings along.',
  },
  {
    name: 'a server that writes at the end of files alone',
    start: sequential,
    auto: 'relay',
    strategies: ['relay'],
    proved: false,
    remark: 'SFTP version 3 without any extension, as in front of object stores.',
  },
];
