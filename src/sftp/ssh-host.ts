// A host for the length of one `use`: every operation of the role, as requests on a connection's channels.
import ssh2, { type FileEntryWithStats, type SFTPWrapper, type Stats } from 'ssh2';
import type {
  DirectoryEntry,
  FileFacts,
  Host,
  HostOffers,
  HostProfile,
  OpenFile,
  OpenMode,
  RunOptions,
  Space,
} from '../core/ports.js';
import { Fault, isFault } from '../core/problems.js';
import { isSafeName, joinPath, type RemotePath } from '../core/remote-path.js';
import { toFacts } from './attributes.js';
import type { Channel, Done } from './channel.js';
import { runCommand } from './command.js';
import type { Connection } from './connection.js';
import type { Context } from './limits.js';
import { SshFile } from './open-file.js';
import { type FileSystemFacts, toSpace } from './space.js';
import { SftpStatus, statusOf } from './status-codes.js';

const { OPEN_MODE } = ssh2.utils.sftp;
const OPEN_FLAGS: Readonly<Record<OpenMode, number>> = {
  read: OPEN_MODE.READ,
  write: OPEN_MODE.READ | OPEN_MODE.WRITE,
  create: OPEN_MODE.READ | OPEN_MODE.WRITE | OPEN_MODE.CREAT | OPEN_MODE.EXCL,
  'create-private': OPEN_MODE.READ | OPEN_MODE.WRITE | OPEN_MODE.CREAT | OPEN_MODE.EXCL,
};
const PRIVATE_MODE = 0o600;
/** What bytes that are no UTF-8 became: such a name can't be sent back. */
const REPLACEMENT_CHARACTER = '\ufffd';
/** READDIRs under way: OpenSSH answers 100 names a request, and a round trip each would take long on a long link. */
const LISTINGS_AHEAD = 8;

export class SshHost implements Host {
  readonly profile: HostProfile;
  readonly offers: HostOffers;
  readonly #connection: Connection;
  readonly #context: Context;

  constructor(profile: HostProfile, offers: HostOffers, connection: Connection, context: Context) {
    this.profile = profile;
    this.offers = offers;
    this.#connection = connection;
    this.#context = context;
  }

  async lstat(path: RemotePath): Promise<FileFacts | undefined> {
    const stats = this.#call<Stats>(`lstat ${path}`, (sftp, done) => sftp.lstat(path, done));
    return this.#unlessMissing(stats.then(toFacts));
  }

