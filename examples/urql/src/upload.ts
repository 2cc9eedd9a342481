// An upload from the first question to the merge's end, with urql. Whatever broke before: it begins with the same calls.
import type { Client, OperationContext, OperationResult } from 'urql';
import { CombinedError } from 'urql';
import { chunkOf, numbersIn, sha256 } from '../../front-end/chunks';
import { UploadProblem, answerTo } from '../../front-end/patience';
import type { FileRef, Job, RunOptions } from '../../front-end/use-upload';
import { DIR_INFO, MERGE_FILE, MERGE_PROGRESS, UPLOAD_CHUNK, UPLOAD_STATUS } from '../../front-end/operations';

/** Chunks under way at the same time, so that the line isn't idle while one is acknowledged. */
const LANES = 3;

export async function upload(client: Client, job: Job, { signal, onStored, onMerge }: RunOptions): Promise<void> {
  const { source, file, ifExists, ifMatch } = job;
  const patience = { signal, isNetworkError };
  const context = abortableBy(signal);

  const status = await answerTo(async () => {
    const variables = { file, size: source.size, ifExists, ifMatch };
    return dataOf(await client.query(UPLOAD_STATUS, variables, context)).uploadStatus;
  }, patience);
  if (status.__typename === 'UploadFinished') return;

  const directory = await answerTo(async () => dataOf(await client.query(DIR_INFO, { file }, context)).dirInfo, patience);
  if (directory.__typename === 'UploadFinished') return;
  onStored(directory.uploadedBytes);

  const missing = numbersIn(directory.missing);
  const sendInTurn = async (): Promise<void> => {
    for (const index of missing) {
      const chunk = chunkOf(source, directory.chunkSize, index);
      const variables = { file, index, digest: await sha256(chunk), chunk };
      const stored = await answerTo(
        async () => dataOf(await client.mutation(UPLOAD_CHUNK, variables, context)).uploadChunk,
        patience,
      );
      if (stored.__typename === 'ChunkStored') onStored(stored.uploadedBytes);
    }
  };
  await Promise.all(Array.from({ length: LANES }, sendInTurn));

  await answerTo(async () => {
    const variables = { file, chunkCount: directory.chunkCount, ifExists, ifMatch };
    return dataOf(await client.mutation(MERGE_FILE, variables, context)).mergeFile;
  }, patience);
  await watchMerge(client, file, onMerge);
}

/** Until the file is at its place. The merge goes on without us, so stopping doesn't reach here. */
function watchMerge(client: Client, file: FileRef, onMerge: RunOptions['onMerge']): Promise<void> {
  return new Promise((resolve, reject) => {
    client.subscription(MERGE_PROGRESS, { file }).subscribe(({ data, error, hasNext }) => {
      if (data === undefined || error) return reject(error ?? new Error('the answer has no data'));
      const { problem, ...merge } = data.mergeProgress;
      // At its end urql gives the last state once more.
      if (hasNext) onMerge(merge);
      else if (problem) reject(new UploadProblem(problem));
      else resolve();
    });
  });
}

/** urql gives fetch a signal of its own, which for mutations never fires. */
function abortableBy(signal: AbortSignal): Partial<OperationContext> {
  return { fetch: (url, init) => fetch(url, { ...init, signal }) };
}

function dataOf<Data>({ data, error }: OperationResult<Data>): Data {
  if (data === undefined) throw error ?? new Error('the answer has no data');
  return data;
}

/** Everything but errors that the gateway itself told. */
function isNetworkError(error: unknown): boolean {
  return error instanceof CombinedError && error.networkError !== undefined;
}
