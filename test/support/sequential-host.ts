// An SSH host that is as little as its kind: files are written from their beginning to their end and nowhere else, nothing is run,
// SFTP version 3 without any extension, and a rename never replaces. Over a temporary directory, whose paths are the client's too.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { fingerprint } from '../../src/sftp/host-keys.js';
import type { SshHostOptions } from '../../src/sftp/host-repository.js';
import { listenOnLoopback } from './port.js';
import { hostProfile } from './sshd-host.js';

const { STATUS_CODE, OPEN_MODE } = ssh2.utils.sftp;
const { O_RDWR, O_RDONLY, O_CREAT, O_EXCL } = fs.constants;
/** READDIR answers so many names. */
const NAMES_AT_ONCE = 100;

export interface SequentialHostOptions {
  /** A file that was closed can't be opened for writing again. */
  readonly refusesReopening?: boolean;
  /** Bytes that are taken in all; then a write is refused without a reason. */
  readonly capacityBytes?: number;
}

export interface Wrote {
  readonly path: string;
  readonly offset: number;
  readonly lengthBytes: number;
}

export interface SequentialHost {
  readonly options: SshHostOptions;
  readonly root: string;
  readonly openHandles: number;
  readonly sessions: number;
  /** Bytes that were accepted for, or read from, files whose path fits. */
  writtenBytes(path: RegExp): number;
  readBytes(path: RegExp): number;
  /** Awaited before each write is done; nothing else goes on in its session meanwhile. A rejection is answered with FAILURE. */
  beforeWrite: ((write: Wrote) => Promise<void>) | undefined;
  /** Whether requests were refused because they would have written elsewhere than at the end. */
  readonly refusedWrites: number;
  /** Cuts all connections. */
  disconnect(): void;
  stop(): Promise<void>;
}

export async function startSequentialHost(options: SequentialHostOptions = {}): Promise<SequentialHost> {
  const root = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'longshore-sequential-')));
  const store = new Store(options);
  const clients = new Set<ssh2.Connection>();
  // Not ed25519, of which ssh2 1.17 makes one now and then that it can't read.
  const { private: hostKey, public: publicKey } = ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 });
  const server = new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
    clients.add(client);
    // Not in the types of ssh2.
    (client as unknown as { setNoDelay(on: boolean): void }).setNoDelay(true);
    client.on('close', () => clients.delete(client));
    client.on('error', () => undefined);
    client.on('authentication', (context) => context.accept());
    client.on('session', (accept) => void accept().on('sftp', (acceptSftp) => serve(acceptSftp(), store)));
  });
  const port = await listenOnLoopback(server);
  const disconnect = () => clients.forEach((client) => client.end());
  return Object.assign(store, {
    root,
    options: {
      profile: hostProfile('sequential', root),
      address: '127.0.0.1',
      port,
      username: 'somebody',
      authentication: { kind: 'password', password: 'any' } as const,
      hostKeys: [fingerprint(Buffer.from(publicKey.split(' ')[1] ?? '', 'base64'))],
    },
    disconnect,
    stop: async () => {
      disconnect();
      server.close();
      await once(server, 'close');
      fs.rmSync(root, { recursive: true, force: true });
    },
  });
}

/** What all sessions share. */
class Store {
  readonly limits: SequentialHostOptions;
  readonly written = new Map<string, number>();
  readonly read = new Map<string, number>();
  beforeWrite: ((write: Wrote) => Promise<void>) | undefined;
  openHandles = 0;
  sessions = 0;
  refusedWrites = 0;

  constructor(limits: SequentialHostOptions) {
    this.limits = limits;
  }

  writtenBytes(path: RegExp): number {
    return sum(this.written, path);
  }

  readBytes(path: RegExp): number {
    return sum(this.read, path);
  }
}

function sum(counts: ReadonlyMap<string, number>, path: RegExp): number {
  return [...counts].reduce((total, [name, bytes]) => (path.test(name) ? total + bytes : total), 0);
}

function count(counts: Map<string, number>, path: string, bytes: number): void {
  counts.set(path, (counts.get(path) ?? 0) + bytes);
}

class Refusal extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`status ${status}`);
    this.status = status;
  }
}

type Handle =
  | { readonly kind: 'file'; readonly path: string; readonly descriptor: number }
  | { readonly kind: 'directory'; readonly path: string; readonly names: string[] };

function statusOf(error: unknown): number {
  if (error instanceof Refusal) return error.status;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return STATUS_CODE.NO_SUCH_FILE;
  return code === 'EACCES' || code === 'EPERM' ? STATUS_CODE.PERMISSION_DENIED : STATUS_CODE.FAILURE;
}

function attributesOf(stats: fs.Stats): ssh2.Attributes {
  const { mode, uid, gid, size, atimeMs, mtimeMs } = stats;
  return { mode, uid, gid, size, atime: Math.floor(atimeMs / 1_000), mtime: Math.floor(mtimeMs / 1_000) };
}

