// Giving files their names, facts and durability.
import { existsSync, readFileSync, readlinkSync, statSync, symlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { HostContext } from './context.js';

export function publishingContract(context: HostContext): void {
  const { freshName, local, makeFile, remote, use, withFile } = context;

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
      await use((host) => host.syncDirectory(context.server.root));
      await expect(use((host) => host.syncDirectory(remote('missing')))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });

    it('tells the space left, and that two directories share a file system', async () => {
      const directory = freshName();
      await use(async (host) => {
        await host.makeDirectory(remote(directory));
        const [above, below] = [await host.space(context.server.root), await host.space(remote(directory))];
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
}
