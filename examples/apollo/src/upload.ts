// An upload from the first question to the merge's end, with Apollo Client. Whatever broke before: it begins with the same calls.
import type { ApolloClient } from '@apollo/client';
import { CombinedGraphQLErrors } from '@apollo/client';
import { lastValueFrom, map, tap } from 'rxjs';
import { chunkOf, numbersIn, sha256 } from '../../front-end/chunks';
import { UploadProblem, answerTo } from '../../front-end/patience';
import type { FileRef, Job, RunOptions } from '../../front-end/use-upload';
import { DIR_INFO, MERGE_FILE, MERGE_PROGRESS, UPLOAD_CHUNK, UPLOAD_STATUS } from '../../front-end/operations';

/** Chunks under way at the same time, so that the line isn't idle while one is acknowledged. */
const LANES = 3;

export async function upload(client: ApolloClient, job: Job, { signal, onStored, onMerge }: RunOptions): Promise<void> {
  const { source, file, ifExists, ifMatch } = job;
  const patience = { signal, isNetworkError };
  const context = { fetchOptions: { signal } };
  // Both queries claim and open on the gateway, so they must reach it.
  const fetchPolicy = 'network-only';

  const status = await answerTo(async () => {
    const variables = { file, size: source.size, ifExists, ifMatch };
    return dataOf(await client.query({ query: UPLOAD_STATUS, variables, fetchPolicy, context })).uploadStatus;
  }, patience);
  if (status.__typename === 'UploadFinished') return;

  const directory = await answerTo(async () => {
    return dataOf(await client.query({ query: DIR_INFO, variables: { file }, fetchPolicy, context })).dirInfo;
  }, patience);
  if (directory.__typename === 'UploadFinished') return;
  onStored(directory.uploadedBytes);

  const missing = numbersIn(directory.missing);
  const sendInTurn = async (): Promise<void> => {
    for (const index of missing) {
      const chunk = chunkOf(source, directory.chunkSize, index);
      const variables = { file, index, digest: await sha256(chunk), chunk };
      const stored = await answerTo(async () => {
        return dataOf(await client.mutate({ mutation: UPLOAD_CHUNK, variables, context })).uploadChunk;
      }, patience);
      if (stored.__typename === 'ChunkStored') onStored(stored.uploadedBytes);
    }
  };
  await Promise.all(Array.from({ length: LANES }, sendInTurn));

  await answerTo(async () => {
    const variables = { file, chunkCount: directory.chunkCount, ifExists, ifMatch };
    return dataOf(await client.mutate({ mutation: MERGE_FILE, variables, context })).mergeFile;
  }, patience);
  await watchMerge(client, file, onMerge);
}

/** Until the file is at its place. The merge goes on without us, so stopping doesn't reach here. */
async function watchMerge(client: ApolloClient, file: FileRef, onMerge: RunOptions['onMerge']): Promise<void> {
  const states = client.subscribe({ query: MERGE_PROGRESS, variables: { file } }).pipe(
    map((result) => dataOf(result).mergeProgress),
    tap((merge) => onMerge(merge)),
  );
  const { problem } = await lastValueFrom(states);
  if (problem) throw new UploadProblem(problem);
}

function dataOf<Data>({ data, error }: { data?: Data; error?: Error }): Data {
  if (data === undefined) throw error ?? new Error('the answer has no data');
  return data;
}

/** Everything but errors that the gateway itself told. */
function isNetworkError(error: unknown): boolean {
  return !(error instanceof UploadProblem) && !CombinedGraphQLErrors.is(error);
}
