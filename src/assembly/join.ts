// Joining chunk files to one: by what costs least of what the host supports after all, and from where an earlier run stopped.
import { chunkLength, chunkPlan } from '../core/chunks.js';
import type { DirectoryEntry, Host } from '../core/ports.js';
import { isFault } from '../core/problems.js';
import type { RemotePath } from '../core/remote-path.js';
import { joinPath } from '../core/remote-path.js';
import type { CopierName } from './choose.js';
import { joinByCommand, joinJobName, joinedBefore } from './command.js';
import type { Copier, Copying } from './copier.js';
import { WrongChunk } from './copier.js';
import { copyData } from './copy-data.js';
import { freshNonce, removeFile, removeQuietly } from './files.js';
import { hashChunks } from './host-hash.js';
import { endJobs, jobsAmong } from './host-job.js';
import type { LayoutAssembleOptions } from './layout.js';
import { INTENT, isOutputName, outputName } from './manifest.js';
import { relay } from './relay.js';
import { ignoreRefusal } from './removal.js';

const COPIERS: Readonly<Record<CopierName, Copier>> = { COPY_DATA: copyData, COMMAND: joinByCommand, RELAY: relay };

export interface JoinOptions extends Omit<Copying, 'output' | 'begunBytes'>, LayoutAssembleOptions {
  /** Name of an output that is known to be right as far as it goes. */
  readonly trusted: string | undefined;
  /** Whether the bytes of the output will be looked at before it is published. */
  readonly isVerified: boolean;
}

export class Join {
  readonly #options: JoinOptions;
  #output: string | undefined;
  #isInherited = false;

  constructor(options: JoinOptions) {
    this.#options = options;
    this.#output = options.trusted;
  }

  /** Name of the output that this object has made, or begun to. */
  get output(): string | undefined {
    return this.#output;
  }

  /** Whether an earlier run had made the whole output, and nobody has looked at its bytes since. */
  get isInherited(): boolean {
    return this.#isInherited;
  }

