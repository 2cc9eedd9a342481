// Finding out what is on the host.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { joinPath } from '../../../src/core/remote-path.js';
import type { HostContext } from './context.js';

export function usingContract(context: HostContext): void {
  const { use } = context;

  describe('use', () => {
    it('lends the configured host', async () => {
      expect(await use(async (host) => host.profile)).toEqual(context.server.options.profile);
      expect(context.repository.profiles).toEqual([context.server.options.profile]);
    });

    it('knows no other host', async () => {
      await expect(context.repository.use('another', async () => undefined)).rejects.toMatchObject({ code: 'HOST_UNKNOWN' });
    });

    it('passes on what the work throws', async () => {
      const mine = new Error('mine');
      await expect(use(() => Promise.reject(mine))).rejects.toBe(mine);
    });
  });
}

export function lookingContract(context: HostContext): void {
  const { freshName, local, makeFile, remote, use, withFile } = context;

  describe('looking', () => {
    it('tells files, directories, links and special files apart', async () => {
      const directory = freshName();
      mkdirSync(local(directory));
      writeFileSync(local(directory, 'file'), 'four');
      mkdirSync(local(directory, 'directory'));
      symlinkSync('file', local(directory, 'link'));
      execFileSync('mkfifo', [local(directory, 'fifo')]);
      const kinds = await use((host) =>
        Promise.all(['file', 'directory', 'link', 'fifo'].map(async (one) => (await host.lstat(remote(directory, one)))?.kind)),
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
        const root = await host.realPath(context.server.root);
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
}
