// Requests about a name: draft-ietf-secsh-filexfer-02 sections 6.5 to 6.11.
import { constants, type Stats } from 'node:fs';
import * as fs from 'node:fs/promises';
import { attributesOf, bareNameEntry, nameEntry, readAttributes } from './attributes.js';
import { refuseNewOwner } from './file-requests.js';
import type { OpenDirectory } from './handles.js';
import { normalise, type Jail, type LentPath } from './jail.js';
import type { RequestHandler } from './requests.js';
import { errnoOf, Status, StatusError, statusReply } from './status.js';
import { bytesOf, packet, PacketType, string, uint32 } from './wire.js';

const DEFAULT_DIRECTORY_MODE = 0o777;
/** As OpenSSH's sftp-server: well below the largest packet, even with the longest names. */
const ENTRIES_PER_REPLY = 100;

/** An action on one name that is answered with a bare OK. */
function onName(act: (name: LentPath) => Promise<void>): RequestHandler {
  return ({ id, fields }, { jail }) => {
    const path = fields.text();
    return {
      run: async () => {
        await jail.useName(path, act);
        return statusReply(id, Status.ok);
      },
    };
  };
}

/** An action with two names, in the order of the wire, that is answered with a bare OK. */
export function onTwoNames(act: (from: LentPath, to: LentPath) => Promise<void>): RequestHandler {
  return ({ id, fields }, { jail }) => {
    const from = fields.text();
    const to = fields.text();
    return {
      run: async () => {
        await jail.useName(from, (lentFrom) => jail.useName(to, (lentTo) => act(lentFrom, lentTo)));
        return statusReply(id, Status.ok);
      },
    };
  };
}

export const removeFile = onName((name) => fs.unlink(name));
export const removeDirectory = onName((name) => fs.rmdir(name));

/**
 * Never replaces what is at `to`: a file gets its second name before it loses the first, as OpenSSH's sftp-server does it. What
 * can't be linked is looked at before, which leaves an instant in which an empty directory made there would be replaced.
 */
export const renamePath = onTwoNames(async (from, to) => {
  const stats = await fs.lstat(from);
  if (!stats.isFile()) {
    if (await exists(to)) throw new StatusError(Status.failure, 'the target exists');
    return fs.rename(from, to);
  }
  await fs.link(from, to);
  try {
    await fs.unlink(from);
  } catch (error) {
    await fs.unlink(to);
    throw error;
  }
});

