// What every adapter of the host role promises, checked over a real connection. `startHost` gives a fresh host with an empty root.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Host, HostRepository, OpenFile } from '../../src/core/ports.js';
import { joinPath, type RemotePath } from '../../src/core/remote-path.js';
import { createHostRepository, type SshHostOptions } from '../../src/sftp/host-repository.js';
import { DEFAULT_LIMITS } from '../../src/sftp/limits.js';
import { collect, digestOf, digestOfFile, KIB, MIB, piecesOf, randomContent } from '../support/bytes.js';
import { startProxy } from '../support/proxy.js';
import { keptLog, realClock } from '../support/roles.js';

export interface HostUnderTest {
  readonly options: SshHostOptions;
  /** The empty directory all happens in, as the client sees it. */
  readonly root: RemotePath;
  /** The same on the local disk. */
  readonly localRoot: string;
  /**
   * A directory, as the client sees it, in which its account may make nothing. Where there is none (a server that runs as root with
   * the rights of its process) `PERMISSION_DENIED` can't come about.
   */
  readonly deniedDirectory?: RemotePath;
  stop(): Promise<void>;
}

/** 255 bytes: the longest name of the usual file systems. */
const LONGEST_NAME = `${'é'.repeat(127)}x`;
const ODD_NAMES = [
  `it's "quoted" \`here\``,
  ' two  spaces ',
  'C:\\back\\slash',
  '100%25 %2F %00',
  'a;b|c&d$(e)*?[f]{g}',
  '--leading',
  '~tilde',
  '#!history!!',
  '🚢 harbour 👩‍👩‍👧',
  '文件－ファイル',
  'e\u0301 is not \u00e9',
  LONGEST_NAME,
];

/** Above it 32-bit offsets wrap. */
const FOUR_GIB = 4 * 1024 * MIB;

