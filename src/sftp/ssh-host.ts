// A host for the length of one `use`: every operation of the role, as requests on a connection's channels.
import type {
  AppendOptions,
  DirectoryEntry,
  FileFacts,
  FileRange,
  Host,
  HostOffers,
  HostProfile,
  OpenFile,
  OpenFiles,
  OpenMode,
  RunOptions,
  SettableFacts,
  Space,
} from '../core/ports.js';
import { Fault, isFault } from '../core/problems.js';
import { isSafeName, joinPath, type RemotePath } from '../core/remote-path.js';
import type { Channel } from './channel.js';
import { appendRanges } from './append-ranges.js';
import { attributesOf } from './attributes.js';
import { runCommand } from './command.js';
import type { Connection } from './connection.js';
import type { Loan } from './connection-pool.js';
import type { Context } from './limits.js';
import { SshFile } from './open-file.js';
import * as requests from './requests.js';
import { OpenFlag } from './requests.js';
import { CREATE, PRIVATE, closeQuietly, makeWhole, readWhole } from './small-files.js';
import { SftpStatus, statusOf } from './status-codes.js';

const OPEN_FLAGS: Readonly<Record<OpenMode, number>> = {
  read: OpenFlag.read,
  write: OpenFlag.read | OpenFlag.write,
  create: CREATE,
  'create-private': CREATE,
};
/** READDIRs under way: OpenSSH answers 100 names a request, and a round trip each would take long on a long link. */
const LISTINGS_AHEAD = 8;

export class SshHost implements Host {
  readonly profile: HostProfile;
  readonly offers: HostOffers;
  readonly #connection: Connection;
  readonly #loan: Loan;
  readonly #context: Context;

  constructor(profile: HostProfile, offers: HostOffers, loan: Loan, context: Context) {
    this.profile = profile;
    this.offers = offers;
    this.#connection = loan.connection;
    this.#loan = loan;
    this.#context = context;
  }

  async lstat(path: RemotePath): Promise<FileFacts | undefined> {
    return this.#unlessMissing(this.#call(`lstat ${path}`, requests.lstat(path)));
  }

  async realPath(path: RemotePath): Promise<RemotePath | undefined> {
    // OpenSSH gives a path also when its last part is missing (realpath(3) of the BSDs), so what it leads to is asked for beside it.
    const [found, real] = await Promise.allSettled([
      this.#unlessMissing(this.#call(`stat ${path}`, requests.stat(path))),
      this.#unlessMissing(this.#call(`real path of ${path}`, requests.realpath(path)).then(toRemotePath)),
    ]);
    if (found.status === 'rejected') throw found.reason;
    if (found.value === undefined) return undefined;
    if (real.status === 'rejected') throw real.reason;
    return real.value;
  }

  async list(path: RemotePath): Promise<readonly DirectoryEntry[]> {
    const channel = await this.#connection.control();
    const handle = await channel.call(`list ${path}`, requests.opendir(path));
    try {
      return await readEntries(channel, handle, `list ${path}`);
    } finally {
      closeQuietly(channel, handle);
    }
  }

  async makeDirectory(path: RemotePath, mode?: number): Promise<void> {
    const attributes = mode === undefined ? {} : { mode };
    await this.#makeName(path, `make directory ${path}`, requests.mkdir(path, attributes));
  }

  async removeDirectory(path: RemotePath): Promise<void> {
    await this.#call(`remove directory ${path}`, requests.rmdir(path));
  }

  async open(path: RemotePath, mode: OpenMode): Promise<OpenFile> {
    const [file] = await this.openAll([path], mode);
    return file;
  }