  async realPath(path: RemotePath): Promise<RemotePath | undefined> {
    // OpenSSH gives a path also when its last part is missing (realpath(3) of the BSDs), so what it leads to is asked for too.
    const found = await this.#unlessMissing(this.#call<Stats>(`stat ${path}`, (sftp, done) => sftp.stat(path, done)));
    if (found === undefined) return undefined;
    const real = await this.#unlessMissing(
      this.#call<string>(`real path of ${path}`, (sftp, done) => sftp.realpath(path, done)),
    );
    return real === undefined ? undefined : toRemotePath(real);
  }

  async list(path: RemotePath): Promise<readonly DirectoryEntry[]> {
    const channel = await this.#connection.control();
    const handle = await channel.call<Buffer>(`list ${path}`, (sftp, done) => sftp.opendir(path, done));
    try {
      return await readEntries(channel, handle, `list ${path}`);
    } finally {
      await closeQuietly(channel, handle);
    }
  }

  async makeDirectory(path: RemotePath, mode?: number): Promise<void> {
    const attributes = mode === undefined ? {} : { mode };
    await this.#makeName(path, `make directory ${path}`, (sftp, done) => sftp.mkdir(path, attributes, done));
  }

  async removeDirectory(path: RemotePath): Promise<void> {
    await this.#call<void>(`remove directory ${path}`, (sftp, done) => sftp.rmdir(path, done));
  }

  async open(path: RemotePath, mode: OpenMode): Promise<OpenFile> {
    const { channel, release } = await this.#connection.lendBulk();
    const flags = OPEN_FLAGS[mode];
    const attributes = mode === 'create-private' ? { mode: PRIVATE_MODE } : {};
    try {
      const doing = `open ${path}`;
      const handle = await channel.call<Buffer>(doing, (sftp, done) => sftp.open(path, flags, attributes, done));
      return new SshFile({ channel, handle, path, limits: this.#context.limits, release });
    } catch (error) {
      release();
      if (mode === 'create' || mode === 'create-private') await this.#throwIfThere(path, error);
      throw error;
    }
  }

  async rename(from: RemotePath, to: RemotePath): Promise<void> {
    await this.#makeName(to, `rename ${from} to ${to}`, (sftp, done) => sftp.rename(from, to, done));
  }

  async replace(from: RemotePath, to: RemotePath): Promise<void> {
    this.#need('posixRename', 'replace a file atomically');
    await this.#call<void>(`replace ${to} by ${from}`, (sftp, done) => sftp.ext_openssh_rename(from, to, done));
  }

  async link(existing: RemotePath, to: RemotePath): Promise<void> {
    this.#need('hardLink', 'link files');
    await this.#makeName(to, `link ${existing} to ${to}`, (sftp, done) => sftp.ext_openssh_hardlink(existing, to, done));
  }

  async unlink(path: RemotePath): Promise<void> {
    await this.#call<void>(`unlink ${path}`, (sftp, done) => sftp.unlink(path, done));
  }

  async setFacts(path: RemotePath, facts: { readonly mode?: number; readonly modifiedAt?: number }): Promise<void> {
    const { mode, modifiedAt } = facts;
    const seconds = modifiedAt === undefined ? undefined : Math.floor(modifiedAt / 1_000);
    // SFTP version 3 sets both times or none.
    const times = seconds === undefined ? {} : { atime: seconds, mtime: seconds };
    const attributes = { ...(mode === undefined ? {} : { mode }), ...times };
    await this.#call<void>(`set attributes of ${path}`, (sftp, done) => sftp.setstat(path, attributes, done));
  }

  async syncDirectory(path: RemotePath): Promise<void> {
    if (!this.offers.fsync) return;
    const channel = await this.#connection.control();
    const doing = `sync directory ${path}`;
    // As a file, for reading: OpenSSH syncs no handle of OPENDIR.
    const handle = await this.#unlessRefused(
      channel.call<Buffer>(doing, (sftp, done) => sftp.open(path, OPEN_MODE.READ, done)),
    );
    if (handle === undefined) return;
    const { slowCallTimeoutMs } = this.#context.limits;
    try {
      await this.#unlessRefused(
        channel.call<void>(doing, (sftp, done) => sftp.ext_openssh_fsync(handle, done), slowCallTimeoutMs),
      );
    } finally {
      await closeQuietly(channel, handle);
    }
  }

  async space(path: RemotePath): Promise<Space | undefined> {
    if (!this.offers.space) return undefined;
    return toSpace(await this.#call<FileSystemFacts>(`space of ${path}`, (sftp, done) => sftp.ext_openssh_statvfs(path, done)));
  }

  run(script: string, args: readonly string[], options: RunOptions = {}): AsyncIterable<string> {
    return runCommand(this.#connection, { script, args, ...options }, this.#context);
  }

  async #call<T>(what: string, issue: (sftp: SFTPWrapper, done: Done<T>) => void): Promise<T> {
    const channel = await this.#connection.control();
    return channel.call(what, issue);
  }

  /** A call that makes the name `path`, and whose failure says `ALREADY_EXISTS` when something is there. */
  async #makeName(path: RemotePath, what: string, issue: (sftp: SFTPWrapper, done: Done<void>) => void): Promise<void> {
    try {
      await this.#call(what, issue);
    } catch (error) {
      await this.#throwIfThere(path, error);
      throw error;
    }
  }

  /** SFTP status 4 stands for a name that is taken as for much else. */
  async #throwIfThere(path: RemotePath, error: unknown): Promise<void> {
    if (!isFault(error, 'FAILURE')) return;
    if ((await this.lstat(path)) === undefined) return;
    throw new Fault('ALREADY_EXISTS', `${path} is there already`, { cause: error });
  }

  async #unlessMissing<T>(answer: Promise<T>): Promise<T | undefined> {
    try {
      return await answer;
    } catch (error) {
      if (isFault(error, 'NOT_FOUND')) return undefined;
      throw error;
    }
  }

  /** Undefined when the host can't do it to a directory at all: no right to read it, or EINVAL (status 5) from its file system. */
  async #unlessRefused<T>(answer: Promise<T>): Promise<T | undefined> {
    try {
      return await answer;
    } catch (error) {
      if (isFault(error, 'PERMISSION_DENIED', 'HOST_UNSUPPORTED') || statusOf(error) === SftpStatus.BAD_MESSAGE)
        return undefined;
      throw error;
    }
  }

  #need(offer: keyof HostOffers, doing: string): void {
    if (!this.offers[offer]) throw new Fault('HOST_UNSUPPORTED', `${this.profile.id} can't ${doing}`);
  }
}

/** All entries whose name a path can hold. READDIR answers EOF at the end, as often as it is asked. */
async function readEntries(channel: Channel, handle: Buffer, what: string): Promise<readonly DirectoryEntry[]> {
  const entries: DirectoryEntry[] = [];
  for (;;) {
    const ahead = Array.from({ length: LISTINGS_AHEAD }, () => readSome(channel, handle, what));
    for (const some of await Promise.all(ahead)) {
      if (some === undefined) return entries;
      for (const { filename: name, attrs } of some) {
        if (isSafeName(name) && !name.includes(REPLACEMENT_CHARACTER)) entries.push({ name, ...toFacts(attrs) });
      }
    }
  }
}

async function readSome(channel: Channel, handle: Buffer, what: string): Promise<readonly FileEntryWithStats[] | undefined> {
  try {
    return await channel.call<FileEntryWithStats[]>(what, (sftp, done) => sftp.readdir(handle, done));
  } catch (error) {
    if (statusOf(error) === SftpStatus.EOF) return undefined;
    throw error;
  }
}

async function closeQuietly(channel: Channel, handle: Buffer): Promise<void> {
  try {
    await channel.call<void>('close', (sftp, done) => sftp.close(handle, done));
  } catch {
    // Nothing was written through it, and a dead session takes its handles along.
  }
}

/** A path as the host spells it. */
function toRemotePath(text: string): RemotePath {
  const names = text.split('/').filter((name) => name !== '');
  const isUsable = text.startsWith('/') && names.every((name) => isSafeName(name) && !name.includes(REPLACEMENT_CHARACTER));
  if (!isUsable) throw new Fault('FAILURE', `the host calls it by a name we can't use: ${JSON.stringify(text)}`);
  return joinPath('/' as RemotePath, ...names);
}