export function hostRepositoryContract(name: string, startHost: () => Promise<HostUnderTest>): void {
  describe(`host repository: ${name}`, () => {
    let server: HostUnderTest;
    let repository: HostRepository;
    let counter = 0;

    beforeAll(async () => {
      server = await startHost();
      repository = createHostRepository({ hosts: [server.options], clock: realClock, log: keptLog() });
    }, 60_000);

    afterAll(async () => {
      await repository.close();
      await server.stop();
    });

    const use = <T>(work: (host: Host) => Promise<T>): Promise<T> => repository.use(server.options.profile.id, work);
    const remote = (...names: readonly string[]): RemotePath => joinPath(server.root, ...names);
    const local = (...names: readonly string[]): string => join(server.localRoot, ...names);
    const freshName = (): string => `n${(counter += 1)}`;
    const signal = (): AbortSignal => new AbortController().signal;

    /** A file made by the host with this content; its name. */
    async function makeFile(content: string, fileName = freshName()): Promise<string> {
      await withFile(remote(fileName), 'create', (file) => file.write(0, piecesOf(content), { signal: signal() }));
      return fileName;
    }

    async function withFile<T>(
      path: RemotePath,
      mode: 'read' | 'write' | 'create' | 'create-private',
      work: (file: OpenFile, host: Host) => Promise<T>,
    ): Promise<T> {
      return use(async (host) => {
        const file = await host.open(path, mode);
        try {
          return await work(file, host);
        } finally {
          await file.close();
        }
      });
    }

    describe('use', () => {
      it('lends the configured host', async () => {
        expect(await use(async (host) => host.profile)).toEqual(server.options.profile);
        expect(repository.profiles).toEqual([server.options.profile]);
      });

      it('knows no other host', async () => {
        await expect(repository.use('another', async () => undefined)).rejects.toMatchObject({ code: 'HOST_UNKNOWN' });
      });

      it('passes on what the work throws', async () => {
        const mine = new Error('mine');
        await expect(use(() => Promise.reject(mine))).rejects.toBe(mine);
      });
    });

    describe('looking', () => {
      it('tells files, directories, links and special files apart', async () => {
        const directory = freshName();
        mkdirSync(local(directory));
        writeFileSync(local(directory, 'file'), 'four');
        mkdirSync(local(directory, 'directory'));
        symlinkSync('file', local(directory, 'link'));
        execFileSync('mkfifo', [local(directory, 'fifo')]);
        const kinds = await use((host) =>
          Promise.all(
            ['file', 'directory', 'link', 'fifo'].map(async (one) => (await host.lstat(remote(directory, one)))?.kind),
          ),
        );
        expect(kinds).toEqual(['file', 'directory', 'symlink', 'special']);
      });

      it('tells size, mode and time of a file', async () => {
        const file = freshName();
        writeFileSync(local(file), 'content');
        chmodSync(local(file), 0o640);
        const facts = await use((host) => host.lstat(remote(file)));
        const mtime = Math.floor(statSync(local(file)).mtimeMs / 1000) * 1000;
        expect(facts).toEqual({ kind: 'file', size: 7, mode: 0o640, modifiedAt: mtime });
      });

      it('finds nothing where nothing is, or below a file', async () => {
        const file = await makeFile('x');
        await use(async (host) => {
          expect(await host.lstat(remote('missing'))).toBeUndefined();
          expect(await host.lstat(remote(file, 'below'))).toBeUndefined();
        });
      });

      it('resolves links to the real path', async () => {
        const directory = freshName();
        mkdirSync(local(directory));
        symlinkSync(directory, local(`${directory}-link`));
        writeFileSync(local(directory, 'file'), '');
        await use(async (host) => {
          const root = await host.realPath(server.root);
          if (root === undefined) throw new Error('the root is missing');
          expect(await host.realPath(remote(`${directory}-link`, 'file'))).toBe(joinPath(root, directory, 'file'));
        });
      });

      it('has no real path for what is missing, nor for a link that leads nowhere', async () => {
        const link = freshName();
        symlinkSync('nowhere', local(link));
        await use(async (host) => {
          expect(await host.realPath(remote('missing'))).toBeUndefined();
          expect(await host.realPath(remote('missing', 'below'))).toBeUndefined();
          expect(await host.realPath(remote(link))).toBeUndefined();
        });
      });

      it('lists a directory with the facts of its entries, without following links', async () => {
        const directory = freshName();
        mkdirSync(local(directory));
        writeFileSync(local(directory, 'file'), '12345');
        symlinkSync('file', local(directory, 'link'));
        mkdirSync(local(directory, '.hidden'));
        const entries = await use((host) => host.list(remote(directory)));
        const seen = entries.map(({ name: entry, kind }) => `${entry} ${kind}`).sort();
        expect(seen).toEqual(['.hidden directory', 'file file', 'link symlink']);
        expect(entries.find((entry) => entry.name === 'file')?.size).toBe(5);
      });

      it('lists more names than fit in one answer', async () => {
        const directory = freshName();
        mkdirSync(local(directory));
        for (let index = 0; index < 2_500; index += 1) writeFileSync(local(directory, `entry-${index}`), '');
        const entries = await use((host) => host.list(remote(directory)));
        expect(new Set(entries.map((entry) => entry.name)).size).toBe(2_500);
        expect(entries).toHaveLength(2_500);
      });

      it('leaves out names that are no well-formed Unicode', async () => {
        const directory = freshName();
        mkdirSync(local(directory));
        writeFileSync(local(directory, 'good'), '');
        writeFileSync(Buffer.concat([Buffer.from(`${local(directory)}/bad-`), Buffer.from([0xff, 0xc3])]), '');
        writeFileSync(local(directory, 'line\nbreak'), '');
        const entries = await use((host) => host.list(remote(directory)));
        expect(entries.map((entry) => entry.name)).toEqual(['good']);
      });

      it('hashes a range of a file where the server offers that, and says so where it does not', async () => {
        const content = Array.from({ length: 5_000 }, (_, at) => `${at}`).join(' ');
        await withFile(remote(await makeFile(content)), 'read', async (file, host) => {
          const hash = file.hash('sha256', 777, 10_000);
          if (!host.offers.checkFile) return expect(hash).rejects.toMatchObject({ code: 'HOST_UNSUPPORTED' });
          expect(await hash).toBe(createHash('sha256').update(content.slice(777, 10_777)).digest('hex'));
          expect(await file.hash('md5', 0, content.length)).toBe(createHash('md5').update(content).digest('hex'));
        });
      });

      it('rejects a listing of what is missing or no directory with NOT_FOUND', async () => {
        const file = await makeFile('x');
        await use(async (host) => {
          await expect(host.list(remote('missing'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
          await expect(host.list(remote(file))).rejects.toMatchObject({ code: 'NOT_FOUND' });
        });
      });
    });

    describe('names', () => {
      it.each(ODD_NAMES)('keeps the name %j byte for byte', async (odd) => {
        const directory = freshName();
        mkdirSync(local(directory));
        chmodSync(local(directory), 0o777);
        await use(async (host) => {
          const file = await host.open(remote(directory, odd), 'create');
          await file.close();
          expect(readdirSync(local(directory), { encoding: 'buffer' })).toEqual([Buffer.from(odd)]);
          expect((await host.list(remote(directory))).map((entry) => entry.name)).toEqual([odd]);
          expect((await host.lstat(remote(directory, odd)))?.kind).toBe('file');
          await host.unlink(remote(directory, odd));
          expect(readdirSync(local(directory))).toEqual([]);
        });
      });
    });

    describe('making and removing', () => {
      it('makes a directory with the mode asked for, and removes it', async () => {
        const directory = freshName();
        await use(async (host) => {
          await host.makeDirectory(remote(directory), 0o700);
          expect(statSync(local(directory)).mode & 0o777).toBe(0o700);
          await host.removeDirectory(remote(directory));
          expect(existsSync(local(directory))).toBe(false);
        });
      });

      it('makes no directory where something is', async () => {
        const file = await makeFile('x');
        await use(async (host) => {
          await expect(host.makeDirectory(remote(file))).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
          await expect(host.makeDirectory(server.root)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
        });
      });

      it('rejects with NOT_FOUND where the parent is missing', async () => {
        await use(async (host) => {
          await expect(host.makeDirectory(remote('missing', 'new'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
          await expect(host.open(remote('missing', 'new'), 'create')).rejects.toMatchObject({ code: 'NOT_FOUND' });
          await expect(host.open(remote('missing'), 'read')).rejects.toMatchObject({ code: 'NOT_FOUND' });
          await expect(host.open(remote('missing'), 'write')).rejects.toMatchObject({ code: 'NOT_FOUND' });
          await expect(host.unlink(remote('missing'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
        });
      });

      it('keeps a directory that is not empty', async () => {
        const directory = freshName();
        await use((host) => host.makeDirectory(remote(directory)));
        writeFileSync(local(directory, 'file'), '');
        await expect(use((host) => host.removeDirectory(remote(directory)))).rejects.toMatchObject({ code: 'FAILURE' });
        expect(existsSync(local(directory, 'file'))).toBe(true);
      });

      it('creates a file only where nothing is, be it a file or a dangling link', async () => {
        const file = await makeFile('kept');
        const link = freshName();
        symlinkSync('nowhere', local(link));
        await use(async (host) => {
          await expect(host.open(remote(file), 'create')).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
          await expect(host.open(remote(file), 'create-private')).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
          await expect(host.open(remote(link), 'create')).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
        });
        expect(readFileSync(local(file), 'utf8')).toBe('kept');
        expect(existsSync(local('nowhere'))).toBe(false);
      });

      it('creates a private file for our account alone', async () => {
        const file = freshName();
        await withFile(remote(file), 'create-private', async () => undefined);
        expect(statSync(local(file)).mode & 0o777).toBe(0o600);
      });

      it('keeps the bytes of a file opened for writing', async () => {
        const file = await makeFile('0123456789');
        await withFile(remote(file), 'write', (open) => open.write(3, piecesOf('abc'), { signal: signal() }));
        expect(readFileSync(local(file), 'utf8')).toBe('012abc6789');
      });

      it('tells a forbidden name from a missing one', async (context) => {
        const { deniedDirectory } = server;
        if (deniedDirectory === undefined) return context.skip('this server enforces no permissions');
        await use(async (host) => {
          await expect(host.open(joinPath(deniedDirectory, 'new'), 'create')).rejects.toMatchObject({
            code: 'PERMISSION_DENIED',
          });
          await expect(host.makeDirectory(joinPath(deniedDirectory, 'new'))).rejects.toMatchObject({
            code: 'PERMISSION_DENIED',
          });
          await expect(host.open(joinPath(server.root, 'new'), 'read')).rejects.toMatchObject({ code: 'NOT_FOUND' });
        });
      });
    });

    describe('publishing', () => {
      it('renames to a free name', async () => {
        const from = await makeFile('moved');
        const to = freshName();
        await use((host) => host.rename(remote(from), remote(to)));
        expect(existsSync(local(from))).toBe(false);
        expect(readFileSync(local(to), 'utf8')).toBe('moved');
      });

      it('refuses to rename over an existing target', async () => {
        const [from, to] = [await makeFile('new'), await makeFile('old')];
        await expect(use((host) => host.rename(remote(from), remote(to)))).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
        expect(readFileSync(local(to), 'utf8')).toBe('old');
        expect(readFileSync(local(from), 'utf8')).toBe('new');
      });

      it('replaces an existing file, so that no moment is without one', async () => {
        const to = await makeFile('version 0');
        let isDone = false;
        const look = async (): Promise<number> => {
          let looks = 0;
          for (; !isDone; looks += 1) {
            expect((await use((host) => host.lstat(remote(to))))?.kind).toBe('file');
          }
          return looks;
        };
        const looking = look();
        for (let version = 1; version <= 50; version += 1) {
          const from = await makeFile(`version ${version}`);
          await use((host) => host.replace(remote(from), remote(to)));
          expect(existsSync(local(from))).toBe(false);
        }
        isDone = true;
        expect(await looking).toBeGreaterThan(0);
        expect(readFileSync(local(to), 'utf8')).toBe('version 50');
      });

      it('gives a file a second name', async () => {
        const existing = await makeFile('both');
        const to = freshName();
        await use((host) => host.link(remote(existing), remote(to)));
        expect(statSync(local(to)).ino).toBe(statSync(local(existing)).ino);
      });

      it('refuses to link over an existing file or link', async () => {
        const [existing, to] = [await makeFile('new'), await makeFile('old')];
        const link = freshName();
        symlinkSync('nowhere', local(link));
        await use(async (host) => {
          await expect(host.link(remote(existing), remote(to))).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
          await expect(host.link(remote(existing), remote(link))).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
          await expect(host.link(remote('missing'), remote(freshName()))).rejects.toMatchObject({ code: 'NOT_FOUND' });
        });
        expect(readFileSync(local(to), 'utf8')).toBe('old');
        expect(readlinkSync(local(link))).toBe('nowhere');
      });

      it('lets exactly one of many linkers have the name', async () => {
        const sources = await Promise.all(['a', 'b', 'c', 'd'].map((content) => makeFile(content)));
        const to = freshName();
        const results = await Promise.allSettled(sources.map((from) => use((host) => host.link(remote(from), remote(to)))));
        expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
      });

      it('sets mode and time, together or one alone', async () => {
        const file = await makeFile('x');
        const first = Date.UTC(2001, 1, 2, 3, 4, 5);
        const second = Date.UTC(2011, 1, 2, 3, 4, 5);
        await use(async (host) => {
          await host.setFacts(remote(file), { mode: 0o604, modifiedAt: first });
          expect(await host.lstat(remote(file))).toMatchObject({ mode: 0o604, modifiedAt: first });
          await host.setFacts(remote(file), { mode: 0o640 });
          expect(await host.lstat(remote(file))).toMatchObject({ mode: 0o640, modifiedAt: first });
          await host.setFacts(remote(file), { modifiedAt: second });
          expect(await host.lstat(remote(file))).toMatchObject({ mode: 0o640, modifiedAt: second });
        });
      });

      it('syncs files and directories', async () => {
        const file = await makeFile('x');
        await withFile(remote(file), 'write', (open) => open.sync());
        await use((host) => host.syncDirectory(server.root));
        await expect(use((host) => host.syncDirectory(remote('missing')))).rejects.toMatchObject({ code: 'NOT_FOUND' });
      });

      it('tells the space left, and that two directories share a file system', async () => {
        const directory = freshName();
        await use(async (host) => {
          await host.makeDirectory(remote(directory));
          const [above, below] = [await host.space(server.root), await host.space(remote(directory))];
          expect(above?.freeBytes).toBeGreaterThan(0);
          expect(below?.fileSystem).toBe(above?.fileSystem);
          expect(above?.fileSystem).toMatch(/^\d+$/);
        });
      });

      it('says what it offers', async () => {
        const offers = await use(async (host) => host.offers);
        expect(offers).toMatchObject({ hardLink: true, posixRename: true, fsync: true, space: true });
      });
    });

    describe('writing', () => {
      it('lands 64 MiB byte for byte', async () => {
        const file = freshName();
        const content = randomContent(64 * MIB);
        await withFile(remote(file), 'create', (open) => open.write(0, content.pieces, { signal: signal() }));
        expect(statSync(local(file)).size).toBe(64 * MIB);
        expect(await digestOfFile(local(file))).toBe(content.digest());
      }, 60_000);

      it.each([1, 1_000, 100 * KIB + 1, 3 * MIB + 7])('lands pieces of %i bytes byte for byte', async (pieceBytes) => {
        const file = freshName();
        const content = randomContent(Math.min(8 * MIB + 3, pieceBytes * 500), pieceBytes);
        await withFile(remote(file), 'create', (open) => open.write(0, content.pieces, { signal: signal() }));
        expect(await digestOfFile(local(file))).toBe(content.digest());
      });

      it('writes several files and several ranges of one file at once', async () => {
        const file = freshName();
        const parts = [0, 1, 2, 3, 4, 5, 6, 7].map((index) => ({ offset: index * 4 * MIB, content: randomContent(4 * MIB) }));
        await withFile(remote(file), 'create', (_, host) =>
          Promise.all(
            parts.map(async ({ offset, content }) => {
              const own = await host.open(remote(file), 'write');
              await own.write(offset, content.pieces, { signal: signal() });
              await own.close();
            }),
          ),
        );
        await withFile(remote(file), 'read', async (open) => {
          for (const { offset, content } of parts) expect(await digestOf(open.read(offset, 4 * MIB))).toBe(content.digest());
        });
      });

      it('writes at offsets beyond 4 GiB and leaves the space before them sparse', async () => {
        const file = freshName();
        const offset = 5 * FOUR_GIB + 12_345;
        await withFile(remote(file), 'create', async (open) => {
          await open.write(offset, piecesOf('far out'), { signal: signal() });
          expect((await open.facts()).size).toBe(offset + 7);
          expect(String(await collect(open.read(offset - 2, 100)))).toBe('\0\0far out');
          await open.truncate(0);
          expect((await open.facts()).size).toBe(0);
        });
      });

      it('takes no piece and empty pieces', async () => {
        const file = freshName();
        await withFile(remote(file), 'create', async (open) => {
          await open.write(0, piecesOf(), { signal: signal() });
          await open.write(0, piecesOf('', 'a', '', 'b', ''), { signal: signal() });
        });
        expect(readFileSync(local(file), 'utf8')).toBe('ab');
      });

      it('takes plain Uint8Arrays that are views of larger memory', async () => {
        const file = freshName();
        const memory = new Uint8Array([120, 97, 98, 99, 120]);
        await withFile(remote(file), 'create', (open) => open.write(0, piecesOf(memory.subarray(1, 4)), { signal: signal() }));
        expect(readFileSync(local(file), 'utf8')).toBe('abc');
      });

      it('pulls the source no faster than the host takes it', async () => {
        const proxy = await startProxy(server.options);
        const throughProxy = { ...server.options, address: '127.0.0.1', port: proxy.port };
        const own = createHostRepository({ hosts: [throughProxy], clock: realClock, log: keptLog() });
        const file = freshName();
        const content = randomContent(32 * MIB);
        let pulledBytes = 0;
        async function* counted(): AsyncGenerator<Uint8Array> {
          for await (const piece of content.pieces) {
            pulledBytes += piece.length;
            yield piece;
          }
        }
        await own.use(server.options.profile.id, async (host) => {
          const open = await host.open(remote(file), 'create');
          proxy.hold();
          const writing = open.write(0, counted(), { signal: signal() });
          // Far more turns than the source would need to give everything.
          for (let turn = 0; turn < 5_000; turn += 1) await setImmediate();
          expect(pulledBytes).toBeGreaterThan(0);
          expect(pulledBytes).toBeLessThanOrEqual(DEFAULT_LIMITS.writeWindowBytes + 64 * KIB);
          proxy.release();
          await writing;
          await open.close();
        });
        expect(await digestOfFile(local(file))).toBe(content.digest());
        await own.close();
        await proxy.stop();
      });

      it('stops at an abort: the source is closed, nothing lands afterwards', async () => {
        const file = freshName();
        const aborter = new AbortController();
        const reason = new Error('enough');
        let isClosed = false;
        async function* endless(): AsyncGenerator<Uint8Array> {
          try {
            for (let pulled = 0; ; pulled += 1) {
              if (pulled === 100) aborter.abort(reason);
              yield Buffer.alloc(64 * KIB, 1);
            }
          } finally {
            isClosed = true;
          }
        }
        await withFile(remote(file), 'create', async (open) => {
          await expect(open.write(0, endless(), { signal: aborter.signal })).rejects.toBe(reason);
          expect(isClosed).toBe(true);
          // Nothing is under way any more: the file has stopped growing before the channel answers once more.
          const { size } = statSync(local(file));
          expect(size).toBeGreaterThan(0);
          expect((await open.facts()).size).toBe(size);
        });
      });

      it('stops at an abort although the source gives nothing', async () => {
        const aborter = new AbortController();
        const reason = new Error('enough');
        const silent: AsyncIterable<Uint8Array> = {
          [Symbol.asyncIterator]: () => ({
            next: () => {
              queueMicrotask(() => aborter.abort(reason));
              return new Promise(() => undefined);
            },
          }),
        };
        await withFile(remote(freshName()), 'create', async (open) => {
          await expect(open.write(0, silent, { signal: aborter.signal })).rejects.toBe(reason);
        });
      });

      it('does nothing when it was aborted before', async () => {
        const file = freshName();
        const reason = new Error('too late');
        await withFile(remote(file), 'create', async (open) => {
          await expect(open.write(0, piecesOf('x'), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
        });
        expect(statSync(local(file)).size).toBe(0);
      });

      it('passes on what the source throws, with what came before it written', async () => {
        const file = freshName();
        const cause = new Error('the tab was closed');
        async function* breaking(): AsyncGenerator<Uint8Array> {
          yield Buffer.from('before');
          throw cause;
        }
        await withFile(remote(file), 'create', async (open) => {
          await expect(open.write(0, breaking(), { signal: signal() })).rejects.toBe(cause);
        });
        expect(readFileSync(local(file), 'utf8')).toBe('before');
      });

      it('asks before each write, and writes nothing more once the right has ended', async () => {
        const file = freshName();
        const ended = new Error('the lease has ended');
        let asked = 0;
        const check = (): void => {
          asked += 1;
          if (asked > 3) throw ended;
        };
        const pieces = piecesOf('1', '2', '3', '4', '5');
        await withFile(remote(file), 'create', async (open) => {
          await expect(open.write(0, pieces, { signal: signal(), check })).rejects.toBe(ended);
        });
        expect(asked).toBe(4);
        expect(readFileSync(local(file), 'utf8')).toBe('123');
      });

      it('fails on a file opened for reading, and pulls no further', async () => {
        const file = await makeFile('kept');
        let pulled = 0;
        async function* counted(): AsyncGenerator<Uint8Array> {
          for (;;) {
            pulled += 1;
            yield Buffer.alloc(64 * KIB);
          }
        }
        await withFile(remote(file), 'read', async (open) => {
          await expect(open.write(0, counted(), { signal: signal() })).rejects.toMatchObject({ name: 'Fault' });
        });
        expect(pulled).toBeLessThan(1_000);
        expect(readFileSync(local(file), 'utf8')).toBe('kept');
      });

      it('closes more than once, and rejects what comes afterwards', async () => {
        await withFile(remote(freshName()), 'create', async (open) => {
          await open.close();
          await open.close();
          await expect(open.write(0, piecesOf('x'), { signal: signal() })).rejects.toMatchObject({ name: 'Fault' });
          await expect(open.facts()).rejects.toMatchObject({ name: 'Fault' });
        });
      });
    });

    describe('reading', () => {
      it('reads back 16 MiB in order', async () => {
        const file = freshName();
        const content = randomContent(16 * MIB + 5);
        await withFile(remote(file), 'create', async (open) => {
          await open.write(0, content.pieces, { signal: signal() });
          expect(await digestOf(open.read(0, 16 * MIB + 5))).toBe(content.digest());
        });
      });

      it('reads ranges, and less where the file ends', async () => {
        const file = await makeFile('0123456789');
        await withFile(remote(file), 'read', async (open) => {
          expect(String(await collect(open.read(2, 3)))).toBe('234');
          expect(String(await collect(open.read(8, 100)))).toBe('89');
          expect(String(await collect(open.read(10, 1)))).toBe('');
          expect(String(await collect(open.read(1_000, 1)))).toBe('');
          expect(String(await collect(open.read(0, 0)))).toBe('');
        });
      });

      it('stops at an abort, and when the reader has had enough', async () => {
        const file = freshName();
        const reason = new Error('enough');
        await withFile(remote(file), 'create', async (open) => {
          await open.write(0, randomContent(8 * MIB).pieces, { signal: signal() });
          for await (const piece of open.read(0, 8 * MIB)) {
            expect(piece.length).toBeGreaterThan(0);
            break;
          }
          const aborter = new AbortController();
          const reading = (async () => {
            for await (const piece of open.read(0, 8 * MIB, aborter.signal)) if (piece.length > 0) aborter.abort(reason);
          })();
          await expect(reading).rejects.toBe(reason);
          expect((await open.facts()).size).toBe(8 * MIB);
        });
      });
    });
  });
}
