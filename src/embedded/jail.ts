// Keeps every path of the SFTP session inside one directory, links included.
//
// Where a path leads is found with realpath; what is then worked on must be the very thing that was checked, although another
// session may swap a directory for a link meanwhile. On Linux it is pinned: an O_PATH descriptor is opened, its place is read back
// from /proc, and the work goes through /proc/self/fd/N, which is that object whatever happens to its names. Elsewhere there is no
// such way from Node, and a client that wins that race with a link made by somebody else would see outside.
import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { posix } from 'node:path';
import { errnoOf, Status, StatusError } from './status.js';
import { bytesOf, type ByteText } from './wire.js';

/** Linux, asm-generic/fcntl.h: opens nothing but the place, so neither permission nor a FIFO stands in the way. Not in node:fs. */
const O_PATH = 0o10000000;

/** A path for node:fs, good until the work it was lent to ends. */
export type LentPath = Buffer;

export class Jail {
  /** Canonical. */
  readonly #root: ByteText;
  readonly #pins: boolean;

  private constructor(root: ByteText, pins: boolean) {
    this.#root = root;
    this.#pins = pins;
  }

  /** `directory` must exist. */
  static async at(directory: string): Promise<Jail> {
    const root = await canonical(Buffer.from(directory));
    return new Jail(root, await canPin(root));
  }

  /**
   * Lends what `path` leads to, all links followed. Rejects with ENOENT when there is nothing and PERMISSION_DENIED when it is
   * outside. The lent path may be opened without fear of links.
   */
  async useTarget<T>(path: ByteText, work: (target: LentPath) => Promise<T>): Promise<T> {
    const target = this.#inside(await canonical(bytesOf(this.#root + normalise(path))));
    return this.#pinned(target, work);
  }

  /**
   * Lends the name `path` in the directory its parent leads to, whether or not something has that name: the work must not follow
   * a link there. Rejects with ENOENT without such a directory and PERMISSION_DENIED when it is outside, or for `/`, which is
   * no name in any directory.
   */
  async useName<T>(path: ByteText, work: (name: LentPath) => Promise<T>): Promise<T> {
    const virtual = normalise(path);
    if (virtual === '/') throw new StatusError(Status.permissionDenied, 'the root itself');
    const parent = this.#inside(await canonical(bytesOf(this.#root + posix.dirname(virtual))));
    const name = bytesOf(`/${posix.basename(virtual)}`);
    return this.#pinned(parent, (directory) => work(Buffer.concat([directory, name])));
  }

  /** A path to `directory`, which was opened at `lent`, for as long as it is open. */
  placeOf(directory: FileHandle, lent: LentPath): LentPath {
    return this.#pins ? descriptorPath(directory) : lent;
  }

  /** The path without links; its last segment need not exist (as realpath of BSD and OpenSSH). */
  async realPath(path: ByteText): Promise<ByteText> {
    const virtual = normalise(path);
    if (virtual === '/') return '/';
    try {
      return this.#virtual(await canonical(bytesOf(this.#root + virtual)));
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
    const parent = this.#virtual(await canonical(bytesOf(this.#root + posix.dirname(virtual))));
    return posix.join(parent, posix.basename(virtual));
  }

  /** Whether a link at `path` to `target` would stay inside, as long as neither is moved: absolute ones are the system's, so never. */
  holdsLink(path: ByteText, target: ByteText): boolean {
    if (target === '' || target.includes('\0') || target.startsWith('/')) return false;
    let depth = normalise(path).split('/').length - 2;
    for (const segment of target.split('/')) {
      if (segment === '..') depth -= 1;
      else if (segment !== '' && segment !== '.') depth += 1;
      if (depth < 0) return false;
    }
    return true;
  }

  #inside(place: ByteText): ByteText {
    if (place !== this.#root && !place.startsWith(this.#root === '/' ? '/' : `${this.#root}/`)) {
      throw new StatusError(Status.permissionDenied, 'outside of the root');
    }
    return place;
  }

  #virtual(place: ByteText): ByteText {
    const inside = this.#inside(place);
    return this.#root === '/' ? inside : inside.slice(this.#root.length) || '/';
  }

  async #pinned<T>(place: ByteText, work: (path: LentPath) => Promise<T>): Promise<T> {
    if (!this.#pins) return work(bytesOf(place));
    const pin = await fs.open(bytesOf(place), O_PATH | constants.O_NOFOLLOW);
    try {
      const path = descriptorPath(pin);
      this.#inside((await fs.readlink(path, { encoding: 'buffer' })).toString('latin1'));
      return await work(path);
    } finally {
      await pin.close();
    }
  }
}

/** Absolute, without `.`, `..` and doubled slashes; what climbs above the root stays there, as in a chroot. */
export function normalise(path: ByteText): ByteText {
  if (path.includes('\0')) throw new StatusError(Status.badMessage, 'a NUL in a path');
  const normal = posix.normalize(`/${path}`);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

function descriptorPath(file: FileHandle): LentPath {
  return Buffer.from(`/proc/self/fd/${file.fd}`);
}

async function canonical(path: Buffer): Promise<ByteText> {
  return (await fs.realpath(path, { encoding: 'buffer' })).toString('latin1');
}

async function canPin(root: ByteText): Promise<boolean> {
  if (process.platform !== 'linux') return false;
  const pin = await fs.open(bytesOf(root), O_PATH | constants.O_NOFOLLOW);
  try {
    return (await fs.readlink(descriptorPath(pin), { encoding: 'buffer' })).toString('latin1') === root;
  } catch {
    return false; // no /proc here
  } finally {
    await pin.close();
  }
}
