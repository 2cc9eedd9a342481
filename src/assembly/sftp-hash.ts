// Hashing what lies on a host through SFTP: by its server (`check-file`) where it can, else by reading it. What is long leaves a log of
// the chunks it has done, in the form that the host's own tools leave theirs.
import { ReceivedMap, chunkLength, chunkOffset } from '../core/chunks.js';
import type { Host, OpenFile } from '../core/ports.js';
import { Fault, isFault } from '../core/problems.js';
import { joinPath, parentOf } from '../core/remote-path.js';
import { openOurs, single, withFile } from './files.js';
import type { ChunkHash, HashCommand, HashWhole, OnChunkHash } from './hash-command.js';
import { chunkHashLine, hashingKey, isLong, parseChunkHash } from './hash-command.js';
import { jobName } from './host-job.js';
import { readAll } from './received.js';

/** A whole is hashed in one request, which holds up its session and tells nothing on the way: about ten seconds of that. */
const MAX_WHOLE_BY_SERVER_BYTES = 8 * 1024 ** 3;

/**
 * The hash of a whole file, lower-case hex. `HOST_UNSUPPORTED` when it is too large for one request. The chunks are hashed beside it: that
 * takes about as long, so that theirs is its progress.
 */
export async function hashWholeByServer(
  host: Host,
  command: HashWhole,
  onProgress: (doneBytes: number) => void,
): Promise<string> {
  const { algorithm, path, plan, signal } = command;
  if (plan.size > MAX_WHOLE_BY_SERVER_BYTES) throw new Fault('HOST_UNSUPPORTED', 'too large to be hashed in one request');
  return withFile(host.open(path, 'read'), async (file) => {
    const beside = new AbortController();
    const progress = tellProgress(host, { ...command, signal: AbortSignal.any([signal, beside.signal]) }, onProgress);
    try {
      return await file.hash(algorithm, 0, plan.size);
    } finally {
      beside.abort();
      await progress;
    }
  });
}

async function tellProgress(host: Host, command: HashCommand, onProgress: (doneBytes: number) => void): Promise<void> {
  let doneBytes = 0;
  try {
    for await (const chunk of chunksByServer(host, command)) {
      doneBytes += chunkLength(command.plan, chunk.index);
      onProgress(doneBytes);
    }
  } catch {
    // Only its pace was wanted; the hash of the whole tells what is wrong.
  }
}

type By = 'server' | 'gateway';

/** SHA-256 of every chunk, each once. A run before this one, of the same bytes, has told some of them already. */
export async function hashChunksBySftp(host: Host, by: By, command: HashCommand, onChunk: OnChunkHash): Promise<void> {
  const log = isLong(command) ? await ChunkLog.open(host, command) : undefined;
  try {
    const done = log?.done;
    if (done !== undefined) for (const index of done.indexes()) onChunk({ index, digest: done.digest(index) ?? '' });
    const isDone = (index: number) => done?.digest(index) !== undefined;
    for await (const chunk of (by === 'server' ? chunksByServer : chunksByReading)(host, command, isDone)) {
      onChunk(chunk);
      await log?.add(chunk);
    }
  } finally {
    await log?.close();
  }
}

/** Requests under way, so that a long link is kept busy. */
const HASHES_AHEAD = 4;

type IsDone = (index: number) => boolean;

async function* chunksByServer(host: Host, { path, plan, signal }: HashCommand, isDone?: IsDone): AsyncIterable<ChunkHash> {
  const file = await host.open(path, 'read');
  try {
    const ahead: { readonly index: number; readonly digest: Promise<string> }[] = [];
    for (let index = 1; index <= plan.chunkCount || ahead.length > 0; index++) {
      if (index <= plan.chunkCount) {
        if (isDone?.(index) === true) continue;
        const digest = file.hash('sha256', chunkOffset(plan, index), chunkLength(plan, index));
        digest.catch(() => undefined); // Whoever waits for it is told; one that nobody waits for any more is of no interest.
        ahead.push({ index, digest });
        if (ahead.length < HASHES_AHEAD) continue;
      }
      signal.throwIfAborted();
      const next = ahead.shift();
      if (next !== undefined) yield { index: next.index, digest: await next.digest };
    }
  } finally {
    await file.close();
  }
}

async function* chunksByReading(host: Host, command: HashCommand, isDone?: IsDone): AsyncIterable<ChunkHash> {
  const { path, plan, signal, hashing } = command;
  const file = await openOurs(host, path, 'read');
  try {
    for (let index = 1; index <= plan.chunkCount; index++) {
      if (isDone?.(index) === true) continue;
      const hash = hashing.start('sha256');
      for await (const piece of file.read(chunkOffset(plan, index), chunkLength(plan, index), signal)) hash.update(piece);
      yield { index, digest: hash.digest() };
    }
  } finally {
    await file.close();
  }
}

/** Bytes hashed between two notes of it: what a crash costs. */
const NOTED_BYTES = 128 * 1024 * 1024;
/** A hundred thousand lines are shorter. */
const MAX_LOG_BYTES = 16 * 1024 * 1024;

/** `job.chunks.<key>.log`, written as it can be: without it, what was hashed before a crash is hashed again. */
class ChunkLog {
  readonly done: ReceivedMap;
  readonly #file: OpenFile;
  readonly #command: HashCommand;
  #offset: number;
  #unsaid = '';
  #unsaidBytes = 0;

  static async open(host: Host, command: HashCommand): Promise<ChunkLog | undefined> {
    const path = joinPath(parentOf(command.path), `${jobName({ kind: 'chunks', key: await hashingKey(host, command) })}.log`);
    try {
      const isThere = (await host.lstat(path)) !== undefined;
      const file = await (isThere ? openOurs(host, path, 'write') : host.open(path, 'create-private'));
      try {
        return new ChunkLog(file, command, isThere ? await readAll(file, 0, MAX_LOG_BYTES) : new Uint8Array());
      } catch (error) {
        await file.close();
        throw error;
      }
    } catch (error) {
      return onlyIfHostIsAway(error);
    }
  }

  private constructor(file: OpenFile, command: HashCommand, said: Uint8Array) {
    const { plan } = command;
    this.done = new ReceivedMap(plan);
    this.#file = file;
    this.#command = command;
    this.#offset = said.length;
    for (const line of new TextDecoder().decode(said).split('\n')) {
      const chunk = parseChunkHash(line);
      if (chunk !== undefined && chunk.index <= plan.chunkCount) this.done.add(chunk.index, chunk.digest);
    }
  }

  async add(chunk: ChunkHash): Promise<void> {
    this.#unsaid += `\n${chunkHashLine(chunk)}\n`;
    this.#unsaidBytes += chunkLength(this.#command.plan, chunk.index);
    if (this.#unsaidBytes >= NOTED_BYTES) await this.#flush();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #flush(): Promise<void> {
    const bytes = new TextEncoder().encode(this.#unsaid);
    this.#unsaid = '';
    this.#unsaidBytes = 0;
    try {
      await this.#file.write(this.#offset, single(bytes), { signal: this.#command.signal });
      this.#offset += bytes.length;
    } catch (error) {
      onlyIfHostIsAway(error);
    }
  }
}

/** Some hosts don't take a second opening, or have no space left. */
function onlyIfHostIsAway(error: unknown): undefined {
  if (!isFault(error) || isFault(error, 'HOST_UNREACHABLE', 'HOST_BUSY', 'NOT_FOUND')) throw error;
  return undefined;
}
