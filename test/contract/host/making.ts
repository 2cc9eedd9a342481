// Making, naming and removing.
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { joinPath } from '../../../src/core/remote-path.js';
import { piecesOf } from '../../support/bytes.js';
import { type HostContext, signal } from './context.js';

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

export function namingContract(context: HostContext): void {
  const { freshName, local, remote, use } = context;

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
}

export function makingContract(context: HostContext): void {
  const { freshName, local, makeFile, remote, use, withFile } = context;

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
        await expect(host.makeDirectory(context.server.root)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
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

    it('tells a forbidden name from a missing one', async ({ skip }) => {
      const { deniedDirectory } = context.server;
      if (deniedDirectory === undefined) return skip('this server enforces no permissions');
      await use(async (host) => {
        await expect(host.open(joinPath(deniedDirectory, 'new'), 'create')).rejects.toMatchObject({
          code: 'PERMISSION_DENIED',
        });
        await expect(host.makeDirectory(joinPath(deniedDirectory, 'new'))).rejects.toMatchObject({
          code: 'PERMISSION_DENIED',
        });
        await expect(host.open(joinPath(context.server.root, 'new'), 'read')).rejects.toMatchObject({ code: 'NOT_FOUND' });
      });
    });
  });
}