async function exists(name: LentPath): Promise<boolean> {
  try {
    await fs.lstat(name);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

export const makeDirectory: RequestHandler = ({ id, fields }, { jail }) => {
  const path = fields.text();
  const mode = readAttributes(fields).mode ?? DEFAULT_DIRECTORY_MODE;
  return {
    run: async () => {
      await jail.useName(path, (name) => fs.mkdir(name, mode));
      return statusReply(id, Status.ok);
    },
  };
};

export const statPath: RequestHandler = ({ id, fields }, { jail }) => {
  const path = fields.text();
  return { run: async () => attrsReply(id, await jail.useTarget(path, (target) => fs.stat(target))) };
};

export const lstatPath: RequestHandler = ({ id, fields }, { jail }) => {
  const path = fields.text();
  const lstat = (): Promise<Stats> =>
    normalise(path) === '/' ? jail.useTarget(path, (root) => fs.stat(root)) : jail.useName(path, (name) => fs.lstat(name));
  return { run: async () => attrsReply(id, await lstat()) };
};

function attrsReply(id: number, stats: Stats): Buffer {
  return packet(PacketType.attrs, uint32(id), attributesOf(stats));
}

export const setPathAttributes: RequestHandler = ({ id, fields }, { jail }) => {
  const path = fields.text();
  const wanted = readAttributes(fields);
  return {
    run: async () => {
      await jail.useTarget(path, async (target) => {
        const stats = await fs.stat(target);
        refuseNewOwner(wanted, stats);
        if (wanted.size !== undefined) await truncate(target, stats, wanted.size);
        if (wanted.mode !== undefined) await fs.chmod(target, wanted.mode);
        if (wanted.times !== undefined) await fs.utimes(target, wanted.times.accessed, wanted.times.modified);
      });
      return statusReply(id, Status.ok);
    },
  };
};

/** node:fs opens what it truncates. */
async function truncate(target: LentPath, stats: Stats, size: number): Promise<void> {
  if (!stats.isFile()) throw new StatusError(Status.failure, 'not a file');
  await fs.truncate(target, size);
}

/** The handle keeps the directory itself open, so that its entries are looked up in it and not in what has its name by then. */
export const openDirectory: RequestHandler = ({ id, fields }, { jail, handles }) => {
  const path = fields.text();
  return {
    run: async () => {
      const name = await handles.add(() => jail.useTarget(path, (target) => openListing(target, jail)));
      return packet(PacketType.handle, uint32(id), string(name));
    },
  };
};

async function openListing(target: LentPath, jail: Jail): Promise<OpenDirectory> {
  const file = await fs.open(target, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NONBLOCK);
  try {
    // Node takes 'buffer' here and gives the names as Buffers; @types/node 20 knows neither.
    const options = { encoding: 'buffer' as BufferEncoding, bufferSize: ENTRIES_PER_REPLY };
    const listing = await fs.opendir(target, options);
    return { kind: 'directory', file, listing, place: jail.placeOf(file, target) };
  } catch (error) {
    await file.close();
    throw error;
  }
}

export const readDirectory: RequestHandler = ({ id, fields }, { handles }) => {
  const name = fields.bytes();
  return {
    run: async () => {
      const directory = handles.directory(name);
      for (;;) {
        const names = await nextNames(directory);
        if (names.length === 0) return statusReply(id, Status.endOfFile);
        const entries = await Promise.all(names.map((entry) => describe(directory, entry)));
        const found = entries.filter((entry) => entry !== undefined);
        if (found.length > 0) return namesReply(id, found);
      }
    },
  };
};

async function nextNames({ listing }: OpenDirectory): Promise<Buffer[]> {
  const names: Buffer[] = [];
  while (names.length < ENTRIES_PER_REPLY) {
    const entry = await listing.read();
    if (entry === null) break;
    names.push(Buffer.from(entry.name));
  }
  return names;
}

/** Undefined for an entry that has gone since, or can't be looked at. */
async function describe({ place }: OpenDirectory, name: Buffer): Promise<Buffer | undefined> {
  try {
    const stats = await fs.lstat(Buffer.concat([place, Buffer.from('/'), name]));
    return nameEntry(name.toString('latin1'), stats, Date.now());
  } catch {
    return undefined;
  }
}

function namesReply(id: number, entries: readonly Buffer[]): Buffer {
  return packet(PacketType.name, uint32(id), uint32(entries.length), ...entries);
}

export const resolvePath: RequestHandler = ({ id, fields }, { jail }) => {
  const path = fields.text();
  return { run: async () => namesReply(id, [bareNameEntry(await jail.realPath(path))]) };
};

export const readLink: RequestHandler = ({ id, fields }, { jail }) => {
  const path = fields.text();
  return {
    run: async () => {
      const target = await jail.useName(path, (name) => fs.readlink(name, { encoding: 'buffer' }));
      return namesReply(id, [bareNameEntry(target.toString('latin1'))]);
    },
  };
};

/** Refuses a target that leads outside. That is a courtesy: a link is checked each time it is followed. */
export const makeLink: RequestHandler = ({ id, fields }, { jail, symlinkOrder }) => {
  const [first, second] = [fields.text(), fields.text()];
  const [target, path] = symlinkOrder === 'target-first' ? [first, second] : [second, first];
  return {
    run: async () => {
      if (!jail.holdsLink(path, target))
        throw new StatusError(Status.permissionDenied, 'the link would lead outside of the root');
      await jail.useName(path, (name) => fs.symlink(bytesOf(target), name));
      return statusReply(id, Status.ok);
    },
  };
};
