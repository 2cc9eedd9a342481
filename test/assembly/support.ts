// The services over one host, with what they remember in this process; a second gateway shares the host and the claims alone.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { HostAssembly } from '../../src/assembly/staging.js';
import type { FileRefInput, Longshore } from '../../src/core/answers.js';
import type { UploadIdentity } from '../../src/core/file-ref.js';
import { identify } from '../../src/core/file-ref.js';
import { createLongshore } from '../../src/core/longshore.js';
import type { Clock, Host, HostRepository } from '../../src/core/ports.js';
import type { MergeProgress } from '../../src/core/progress.js';
import type { RemotePath } from '../../src/core/remote-path.js';
import { MemoryLedger } from '../../src/memory/ledger.js';
import { MemoryLockRepository } from '../../src/memory/lock-repository.js';
import { MemoryMergeQueue } from '../../src/memory/merge-queue.js';
import { MemoryProgressFeed } from '../../src/memory/progress-feed.js';
import type { SshHostOptions } from '../../src/sftp/host-repository.js';
import { createHostRepository } from '../../src/sftp/host-repository.js';
import { KIB, MIB, piecesOf } from '../support/bytes.js';
import { realHashing } from '../support/real-hashing.js';
import { WIDE_QUOTAS, keptAudit, keptLog, realClock } from '../support/roles.js';

export const CHUNK = 64 * KIB;
export const ANNA = { person: 'anna', groups: [] };
const LIMITS = {
  ...WIDE_QUOTAS,
  chunkBytes: CHUNK,
  maxChunkBytes: 64 * MIB,
  maxFileBytes: 1_024 * MIB,
  chunksInFlightPerPerson: 16,
  claimTtlMs: 900_000,
  stagingTtlMs: 86_400_000,
};

export const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Called instead of a method of the host, with the method itself. */
export type Interception = (method: string, args: readonly unknown[], proceed: () => unknown) => unknown;

export interface TestServices {
  readonly longshore: Longshore;
  readonly assembly: HostAssembly;
  readonly hosts: HostRepository;
  readonly locks: MemoryLockRepository;
  readonly ledger: MemoryLedger;
  readonly queue: MemoryMergeQueue;
  readonly feed: MemoryProgressFeed;
  /** Another process as far as anything remembers: same host, same claims. */
  another(): Promise<Pick<TestServices, 'longshore' | 'assembly' | 'queue'>>;
  onHost: Interception;
  close(): Promise<void>;
}

export async function startServices(options: SshHostOptions, clock: Clock = realClock): Promise<TestServices> {
  const log = keptLog();
  const hosts = createHostRepository({ hosts: [options], clock: realClock, log });
  const locks = new MemoryLockRepository({ clock: realClock });
  const feed = new MemoryProgressFeed({ clock: realClock, ttlMs: LIMITS.stagingTtlMs });
  const ledger = new MemoryLedger({ clock: realClock });
  const queues: MemoryMergeQueue[] = [];
  const services: { onHost: Interception } = { onHost: (_method, _args, proceed) => proceed() };
  const build = () => {
    const queue = new MemoryMergeQueue({ log, concurrency: 2, concurrencyPerHost: 2 });
    queues.push(queue);
    const assembly = new HostAssembly({ clock, hashing: realHashing });
    const intercepting: HostRepository = {
      profiles: hosts.profiles,
      use: (id, work, person) => hosts.use(id, (host) => work(intercepted(host, () => services.onHost)), person),
      close: () => hosts.close(),
    };
    const roles = {
      ledger,
      audit: keptAudit(),
      hosts: intercepting,
      locks,
      feed,
      queue,
      assembly,
      clock: realClock,
      hashing: realHashing,
      log,
    };
    return { queue, assembly, longshore: createLongshore({ ...roles, limits: LIMITS }) };
  };
  return Object.assign(services, {
    ...build(),
    hosts,
    locks,
    ledger,
    feed,
    another: async () => Promise.resolve(build()),
    close: async () => {
      for (const queue of queues) await queue.close();
      await hosts.close();
    },
  });
}

function intercepted(host: Host, current: () => Interception): Host {
  return new Proxy(host, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => current()(String(name), args, () => Reflect.apply(member, target, args) as unknown);
    },
  });
}

/** One content on its way, and what a client does with it. */
export class TestUpload {
  readonly file: FileRefInput;
  readonly bytes: Buffer;
  readonly chunkSize: number;
  readonly identity: UploadIdentity;
  readonly #root: string;

