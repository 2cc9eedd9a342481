// What every part of the contract has at hand: the host under test, and short ways to it and to its disk.
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import type { Host, HostRepository, OpenFile, OpenMode } from '../../../src/core/ports.js';
import { joinPath, type RemotePath } from '../../../src/core/remote-path.js';
import { createHostRepository, type SshHostOptions } from '../../../src/sftp/host-repository.js';
import { piecesOf } from '../../support/bytes.js';
import { keptLog, realClock } from '../../support/roles.js';

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

export interface HostContext {
  readonly server: HostUnderTest;
  readonly repository: HostRepository;
  use<T>(work: (host: Host) => Promise<T>): Promise<T>;
  remote(...names: readonly string[]): RemotePath;
  local(...names: readonly string[]): string;
  freshName(): string;
  /** A file made by the host with this content; its name. */
  makeFile(content: string, fileName?: string): Promise<string>;
  withFile<T>(path: RemotePath, mode: OpenMode, work: (file: OpenFile, host: Host) => Promise<T>): Promise<T>;
}

/** To be called in a `describe`: starts the host before its tests and stops it after them. */
export function hostContext(startHost: () => Promise<HostUnderTest>): HostContext {
  let started: { readonly server: HostUnderTest; readonly repository: HostRepository } | undefined;
  let counter = 0;

  beforeAll(async () => {
    const server = await startHost();
    started = { server, repository: createHostRepository({ hosts: [server.options], clock: realClock, log: keptLog() }) };
  }, 60_000);

  afterAll(async () => {
    await started?.repository.close();
    await started?.server.stop();
  });

  const it = () => {
    if (started === undefined) throw new Error('the host has not started yet');
    return started;
  };
  const use = <T>(work: (host: Host) => Promise<T>): Promise<T> => it().repository.use(it().server.options.profile.id, work);
  const remote = (...names: readonly string[]): RemotePath => joinPath(it().server.root, ...names);
  const freshName = (): string => `n${(counter += 1)}`;
  const withFile: HostContext['withFile'] = (path, mode, work) =>
    use(async (host) => {
      const file = await host.open(path, mode);
      try {
        return await work(file, host);
      } finally {
        await file.close();
      }
    });
  return {
    get server() {
      return it().server;
    },
    get repository() {
      return it().repository;
    },
    use,
    remote,
    local: (...names) => join(it().server.localRoot, ...names),
    freshName,
    makeFile: async (content, fileName = freshName()) => {
      await withFile(remote(fileName), 'create', (file) => file.write(0, piecesOf(content), { signal: signal() }));
      return fileName;
    },
    withFile,
  };
}

/** That nobody aborts. */
export function signal(): AbortSignal {
  return new AbortController().signal;
}
