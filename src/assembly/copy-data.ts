// Strategy copy-data: the host's SFTP server itself copies chunk files, one after the other, to the end of one file. No byte crosses the
// wire, so none is looked at either: that the chunks are what they were is for verification to find.
import { chunkLength, chunkOffset } from '../core/chunks.js';
import type { FileRange } from '../core/ports.js';
import { Fault, isFault } from '../core/problems.js';
import { WrongChunk, type Copying } from './copier.js';
import { makeEmpty, openOurs, withFile } from './files.js';

/** Chunk files that were looked at and are not yet copied: a round trip before each would take long on a long link. */
const LOOKS_AHEAD = 64;

/** See `Copier`. A chunk that is gone, has another length or can't be read is a wrong one. */
export async function copyData(copying: Copying): Promise<void> {
  const { host, output, received, signal, onProgress } = copying;
  const { size } = received.plan;
  if (!host.offers.copyData) throw new Fault('HOST_UNSUPPORTED', `${host.profile.id} can't copy files by itself`);
  const from = await openedBytes(copying);
  let doneBytes = from;
  const onGrown = (lengthBytes: number): void => {
    doneBytes = lengthBytes;
    onProgress('ASSEMBLING', doneBytes, size);
  };
  if (from === size) return;
  try {
    await host.append(output, rangesFrom(copying, from), { from, signal, onGrown });
  } catch (error) {
    throw await explained(copying, error, doneBytes);
  }
}

/** Sees to it that the output is there and ours. */
async function openedBytes({ host, output, begunBytes }: Copying): Promise<number> {
  if (begunBytes === undefined) {
    await makeEmpty(host, output, 'create');
    return 0;
  }
  const facts = await host.lstat(output);
  if (facts?.kind === 'file' && facts.size >= begunBytes) return begunBytes;
  throw new Fault('NOT_FOUND', `${output} is no file of ours any more`);
}

/** What is still to be copied, each chunk looked at shortly before. */
async function* rangesFrom(copying: Copying, doneBytes: number): AsyncGenerator<FileRange> {
  const { plan } = copying.received;
  const looks: Promise<FileRange>[] = [];
  let next = Math.floor(doneBytes / plan.chunkSize) + 1;
  try {
    for (;;) {
      for (; next <= plan.chunkCount && looks.length < LOOKS_AHEAD; next++) {
        const look = rangeOf(copying, next, Math.max(0, doneBytes - chunkOffset(plan, next)));
        look.catch(() => undefined); // Told to whoever comes to this chunk.
        looks.push(look);
      }
      const look = looks.shift();
      if (look === undefined) return;
      yield await look;
    }
  } finally {
    await Promise.allSettled(looks);
  }
}

/** To open a FIFO would hold the session up for ever, so there it is looked at first. */
async function rangeOf({ host, chunkPath, received }: Copying, index: number, offset: number): Promise<FileRange> {
  const path = chunkPath(index);
  const lengthBytes = chunkLength(received.plan, index);
  const facts = await host.lstat(path);
  if (facts?.kind !== 'file' || facts.size !== lengthBytes) throw new WrongChunk(index, { isStitched: false });
  return { path, offset, lengthBytes: lengthBytes - offset };
}

/** What a refusal of the server comes from: the chunk at which the output ends, the server at large, or anything else. */
async function explained(copying: Copying, error: unknown, doneBytes: number): Promise<unknown> {
  if (!isFault(error, 'FAILURE', 'NOT_FOUND', 'PERMISSION_DENIED')) return error;
  const { begunBytes = 0, received, host } = copying;
  const index = Math.floor(doneBytes / received.plan.chunkSize) + 1;
  if (!(await isReadable(copying, index))) return new WrongChunk(index, { isStitched: false, cause: error });
  if (doneBytes > begunBytes || isFault(error, 'NOT_FOUND')) return error;
  return new Fault('HOST_UNSUPPORTED', `${host.profile.id} offers to copy files by itself, and doesn't`, { cause: error });
}

/** Whether the whole chunk is there: servers don't tell which of the two files of a copy failed. */
async function isReadable({ host, chunkPath, received, signal }: Copying, index: number): Promise<boolean> {
  const lengthBytes = chunkLength(received.plan, index);
  try {
    return await withFile(openOurs(host, chunkPath(index), 'read'), async (file) => {
      let readBytes = 0;
      for await (const piece of file.read(0, lengthBytes, signal)) readBytes += piece.length;
      return readBytes === lengthBytes;
    });
  } catch (error) {
    if (isFault(error, 'NOT_FOUND', 'FAILURE')) return false;
    throw error;
  }
}