  /** Makes the one file, and gives its name. `entries`: what is in the directory. `WrongChunk` when a chunk isn't what it was. */
  async make(entries: readonly DirectoryEntry[]): Promise<string> {
    const left = await this.#clear(entries);
    if (left !== undefined && (await this.#goOn(left, jobsAmong(entries)))) return (this.#output = left.name);
    const name = outputName(freshNonce(this.#options.hashing));
    this.#output = name;
    try {
      await this.#copy(name, undefined);
    } catch (error) {
      if (isSpoiling(error)) await this.#drop(name, [joinJobName(name)]);
      throw error;
    }
    return name;
  }

  /** Leaves the output that came farthest, or that a job is writing. */
  async #clear(entries: readonly DirectoryEntry[]): Promise<DirectoryEntry | undefined> {
    const { size } = this.#options.received.plan;
    const jobs = jobsAmong(entries);
    const outputs = entries.filter((entry) => isOutputName(entry.name)).sort((a, b) => b.size - a.size);
    const fit = outputs.filter((output) => output.kind === 'file' && output.size <= size);
    const left = fit.find((output) => jobs.includes(joinJobName(output.name))) ?? fit[0];
    for (const output of outputs) if (output !== left) await this.#drop(output.name, jobs);
    return left;
  }

  /** False when there is no going on with it: then it is gone. */
  async #goOn({ name }: DirectoryEntry, jobs: readonly string[]): Promise<boolean> {
    const { host, received } = this.#options;
    const output = this.#path(name);
    try {
      const hasJob = jobs.includes(joinJobName(name));
      if (hasJob && (await joinedBefore({ ...this.#options, output, begunBytes: undefined }))) return true;
      const size = (await host.lstat(output))?.size ?? 0;
      // What is whole is for verification to look at, if it does.
      this.#isInherited = size === received.plan.size && name !== this.#output && this.#options.isVerified;
      if (this.#isInherited) return true;
      if (name === this.#output || (await this.#isRightSoFar(output, size))) {
        if (size < received.plan.size) await this.#copy(name, size);
        return true;
      }
    } catch (error) {
      // Some hosts don't open a file for writing a second time, or take no write to it then.
      const isUnfit = isFault(error, 'FAILURE', 'PERMISSION_DENIED', 'HOST_UNSUPPORTED', 'NOT_FOUND');
      if (!isUnfit && !(error instanceof WrongChunk && error.isStitched)) {
        if (isSpoiling(error)) await this.#drop(name, jobs);
        throw error;
      }
    }
    await this.#drop(name, jobs);
    return false;
  }

  /** Its whole chunks against their digests: a host that crashed may have kept a file's length and not its bytes. */
  async #isRightSoFar(output: RemotePath, size: number): Promise<boolean> {
    const { host, hasher = 'gateway', received, hashing, signal, onProgress } = this.#options;
    const { plan } = received;
    const whole = chunkPlan(size === plan.size ? size : size - (size % plan.chunkSize), plan.chunkSize);
    const wrong = new AbortController();
    let doneBytes = 0;
    const command = { hashing, path: output, plan: whole, signal: AbortSignal.any([signal, wrong.signal]) };
    try {
      await hashChunks(host, hasher, command, ({ index, digest }) => {
        if (received.digest(index) !== digest) wrong.abort(new WrongChunk(index, { isStitched: true }));
        doneBytes += chunkLength(whole, index);
        onProgress('ASSEMBLING', doneBytes, plan.size);
      });
      return !wrong.signal.aborted;
    } catch (error) {
      if (wrong.signal.aborted && !signal.aborted) return false;
      throw error;
    }
  }

  /** By the first copier that the host supports after all; each goes on where the one before it stopped. */
  async #copy(name: string, begun: number | undefined): Promise<void> {
    const { host, copiers, onStrategy } = this.#options;
    const output = this.#path(name);
    let begunBytes = begun;
    for (const [at, copier] of copiers.entries()) {
      onStrategy?.(copier);
      try {
        await COPIERS[copier]({ ...this.#options, output, begunBytes });
        return;
      } catch (error) {
        if (!isFault(error, 'HOST_UNSUPPORTED') || at === copiers.length - 1) throw error;
        begunBytes = await sizeOrNothing(host, output);
      }
    }
  }

  #path(name: string): RemotePath {
    return joinPath(this.#options.directory, name);
  }

  async #drop(name: string, jobs: readonly string[]): Promise<void> {
    const { host, directory } = this.#options;
    const job = joinJobName(name);
    if (jobs.includes(job)) await endJobs(host, directory, [job]).catch(ignoreRefusal);
    await dropOutput(host, directory, name);
  }
}

/** Takes what was made of chunks that turned out wrong away, with the jobs that work on it. */
export async function dropOutputs(host: Host, directory: RemotePath, entries: readonly DirectoryEntry[]): Promise<void> {
  await endJobs(host, directory, jobsAmong(entries)).catch(ignoreRefusal);
  for (const { name } of entries) if (isOutputName(name)) await dropOutput(host, directory, name);
}

/** The intent first: an output that is gone and an intent that names it look like a publication. */
async function dropOutput(host: Host, directory: RemotePath, name: string): Promise<void> {
  await removeQuietly(host, joinPath(directory, INTENT));
  await removeQuietly(host, joinPath(directory, name));
}

/** How far a copier came that gave up; one that wrote nothing leaves nothing, since not all hosts open a file twice for writing. */
async function sizeOrNothing(host: Host, output: RemotePath): Promise<number | undefined> {
  const size = (await host.lstat(output))?.size;
  if (size !== 0) return size;
  await removeFile(host, output);
  return undefined;
}

/** Whether what was written may be wrong, or only takes space. A run that was cut off goes on another time instead. */
function isSpoiling(error: unknown): boolean {
  return error instanceof WrongChunk || (isFault(error) && !isFault(error, 'HOST_UNREACHABLE', 'HOST_BUSY'));
}