/** One session: a request after the other. */
function serve(sftp: ssh2.SFTPWrapper, store: Store): void {
  const handles = new Map<string, Handle>();
  let last = Promise.resolve();
  store.sessions += 1;
  const inOrder = (id: number, work: () => void | Promise<void>): void => {
    last = last.then(work).catch((error: unknown) => void sftp.status(id, statusOf(error)));
  };
  const closeHandle = (handle: Handle): void => {
    store.openHandles -= 1;
    if (handle.kind === 'file') fs.closeSync(handle.descriptor);
  };
  sftp.on('close', () => {
    store.sessions -= 1;
    last = last.then(() => {
      handles.forEach(closeHandle);
      handles.clear();
    });
  });
  const keep = (id: number, handle: Handle): void => {
    const name = randomBytes(4);
    handles.set(name.toString('hex'), handle);
    store.openHandles += 1;
    sftp.handle(id, name);
  };
  const file = (name: Buffer) => {
    const handle = handles.get(name.toString('hex'));
    if (handle?.kind !== 'file') throw new Refusal(STATUS_CODE.FAILURE);
    return handle;
  };
  const done = (id: number, work: () => void): void => inOrder(id, () => (work(), void sftp.status(id, STATUS_CODE.OK)));

  sftp.on('OPEN', (id, path, flags, attributes: Partial<ssh2.Attributes>) =>
    inOrder(id, () => {
      const isNew = (flags & OPEN_MODE.CREAT) !== 0;
      const isWritten = (flags & OPEN_MODE.WRITE) !== 0;
      if (isWritten && !isNew && store.limits.refusesReopening === true) throw new Refusal(STATUS_CODE.FAILURE);
      const mode = (isWritten ? O_RDWR : O_RDONLY) | (isNew ? O_CREAT | O_EXCL : 0);
      keep(id, { kind: 'file', path, descriptor: fs.openSync(path, mode, attributes.mode ?? 0o644) });
    }),
  );
  sftp.on('OPENDIR', (id, path) => inOrder(id, () => keep(id, { kind: 'directory', path, names: fs.readdirSync(path) })));
  sftp.on('CLOSE', (id, name) =>
    done(id, () => {
      const handle = handles.get(name.toString('hex'));
      if (handle === undefined) throw new Refusal(STATUS_CODE.FAILURE);
      handles.delete(name.toString('hex'));
      closeHandle(handle);
    }),
  );
  sftp.on('WRITE', (id, name, offset, data) =>
    inOrder(id, async () => {
      const { path, descriptor } = file(name);
      await store.beforeWrite?.({ path, offset, lengthBytes: data.length });
      if (offset !== fs.fstatSync(descriptor).size) {
        store.refusedWrites += 1;
        throw new Refusal(STATUS_CODE.FAILURE);
      }
      const { capacityBytes = Infinity } = store.limits;
      if (store.writtenBytes(/./) + data.length > capacityBytes) throw new Refusal(STATUS_CODE.FAILURE);
      fs.writeSync(descriptor, data, 0, data.length, offset);
      count(store.written, path, data.length);
      sftp.status(id, STATUS_CODE.OK);
    }),
  );
  sftp.on('READ', (id, name, offset, length) =>
    inOrder(id, () => {
      const { path, descriptor } = file(name);
      const data = Buffer.alloc(length);
      const got = fs.readSync(descriptor, data, 0, length, offset);
      count(store.read, path, got);
      if (got === 0) sftp.status(id, STATUS_CODE.EOF);
      else sftp.data(id, data.subarray(0, got));
    }),
  );
  sftp.on('READDIR', (id, name) =>
    inOrder(id, () => {
      const handle = handles.get(name.toString('hex'));
      if (handle?.kind !== 'directory') throw new Refusal(STATUS_CODE.FAILURE);
      const entries = handle.names.splice(0, NAMES_AT_ONCE).flatMap((filename) => {
        const stats = fs.lstatSync(join(handle.path, filename), { throwIfNoEntry: false });
        return stats === undefined ? [] : [{ filename, longname: filename, attrs: attributesOf(stats) }];
      });
      if (entries.length === 0) sftp.status(id, STATUS_CODE.EOF);
      else sftp.name(id, entries);
    }),
  );
  sftp.on('FSTAT', (id, name) => inOrder(id, () => sftp.attrs(id, attributesOf(fs.fstatSync(file(name).descriptor)))));
  sftp.on('STAT', (id, path) => inOrder(id, () => sftp.attrs(id, attributesOf(fs.statSync(path)))));
  sftp.on('LSTAT', (id, path) => inOrder(id, () => sftp.attrs(id, attributesOf(fs.lstatSync(path)))));
  sftp.on('SETSTAT', (id, path, { mode, mtime, size }: Partial<ssh2.Attributes>) =>
    done(id, () => {
      if (size !== undefined) throw new Refusal(STATUS_CODE.FAILURE);
      if (mode !== undefined) fs.chmodSync(path, mode);
      if (mtime !== undefined) fs.utimesSync(path, mtime, mtime);
    }),
  );
  sftp.on('REALPATH', (id, path) =>
    inOrder(id, () => sftp.name(id, [{ filename: fs.realpathSync(path), longname: '', attrs: {} as ssh2.Attributes }])),
  );
  sftp.on('MKDIR', (id, path, { mode }: Partial<ssh2.Attributes>) =>
    done(id, () => void fs.mkdirSync(path, { mode: mode ?? 0o755 })),
  );
  sftp.on('RMDIR', (id, path) => done(id, () => fs.rmdirSync(path)));
  sftp.on('REMOVE', (id, path) => done(id, () => fs.unlinkSync(path)));
  sftp.on('RENAME', (id, from, to) =>
    done(id, () => {
      if (fs.lstatSync(to, { throwIfNoEntry: false }) !== undefined) throw new Refusal(STATUS_CODE.FAILURE);
      fs.renameSync(from, to);
    }),
  );
}