  async openAll<const Paths extends readonly RemotePath[]>(paths: Paths, mode: OpenMode): Promise<OpenFiles<Paths>> {
    const { person, lendBulk } = this.#loan;
    const { channel, release } = await lendBulk();
    const flags = OPEN_FLAGS[mode];
    const attributes = mode === 'create-private' ? PRIVATE : {};
    let left = paths.length;
    const releaseLast = (): void => {
      left -= 1;
      if (left === 0) release();
    };
    const openings = paths.map(async (path) => {
      const handle = await channel.call(`open ${path}`, requests.open(path, flags, attributes));
      return new SshFile({ channel, person, handle, path, context: this.#context, release: releaseLast });
    });
    const outcomes = await Promise.allSettled(openings);
    const failed = outcomes.findIndex(({ status }) => status === 'rejected');
    if (failed === -1) return (await Promise.all(openings)) as readonly OpenFile[] as OpenFiles<Paths>;
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') void outcome.value.close();
      else releaseLast();
    }
    const reason: unknown = (outcomes[failed] as PromiseRejectedResult).reason;
    const path = paths[failed];
    if (path !== undefined && mode.startsWith('create')) await this.#throwIfThere(path, reason);
    throw reason;
  }

  async readFile(path: RemotePath, maxBytes: number): Promise<Uint8Array | undefined> {
    return readWhole(await this.#connection.control(), path, maxBytes);
  }

  async makeFile(path: RemotePath, bytes: Uint8Array): Promise<void> {
    // Not on the control channel: a disk may take its time.
    const { channel, release } = await this.#loan.lendBulk();
    try {
      const isDurable = this.profile.durability === 'strict';
      await makeWhole(channel, path, { bytes, ...(isDurable && { syncTimeoutMs: this.#context.limits.slowCallTimeoutMs }) });
    } catch (error) {
      await this.#throwIfThere(path, error);
      throw error;
    } finally {
      release();
    }
  }

  async rename(from: RemotePath, to: RemotePath): Promise<void> {
    await this.#makeName(to, `rename ${from} to ${to}`, requests.rename(from, to));
  }

  async replace(from: RemotePath, to: RemotePath): Promise<void> {
    this.#need('posixRename', 'replace a file atomically');
    await this.#call(`replace ${to} by ${from}`, requests.posixRename(from, to));
  }

  async link(existing: RemotePath, to: RemotePath): Promise<void> {
    this.#need('hardLink', 'link files');
    await this.#makeName(to, `link ${existing} to ${to}`, requests.hardlink(existing, to));
  }

  async unlink(path: RemotePath): Promise<void> {
    await this.#call(`unlink ${path}`, requests.remove(path));
  }

  async setFacts(path: RemotePath, facts: SettableFacts): Promise<void> {
    await this.#call(`set attributes of ${path}`, requests.setstat(path, attributesOf(facts)));
  }

  async syncDirectory(path: RemotePath): Promise<void> {
    if (!this.offers.fsync) return;
    const channel = await this.#connection.control();
    const doing = `sync directory ${path}`;
    // As a file, for reading: OpenSSH syncs no handle of OPENDIR.
    const handle = await this.#unlessRefused(channel.call(doing, requests.open(path, OpenFlag.read)));
    if (handle === undefined) return;
    const { slowCallTimeoutMs } = this.#context.limits;
    try {
      await this.#unlessRefused(channel.call(doing, requests.fsync(handle), slowCallTimeoutMs));
    } finally {
      closeQuietly(channel, handle);
    }
  }

  async space(path: RemotePath): Promise<Space | undefined> {
    if (!this.offers.space) return undefined;
    try {
      return await this.#call(`space of ${path}`, requests.statvfs(path));
    } catch (error) {
      // Announced, and not there: rclone 1.60.
      if (isFault(error, 'HOST_UNSUPPORTED')) return undefined;
      throw error;
    }
  }

  async append(output: RemotePath, ranges: AsyncIterable<FileRange>, options: AppendOptions): Promise<void> {
    this.#need('copyData', 'copy files by itself');
    try {
      await this.#loan.withOwnChannel((channel) =>
        appendRanges({ ...options, channel, output, ranges, context: this.#context, remove: () => this.unlink(output) }),
      );
    } catch (error) {
      if (isFault(error, 'FAILURE') && (await this.#isFull(output)))
        throw new Fault('NOT_ENOUGH_SPACE', `no space is left for ${output}`, { cause: error });
      throw error;
    }
  }

  run(script: string, args: readonly string[], options: RunOptions = {}): AsyncIterable<string> {
    return runCommand(this.#connection, { script, args, ...options }, this.#context);
  }

  async #call<T>(what: string, request: requests.Request<T>): Promise<T> {
    const channel = await this.#connection.control();
    return channel.call(what, request);
  }

  /** A call that makes the name `path`, and whose failure says `ALREADY_EXISTS` when something is there. */
  async #makeName(path: RemotePath, what: string, request: requests.Request<void>): Promise<void> {
    try {
      await this.#call(what, request);
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

  /** Whether one more step of a copy would find no room. What a failed one took has been given back. */
  async #isFull(path: RemotePath): Promise<boolean> {
    try {
      const space = await this.space(path);
      return space !== undefined && space.freeBytes < this.#context.limits.copyStepBytes;
    } catch {
      return false; // The failure itself is the news; this was only to explain it.
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
    const ahead = Array.from({ length: LISTINGS_AHEAD }, () => channel.call(what, requests.readdir(handle)));
    for (const some of await Promise.all(ahead)) {
      if (some === undefined) return entries;
      for (const { name, facts } of some) {
        if (name !== undefined && isSafeName(name)) entries.push({ name, ...facts });
      }
    }
  }
}

/** A path as the host spells it. */
function toRemotePath(text: string | undefined): RemotePath {
  const names = text?.split('/').filter((name) => name !== '');
  if (text?.startsWith('/') !== true || names === undefined || !names.every(isSafeName))
    throw new Fault('FAILURE', `the host calls it by a name we can't use: ${JSON.stringify(text)}`);
  return joinPath('/' as RemotePath, ...names);
}