  constructor(place: { readonly hostId: string; readonly root: string }, name: string, bytes: Buffer, chunkSize = CHUNK) {
    this.file = { hostId: place.hostId, fullPath: `${place.root}/${name}`, hashCode: `quick:${bytes.length}` };
    this.bytes = bytes;
    this.chunkSize = chunkSize;
    this.#root = place.root;
    const { hostId, fullPath, hashCode } = this.file;
    this.identity = identify(realHashing, { hostId, target: fullPath as RemotePath, person: ANNA.person, hashCode });
  }

  get chunkCount(): number {
    return Math.ceil(this.bytes.length / this.chunkSize);
  }

  /** On the local disk. */
  get directory(): string {
    return join(this.#root, '.longshore', this.identity.targetKey, this.identity.uploadKey);
  }

  names(prefix: string): readonly string[] {
    if (!existsSync(this.directory)) return [];
    return readdirSync(this.directory).filter((name) => name.startsWith(prefix));
  }

  chunk(index: number): Buffer {
    return this.bytes.subarray((index - 1) * this.chunkSize, index * this.chunkSize);
  }

  status(longshore: Longshore, wish: { readonly ifExists?: 'ASK' | 'REPLACE'; readonly chunkSize?: number } = {}) {
    const { ifExists = 'ASK', chunkSize = this.chunkSize } = wish;
    return longshore.uploadStatus(ANNA, { file: this.file, size: this.bytes.length, chunkSize, ifExists, takeOver: false });
  }

  put(longshore: Longshore, index: number, content: ChunkContent = {}) {
    const { bytes = this.chunk(index), signal = new AbortController().signal } = content;
    const digest = 'digest' in content ? content.digest : sha256(bytes);
    const pieces = content.pieces ?? piecesOf(bytes);
    return longshore.uploadChunk(ANNA, { file: this.file, index, pieces, signal, ...(digest !== undefined && { digest }) });
  }

  async putAll(longshore: Longshore): Promise<void> {
    const indexes = Array.from({ length: this.chunkCount }, (_, at) => at + 1);
    const worker = async () => {
      for (let index = indexes.shift(); index !== undefined; index = indexes.shift()) {
        const answer = await this.put(longshore, index);
        if (answer.kind !== 'ChunkStored') throw new Error(JSON.stringify(answer));
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
  }

  merge(longshore: Longshore, wish: { readonly ifExists?: 'ASK' | 'REPLACE'; readonly digest?: string } = {}) {
    const { ifExists = 'ASK', digest } = wish;
    const input = { file: this.file, chunkCount: this.chunkCount, ifExists };
    return longshore.mergeFile(ANNA, { ...input, ...(digest !== undefined && { digest }) });
  }

  /** Until it ends; every state in order. */
  async watch(longshore: Longshore): Promise<readonly MergeProgress[]> {
    const states: MergeProgress[] = [];
    for await (const state of longshore.mergeProgress(ANNA, this.file)) states.push(state);
    return states;
  }

  /** Asks for the merge and gives how it ended. */
  async mergeToEnd(longshore: Longshore, wish: Parameters<TestUpload['merge']>[1] = {}): Promise<MergeProgress | undefined> {
    const started = await this.merge(longshore, wish);
    if (started.kind !== 'MergeStarted') throw new Error(JSON.stringify(started));
    return (await this.watch(longshore)).at(-1);
  }
}

export interface ChunkContent {
  readonly bytes?: Uint8Array;
  /** Default: of the bytes. */
  readonly digest?: string | undefined;
  readonly pieces?: AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal;
}

export interface TestPlace {
  readonly hostId: string;
  readonly root: string;
}

export interface StartedServices {
  readonly place: TestPlace;
  readonly services: TestServices;
  /** What must hold while the connections are still there. */
  beforeEnd?(): Promise<void>;
  stop(): Promise<void>;
}

/** What a test begins with and leaves: a host, services over it, and a root with nothing in it but what was published. */
export function useServices(start: () => Promise<StartedServices>) {
  let started: StartedServices;
  beforeEach(async () => {
    started = await start();
  });
  afterEach(async () => {
    await started.beforeEnd?.();
    await started.services.close();
    await started.stop();
  });
  return {
    services: () => started.services,
    upload: (name: string, bytes: Buffer) => new TestUpload(started.place, name, bytes),
    local: (name: string) => join(started.place.root, name),
    present: () => readdirSync(started.place.root).sort(),
  };
}
